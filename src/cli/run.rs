//! `bell run`: publications, computed and written to files.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bellwether::diagnostic::{Diagnostic, Severity};
use bellwether::publish::{Event, Outcome, Report, run, stages};
use bellwether::quality::diagnostics;
use bellwether::source::SourceSet;
use bellwether::{Engine, Error, Run as Request};
use clap::{Args, ValueEnum};
use datafusion::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use datafusion::physical_plan::ExecutionPlan;
use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use serde_json::{Value, json};

use super::failure::{Problem, Reason, tell};
use super::limits::LimitArgs;
use super::output::{Digits, Format, Output, OutputArgs, print};
use super::progress::status;
use super::{Common, ErrorFormat, Failure, planned, project};

/// Run the publications and rollups: compute them and write them to files, which readers see change in one step.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes:\n  0 all were published\n  1 none was, or the project is wrong\n  2 wrong usage\n  \
    3 some were published, and some failed\n\n\
    Examples:\n  bell run\n  bell run monthly_pack --dry-run\n  bell run --from 2026-01 --to 2026-02 --memory-limit 2GB --log json"
)]
pub struct Run {
    /// Publications and rollups: monthly_pack, or retail.monthly_pack where several packages have one; all, if none is named
    publications: Vec<String>,
    /// Of these only those whose name fits one of these patterns: monthly_*, retail.*
    #[arg(long, value_name = "PATTERNS", value_delimiter = ',')]
    only: Vec<String>,
    /// First period to compute anew (2026-01): whole partitions; the others stay as they are
    #[arg(long, value_name = "PERIOD")]
    from: Option<String>,
    /// Last period to compute anew, all of it
    #[arg(long, value_name = "PERIOD")]
    to: Option<String>,
    /// Say what would be read and written, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// So many publications at once
    #[arg(short, long, value_name = "N", default_value = "1")]
    jobs: NonZeroUsize,
    /// Wait so many seconds for another run that writes to the same folder; without it such a publication fails at once
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    wait: u64,
    /// The report on stdout
    #[arg(short = 'F', long, value_enum, default_value_t = ReportFormat::Table)]
    format: ReportFormat,
    /// What happens, a line each, on stderr
    #[arg(long, value_enum)]
    log: Option<Log>,
    #[command(flatten)]
    limits: LimitArgs,
}

/// How the report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    /// For people
    Table,
    /// For programs: with the files that were read, in their versions
    Json,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Log {
    /// For people
    Text,
    /// An object a line
    Json,
}

impl Run {
    /// Runs, and writes the report to stdout.
    pub async fn run(&self, common: &Common) -> Result<ExitCode, Failure> {
        let mut engine = project::open_within(common, &self.limits).await?;
        let asked = Request {
            publications: self.publications.clone(),
            only: self.only.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
            dry_run: self.dry_run,
            jobs: self.jobs.get(),
            wait: self.wait,
        };
        let follower = Follower { log: self.log, bars: MultiProgress::new(), open: Mutex::default() };
        let broken = |engine: &Engine| {
            let sources = engine.sources().clone();
            move |error: Error| Failure::new(error, sources)
        };
        let stages = stages(&engine, &asked).map_err(broken(&engine))?;
        let stages = if self.dry_run { vec![stages.concat()] } else { stages };
        let mut reports = Vec::new();
        let mut ended = None;
        for (at, publications) in stages.into_iter().enumerate() {
            if at > 0 {
                // What the stage before has written is found.
                match project::open_within(common, &self.limits).await {
                    Ok(opened) => engine = opened,
                    Err(failure) => {
                        ended = Some(failure);
                        break;
                    }
                }
            }
            let asked = Request { publications, only: vec![], ..asked.clone() };
            match run(&engine, &asked, &|event| follower.see(event)).await {
                Ok(told) => reports.extend(told),
                Err(error) => {
                    ended = Some(broken(&engine)(error));
                    break;
                }
            }
        }
        // What was published before is told of all the same.
        if let Some(failure) = ended.take_if(|_| reports.is_empty()) {
            return Err(failure);
        }
        let problems: Vec<Problem> =
            warnings(&engine, &reports).into_iter().chain(reports.iter().flat_map(problems)).collect();
        // What reads lines of JSON finds nothing else between them.
        let form = if self.log == Some(Log::Json) { ErrorFormat::Json } else { common.error_format };
        tell(form, engine.sources(), &problems);
        match self.format {
            ReportFormat::Json => {
                let text = serde_json::to_string_pretty(&reports).map_err(|error| failed(&error))?;
                print(&(text + "\n"))?;
            }
            ReportFormat::Table => {
                table(&reports, self.dry_run)?;
                if self.dry_run {
                    print(&planned::told(&reports, &engine.sources().root))?;
                }
            }
        }
        if let Some(failure) = ended {
            return Err(failure);
        }
        let failures = reports.iter().filter(|report| report.outcome == Outcome::Failed).count();
        Ok(match failures {
            0 => ExitCode::SUCCESS,
            all if all == reports.len() => ExitCode::FAILURE,
            _ => ExitCode::from(SOME_FAILED),
        })
    }
}

