//! Averages of integers that are made of sums, beside the same questions as SQL by hand, over random rows: to the last digit.

use std::path::Path;
use std::sync::Arc;

use bellwether::Engine;
use datafusion::arrow::array::{ArrayRef, Int16Array, Int32Array, Int64Array, RecordBatch, StringArray, UInt32Array};
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::late_look_up::rows;

const MODEL: &str = "
source t { from parquet 't.parquet'  key id }
dimension a = t.a
dimension b = t.b
dimension kind = t.kind
indicator total = sum(t.x)
indicator mean = avg(t.x)
indicator number = count(t.x)
indicator small_total = sum(t.s)
indicator small_mean = avg(t.s)
indicator unsigned_total = sum(t.u)
indicator unsigned_mean = avg(t.u)
indicator large_total = sum(t.l)
indicator large_mean = avg(t.l)
indicator lonely = avg(t.i)
indicator red_total = total filter (where kind = 'red')
indicator red_mean = mean filter (where kind = 'red')
indicator blue_mean = mean filter (where kind = 'blue')
";

/// Indicators, and the aggregates that they are.
const VALUES: [(&str, &str); 13] = [
    ("total", "sum(x)"),
    ("mean", "avg(x)"),
    ("number", "count(x)"),
    ("small_total", "sum(s)"),
    ("small_mean", "avg(s)"),
    ("unsigned_total", "sum(u)"),
    ("unsigned_mean", "avg(u)"),
    ("large_total", "sum(l)"),
    ("large_mean", "avg(l)"),
    ("lonely", "avg(i)"),
    ("red_total", "sum(x) FILTER (WHERE kind = 'red')"),
    ("red_mean", "avg(x) FILTER (WHERE kind = 'red')"),
    ("blue_mean", "avg(x) FILTER (WHERE kind = 'blue')"),
];

const KEYS: [&str; 5] = ["", "a", "a, b", "ROLLUP (a, b)", "kind, a"];

