//! Questions answered from rollups beside the same questions answered from rows, and what it costs to keep rollups.
//!
//! ```text
//! BELL_SF=1 cargo bench --bench rollups
//! ```
//!
//! The lines of TPC-H lie in a hundred files. Rollups are computed from ninety-nine of them, then the last one is added:
//! goal, under 5 % of a whole computation. Then each question is asked of both, and the answers compared: goal, 100 times
//! faster.

#[path = "common/timing.rs"]
mod timing;

#[path = "../examples/tpch/tables.rs"]
mod tables;

use std::error::Error;
use std::path::{Path, PathBuf};

use bellwether::{Engine, Run, publish};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use timing::{Spent, Watch, median};

/// As in the `bell` binary.
#[cfg(feature = "cli")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RUNS: usize = 9;

const FILES: usize = 100;

const ROLLUPS: &str = "
rollup shipped { indicators revenue, base_price, charge, units, line_count, average_units, average_discount, late_rate
  by day, return_flag, line_status  to 'rollups/shipped/' }
rollup trade { indicators revenue, profit, margin  by month, supplier_nation, customer_nation  to 'rollups/trade/' }
rollup customers { indicators buyers, order_value, order_count  by month, market_segment  to 'rollups/customers/' }
";

const QUESTIONS: [(&str, &str); 7] = [
    ("one number", "SELECT MEASURE(revenue) FROM tpch.indicators"),
    (
        "pricing summary (Q1)",
        "SELECT return_flag, line_status, MEASURE(units), MEASURE(base_price), MEASURE(revenue), MEASURE(charge), \
         MEASURE(average_units), MEASURE(average_discount), MEASURE(line_count) FROM tpch.indicators \
         WHERE metric_time <= DATE '1998-09-02' GROUP BY 1, 2 ORDER BY 1, 2",
    ),
    ("late rate by month", "SELECT metric_time__month, MEASURE(late_rate) FROM tpch.indicators GROUP BY 1 ORDER BY 1"),
    (
        "revenue by month, beside the year before",
        "SELECT metric_time__month, MEASURE(revenue), MEASURE(revenue) AT (shift 1 year) FROM tpch.indicators \
         GROUP BY 1 ORDER BY 1",
    ),
    (
        "profit by nation and year (Q9)",
        "SELECT supplier_nation, metric_time__year, MEASURE(profit), MEASURE(margin) FROM tpch.indicators \
         GROUP BY 1, 2 ORDER BY 1, 2",
    ),
    (
        "trade between nations (Q7)",
        "SELECT supplier_nation, customer_nation, metric_time__year, MEASURE(revenue) FROM tpch.indicators \
         WHERE supplier_nation IN ('FRANCE', 'GERMANY') AND customer_nation IN ('FRANCE', 'GERMANY') \
         GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    ),
    (
        "buyers by year and segment",
        "SELECT metric_time__year, market_segment, MEASURE(buyers), MEASURE(order_value) FROM tpch.indicators \
         GROUP BY 1, 2 ORDER BY 1, 2",
    ),
];

fn main() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Runtime::new()?.block_on(run())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let scale: f64 = std::env::var("BELL_SF").map_or(Ok(1.0), |text| text.parse())?;
    let folder = project(scale).await?;
    keep(&folder).await?;
    let rolled = open(&folder).await?;
    let plain = open(&folder).await?;
    plain.sql("SET bell.use_rollups = false").await.map_err(|error| error.to_string())?;
    println!("\nTPC-H at scale {scale}, median of {RUNS} interleaved runs");
    println!("{:<44}{:>10}{:>10}{:>10}{:>10}", "question", "rollup ms", "rows ms", "wall", "cpu");
    for (name, sql) in QUESTIONS {
        let explained =
            rolled.explain(sql, bellwether::engine::Stage::Plan).await.map_err(|error| error.to_string())?;
        if !explained.contains(": from `") {
            return Err(format!("{name}: no rollup answers\n{explained}").into());
        }
        if shown(&ask(&rolled, sql).await?)? != shown(&ask(&plain, sql).await?)? {
            return Err(format!("{name}: the answers differ").into());
        }
        let (mut with, mut without) = (vec![], vec![]);
        for _ in 0..RUNS {
            with.push(timed(&rolled, sql).await?);
            without.push(timed(&plain, sql).await?);
        }
        let (with, without) = (median(&with), median(&without));
        let (wall, cpu) = (without.wall / with.wall, without.cpu / with.cpu);
        println!("{name:<44}{:>10.2}{:>10.1}{wall:>9.0}x{cpu:>9.0}x", with.wall, without.wall);
    }
    Ok(())
}

