//! Windows in time beside a plain daily distinct count, over 10 million events of one year.
//!
//! ```text
//! BELL_EVENTS=10000000 cargo bench --bench windows [-- PART OF A NAME]
//! ```
//!
//! The events are written once into `target`. Each answer is first compared with SQL by hand for some days. Ratios are of
//! processor time to that of `SELECT day, count(DISTINCT visitor) … GROUP BY day` on the same DataFusion; memory is the
//! peak of the process above what it had before. Goal: at most 5 for a trailing distinct count of 28 days.

#[path = "common/timing.rs"]
mod timing;

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bellwether::Engine;
use datafusion::arrow::array::{ArrayRef, Date32Array, Int64Array, RecordBatch};
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use timing::{Watch, median};

const RUNS: usize = 3;
const BATCH: usize = 100_000;
/// Days of the year 2025, and how many people visit.
const FIRST_DAY: i32 = 20_089;
const DAYS: i32 = 365;
const VISITORS: f64 = 500_000.0;

const MODEL: &str = "
source events { from parquet 'events.parquet'  time day }
indicator visitors = count(distinct events.visitor)
indicator amount = sum(events.amount)
indicator typical = median(events.amount)
";

const BASELINE: &str = "SELECT day, count(DISTINCT visitor) FROM events GROUP BY day";

/// A question, and the SQL of its value on the day `$DAY`.
struct Question {
    name: &'static str,
    value: &'static str,
    check: &'static str,
}

const QUESTIONS: [Question; 7] = [
    Question {
        name: "distinct, by day",
        value: "MEASURE(visitors)",
        check: "SELECT count(DISTINCT visitor) FROM events WHERE day = $DAY",
    },
    Question {
        name: "distinct, trailing 28 days",
        value: "MEASURE(visitors) AT (TRAILING 28 DAYS)",
        check: "SELECT count(DISTINCT visitor) FROM events WHERE day > $DAY - 28 AND day <= $DAY",
    },
    Question {
        name: "distinct, trailing 90 days",
        value: "MEASURE(visitors) AT (TRAILING 90 DAYS)",
        check: "SELECT count(DISTINCT visitor) FROM events WHERE day > $DAY - 90 AND day <= $DAY",
    },
    Question {
        name: "distinct, to date month",
        value: "MEASURE(visitors) AT (TO DATE MONTH)",
        check: "SELECT count(DISTINCT visitor) FROM events WHERE day >= date_trunc('month', $DAY) AND day <= $DAY",
    },
    Question {
        name: "distinct, cumulative",
        value: "MEASURE(visitors) AT (CUMULATIVE)",
        check: "SELECT count(DISTINCT visitor) FROM events WHERE day <= $DAY",
    },
    Question {
        name: "sum, trailing 28 days",
        value: "MEASURE(amount) AT (TRAILING 28 DAYS)",
        check: "SELECT sum(amount) FROM events WHERE day > $DAY - 28 AND day <= $DAY",
    },
    Question {
        name: "median, trailing 7 days",
        value: "MEASURE(typical) AT (TRAILING 7 DAYS)",
        check: "SELECT median(amount) FROM events WHERE day > $DAY - 7 AND day <= $DAY",
    },
];

