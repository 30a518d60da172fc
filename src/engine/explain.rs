//! Every stage of a question, printed.

use datafusion::physical_plan::displayable;

use super::{Engine, locate, prepass, show, sql};
use crate::catalog::expr::Input;
use crate::catalog::{DimensionId, Member};
use crate::error::Result;
use crate::plan::{Note, Notes};
use crate::source::SourceFile;

/// A stage of a question, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The statement as parsed, with bare indicators marked.
    Ast,
    /// The indicators and dimensions that it names, as they were resolved.
    Catalog,
    /// The logical plan with indicators expanded.
    Plan,
    /// The same after DataFusion's optimizer.
    Optimized,
    /// What runs.
    Physical,
}

/// A statement at a stage, as text.
///
/// # Errors
/// As [`Engine::sql`].
pub async fn explain(engine: &Engine, file: &SourceFile, stage: Stage) -> Result<String> {
    let mut statement = sql::parse(file)?;
    let ctx = engine.context();
    match stage {
        Stage::Ast => {
            prepass::rewrite(file, &mut statement, &sql::Schemas::of(&ctx.state()));
            return Ok(statement.to_string());
        }
        Stage::Catalog => {
            sql::plan(engine, &ctx.state(), file, statement).await?;
            return Ok(named_members(engine, file));
        }
        _ => {}
    }
    let mut state = ctx.state();
    let notes = Notes::default();
    state.config_mut().options_mut().extensions.insert(notes.clone());
    let plan = sql::plan(engine, &state, file, statement).await?;
    let shown = match stage {
        Stage::Optimized => state.optimize(&plan)?.display_indent().to_string(),
        Stage::Physical => displayable(state.create_physical_plan(&plan).await?.as_ref()).indent(true).to_string(),
        _ => plan.display_indent().to_string(),
    };
    Ok(format!("{shown}{}", rollups_in_words(&notes)))
}

/// Which rollups answer, and why the others do not, the nearest first.
fn rollups_in_words(notes: &Notes) -> String {
    let mut all = notes.all();
    all.sort_by_key(|note| (note.source.clone(), note.missed.len()));
    let mut text = String::new();
    let nearest = |at: usize| {
        let of_source = |other: &&Note| other.source == all[at].source;
        let answered = all.iter().filter(of_source).any(|other| other.missed.is_empty());
        let several = all.iter().filter(of_source).count() > 1;
        let first = all.iter().position(|other| other.source == all[at].source) == Some(at);
        several && first && !answered
    };
    for (at, Note { rollup, source, missed, late_since }) in all.iter().enumerate() {
        text.push_str(match text.is_empty() {
            true => "\nrollups\n",
            false => "",
        });
        let near = if nearest(at) { " (the nearest)" } else { "" };
        match missed.is_empty() {
            true => {
                let late = late_since.iter().map(|at| format!(", as of {at}: its sources have changed since"));
                text.push_str(&format!("  {source}: from `{rollup}`{}\n", late.collect::<String>()));
            }
            false => text.push_str(&format!("  {source}: not from `{rollup}`{near}: {}\n", missed.join("; "))),
        }
    }
    text
}

/// What the catalog knows of every indicator and dimension that a statement names.
fn named_members(engine: &Engine, file: &SourceFile) -> String {
    let catalog = engine.catalog();
    let words = locate::Words::of(file).all();
    let mut text = String::new();
    for (id, indicator) in catalog.declared_indicators() {
        if words.contains(&indicator.item.name) {
            text.push_str(&format!("indicator {}\n", indicator.item.name));
            for (property, value) in show::properties(catalog, id).into_iter().skip(1) {
                text.push_str(&format!("  {property}: {value}\n"));
            }
        }
    }
    for event in catalog.events.iter().filter(|event| words.contains(&event.item.name)) {
        text.push_str(&format!("{} {}\n", event.kind.name(), event.item.name));
        for (property, value) in show::properties_of_event(catalog, event).into_iter().skip(1) {
            text.push_str(&format!("  {property}: {value}\n"));
        }
    }
    for (at, dimension) in catalog.dimensions.iter().enumerate() {
        let name = &dimension.item.name;
        let used = words.iter().any(|word| word.split("__").next() == Some(name.as_str()));
        if used && catalog.member(&dimension.item.package, name) == Some(Member::Dimension(DimensionId(at as u32))) {
            text.push_str(&format!("dimension {name}: {}\n", dimension.data_type));
            for definition in &dimension.definitions {
                let columns = definition.inputs.iter().filter_map(|input| match input {
                    Input::Column(column) => Some(column.display(catalog)),
                    Input::Dimension(id, _) => Some(catalog.dimension(*id).item.name.clone()),
                    _ => None,
                });
                text.push_str(&format!("  from {}\n", columns.collect::<Vec<_>>().join(", ")));
            }
        }
    }
    text
}
