//! Imports MetricFlow's manifests and answers MetricFlow's own cases.
//!
//! ```text
//! cargo run --release --example metricflow_conformance -- DIR [--only TEXT] [--results OUT]
//! ```
//!
//! `DIR` has `manifests/<name>/`, `tables/`, `cases.json` and `expected/`. Prints a line for each case and a summary;
//! `--only` runs the cases whose names hold a text, `--results` writes each result as JSON.

#[path = "../tests/it/metricflow/mod.rs"]
#[allow(dead_code)]
mod metricflow;

use std::process::ExitCode;

use metricflow::{Options, Verdict, run};

fn options() -> Result<Options, String> {
    let mut options = Options { told: Some(|outcome| println!("{}", outcome.line())), ..Options::default() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--only" => options.only = Some(value()?),
            "--results" => options.results = Some(value()?.into()),
            _ if word.starts_with('-') => return Err(format!("unknown option {word}")),
            _ => options.folder = word.into(),
        }
    }
    match options.folder.as_os_str().is_empty() {
        true => Err("name the folder with cases.json".to_string()),
        false => Ok(options),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match options() {
        Ok(options) => run(&options).await,
        Err(problem) => Err(problem),
    };
    match done {
        Ok(run) => {
            println!("{}", run.summary());
            let failed = run.count(|verdict| matches!(verdict, Verdict::Different(_) | Verdict::Refused(_)));
            if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}
