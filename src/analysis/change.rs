//! [`Change`]: the question why an indicator changed, and what answers it.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result as PlanResult;
use datafusion::config::ConfigOptions;
use serde::{Deserialize, Serialize};

use super::against::against_target;
use super::cells::Cells;
use super::components::{OverSlices, over_slices};
use super::effects::Method;
use super::explanation::{Explanation, Rest};
use super::function::{Function, Texts, choice, names};
use super::question::{Asked, Question, Side};
use super::reader::{Argument, ONE_TIME, Reader};
use super::rows::{schema, to_batch};
use super::span::Span;
use super::targeted::{Wanted, Within, of_all_rows, slice_of};
use super::{Analysis, Model};
use crate::catalog::expr::Expression;
use crate::catalog::tree::Tree;
use crate::catalog::{Catalog, IndicatorId};
use crate::check::definition_as_breakdown;
use crate::diagnostic::{Diagnostic, codes};
use crate::error::Result;

/// Why did an indicator change? In SQL `explain_change('gmv', base => …)`, on the command line `bell why`.
///
/// ```
/// let change: bellwether::Change = serde_json::from_str(
///     r#"{"indicator": "gmv", "base": "2026-09", "current": "2026-10", "by": ["region", "channel"]}"#,
/// )?;
/// assert_eq!(change.by.len(), 2);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "serve", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Change {
    /// The indicator by name: `gmv`, `retail.gmv`.
    pub indicator: String,
    /// What is compared with: a period (`2026-09`, `2026-07 to 2026-09`), `previous period`, `previous year`, … of the
    /// current one, or `target`. Without it, the period just before; with conditions on one side only, the current period itself.
    pub base: Option<String>,
    /// The period that is explained.
    pub current: Option<String>,
    /// Dimensions: the change is broken down by each of them, and by all together.
    pub by: Vec<String>,
    /// How a change is shared among the parts of a tree.
    pub method: Method,
    /// Conditions on both sides.
    #[serde(rename = "where")]
    pub conditions: Vec<String>,
    /// Conditions on the base only: to compare with another slice.
    pub base_where: Vec<String>,
    /// Conditions on the current side only.
    pub current_where: Vec<String>,
    /// Against the target: up to when the data count, and by when it must have been decided; without it, now.
    pub as_of: Option<String>,
}