async fn ask(engine: &Engine, sql: &str) -> Result<Vec<RecordBatch>, Box<dyn Error>> {
    Ok(engine.sql(sql).await.map_err(|error| error.to_string())?.collect().await?)
}

async fn timed(engine: &Engine, sql: &str) -> Result<Spent, Box<dyn Error>> {
    let watch = Watch::start();
    ask(engine, sql).await?;
    Ok(watch.stop())
}

fn shown(batches: &[RecordBatch]) -> Result<String, Box<dyn Error>> {
    Ok(pretty_format_batches(batches)?.to_string())
}

async fn open(folder: &Path) -> Result<Engine, Box<dyn Error>> {
    Engine::open(folder).await.map_err(|error| error.to_string().into())
}

/// Computes the rollups whole, then with one file more.
async fn keep(folder: &Path) -> Result<(), Box<dyn Error>> {
    let last = folder.join("lines").join(format!("{:03}.parquet", FILES - 1));
    let aside = folder.join("last.parquet");
    let computed = async |what: &str| -> Result<Spent, Box<dyn Error>> {
        let engine = open(folder).await?;
        let watch = Watch::start();
        let reports = publish::run(&engine, &Run::default(), &|_| {}).await.map_err(|error| error.to_string())?;
        let spent = watch.stop();
        if let Some(error) = reports.iter().find_map(|report| report.error.as_ref()) {
            return Err(error.to_string().into());
        }
        let files: usize = reports.iter().map(publish::Report::input_files).sum();
        let rows: u64 = reports.iter().map(|report| report.rows).sum();
        println!("{what}: {:.0} ms, {:.0} ms of processors, {files} files read, {rows} cells", spent.wall, spent.cpu);
        Ok(spent)
    };
    let _ = std::fs::remove_dir_all(folder.join("rollups"));
    std::fs::rename(&last, &aside)?;
    let whole = computed("rollups from 99 of 100 files").await;
    std::fs::rename(&aside, &last)?;
    let (whole, added) = (whole?, computed("and one file more").await?);
    println!(
        "{:.1} % of the time, {:.1} % of the processors",
        added.wall / whole.wall * 100.0,
        added.cpu / whole.cpu * 100.0
    );
    Ok(())
}

/// The example's model with its lines in a hundred files.
async fn project(scale: f64) -> Result<PathBuf, Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tpch-rollups-{scale}"));
    let complete = folder.join("complete");
    if !complete.exists() {
        eprintln!("writing TPC-H at scale {scale} to {}", folder.display());
        tables::write_all(scale, &folder.join("data"))?;
        divide(&folder).await?;
        std::fs::write(complete, "")?;
    }
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/tpch/tpch.bell");
    let model = std::fs::read_to_string(model)?.replace("'data/lineitem.parquet'", "'lines/*.parquet'");
    std::fs::write(folder.join("tpch.bell"), model + ROLLUPS)?;
    Ok(folder)
}

async fn divide(folder: &Path) -> Result<(), Box<dyn Error>> {
    let ctx = SessionContext::new();
    let lines = folder.join("data/lineitem.parquet").display().to_string();
    ctx.register_parquet("lineitem", &lines, ParquetReadOptions::new()).await?;
    let batches = ctx.table("lineitem").await?.collect().await?;
    std::fs::create_dir_all(folder.join("lines"))?;
    for at in 0..FILES {
        let part = batches[at * batches.len() / FILES..(at + 1) * batches.len() / FILES].to_vec();
        let path = folder.join(format!("lines/{at:03}.parquet")).display().to_string();
        let options = DataFrameWriteOptions::new().with_single_file_output(true);
        ctx.read_batches(part)?.write_parquet(&path, options, None).await?;
    }
    Ok(())
}
