//! Localises incidents with labelled causes.
//!
//! ```text
//! cargo run --release --example localise -- DIR
//! ```
//!
//! `DIR` has `cases.parquet` (`case`, `minute`, dimensions, `value`, `cnt`) and `labels.json` (`case`, `timestamp`, `causes`).
//! Prints a line for each case, the time, and the scores: how often the first answer is a label, the F1 of the first
//! answers, and which part of the labels is among the first three.

#[path = "../tests/it/streams.rs"]
#[allow(dead_code)]
mod streams;

use std::path::PathBuf;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("name the folder with cases.parquet and labels.json");
        return ExitCode::FAILURE;
    };
    match streams::run(&folder, |line| println!("{line}")).await {
        Ok(score) => {
            println!("{:.2} s", score.time.as_secs_f64());
            println!("exact top-1 {:.2} F1 {:.2} recall@3 {:.2}", score.exact(), score.f1(), score.recall());
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}
