//! Compares the engine with a naive evaluator on random models, data and questions.
//!
//! ```text
//! cargo run --release --example differential -- --cases 10000 --seed 1 [--only N] [--keep DIR] [--table FILE] [--rollups true]
//! ```
//!
//! Prints how many questions were equal, refused by both sides, not yet answered, or different, and for each difference
//! a small case that shows it. `--only` runs one question of each case; `--keep` writes the projects of differences to a folder;
//! `--rollups true` asks models with rollups, and how many questions these answered; `--table` writes the table of pairs: which kind of indicator met which modifier over which joins, and how it went.

#[path = "../tests/it/differential/mod.rs"]
#[allow(dead_code)]
mod differential;

use std::path::PathBuf;

use differential::{Case, Outcome, Tally};

struct Options {
    cases: u64,
    seed: u64,
    only: Option<usize>,
    keep: Option<PathBuf>,
    table: Option<PathBuf>,
    /// Whether rollups answer.
    rollups: bool,
    /// Differences are shown up to this number.
    show: usize,
}

fn options() -> Result<Options, String> {
    let mut options = Options { cases: 1000, seed: 1, only: None, keep: None, table: None, rollups: false, show: 20 };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or(format!("{word} needs a value"))?;
        let number = || value.parse::<u64>().map_err(|e| format!("{word} {value}: {e}"));
        match word.as_str() {
            "--cases" => options.cases = number()?,
            "--rollups" => options.rollups = value == "true",
            "--seed" => options.seed = number()?,
            "--only" => options.only = Some(number()? as usize),
            "--show" => options.show = number()? as usize,
            "--table" => options.table = Some(value.into()),
            "--keep" => options.keep = Some(value.into()),
            _ => return Err(format!("unknown option {word}")),
        }
    }
    Ok(options)
}

#[tokio::main]
async fn main() -> Result<(), String> {
    let options = options()?;
    let mut tally = Tally::default();
    let mut used = 0;
    for seed in options.seed..options.seed + options.cases {
        let case = Case::draw(seed);
        let outcomes = match options.rollups {
            true => {
                let (outcomes, answered) = differential::rollups::run(&case).await;
                used += answered;
                outcomes
            }
            false => case.run().await,
        };
        for (at, outcome) in outcomes.iter().enumerate() {
            if options.only.is_some_and(|only| only != at) {
                continue;
            }
            tally.count(&case.model, &case.questions[at], outcome);
            if let Outcome::Different(how) = outcome {
                println!("--seed {seed} --cases 1 --only {at}: {}", how.replace('\n', " "));
                match options.rollups {
                    // Whatever else the rollups hold may matter, so that nothing is left out.
                    true => println!("{}", case.only(at).text()),
                    false if tally.different <= options.show => report(&options, &case, at).await,
                    false => {}
                }
            }
        }
        let done = seed - options.seed + 1;
        if done % 500 == 0 {
            eprintln!("{done} cases: {} equal, {} different", tally.equal, tally.different);
        }
    }
    println!("{tally}");
    if options.rollups {
        println!("{used} answered from rollups");
    }
    if let Some(file) = &options.table {
        std::fs::write(file, tally.pairs.markdown()).map_err(|e| format!("{}: {e}", file.display()))?;
    }
    if tally.different == 0 { Ok(()) } else { Err(format!("{} differences", tally.different)) }
}

/// Prints a small case with the same difference.
async fn report(options: &Options, case: &Case, at: usize) {
    let alone = matches!(case.only(at).run().await.first(), Some(Outcome::Different(_)));
    // What another question's items bring about cannot be shown by this one alone.
    let small = if alone { case.only(at).shrunk().await } else { case.clone() };
    println!("==== --seed {} --cases 1 --only {at}\n{}", case.seed, small.text());
    for outcome in small.run().await.iter().filter(|o| matches!(o, Outcome::Different(_))) {
        println!("{outcome}\n");
    }
    if let Some(keep) = &options.keep {
        let folder = keep.join(format!("{}-{at}", case.seed));
        if let Err(error) = small.write(&folder) {
            eprintln!("{}: {error}", folder.display());
        }
    }
}
