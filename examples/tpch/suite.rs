//! Answers the 22 questions of an indicator suite over TPC-H files, and says how long each took.
//!
//! ```text
//! cargo run --release --example tpch_suite -- REQUESTS.json
//! ```
//!
//! `REQUESTS.json` names the folder with `TABLE.parquet`, the number of threads and of runs, and which questions are
//! asked, by id; `"set": {"bell.share_rows": "false"}` sets options first, which tells what a rewrite brings. One JSON document on stdout has the rows and the times of each; what went wrong is in its place there.

#[path = "../../benches/common/timing.rs"]
#[allow(dead_code)]
mod timing;

mod questions;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::time::Instant;

use bellwether::Engine;
use datafusion::arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::cast::as_float64_array;
use serde::Deserialize;
use serde_json::{Value, json};
use timing::Watch;

/// The binary's own allocator.
#[cfg(feature = "cli")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Deserialize)]
struct Requests {
    data: String,
    threads: usize,
    warmup: usize,
    runs: usize,
    queries: Vec<Asked>,
    #[serde(default)]
    set: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Asked {
    id: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("name the file with the requests")?;
    let requests: Requests = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(requests.threads).enable_all().build()?;
    let document = runtime.block_on(answer_all(&requests))?;
    println!("{document}");
    Ok(())
}

async fn answer_all(requests: &Requests) -> Result<Value, Box<dyn Error>> {
    let folder = project(Path::new(&requests.data))?;
    let began = Instant::now();
    let engine = Engine::open(folder.path()).await.map_err(|error| error.to_string())?;
    let loaded = began.elapsed().as_secs_f64() * 1e3;
    let threads = format!("SET datafusion.execution.target_partitions = {}", requests.threads);
    engine.sql(&threads).await.map_err(|error| error.to_string())?;
    for (option, value) in &requests.set {
        engine.sql(&format!("SET {option} = '{value}'")).await.map_err(|error| error.to_string())?;
    }
    let mut results = Vec::new();
    for asked in &requests.queries {
        eprintln!("{}", asked.id);
        results.push(match answer(&engine, requests, &asked.id).await {
            Ok(result) => result,
            Err(error) => json!({"id": asked.id, "error": error.to_string()}),
        });
    }
    Ok(json!({
        "engine": "bellwether", "version": env!("CARGO_PKG_VERSION"), "load_ms": loaded, "results": results,
    }))
}

/// The example's model beside the tables.
fn project(data: &Path) -> Result<tempfile::TempDir, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let model = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/tpch/tpch.bell"))?;
    let data = std::fs::canonicalize(data)?;
    let here = model.replace("'data/", &format!("'{}/", data.display()));
    std::fs::write(folder.path().join("tpch.bell"), here)?;
    Ok(folder)
}

async fn answer(engine: &Engine, requests: &Requests, id: &str) -> Result<Value, Box<dyn Error>> {
    let question = questions::QUESTIONS.iter().find(|(known, _)| *known == id);
    let (_, sql) = question.ok_or("the model has no such question")?;
    for _ in 0..requests.warmup {
        ask(engine, sql).await?;
    }
    let (mut wall, mut cpu, mut rows) = (vec![], vec![], vec![]);
    for _ in 0..requests.runs {
        let watch = Watch::start();
        rows = ask(engine, sql).await?;
        let spent = watch.stop();
        wall.push(spent.wall);
        cpu.push(spent.cpu);
    }
    let began = Instant::now();
    let frame = engine.sql(sql).await.map_err(|error| error.to_string())?;
    frame.create_physical_plan().await?;
    let compiled = began.elapsed().as_secs_f64() * 1e3;
    Ok(json!({"id": id, "ms": wall, "cpu_ms": cpu, "compile_ms": compiled, "rows": in_json(&rows)?}))
}

async fn ask(engine: &Engine, sql: &str) -> Result<Vec<RecordBatch>, Box<dyn Error>> {
    Ok(engine.sql(sql).await.map_err(|error| error.to_string())?.collect().await?)
}

fn in_json(batches: &[RecordBatch]) -> Result<Vec<Value>, Box<dyn Error>> {
    let mut rows = Vec::new();
    for batch in batches {
        let columns = batch.columns().iter().map(values).collect::<Result<Vec<_>, _>>()?;
        rows.extend((0..batch.num_rows()).map(|row| columns.iter().map(|column| column[row].clone()).collect()));
    }
    Ok(rows)
}

/// Dates as their day, numbers as numbers, all else as text.
fn values(column: &ArrayRef) -> Result<Vec<Value>, Box<dyn Error>> {
    let data_type = column.data_type();
    if data_type.is_numeric() {
        let numbers = cast(column, &DataType::Float64)?;
        let numbers = as_float64_array(&numbers)?;
        let whole = data_type.is_integer();
        let number = |value: f64| if whole { json!(value as i64) } else { json!(value) };
        return Ok(numbers.iter().map(|value| value.map_or(Value::Null, number)).collect());
    }
    let days = if data_type.is_temporal() { cast(column, &DataType::Date32)? } else { column.clone() };
    let texts = cast(&days, &DataType::Utf8)?;
    let texts = texts.as_any().downcast_ref::<StringArray>().ok_or("text is no text")?;
    Ok(texts.iter().map(|text| text.map_or(Value::Null, |text| json!(text))).collect())
}
