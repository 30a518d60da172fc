//! MetricFlow's own cases: each manifest of a folder is imported, each request translated, asked and compared.

mod ask;
mod compare;
mod rows;
#[cfg(test)]
mod siblings;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bellwether::Engine;
use bellwether::import::metricflow::Semantics;
use bellwether::import::{Report, metricflow};
use datafusion::prelude::SessionContext;
use serde::Deserialize;

pub use rows::Rows;

/// One request, as `cases.json` has it.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Case {
    pub id: String,
    pub manifest: String,
    #[serde(default)]
    pub metrics: Vec<String>,
    #[serde(default)]
    pub saved_query_name: Option<String>,
    #[serde(default)]
    pub group_bys: Vec<String>,
    #[serde(default)]
    pub group_by_objs: Vec<GroupBy>,
    #[serde(default)]
    pub order_bys: Vec<String>,
    #[serde(default)]
    pub limit: Option<usize>,
    #[serde(default)]
    pub where_filter: Option<String>,
    #[serde(default)]
    pub time_constraint: Option<TimeConstraint>,
    #[serde(default)]
    pub min_max_only: bool,
    #[serde(default = "yes")]
    pub apply_group_by: bool,
    #[serde(default)]
    pub status: String,
    #[serde(default)]
    pub expected_file: Option<String>,
}

fn yes() -> bool {
    true
}

/// A name to group by, with what of a time is meant.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct GroupBy {
    pub name: String,
    #[serde(default)]
    pub grain: Option<String>,
    #[serde(default)]
    pub date_part: Option<String>,
}

/// A time range, both ends included.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct TimeConstraint {
    pub start: Option<String>,
    pub end: Option<String>,
}

/// What became of a case.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub id: String,
    pub verdict: Verdict,
    /// From the request to the plan.
    pub planned: Duration,
    /// From the plan to the rows.
    pub ran: Duration,
}

impl Outcome {
    /// The case in one line.
    pub fn line(&self) -> String {
        let (id, planned, ran) = (&self.id, self.planned, self.ran);
        match &self.verdict {
            Verdict::Equal => format!("equal      {id} (planned in {planned:.1?}, ran in {ran:.1?})"),
            Verdict::Different(how) => format!("different  {id}: {how}"),
            Verdict::Refused(why) => format!("refused    {id}: {why}"),
            Verdict::Skipped(why) => format!("skipped    {id}: {why}"),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    Equal,
    Different(String),
    Refused(String),
    Skipped(String),
}

/// An imported manifest with an engine over it.
pub struct Imported {
    pub semantics: Semantics,
    pub report: Report,
    pub engine: Engine,
    /// From the manifest to the files of the project.
    pub read: Duration,
    /// From the files of the project to an engine.
    pub loaded: Duration,
    _folder: tempfile::TempDir,
}

/// What a run is asked to do.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub folder: PathBuf,
    /// Only the cases whose names hold this.
    pub only: Option<String>,
    /// Where to write the results.
    pub results: Option<PathBuf>,
    /// What is told of each case as soon as it is settled.
    pub told: Option<fn(&Outcome)>,
}

/// A run over all cases of a folder.
pub struct Run {
    pub imported: BTreeMap<String, Imported>,
    pub outcomes: Vec<Outcome>,
}

impl Run {
    pub fn count(&self, wanted: impl Fn(&Verdict) -> bool) -> usize {
        self.outcomes.iter().filter(|outcome| wanted(&outcome.verdict)).count()
    }

    pub fn equal(&self) -> usize {
        self.count(|verdict| *verdict == Verdict::Equal)
    }

