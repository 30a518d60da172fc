//! What a question costs before anything is read, beside the same question written by hand for plain DataFusion.
//!
//! ```text
//! cargo bench --bench plan
//! ```
//!
//! `logical` is from SQL text to a plan without markers; the difference to DataFusion's own parsing and planning of the
//! equal statement is our share. Goal: under 0.5 ms, with 100 and with 10,000 indicators in the catalog.
//! `physical` goes on to the physical plan. Goal: not more than the statement written by hand.

#[path = "common/model.rs"]
mod model;
#[path = "common/timing.rs"]
#[allow(dead_code)] // `load` takes medians.
mod timing;

use std::error::Error;

use bellwether::Engine;
use bellwether::engine::Project;
use datafusion::prelude::SessionContext;
use timing::{Spent, Watch};

/// As in the `bell` binary.
#[cfg(feature = "cli")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIZES: [usize; 2] = [100, 10_000];
/// Questions in one measurement, and measurements of each kind.
const BATCH: usize = 100;
const RUNS: usize = 9;

/// A question and the statement that gives the same rows.
struct Pair {
    name: &'static str,
    ours: &'static str,
    plain: &'static str,
}

const PAIRS: [Pair; 3] = [
    Pair {
        name: "one fact",
        ours: "SELECT status, MEASURE(i0) AS value FROM shop.indicators WHERE metric_time__day >= DATE '2025-01-01' GROUP BY status",
        plain: "SELECT status, sum(amount) AS value FROM fact_0_rows WHERE day >= DATE '2025-01-01' GROUP BY status",
    },
    Pair {
        name: "joined dimension",
        ours: "SELECT store_region, MEASURE(i0) AS value FROM shop.indicators WHERE status = 'paid' GROUP BY store_region",
        plain: "SELECT regions_rows.name AS store_region, sum(amount) AS value
                FROM fact_0_rows LEFT JOIN stores_rows ON store_id = stores_rows.id
                LEFT JOIN regions_rows ON stores_rows.region_id = regions_rows.id
                WHERE status = 'paid' GROUP BY regions_rows.name",
    },
    Pair {
        name: "two facts",
        ours: "SELECT status, MEASURE(i0) AS value, MEASURE(i1) AS other FROM shop.indicators GROUP BY status",
        plain: "SELECT coalesce(a.status, b.status) AS status, value, coalesce(other, 0) AS other
                FROM (SELECT status, sum(amount) AS value FROM fact_0_rows GROUP BY status) a
                FULL JOIN (SELECT status, sum(amount) AS other FROM fact_1_rows GROUP BY status) b
                ON a.status IS NOT DISTINCT FROM b.status",
    },
];

/// How far a statement is taken.
#[derive(Clone, Copy, PartialEq)]
enum To {
    Logical,
    Physical,
}

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    println!("processor ms a statement, mean of {RUNS} interleaved runs of {BATCH}");
    println!("{:>12}  {:<18}{:>10}{:>10}{:>12}{:>8}", "indicators", "question", "bell", "plain", "our share", "ratio");
    for to in [To::Logical, To::Physical] {
        println!("{}", if to == To::Logical { "logical" } else { "physical" });
        for indicators in SIZES {
            let engine = runtime.block_on(engine(indicators))?;
            let plain = model::session()?;
            for pair in &PAIRS {
                let (ours, theirs) = runtime.block_on(measure(&engine, &plain, pair, to))?;
                let share = ours - theirs;
                println!(
                    "{indicators:>12}  {:<18}{ours:>10.3}{theirs:>10.3}{share:>12.3}{:>8.2}",
                    pair.name,
                    ours / theirs
                );
            }
        }
    }
    Ok(())
}

async fn engine(indicators: usize) -> Result<Engine, Box<dyn Error>> {
    let ctx = model::session()?;
    let project = Project::of(model::texts(indicators), &ctx).await.sound()?;
    Ok(Engine::with_project(ctx, project)?)
}

/// Milliseconds for the question and for the statement.
async fn measure(engine: &Engine, plain: &SessionContext, pair: &Pair, to: To) -> Result<(f64, f64), Box<dyn Error>> {
    let (mut ours, mut theirs): (Vec<Spent>, Vec<Spent>) = Default::default();
    for run in 0..=RUNS {
        let watch = Watch::start();
        for _ in 0..BATCH {
            let frame = engine.sql(pair.ours).await?;
            if to == To::Physical {
                frame.create_physical_plan().await?;
            }
        }
        let spent = watch.stop();
        let watch = Watch::start();
        for _ in 0..BATCH {
            let frame = plain.sql(pair.plain).await?;
            if to == To::Physical {
                frame.create_physical_plan().await?;
            }
        }
        // The first round only warms up.
        if run > 0 {
            ours.push(spent);
            theirs.push(watch.stop());
        }
    }
    // The clock of processor time ticks coarsely: a mean is finer than a median of ticks.
    let each = |runs: &[Spent]| runs.iter().map(|run| run.cpu).sum::<f64>() / (BATCH * runs.len()) as f64;
    Ok((each(&ours), each(&theirs)))
}
