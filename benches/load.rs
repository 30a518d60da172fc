//! Reading and checking a project: 1,000 and 10,000 indicators over 100 sources, in 91 files.
//!
//! ```text
//! cargo bench --bench load
//! ```
//!
//! Goal: 10,000 within 300 ms, and ten times the indicators in about ten times the time.

#[path = "common/model.rs"]
mod model;
#[path = "common/timing.rs"]
mod timing;

use std::error::Error;

use bellwether::engine::Project;
use datafusion::prelude::SessionContext;
use timing::{Spent, Watch, median};

/// As in the `bell` binary.
#[cfg(feature = "cli")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIZES: [usize; 2] = [1_000, 10_000];
const RUNS: usize = 7;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let ctx = model::session()?;
    let mut spent: [Vec<Spent>; 2] = Default::default();
    for _ in 0..RUNS {
        for (size, spent) in SIZES.into_iter().zip(&mut spent) {
            spent.push(runtime.block_on(load(&ctx, size))?);
        }
    }
    println!("parse and check, median of {RUNS} interleaved runs");
    println!("{:>12}{:>12}{:>12}{:>16}", "indicators", "wall ms", "cpu ms", "cpu µs each");
    let [small, large] = spent.map(|runs| median(&runs));
    for (size, spent) in SIZES.into_iter().zip([small, large]) {
        println!("{size:>12}{:>12.1}{:>12.1}{:>16.1}", spent.wall, spent.cpu, spent.cpu * 1e3 / size as f64);
    }
    println!("10,000 to 1,000: wall {:.1}, cpu {:.1}", large.wall / small.wall, large.cpu / small.cpu);
    Ok(())
}

async fn load(ctx: &SessionContext, indicators: usize) -> Result<Spent, Box<dyn Error>> {
    let texts = model::texts(indicators);
    let watch = Watch::start();
    let project = Project::of(texts, ctx).await;
    let spent = watch.stop();
    if let Some(wrong) = project.diagnostics.first() {
        return Err(format!("{} diagnostics, the first: {}", project.diagnostics.len(), wrong.message).into());
    }
    if project.catalog.indicators.len() != indicators || project.catalog.sources.len() != 100 {
        return Err("the project is not as large as it should be".into());
    }
    Ok(spent)
}