    /// The load times, and how many cases are equal, with the times to plan them.
    pub fn summary(&self) -> String {
        let mut lines = Vec::new();
        for (name, imported) in &self.imported {
            let (read, loaded) = (imported.read, imported.loaded);
            lines.push(format!("{name}: imported in {read:.1?}, loaded in {loaded:.1?}"));
        }
        let asked = self.count(|verdict| !matches!(verdict, Verdict::Skipped(_)));
        let mut times: Vec<Duration> = self.outcomes.iter().map(|outcome| outcome.planned).collect();
        times.retain(|time| !time.is_zero());
        times.sort();
        let at = |share: usize| times.get(times.len() * share / 100).or(times.last()).copied().unwrap_or_default();
        let (median, most, longest) = (at(50), at(95), times.last().copied().unwrap_or_default());
        lines.push(format!(
            "{} of {asked} equal; planned in {median:.1?} (median), {most:.1?} (95 of 100), {longest:.1?} (longest)",
            self.equal()
        ));
        lines.join("\n")
    }
}

/// Runs the cases of a folder laid out like the shared one.
pub async fn run(options: &Options) -> Result<Run, String> {
    let text =
        std::fs::read_to_string(options.folder.join("cases.json")).map_err(|error| format!("cases.json: {error}"))?;
    let cases: Vec<Case> = serde_json::from_str(&text).map_err(|error| format!("cases.json: {error}"))?;
    let mut run = Run { imported: BTreeMap::new(), outcomes: vec![] };
    for case in cases {
        if options.only.as_ref().is_some_and(|only| !case.id.contains(only.as_str())) {
            continue;
        }
        if !run.imported.contains_key(&case.manifest) {
            let imported = import(&options.folder, &case.manifest).await?;
            run.imported.insert(case.manifest.clone(), imported);
        }
        let outcome = settle(options, &run.imported[&case.manifest], &case).await;
        if let Some(told) = options.told {
            told(&outcome);
        }
        run.outcomes.push(outcome);
    }
    Ok(run)
}

async fn import(folder: &Path, manifest: &str) -> Result<Imported, String> {
    let path = folder.join("manifests").join(manifest);
    let json = path.join("semantic_manifest.json");
    import_from(folder, manifest, &if json.is_file() { json } else { path.join("yaml") }).await
}

async fn import_from(folder: &Path, manifest: &str, path: &Path) -> Result<Imported, String> {
    let project = tempfile::tempdir().map_err(|error| error.to_string())?;
    let told = |error: bellwether::Error| format!("{manifest}: {error}");
    let ctx = SessionContext::new();
    let started = Instant::now();
    let (semantics, report) =
        metricflow::import(path, &folder.join("tables"), project.path(), &ctx).await.map_err(told)?;
    let read = started.elapsed();
    let started = Instant::now();
    let engine = Engine::open(project.path()).await.map_err(told)?;
    let loaded = started.elapsed();
    Ok(Imported { semantics, report, engine, read, loaded, _folder: project })
}

async fn settle(options: &Options, imported: &Imported, case: &Case) -> Outcome {
    let id = case.id.clone();
    if case.status.starts_with("skipped") {
        let why = case.status.strip_prefix("skipped: ").unwrap_or(&case.status).to_string();
        return Outcome { id, verdict: Verdict::Skipped(why), planned: Duration::ZERO, ran: Duration::ZERO };
    }
    let started = Instant::now();
    let planned = ask::plan(imported, case).await;
    let time = started.elapsed();
    let started = Instant::now();
    let verdict = match planned {
        Err(why) => Verdict::Refused(why),
        Ok((frame, columns)) => match rows::of(frame, columns).await {
            Err(why) => Verdict::Refused(why),
            Ok(rows) => judge(options, case, &rows).unwrap_or_else(Verdict::Different),
        },
    };
    Outcome { id, verdict, planned: time, ran: started.elapsed() }
}

fn judge(options: &Options, case: &Case, rows: &Rows) -> Result<Verdict, String> {
    let name = match &case.expected_file {
        Some(name) => name.clone(),
        None => format!("expected/{}.json", case.id.replace(".yaml/", "__").replace('/', "__")),
    };
    if let Some(folder) = &options.results {
        let file = folder.join(Path::new(&name).file_name().unwrap_or_default());
        let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&file, rows.to_json()));
        written.map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let path = options.folder.join(&name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        return Ok(Verdict::Skipped(format!("{} is not there to compare with", path.display())));
    };
    let expected: compare::Expected = serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
    match compare::difference(&expected, rows) {
        None => Ok(Verdict::Equal),
        Some(difference) => Err(difference),
    }
}

/// What people write is imported whole, before dbt makes a manifest of it.
#[tokio::test]
async fn yaml_is_imported_whole() {
    use bellwether::import::{Entry, Fidelity};
    let Some(shared) = shared() else { return };
    for manifest in std::fs::read_dir(shared.join("manifests")).unwrap().flatten() {
        let yaml = manifest.path().join("yaml");
        if !yaml.is_dir() {
            continue;
        }
        let name = manifest.file_name().to_string_lossy().into_owned();
        let yaml = import_from(&shared, &name, &yaml).await.unwrap();
        let missing: Vec<&Entry> = yaml.report.entries.iter().filter(|e| e.fidelity == Fidelity::NotImported).collect();
        assert!(missing.is_empty(), "{name}: {missing:?}");
    }
}

/// How many of the public cases are equal: all that have a result.
#[cfg(test)]
const EQUAL: usize = 104;

/// The folder of the shared cases, if it is there.
#[cfg(test)]
fn shared() -> Option<PathBuf> {
    let shared = std::env::var_os("BELL_METRICFLOW")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/peers/metricflow"), PathBuf::from);
    if shared.join("cases.json").is_file() {
        return Some(shared);
    }
    println!("skipped: {} is not there", shared.display());
    None
}

#[tokio::test]
async fn the_shared_cases_are_answered() {
    let Some(shared) = shared() else { return };
    let run = run(&Options { folder: shared, ..Options::default() }).await.unwrap();
    for (name, imported) in &run.imported {
        for metric in &imported.semantics.manifest.metrics {
            let entries = imported.report.entries.iter();
            let own =
                entries.filter(|entry| entry.kind == bellwether::import::Kind::Metric && entry.name == metric.name);
            assert_eq!(own.count(), 1, "{name}: {}", metric.name);
        }
    }
    println!("{}", run.summary());
    let wrong = |outcome: &&Outcome| !matches!(outcome.verdict, Verdict::Equal | Verdict::Skipped(_));
    let told: Vec<String> = run.outcomes.iter().filter(wrong).map(Outcome::line).collect();
    assert!(run.equal() >= EQUAL, "{} instead of {EQUAL} are equal\n{}", run.equal(), told.join("\n"));
}
