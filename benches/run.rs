//! A run of a hundred indicators beside a run of one, by day and region over one source.
//!
//! ```text
//! BELL_ROWS=5000000 cargo bench --bench run
//! ```
//!
//! Once the hundred are made of ten columns in ten ways, in one publication and in ten of ten, which share their question;
//! once of two columns for ten kinds of sales. Goal: at most three times as long as one indicator.

#[path = "common/timing.rs"]
mod timing;

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use bellwether::{Engine, Run, publish};
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::prelude::SessionContext;
use timing::{Spent, Watch, median};

/// As in the `bell` binary.
#[cfg(feature = "cli")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RUNS: usize = 5;

/// Columns, and what is made of each.
const COLUMNS: usize = 10;

const KINDS: [&str; 10] = [
    "sum(sales.C)",
    "avg(sales.C)",
    "min(sales.C)",
    "max(sales.C)",
    "count(sales.C)",
    "sum(sales.C) filter (where sales.channel = 'online')",
    "count(sales.C) filter (where sales.channel = 'online')",
    "sum(sales.C * 2 + 1)",
    "sum(sales.C) / count(*)",
    "sum(sales.C) / nullif(max(sales.C), 0)",
];

/// Kinds of sales, and what is made of each.
const SALES: usize = 10;

const FILTERED: [&str; 10] = [
    "count(*) of sales",
    "count(sales.c1)",
    "sum(sales.c0)",
    "avg(sales.c0)",
    "min(sales.c0)",
    "max(sales.c0)",
    "sum(sales.c1)",
    "avg(sales.c1)",
    "min(sales.c1)",
    "max(sales.c1)",
];

fn main() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Runtime::new()?.block_on(run())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let rows: u64 = std::env::var("BELL_ROWS").map_or(Ok(5_000_000), |text| text.parse())?;
    let folder = project(rows).await?;
    let asked = [
        ("one indicator", "one"),
        ("a hundred of ten columns", "whole"),
        ("the same in ten publications", "tenth_*"),
        ("a hundred of ten kinds", "kinds"),
    ];
    let mut spent = asked.map(|_| vec![]);
    for _ in 0..RUNS {
        for ((_, only), spent) in asked.iter().zip(&mut spent) {
            spent.push(timed(&folder, only).await?);
        }
    }
    let spent = spent.map(|runs| median(&runs));
    let one = spent[0];
    println!("\n{rows} rows, median of {RUNS} interleaved runs");
    println!("{:<44}{:>10}{:>10}{:>10}{:>10}", "publications", "wall ms", "cpu ms", "wall", "cpu");
    for ((name, _), spent) in asked.iter().zip(spent) {
        let (wall, cpu) = (spent.wall / one.wall, spent.cpu / one.cpu);
        println!("{name:<44}{:>10.0}{:>10.0}{wall:>9.2}x{cpu:>9.2}x", spent.wall, spent.cpu);
    }
    Ok(())
}

async fn timed(folder: &Path, only: &str) -> Result<Spent, Box<dyn Error>> {
    let engine = Engine::open(folder).await.map_err(|error| error.to_string())?;
    let asked = Run { only: vec![only.to_string()], ..Run::default() };
    let watch = Watch::start();
    let reports = publish::run(&engine, &asked, &|_| {}).await.map_err(|error| error.to_string())?;
    let spent = watch.stop();
    if let Some(error) = reports.iter().find_map(|report| report.error.as_ref()) {
        return Err(error.to_string().into());
    }
    if reports.len() > 1 && reports.iter().any(|report| report.shared.is_none()) {
        return Err("these do not share their question".into());
    }
    Ok(spent)
}

async fn project(rows: u64) -> Result<PathBuf, Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("run-of-kinds-{rows}"));
    let data = folder.join("sales.parquet");
    if !data.exists() {
        std::fs::create_dir_all(&folder)?;
        let values = (0..COLUMNS).map(|at| format!("value * {} % 10007 AS c{at}", 7919 + at));
        let values = values.collect::<Vec<_>>().join(", ");
        let sql = format!(
            "SELECT value AS id, date '2025-01-01' + cast(value % 365 AS int) AS day, 'region ' || cast(value % 29 AS varchar) AS region, \
             CASE WHEN value % 3 = 0 THEN 'online' ELSE 'shop' END AS channel, \
             'kind ' || cast(value % {SALES} AS varchar) AS kind, {values} FROM generate_series(1, {rows})"
        );
        let options = DataFrameWriteOptions::new().with_single_file_output(true);
        let written = folder.join("written.parquet");
        let frame = SessionContext::new().sql(&sql).await?;
        frame.write_parquet(&written.display().to_string(), options, None).await?;
        std::fs::rename(written, data)?;
    }
    std::fs::write(folder.join("model.bell"), model())?;
    Ok(folder)
}

fn model() -> String {
    let mut model = String::from(
        "source sales { from parquet 'sales.parquet'  key id  time day }\n\
         dimension region = sales.region\n\
         publish one { indicators i0_0  by day, region  to 'out/one/' }\n",
    );
    let mut all = Vec::new();
    for column in 0..COLUMNS {
        let names: Vec<String> = (0..KINDS.len()).map(|kind| format!("i{column}_{kind}")).collect();
        for (name, kind) in names.iter().zip(KINDS) {
            let formula = kind.replace("sales.C", &format!("sales.c{column}"));
            let _ = writeln!(model, "indicator {name} = {formula}");
        }
        let listed = names.join(", ");
        let _ = writeln!(
            model,
            "publish tenth_{column} {{ indicators {listed}  by day, region  to 'out/tenth_{column}/' }}"
        );
        all.extend(names);
    }
    let mut kinds = Vec::new();
    for kind in 0..SALES {
        for (at, formula) in FILTERED.iter().enumerate() {
            let name = format!("k{kind}_{at}");
            let _ = writeln!(model, "indicator {name} = {formula} filter (where sales.kind = 'kind {kind}')");
            kinds.push(name);
        }
    }
    let _ = writeln!(model, "publish kinds {{ indicators {}  by day, region  to 'out/kinds/' }}", kinds.join(", "));
    let _ = writeln!(model, "publish whole {{ indicators {}  by day, region  to 'out/whole/' }}", all.join(", "));
    model
}