/// Some publications were published, some failed.
const SOME_FAILED: u8 = 3;

fn failed(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Error::Data(error.to_string()), SourceSet::default())
}

/// Expectations that are broken and only warn, each once.
fn warnings(engine: &Engine, reports: &[Report]) -> Option<Problem> {
    let findings: Vec<_> = reports.iter().flat_map(|report| &report.expectations).cloned().collect();
    let mut warnings: Vec<Diagnostic> = Vec::new();
    for found in diagnostics(engine.catalog(), &findings) {
        if found.severity() == Severity::Warning && !warnings.contains(&found) {
            warnings.push(found);
        }
    }
    (!warnings.is_empty()).then(|| Problem { of: None, what: String::new(), reason: Reason::Diagnostics(warnings) })
}

fn problems(report: &Report) -> impl Iterator<Item = Problem> {
    let of = || Some(("publication", report.publication.clone()));
    let late = late(report).map(|what| Problem {
        of: of(),
        what: "was published without rows that came late".to_string(),
        reason: Reason::Warning(what),
    });
    let failed =
        report.error.as_ref().map(|error| Problem { of: of(), what: "failed".to_string(), reason: Reason::of(error) });
    let uncompared = report.uncompared.as_ref().map(|why| Problem {
        of: of(),
        what: "was published, but what moved is not known".to_string(),
        reason: Reason::Warning(why.clone()),
    });
    failed.into_iter().chain(uncompared).chain(late)
}

/// Which rows were left out because they came late, and what would take them in.
fn late(report: &Report) -> Option<String> {
    let first = report.late.first()?;
    let (name, periods) = (&report.publication, super::planned::some(report.late.clone()));
    Some(format!("new files have rows of {periods}; `bell run {name} --from {first}` takes them in"))
}

fn table(reports: &[Report], dry_run: bool) -> Result<(), Failure> {
    let texts = |of: fn(&Report) -> &str| Arc::new(StringArray::from_iter_values(reports.iter().map(of))) as ArrayRef;
    let numbers = |of: fn(&Report) -> u64| Arc::new(UInt64Array::from_iter_values(reports.iter().map(of))) as ArrayRef;
    let publication = ("publication", texts(|report| &report.publication));
    let outcome = ("outcome", texts(|report| report.outcome.name()));
    let kept = ("kept", numbers(|report| report.kept as u64));
    let definition = ("definition", texts(|report| &report.definition));
    let mut columns = match dry_run {
        true => vec![
            publication,
            outcome,
            ("files read", numbers(|report| report.input_files() as u64)),
            ("bytes read", numbers(Report::input_bytes)),
            kept,
            ("question of", texts(|report| report.shared.as_deref().unwrap_or_default())),
            ("why alone", texts(|report| report.alone.as_deref().unwrap_or_default())),
            definition,
            ("to", texts(|report| &report.to)),
        ],
        false => vec![
            publication,
            outcome,
            ("rows", numbers(|report| report.rows)),
            ("bytes", numbers(|report| report.bytes)),
            ("files", numbers(|report| report.files as u64)),
            kept,
            ("seconds", Arc::new(Float64Array::from_iter_values(reports.iter().map(|report| report.seconds)))),
            definition,
        ],
    };
    // Columns for what there is seldom anything to say about, where there is.
    let seldom: [(&str, Told, &str); 6] = [
        ("expectations", Report::expected, "outcome"),
        ("reopened", |report| counted(report.reopened as u64), "kept"),
        ("lost", |report| counted(report.lost as u64), "kept"),
        ("late", |report| counted(report.late.len() as u64), "kept"),
        ("held", |report| counted(report.held), "kept"),
        ("restated", moved, "kept"),
    ];
    for (name, of, after) in seldom {
        let told: Vec<String> = reports.iter().map(of).collect();
        if told.iter().any(|text| !text.is_empty()) {
            let at = columns.iter().position(|(known, _)| *known == after).map_or(columns.len(), |at| at + 1);
            columns.insert(at, (name, Arc::new(StringArray::from_iter_values(told))));
        }
    }
    let batch = RecordBatch::try_from_iter(columns).map_err(|error| failed(&error))?;
    let mut output = Output::new(&OutputArgs { format: Some(Format::Table), ..OutputArgs::default() })?;
    let mut writer = output.start(&batch.schema(), Digits::All)?;
    let written = writer.write(&batch).and_then(|()| writer.finish());
    written.map_err(|error| output.failed(&error))
}