impl Function for Change {
    fn name(&self) -> &'static str {
        "explain_change"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &["indicator", "base", "current", "by", "method", "where", "base_where", "current_where", "as_of"]
    }

    fn example(&self) -> &'static str {
        "explain_change('gmv', base => '2026-09', current => '2026-10', by => 'region, channel')"
    }

    fn set(&mut self, argument: &str, text: &str) -> Result<(), Diagnostic> {
        let own = || text.to_string();
        match argument {
            "indicator" => self.indicator = own(),
            "base" => self.base = Some(own()),
            "current" => self.current = Some(own()),
            "by" => self.by = names(text),
            "method" => self.method = choice("method", text, &Method::ASKED.map(|method| (method.name(), method)))?,
            "base_where" => self.base_where = vec![own()],
            "current_where" => self.current_where = vec![own()],
            "as_of" => self.as_of = Some(own()),
            _ => self.conditions = vec![own()],
        }
        Ok(())
    }

    fn texts(&self) -> Vec<(Argument, String)> {
        Texts::default()
            .one(Argument::Indicator, Some(&self.indicator))
            .one(Argument::Current, self.current.as_deref())
            .one(Argument::Base, self.base.as_deref())
            .all(Argument::By, &self.by)
            .all(Argument::Where, &self.conditions)
            .all(Argument::BaseWhere, &self.base_where)
            .all(Argument::CurrentWhere, &self.current_where)
            .one(Argument::AsOf, self.as_of.as_deref())
            .0
    }

    fn prepare(&self, model: &mut Model<'_>) -> Result<Analysis> {
        let (options, now) = (model.options, model.now);
        let mut reader = Reader::new(model);
        let (package, root) = reader.indicator(&self.indicator)?;
        let sides = self.sides(&mut reader)?;
        let by = reader.dimensions(&self.by, &package, ONE_TIME)?;
        let both = reader.conditions(Argument::Where, &self.conditions, &package)?;
        let of_base = reader.conditions(Argument::BaseWhere, &self.base_where, &package)?;
        let of_current = reader.conditions(Argument::CurrentWhere, &self.current_where, &package)?;
        let now = reader.as_of(self.as_of.as_deref(), self.is_against_target())?.unwrap_or(now);
        let mut names =
            [(0, &self.base_where), (1, &self.current_where)].map(|(side, own)| side_name(sides[side], own));
        if self.is_against_target() {
            names[0] = "the target".to_string();
        }
        let [base, current] = sides;
        let with = |own: Vec<_>| both.iter().cloned().chain(own).collect();
        let base = Side { span: base, conditions: with(of_base) };
        let current = Side { span: current, conditions: with(of_current) };
        let mut catalog = Catalog::clone(reader.catalog());
        give_tree(&mut catalog, root);
        let over = if by.is_empty() { OverSlices::Neither } else { over_slices(&mut catalog, root) };
        self.require_answer(&catalog, root, over, &reader)?;
        let catalog = Arc::new(catalog);
        let sets = sets_of(by.len());
        let explanation = Explanation {
            catalog: Arc::clone(&catalog),
            root,
            over,
            by: by.iter().map(|(name, _)| name.clone()).collect(),
            sets: sets.clone(),
            method: self.method,
            rest: if self.is_against_target() { Rest::NoTarget } else { Rest::Overlap },
            sides: names,
            places: [Argument::Base, Argument::Current].map(|side| reader.place(side, 0)),
        };
        if self.is_against_target() {
            let slice = self.slice(&both, &reader)?;
            let period = current.span.ok_or_else(|| reader.at(without_period(), Argument::Base, 0))?;
            let below = below(&catalog, root);
            let (package, by, sets) = (package.as_str(), by.as_slice(), sets.as_slice());
            let wanted = Wanted { package, by, slice, root, over, below, sets, period, now };
            return against_target(explanation, &wanted, &reader, options);
        }
        let asked = Asked { catalog, package, by, sets, indicators: vec![], sides: vec![base, current], first: 0 };
        let asked = Asked { indicators: asked_for(&asked.catalog, root, over), ..asked };
        let questions = questions(&asked, root, over, options);
        let questions = questions.map_err(|error| reader.at_dimension(error.into()))?;
        Ok(Analysis { spares: asked.spares(options)?, questions, answer: Arc::new(explanation) })
    }
}

/// The base that is the target.
pub const TARGET: &str = "target";

/// Whether a base is the target.
pub(super) fn is_target(text: &str) -> bool {
    text.trim().eq_ignore_ascii_case(TARGET)
}

impl Change {
    fn is_against_target(&self) -> bool {
        self.base.as_deref().is_some_and(is_target)
    }

    /// The slice of which the target is the base, the whole without conditions.
    fn slice(&self, both: &[Expression], reader: &Reader<'_, '_>) -> Result<Within, Diagnostic> {
        let one_side = [(Argument::BaseWhere, &self.base_where), (Argument::CurrentWhere, &self.current_where)];
        if let Some((argument, _)) = one_side.into_iter().find(|(_, texts)| !texts.is_empty()) {
            return Err(reader.at(of_all_rows(), argument, 0));
        }
        slice_of(both).ok_or_else(|| reader.at(of_all_rows(), Argument::Where, 0))
    }

    /// The periods of both sides.
    fn sides(&self, reader: &mut Reader<'_, '_>) -> Result<[Option<Span>; 2], Diagnostic> {
        let current = self.current.as_deref().map(|text| reader.span(Argument::Current, text, None)).transpose()?;
        if self.is_against_target() {
            reader.add(Argument::Base, TARGET);
            return Ok([None, current]);
        }
        let base = self.base.as_deref().map(|text| reader.span(Argument::Base, text, current)).transpose()?;
        let by_slice = !self.base_where.is_empty() || !self.current_where.is_empty();
        match (base, current) {
            (Some(base), Some(current)) => Ok([Some(base), Some(current)]),
            (None, Some(current)) if by_slice => Ok([Some(current), Some(current)]),
            (None, Some(current)) => match current.before() {
                Some(before) => Ok([Some(before), Some(current)]),
                None => Err(Diagnostic::new(codes::PERIOD, format!("nothing lies before {current}"))),
            },
            (None, None) if by_slice => Ok([None, None]),
            _ => Err(Diagnostic::new(codes::REQUEST, "a change is explained from one side to another")
                .help("say which period is explained (current) and with what it is compared (base)")),
        }
    }

