//! Questions answered from rollups: the same model with rollups drawn from its questions, computed in two runs where a
//! source has two files, must give what the naive evaluator says.

use std::collections::BTreeSet;
use std::path::Path as FilePath;

use bellwether::engine::Stage;
use bellwether::{Engine, Run, publish};

use super::case::{Case, Outcome};
use super::dice::Dice;
use super::expr::{Ex, Grain};
use super::files::{self, Files};
use super::model::Model;
use super::naive::Naive;
use super::question::Question;
use super::write::Writer;

/// How many rollups a case tries.
const TRIED: usize = 4;

/// How the questions of a case went, and how many of them a rollup answered.
pub async fn run(case: &Case) -> (Vec<Outcome>, usize) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = case.model.bell(&case.model.all());
    let naive = Naive::new(&case.model, &case.data);
    let write = |text: &str, which: Files| files::write(folder.path(), text, &case.model, &case.data, which);
    write(&model, Files::First).expect("files");
    let mut text = model;
    let mut dice = Dice::new(case.seed.wrapping_mul(31));
    let mut kept = 0;
    for (number, question) in case.questions.iter().enumerate().take(TRIED) {
        for rollup in candidates(&mut dice, &case.model, question, number) {
            let longer = format!("{text}\n{rollup}\n");
            write(&longer, Files::First).expect("files");
            if Engine::open(folder.path()).await.is_ok() {
                text = longer;
                kept += 1;
                break;
            }
        }
    }
    if kept == 0 {
        return (vec![], 0);
    }
    write(&text, Files::First).expect("files");
    compute(folder.path()).await;
    write(&text, Files::All).expect("files");
    compute(folder.path()).await;
    let engine = Engine::open(folder.path()).await.expect("a model that was opened before");
    let (mut outcomes, mut used) = (vec![], 0);
    for question in &case.questions {
        outcomes.push(case.asked(&engine, &naive, question).await);
        if let Some(sql) = question.sql(&case.model) {
            let shown = engine.explain(&sql, Stage::Plan).await.unwrap_or_default();
            used += usize::from(shown.contains(": from `"));
        }
    }
    (outcomes, used)
}

async fn compute(folder: &FilePath) {
    let engine = Engine::open(folder).await.expect("a model that was opened before");
    let reports = publish::run(&engine, &Run::default(), &|_| {}).await.expect("rollups");
    for report in reports {
        // Rows that fail (a text that is no number) fail here, too.
        if let Some(error) = &report.error {
            assert!(!error.to_string().contains("internal"), "{}: {error}", report.publication);
        }
    }
}

/// Rollups that may answer a question, those that ask for less later.
fn candidates(dice: &mut Dice, model: &Model, question: &Question, number: usize) -> Vec<String> {
    let (mut by, mut indicators) = (BTreeSet::new(), BTreeSet::new());
    let mut named = |ex: &Ex| {
        ex.visit(&mut |part| match part {
            Ex::Ind(at) => _ = indicators.insert(model.indicators[*at].name.clone()),
            Ex::Dim(at, _) if model.dimensions[*at].ty.is_time() => {
                _ = by.insert(Writer::bell(model).write(&Ex::Dim(*at, Grain::Day)));
            }
            Ex::Dim(..) => _ = by.insert(Writer::bell(model).write(part)),
            Ex::Seg(at) => _ = by.insert(model.segments[*at].name.clone()),
            Ex::MetricTime(_) => _ = by.insert("day".to_string()),
            _ => {}
        });
    };
    question.expressions().into_iter().for_each(&mut named);
    question.keys.iter().for_each(&mut named);
    if question.from.is_some() || question.to.is_some() || dice.percent(30) {
        by.insert("day".to_string());
    }
    if dice.percent(15) && by.remove("day") {
        by.insert("month".to_string());
    }
    // Whatever it is called.
    let name = match dice.percent(30) {
        true => dice.pick(&model.sources).name.clone(),
        false => format!("r{number}"),
    };
    let by: Vec<String> = by.into_iter().collect();
    let by = if by.is_empty() { String::new() } else { format!("  by {}", by.join(", ")) };
    let text = |indicators: &[&str], more: &str| {
        let names = indicators.join(", ");
        format!("rollup {name} {{ indicators {names}{by}{more}  to 'rollups/r{number}/' }}")
    };
    let names: Vec<&str> = indicators.iter().map(String::as_str).collect();
    if names.is_empty() {
        return vec![];
    }
    let mut all = vec![text(&names, "")];
    // Floating-point numbers are multiples of a quarter here, whose sums are exact; distinct counts would be estimates.
    let distinct = |name: &&str| {
        let indicator = model.indicators.iter().find(|indicator| indicator.name == **name);
        indicator.is_none_or(|indicator| Writer::bell(model).write(&indicator.definition).contains("distinct"))
    };
    if !names.iter().any(distinct) {
        all.push(text(&names, &format!("  approximate {}", names.join(", "))));
    }
    all.extend(names.iter().map(|name| text(&[name], "")));
    all
}
