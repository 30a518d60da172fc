//! What each rewrite brings: the questions of the suite with one of them switched off, beside all of them switched on.
//!
//! ```text
//! BELL_SF=1 cargo bench --bench ablation [-- ID]
//! ```
//!
//! Processor time without the rewrite by that with all; all ways are run in turn. Answers are compared on the way: no
//! rewrite may change a value.

#[path = "common/suite.rs"]
mod suite;
#[path = "../examples/tpch/tables.rs"]
mod tables;
#[path = "common/timing.rs"]
mod timing;

#[path = "../examples/tpch/questions.rs"]
mod questions;

use std::error::Error;

use bellwether::Engine;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::pretty::pretty_format_batches;
use timing::{Watch, median};

const RUNS: usize = 5;

/// Options that switch a rewrite, without their prefix.
const REWRITES: [&str; 5] = ["reduce_rows", "share_rows", "split_filters", "order_joins", "narrow_decimals"];

fn main() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Runtime::new()?.block_on(run())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let (scale, folder) = suite::project()?;
    let engine = Engine::open(&folder).await.map_err(|error| error.to_string())?;
    println!("TPC-H at scale {scale}, processor time without a rewrite by that with all, median of {RUNS}");
    println!("{:<10}{:>10}{}", "question", "cpu ms", REWRITES.map(|name| format!("{name:>18}")).concat());
    let mut logarithms = [0.0; REWRITES.len()];
    let asked: Vec<_> = questions::QUESTIONS.iter().filter(|(id, _)| id.contains(&wanted)).collect();
    for (id, sql) in &asked {
        let (whole, without) = measure(&engine, sql).await?;
        println!("{id:<10}{whole:>10.0}{}", without.map(|ratio| format!("{ratio:>18.2}")).concat());
        for (sum, ratio) in logarithms.iter_mut().zip(without) {
            *sum += ratio.ln();
        }
    }
    let means = logarithms.map(|sum| format!("{:>18.2}", (sum / asked.len() as f64).exp()));
    println!("{:<20}{}", "geometric mean", means.concat());
    Ok(())
}

/// Milliseconds with all rewrites, and for each how much longer it takes without.
async fn measure(engine: &Engine, sql: &str) -> Result<(f64, [f64; REWRITES.len()]), Box<dyn Error>> {
    let expected = rows(&ask(engine, sql).await?)?;
    let (mut whole, mut without) = (Vec::new(), REWRITES.map(|_| Vec::new()));
    for _ in 0..RUNS {
        let watch = Watch::start();
        ask(engine, sql).await?;
        whole.push(watch.stop());
        for (name, spent) in REWRITES.iter().zip(&mut without) {
            switch(engine, name, false).await?;
            let watch = Watch::start();
            let answer = ask(engine, sql).await?;
            spent.push(watch.stop());
            switch(engine, name, true).await?;
            if rows(&answer)? != expected {
                return Err(format!("{name} changes the answer to {sql}").into());
            }
        }
    }
    let whole = median(&whole).cpu;
    Ok((whole, without.map(|spent| median(&spent).cpu / whole)))
}

async fn switch(engine: &Engine, name: &str, on: bool) -> Result<(), Box<dyn Error>> {
    engine.sql(&format!("SET bell.{name} = {on}")).await.map_err(|error| error.to_string())?;
    Ok(())
}

async fn ask(engine: &Engine, sql: &str) -> Result<Vec<RecordBatch>, Box<dyn Error>> {
    Ok(engine.sql(sql).await.map_err(|error| error.to_string())?.collect().await?)
}

/// The rows as text, in an order of their own.
fn rows(batches: &[RecordBatch]) -> Result<Vec<String>, Box<dyn Error>> {
    let table = pretty_format_batches(batches)?.to_string();
    let mut rows: Vec<String> = table.lines().map(String::from).collect();
    rows.sort();
    Ok(rows)
}