fn main() -> Result<(), Box<dyn Error>> {
    tokio::runtime::Runtime::new()?.block_on(run())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let events: usize = std::env::var("BELL_EVENTS").map_or(Ok(10_000_000), |text| text.parse())?;
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let folder = project(events)?;
    let engine = Engine::open(&folder).await.map_err(|error| error.to_string())?;
    let plain = SessionContext::new();
    let file = folder.join("events.parquet");
    plain.register_parquet("events", file.to_string_lossy(), ParquetReadOptions::new()).await?;

    println!("{events} events of {DAYS} days, median of {RUNS} interleaved runs");
    println!("{:<30}{:>10}{:>10}{:>8}{:>8}{:>12}", "question", "ms", "base ms", "wall", "cpu", "memory MB");
    for question in QUESTIONS.iter().filter(|question| question.name.contains(&wanted)) {
        let sql = format!("SELECT metric_time, {} FROM indicators GROUP BY metric_time", question.value);
        check(&engine, &plain, question, &sql).await?;
        let (mut ours, mut base, mut peak) = (vec![], vec![], 0.0_f64);
        for _ in 0..RUNS {
            let watch = Watch::start();
            plain.sql(BASELINE).await?.collect().await?;
            base.push(watch.stop());
            let before = memory("VmRSS");
            reset_peak();
            let watch = Watch::start();
            engine.sql(&sql).await.map_err(|error| error.to_string())?.collect().await?;
            ours.push(watch.stop());
            peak = peak.max(memory("VmHWM") - before);
        }
        let (ours, base) = (median(&ours), median(&base));
        let (wall, cpu) = (ours.wall / base.wall, ours.cpu / base.cpu);
        println!("{:<30}{:>10.0}{:>10.0}{wall:>8.2}{cpu:>8.2}{peak:>12.0}", question.name, ours.wall, base.wall);
    }
    Ok(())
}

/// Compares the answer with SQL by hand, for a day near the beginning, one in the middle and the last one.
async fn check(engine: &Engine, plain: &SessionContext, question: &Question, sql: &str) -> Result<(), Box<dyn Error>> {
    for day in ["2025-01-10", "2025-07-01", "2025-12-31"] {
        let ours = format!("SELECT v FROM ({}) AS a(d, v) WHERE d = DATE '{day}'", sql);
        let ours = engine.sql(&ours).await.map_err(|error| error.to_string())?.collect().await?;
        let due = format!("SELECT v FROM ({}) AS a(v)", question.check.replace("$DAY", &format!("DATE '{day}'")));
        let due = plain.sql(&due).await?.collect().await?;
        let (ours, due) = (pretty_format_batches(&ours)?.to_string(), pretty_format_batches(&due)?.to_string());
        if ours != due {
            return Err(format!("{} on {day}: came\n{ours}\ndue\n{due}", question.name).into());
        }
    }
    Ok(())
}

fn project(events: usize) -> Result<PathBuf, Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("events-{events}"));
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("model.bell"), MODEL)?;
    let complete = folder.join("complete");
    if !complete.exists() {
        eprintln!("writing {events} events to {}", folder.display());
        write_events(&folder.join("events.parquet"), events)?;
        std::fs::write(complete, "")?;
    }
    Ok(folder)
}

/// Events as they come in, day by day; few visitors come often, most seldom.
fn write_events(file: &Path, events: usize) -> Result<(), Box<dyn Error>> {
    let mut dice = SmallRng::seed_from_u64(28);
    let mut writer = None;
    let mut done = 0;
    while done < events {
        let count = BATCH.min(events - done);
        let day = |at: usize| FIRST_DAY + ((done + at) as f64 / events as f64 * f64::from(DAYS)) as i32;
        let days = Date32Array::from_iter_values((0..count).map(day));
        let visitors = Int64Array::from_iter_values((0..count).map(|_| {
            let skewed: f64 = dice.random::<f64>().powi(2);
            (skewed * VISITORS) as i64
        }));
        let amounts = Int64Array::from_iter_values((0..count).map(|_| dice.random_range(1..10_000)));
        let columns: [(&str, ArrayRef); 3] =
            [("day", Arc::new(days)), ("visitor", Arc::new(visitors)), ("amount", Arc::new(amounts))];
        let batch = RecordBatch::try_from_iter(columns)?;
        let writer = match &mut writer {
            Some(writer) => writer,
            None => writer.insert(ArrowWriter::try_new(File::create(file)?, batch.schema(), None)?),
        };
        writer.write(&batch)?;
        done += count;
    }
    if let Some(writer) = writer {
        writer.close()?;
    }
    Ok(())
}

/// A figure of the process in megabytes; 0 where the system does not say.
fn memory(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    let kilobytes: f64 = line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or_default();
    kilobytes / 1024.0
}

/// Begins to look for the peak anew.
fn reset_peak() {
    // Where this can't be written, the peak is that of the whole run.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