    fn require_answer(
        &self,
        catalog: &Catalog,
        root: IndicatorId,
        over: OverSlices,
        reader: &Reader<'_, '_>,
    ) -> Result<(), Diagnostic> {
        let name = &catalog.indicator(root).item.name;
        if self.by.is_empty() && catalog.tree_of(root).is_none() {
            let diagnostic =
                Diagnostic::new(codes::NOTHING_BELOW, format!("`{name}` has no tree, and `by` is not said"));
            return Err(reader.at(diagnostic, Argument::Indicator, 0).help(format!(
                "declare `tree {name} = …`, or say by which dimensions its change is to be broken down"
            )));
        }
        if !self.by.is_empty() && over == OverSlices::Neither {
            let diagnostic = Diagnostic::new(
                codes::NOT_SLICEABLE,
                format!("slices do not add up to `{name}`: it is neither a sum or count nor a ratio of two"),
            )
            .note("the change of a median, of an extreme or of a product says nothing about which slice caused it");
            return Err(reader
                .at(diagnostic, Argument::By, 0)
                .help("explain the sums and counts behind it, or leave out `by` if it has a tree"));
        }
        Ok(())
    }
}

impl super::Answer for Explanation {
    fn schema(&self) -> SchemaRef {
        schema()
    }

    fn answer(&self, cells: &Cells) -> PlanResult<RecordBatch> {
        to_batch(&self.rows(cells)?, self.whole(cells)?)
    }
}

fn without_period() -> Diagnostic {
    Diagnostic::new(codes::REQUEST, "a target is of a period and of all rows of a slice")
        .help("say the period (`current`)")
}

/// What stands below an indicator in its tree.
fn below(catalog: &Catalog, root: IndicatorId) -> Vec<IndicatorId> {
    let all = catalog.nodes_below(root).into_iter().map(|node| node.indicator);
    all.filter(|id| *id != root).collect()
}

fn side_name(span: Option<Span>, conditions: &[String]) -> String {
    let span = span.map_or_else(|| "all of time".to_string(), |span| span.to_string());
    match conditions {
        [] => span,
        conditions => format!("{span} where {}", conditions.join(" and ")),
    }
}

/// The total, each dimension alone, and all of them together.
fn sets_of(dimensions: usize) -> Vec<Vec<usize>> {
    let single = (0..dimensions).map(|at| vec![at]);
    let all = (dimensions > 1).then(|| (0..dimensions).collect());
    std::iter::once(vec![]).chain(single).chain(all).collect()
}

/// An indicator without a tree breaks down as it is defined, if that is arithmetic on others.
pub(super) fn give_tree(catalog: &mut Catalog, root: IndicatorId) {
    if catalog.tree_of(root).is_none()
        && let Some(breakdown) = definition_as_breakdown(catalog, root)
    {
        let item = catalog.indicator(root).item.clone();
        catalog.trees.push(Tree { item, breakdowns: vec![breakdown] });
    }
}

/// The root, what its slices are computed from, and all of its tree.
fn asked_for(catalog: &Catalog, root: IndicatorId, over: OverSlices) -> Vec<IndicatorId> {
    let mut asked = sliced(root, over);
    for node in catalog.nodes_below(root) {
        if !asked.contains(&node.indicator) {
            asked.push(node.indicator);
        }
    }
    asked
}

fn sliced(root: IndicatorId, over: OverSlices) -> Vec<IndicatorId> {
    match over {
        OverSlices::Ratio { above, below, .. } => vec![root, above, below],
        OverSlices::Sum | OverSlices::Neither => vec![root],
    }
}

/// One question for tree and slices together where every node of the tree can be sliced so; else the tree is asked apart.
fn questions(asked: &Asked, root: IndicatorId, over: OverSlices, options: &ConfigOptions) -> PlanResult<Vec<Question>> {
    let together = asked.questions(options);
    if together.is_ok() || asked.by.is_empty() {
        return together;
    }
    let slices = Asked { indicators: sliced(root, over), ..asked.clone() }.questions(options)?;
    let tree = Asked { by: vec![], sets: vec![vec![]], ..asked.clone() }.questions(options)?;
    Ok([slices, tree].concat())
}
