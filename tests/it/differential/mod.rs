//! The differential harness: random models, data and questions, answered by the engine and by a naive evaluator that
//! was written from the language page alone.
//!
//! `cargo run --release --example differential -- --cases 10000 --seed 1` runs it at length; the test below runs some
//! fixed seeds.

mod calendar;
mod case;
mod compare;
mod context;
#[cfg(test)]
mod context_tests;
mod data;
mod dice;
mod draw_changes;
mod draw_items;
mod draw_questions;
mod draw_rows;
mod draw_sources;
mod draw_star;
mod draw_star_questions;
mod events;
mod expr;
mod features;
mod files;
mod groups;
mod model;
mod modifier;
mod naive;
#[cfg(test)]
mod naive_tests;
mod pairs;
mod question;
mod reach;
pub mod rollups;
mod rows;
mod state;
mod value;
mod write;

pub use case::{Case, Outcome};
pub use features::Tally;

/// Seeds of the short run.
#[cfg(test)]
const SEEDS: std::ops::Range<u64> = 1..151;

#[tokio::test]
async fn engine_and_naive_evaluator_agree() {
    let mut tally = Tally::default();
    let mut report = String::new();
    for seed in SEEDS {
        let case = Case::draw(seed);
        for (at, outcome) in case.run().await.into_iter().enumerate() {
            tally.count(&case.model, &case.questions[at], &outcome);
            if let Outcome::Different(how) = &outcome {
                let small = if report.is_empty() { shortened(&case, at).await } else { how.clone() };
                let question = case.questions[at].text(&case.model);
                report += &format!("--seed {seed} --cases 1 --only {at}\n{question}\n{small}\n\n");
            }
        }
    }
    println!("{tally}");
    assert!(report.is_empty(), "reproduce with `cargo run --example differential -- …`:\n{report}");
    assert!(tally.equal > 300, "only {} questions were compared", tally.equal);
    assert!(tally.missing().is_empty(), "never compared: {:?}", tally.missing());
}

/// Seeds that are asked of rollups, too.
#[cfg(test)]
const ROLLED: std::ops::Range<u64> = 1..61;

#[tokio::test]
async fn rollups_answer_what_the_naive_evaluator_says() {
    let (mut report, mut used, mut equal) = (String::new(), 0, 0);
    for seed in ROLLED {
        let case = Case::draw(seed);
        let (outcomes, answered) = rollups::run(&case).await;
        used += answered;
        for (at, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                Outcome::Equal => equal += 1,
                Outcome::Different(how) => {
                    report += &format!("--rollups true --seed {seed} --cases 1 --only {at}\n{how}\n\n");
                }
                _ => {}
            }
        }
    }
    println!("{equal} equal, {used} from rollups");
    assert!(report.is_empty(), "{report}");
    assert!(used > 30, "only {used} questions were answered from rollups");
}

/// A small case with the same difference: done for the first one only, since it takes many runs.
#[cfg(test)]
async fn shortened(case: &Case, at: usize) -> String {
    let small = case.only(at).shrunk().await;
    let outcomes: Vec<String> = small.run().await.iter().map(ToString::to_string).collect();
    format!("{}\n{}", small.text(), outcomes.join("\n"))
}

/// The manual's table of pairs is one that `--table` of the long run wrote: all pairs, none never met, none wrong.
#[test]
fn the_manual_has_every_pair() {
    let page = include_str!("../../../src/manual/compositions.md");
    let table = |text: &str| -> Vec<String> { text.lines().filter(|line| line.starts_with('|')).map(blank).collect() };
    assert_eq!(table(page), table(&pairs::Pairs::default().markdown()));
    let cells = page.lines().filter(|line| line.starts_with("| `") || line.starts_with("| (none)"));
    for cell in cells.flat_map(|line| line.trim_matches('|').split(" | ").skip(1)) {
        assert!(cell.trim() != pairs::EMPTY && !cell.contains("DIFFERENT"), "a cell: {cell}");
    }
}

/// A line of a table with only its first cell.
#[cfg(test)]
fn blank(line: &str) -> String {
    let cells = line.split(" | ").count();
    format!("{} x{cells}", line.split(" | ").next().unwrap_or_default())
}