fn table(random: &mut SmallRng, rows: i64) -> RecordBatch {
    // Groups without any value, and values of both signs.
    let mut some = |least: i64, most: i64| Some(random.random_range(least..=most)).filter(|value| value % 5 != 1);
    let kinds = ["red", "blue", "green"];
    let x: Int64Array = (0..rows).map(|_| some(-1_000_000_000, 1_000_000_000)).collect();
    let s: Int16Array = (0..rows).map(|_| some(-30_000, 30_000).map(|value| value as i16)).collect();
    let u: UInt32Array = (0..rows).map(|_| some(0, 4_000_000_000).map(|value| value as u32)).collect();
    // One of them could be many, as far as the statistics tell.
    let l: Int64Array =
        (0..rows).map(|at| if at == 3 { Some(9_000_000_000_000_000) } else { some(0, 1_000) }).collect();
    let i: Int32Array = (0..rows).map(|_| some(-5, 50).map(|value| value as i32)).collect();
    let a: Int64Array = (0..rows).map(|_| some(0, 3)).collect();
    let b: Int64Array = (0..rows).map(|_| some(0, 200)).collect();
    let kind: StringArray = (0..rows).map(|_| some(0, 2).map(|at| kinds[at as usize])).collect();
    let columns: [(&str, ArrayRef, bool); 9] = [
        ("id", Arc::new(Int64Array::from_iter_values(0..rows)), false),
        ("a", Arc::new(a), true),
        ("b", Arc::new(b), true),
        ("kind", Arc::new(kind), true),
        ("x", Arc::new(x), true),
        ("s", Arc::new(s), true),
        ("u", Arc::new(u), true),
        ("l", Arc::new(l), true),
        ("i", Arc::new(i), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

async fn engines(folder: &Path, random: &mut SmallRng, rows: i64) -> (Engine, SessionContext) {
    let plain = SessionContext::new();
    let file = folder.join("t.parquet").display().to_string();
    let frame = plain.read_batch(table(random, rows)).unwrap();
    frame.write_parquet(&file, DataFrameWriteOptions::new().with_single_file_output(true), None).await.unwrap();
    plain.register_parquet("t", &file, ParquetReadOptions::new()).await.unwrap();
    std::fs::write(folder.join("model.bell"), MODEL).unwrap();
    (Engine::open(folder).await.unwrap(), plain)
}

fn grouped(keys: &str, values: &[String], from: &str) -> String {
    let shown = keys.trim_start_matches("ROLLUP (").trim_end_matches(')').split(", ").filter(|key| !key.is_empty());
    let shown: Vec<&str> = shown.chain(values.iter().map(String::as_str)).collect();
    let by = if keys.is_empty() { String::new() } else { format!(" GROUP BY {keys}") };
    format!("SELECT {} FROM {from}{by}", shown.join(", "))
}

#[tokio::test]
async fn they_are_those_of_the_engine_below() {
    let mut asked = 0;
    for seed in 0..9 {
        let random = &mut SmallRng::seed_from_u64(seed);
        let count = [5, 300, 5_000][seed as usize % 3];
        let folder = tempfile::tempdir().unwrap();
        let (engine, plain) = engines(folder.path(), random, count).await;
        // Once over rows, once over cells of them, whose averages are put together from states.
        for factor in [1_000_000, 0] {
            engine.sql(&format!("SET bell.reduce_factor = {factor}")).await.unwrap();
            for keys in KEYS {
                let ours: Vec<String> = VALUES.iter().map(|(name, _)| format!("MEASURE({name})")).collect();
                let theirs: Vec<String> = VALUES.iter().map(|(_, sql)| sql.to_string()).collect();
                let sql = grouped(keys, &ours, "indicators");
                let ours = rows(&engine.sql(&sql).await.unwrap().collect().await.unwrap());
                let theirs = plain.sql(&grouped(keys, &theirs, "t")).await.unwrap().collect().await.unwrap();
                assert_eq!(ours, rows(&theirs), "seed {seed}, factor {factor}: {sql}");
                asked += 1;
            }
        }
    }
    assert_eq!(asked, 90);
}

#[tokio::test]
async fn only_what_stays_exact_is_made_of_sums() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, _) = engines(folder.path(), &mut SmallRng::seed_from_u64(1), 300).await;
    engine.sql("SET bell.reduce_factor = 1000000").await.unwrap();
    let plan = async |values: &str| {
        let frame = engine.sql(&format!("SELECT a, {values} FROM indicators GROUP BY a")).await.unwrap();
        frame.into_optimized_plan().unwrap().to_string()
    };
    for (column, total, mean) in [("x", "total", "mean"), ("s", "small_total", "small_mean")] {
        let shared = plan(&format!("MEASURE({total}), MEASURE({mean})")).await;
        assert!(!shared.contains("avg(") && shared.contains(&format!("count(t.{column})")), "{column}: {shared}");
    }
    // Beyond 2^53, and without a sum beside it.
    let large = plan("MEASURE(large_total), MEASURE(large_mean)").await;
    assert!(large.contains("avg(CAST(t.l AS Float64))"), "{large}");
    let lonely = plan("MEASURE(lonely), MEASURE(total)").await;
    assert!(lonely.contains("avg(CAST(t.i AS Float64))"), "{lonely}");
    // Where several averages are of the same cast, too.
    let filtered = plan("MEASURE(total), MEASURE(mean), MEASURE(red_total), MEASURE(red_mean)").await;
    assert!(!filtered.contains("avg("), "{filtered}");
    engine.sql("SET bell.reduce_factor = 0").await.unwrap();
    let cells = plan("MEASURE(total), MEASURE(red_mean), MEASURE(blue_mean)").await;
    assert!(cells.contains("named_struct") && !cells.contains("bell_state_of_avg(CAST"), "{cells}");
}
