//! Questions beside the same SQL by hand, on the same DataFusion and the same TPC-H files.
//!
//! ```text
//! BELL_SF=1 cargo bench --bench tpch [-- PART OF A NAME]
//! ```
//!
//! The tables are written once into `target` (or the folder in `BELL_TPCH`). Both sides are first compared row by row.
//! Goal: a ratio of at most 1.05 each.

// The comparison is a test's: it stops at the first surprise.
#[allow(clippy::unwrap_used)]
#[path = "../tests/it/compare.rs"]
mod compare;
#[path = "../tests/it/tpch_pairs.rs"]
mod pairs;
#[path = "common/suite.rs"]
mod suite;
#[path = "../examples/tpch/tables.rs"]
mod tables;
#[path = "common/timing.rs"]
mod timing;

use std::error::Error;
use std::path::Path;

use bellwether::Engine;
use compare::{Pair, assert_all_equal, assert_plain_answers};
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use pairs::PAIRS;
use timing::{Spent, Watch, median};

const RUNS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Runtime::new()?.block_on(run())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let (scale, folder) = suite::project()?;
    let engine = Engine::open(&folder).await.map_err(|error| error.to_string())?;
    let plain = plain(&folder).await?;
    println!("TPC-H at scale {scale}, median of {RUNS} interleaved runs");
    println!("{:<66}{:>10}{:>10}{:>8}{:>8}", "question", "bell ms", "plain ms", "wall", "cpu");
    for pair in PAIRS.iter().filter(|pair| pair.name.contains(&wanted)) {
        assert_plain_answers(&plain, std::slice::from_ref(pair)).await;
        assert_all_equal(&engine, &plain, std::slice::from_ref(pair)).await;
        let (ours, theirs) = measure(&engine, &plain, pair).await?;
        let (wall, cpu) = (ours.wall / theirs.wall, ours.cpu / theirs.cpu);
        println!("{:<66}{:>10.1}{:>10.1}{wall:>8.2}{cpu:>8.2}", pair.name, ours.wall, theirs.wall);
    }
    Ok(())
}

async fn measure(engine: &Engine, plain: &SessionContext, pair: &Pair) -> Result<(Spent, Spent), Box<dyn Error>> {
    let (mut ours, mut theirs) = (vec![], vec![]);
    for _ in 0..RUNS {
        let watch = Watch::start();
        engine.sql(pair.ours).await.map_err(|error| error.to_string())?.collect().await?;
        ours.push(watch.stop());
        let watch = Watch::start();
        plain.sql(pair.plain).await?.collect().await?;
        theirs.push(watch.stop());
    }
    Ok((median(&ours), median(&theirs)))
}

async fn plain(folder: &Path) -> Result<SessionContext, Box<dyn Error>> {
    let ctx = SessionContext::new();
    for table in tables::TABLES {
        let path = folder.join(format!("data/{table}.parquet"));
        ctx.register_parquet(table, path.to_string_lossy(), ParquetReadOptions::new()).await?;
    }
    Ok(ctx)
}
