//! Real incidents with labelled causes: the stall rate of live streams by the minute. Each is asked like any question, and
//! its first answers are compared with the labels.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bellwether::{Engine, Localise, Project};
use datafusion::arrow::array::AsArray;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use serde::Deserialize;

/// A case of `labels.json`.
#[derive(Debug, Deserialize)]
struct Case {
    case: String,
    timestamp: i64,
    causes: Vec<serde_json::Map<String, serde_json::Value>>,
}

/// What is compared: `cdn = 3`, `bitrate = 2000`.
type Cause = BTreeSet<String>;

/// How well the answers met the labels.
#[derive(Debug, Default)]
pub struct Score {
    cases: usize,
    labels: usize,
    exact: usize,
    recalled: usize,
    /// From the first question to the last answer.
    pub time: Duration,
}

impl Score {
    /// The part of the cases whose first answer is a label.
    pub fn exact(&self) -> f64 {
        self.exact as f64 / self.cases as f64
    }

    /// Of the first answers.
    pub fn f1(&self) -> f64 {
        2.0 * self.exact as f64 / (self.cases + self.labels) as f64
    }

    /// The part of the labels that are among the first three answers.
    pub fn recall(&self) -> f64 {
        self.recalled as f64 / self.labels as f64
    }
}

/// Asks all cases of a folder; `told` hears of each.
pub async fn run(folder: &Path, told: fn(&str)) -> Result<Score, String> {
    let say = |error: &dyn std::fmt::Display| error.to_string();
    let labels = std::fs::read_to_string(folder.join("labels.json")).map_err(|error| say(&error))?;
    let cases: Vec<Case> = serde_json::from_str(&labels).map_err(|error| say(&error))?;
    let (engine, dimensions) = open(folder).await.map_err(|error| say(&error))?;
    let start = Instant::now();
    let mut score = Score::default();
    for case in &cases {
        let found = ask(&engine, &dimensions, case).await.map_err(|error| format!("{}: {error}", case.case))?;
        let labels: Vec<Cause> = case.causes.iter().map(label).collect();
        let exact = found.first().is_some_and(|first| labels.contains(first));
        score.cases += 1;
        score.labels += labels.len();
        score.exact += usize::from(exact);
        score.recalled += labels.iter().filter(|label| found.iter().take(3).any(|answer| answer == *label)).count();
        let text = |cause: &Cause| cause.iter().cloned().collect::<Vec<_>>().join(", ");
        let all = |causes: &[Cause]| causes.iter().map(text).collect::<Vec<_>>().join(" | ");
        told(&format!(
            "{} {}: {} (labelled {})",
            if exact { "yes" } else { "no " },
            case.case,
            all(&found),
            all(&labels)
        ));
    }
    score.time = start.elapsed();
    Ok(score)
}

/// The folder as a project: every column that is neither of the case nor of the rate is a dimension.
async fn open(folder: &Path) -> Result<(Engine, Vec<String>), Box<dyn std::error::Error>> {
    let ctx = SessionContext::new();
    let file = folder.join("cases.parquet");
    let frame = ctx.read_parquet(&*file.to_string_lossy(), ParquetReadOptions::default()).await?;
    let own = ["case", "minute", "value", "cnt"];
    let names = frame.schema().fields().iter().map(|field| field.name().clone());
    let dimensions: Vec<String> = names.filter(|name| !own.contains(&name.as_str())).collect();
    let mut model = format!(
        "package streams\nsource views {{\n  from parquet '{}'\n  time moment\n  columns {{\n    moment = to_timestamp_seconds(minute)\n  }}\n}}\n",
        file.canonicalize()?.display()
    );
    model += "dimension incident = views.case\nindicator stall_rate = sum(views.value) / sum(views.cnt)\n";
    dimensions.iter().for_each(|name| model += &format!("dimension {name} = views.{name}\n"));
    let project = tempfile::tempdir()?;
    std::fs::write(project.path().join("streams.bell"), model)?;
    let ctx = SessionContext::new();
    let project = Project::open(project.path(), &ctx).await?.sound()?;
    Ok((Engine::with_project(ctx, project)?, dimensions))
}

async fn ask(engine: &Engine, dimensions: &[String], case: &Case) -> Result<Vec<Cause>, Box<dyn std::error::Error>> {
    let minute = chrono::DateTime::from_timestamp(case.timestamp, 0).ok_or("no time")?;
    let question = Localise {
        indicator: "stall_rate".to_string(),
        base: Some("previous 4 minutes".to_string()),
        current: Some(minute.format("%Y-%m-%d %H:%M").to_string()),
        by: dimensions.to_vec(),
        conditions: vec![format!("incident = '{}'", case.case.replace('\'', "''"))],
        ..Localise::default()
    };
    let mut found = Vec::new();
    for batch in engine.localise(&question)?.collect().await? {
        let causes = batch.column_by_name("cause").ok_or("no cause")?.as_string::<i32>();
        found.extend(causes.iter().flatten().map(|cause| cause.split(", ").map(str::to_string).collect::<Cause>()));
    }
    Ok(found)
}

fn label(cause: &serde_json::Map<String, serde_json::Value>) -> Cause {
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_string);
    cause.iter().map(|(name, value)| format!("{name} = {}", text(value))).collect()
}

/// The shared cases, if they are there.
pub fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("BELL_STREAMS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/peers/streams"), PathBuf::from);
    folder.is_dir().then_some(folder)
}

#[tokio::test]
async fn labelled_incidents() {
    let Some(folder) = shared() else {
        println!("skipped: the labelled incidents are not there");
        return;
    };
    let score = run(&folder, |_| {}).await.unwrap();
    assert!(score.exact() >= 0.58, "exact {:.3}", score.exact());
    assert!(score.f1() >= 0.58, "F1 {:.3}", score.f1());
    assert!(score.recall() >= 0.82, "recall {:.3}", score.recall());
}