/// What a column says of a publication; nothing, where there is nothing to say.
type Told = fn(&Report) -> String;

/// How many values of periods that were over moved.
fn moved(report: &Report) -> String {
    match report.uncompared {
        Some(_) => "not known".to_string(),
        None => counted(report.restated),
    }
}

fn counted(number: u64) -> String {
    if number == 0 { String::new() } else { number.to_string() }
}

/// Shows what happens: as a log, or on a terminal as a line for each publication that is being computed.
struct Follower {
    log: Option<Log>,
    bars: MultiProgress,
    open: Mutex<HashMap<String, ProgressBar>>,
}

impl Follower {
    fn see(&self, event: &Event<'_>) {
        match self.log {
            Some(Log::Json) => eprintln!("{}", as_json(event)),
            Some(Log::Text) => eprintln!("{}", as_text(event)),
            None if std::io::stderr().is_terminal() => self.draw(event),
            None => {}
        }
    }

    fn draw(&self, event: &Event<'_>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Computing(publication, plan) => {
                let name = publication.to_string();
                let bar = self.bars.add(ProgressBar::new_spinner());
                bar.set_style(style(name.clone(), Arc::clone(plan)));
                bar.enable_steady_tick(Duration::from_millis(250));
                open.insert(name, bar);
            }
            Event::Ended(publication, _) => {
                if let Some(bar) = open.remove(*publication) {
                    bar.finish_and_clear();
                    self.bars.remove(&bar);
                }
            }
            Event::Waiting(..) => {
                // A line that cannot be drawn is not worth an error.
                let _ = self.bars.println(as_text(event));
            }
            Event::Cleaned(..) => {}
        }
    }
}

fn style(name: String, plan: Arc<dyn ExecutionPlan>) -> ProgressStyle {
    let line = move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{name}: {}", status(state.elapsed(), Some(&plan)));
    };
    let style = ProgressStyle::default_spinner().with_key("line", line);
    style.template("{spinner} {line}").unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn as_text(event: &Event<'_>) -> String {
    match event {
        Event::Waiting(publication, holder) => format!("{} waits for {holder}", publication),
        Event::Cleaned(publication, files) => format!("{}: {files} old files removed", publication),
        Event::Computing(publication, _) => format!("{} is being computed", publication),
        Event::Ended(publication, report) => {
            let (name, how) = (publication, report.outcome.name());
            let mut line = format!("{name} {how}: {} rows, {} bytes, {} s", report.rows, report.bytes, report.seconds);
            let more = [("values restated", moved(report)), ("held", counted(report.held))];
            let lost = [
                ("late periods left out", report.late.len()),
                ("files lost", report.lost),
                ("of final periods", report.reopened),
            ];
            let lost = lost.map(|(what, number)| (what, counted(number as u64)));
            for (what, number) in more.iter().chain(&lost).filter(|(_, number)| !number.is_empty()) {
                line += &format!(", {what}: {number}");
            }
            line
        }
    }
}

fn as_json(event: &Event<'_>) -> Value {
    let mut line = json!({ "time": bellwether::publish::now() });
    let mut add = |more: Value| {
        if let (Value::Object(line), Value::Object(more)) = (&mut line, more) {
            line.extend(more);
        }
    };
    match event {
        Event::Waiting(publication, holder) => {
            add(json!({ "event": "waiting", "publication": publication, "holder": holder }));
        }
        Event::Cleaned(publication, files) => {
            add(json!({ "event": "cleaned", "publication": publication, "files": files }));
        }
        Event::Computing(publication, _) => {
            add(json!({ "event": "computing", "publication": publication }));
        }
        Event::Ended(_, report) => {
            add(json!({ "event": "ended" }));
            add(serde_json::to_value(report).unwrap_or_default());
        }
    }
    line
}
