//! Golden scripts: the specification. Every file below `tests/scripts/` that ends in `.script` shows one behaviour.
//!
//! A script is a text file: comment lines (`# …`) that say what is shown and why; files (`== orders.csv`, then its
//! lines; `== bad.parquet hex` takes bytes; `== rows.parquet query` the rows of an SQL query; `== table events` is a CSV
//! that the embedding program registers); then
//! questions, each followed by what is printed:
//!
//! ```text
//! > SELECT MEASURE(gmv) FROM indicators     rows (more lines of one question begin with `>` too)
//! > query {"indicators": ["gmv"]}           a request
//! [ast] > …  [catalog] > …  [plan] > …  [optimized] > …     a stage of the question
//! [alerts] > …  [alerts brief] > 2026-02-28  the events of all alerts as of then
//! [run] > {"publications": ["pack"]}        what becomes of publications and rollups, without times and sizes; what
//!                                         comes after it is asked of the project opened again
//! [expect] > {"as_of": "2026-01-31"}       what `bell expect` finds
//! [as east, west] > …                       rows, as somebody with these roles sees them
//! [tree] >                                  the files, parsed and written canonically
//! [check] >      [data] >      [audit] >     what `bell check`, `bell check --data`, `bell audit` print
//! [plain] > …    [foreign] > …              `ctx.sql` of a registered session; of one that was never registered
//! ```
//!
//! `UPDATE_SCRIPTS=1 cargo test --test it scripts` writes what is printed into the files, to be read critically.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bellwether::alert::evaluate;
use bellwether::audit::audit;
use bellwether::diagnostic::{Diagnostic, Severity, render};
use bellwether::engine::{Limits, Stage, verify::verify};
use bellwether::source::{SourceFile, SourceSet};
use bellwether::{Alerts, Engine, Error, Expect, Request, Run, publish, quality, syntax};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::display::FormatOptions;
use datafusion::arrow::util::pretty::pretty_format_batches_with_options;
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::prelude::{CsvReadOptions, DataFrame, SessionConfig, SessionContext};

macro_rules! folders {
    ($($name:ident)*) => {
        /// Every folder has a test of its own name.
        const FOLDERS: &[&str] = &[$(stringify!($name)),*];

        $(
            #[tokio::test]
            async fn $name() {
                run_folder(stringify!($name)).await;
            }
        )*
    };
}

folders! { analysis broken check diagnostics measure plan quality sql syntax targets }

#[test]
fn every_folder_is_run() {
    let mut found: Vec<String> = std::fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    found.sort();
    assert_eq!(found, FOLDERS);
}

/// The scripts of a folder, in order of name.
pub fn scripts_in(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "script")).collect();
    found.sort();
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts")
}

async fn run_folder(folder: &str) {
    let update = std::env::var_os("UPDATE_SCRIPTS").is_some();
    let mut differences = String::new();
    let scripts = scripts_in(folder);
    assert!(!scripts.is_empty(), "{folder} has no scripts");
    for path in scripts {
        let expected = std::fs::read_to_string(&path).unwrap();
        let script = Script::parse(&expected).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let printed = run(&script).await;
        if printed != expected && update {
            std::fs::write(&path, printed).unwrap();
        } else if printed != expected {
            let at = printed.lines().zip(expected.lines()).take_while(|(a, b)| a == b).count();
            let rest = |text: &str| text.lines().skip(at).take(25).collect::<Vec<_>>().join("\n");
            let (name, line) = (path.display(), at + 1);
            writeln!(differences, "{name}:{line} is\n{}\nnot\n{}\n", rest(&printed), rest(&expected)).unwrap();
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

/// A script as far as it does not depend on what is printed.
struct Script {
    files: Vec<(String, String)>,
    /// The text with the answers left out: everything up to the first question, then a piece for each question.
    head: String,
    questions: Vec<Question>,
}

struct Question {
    /// Its lines as written, with comments before them.
    written: String,
    tag: String,
    text: String,
}

impl Script {
    fn parse(text: &str) -> Result<Script, String> {
        let mut script = Script { files: vec![], head: String::new(), questions: vec![] };
        if !text.starts_with("# ") {
            return Err("a script begins with a comment that says what it shows".to_string());
        }
        let mut comment = String::new();
        let mut asking = false;
        for line in text.lines() {
            let asked = asked(line);
            if let (true, Some((_, more)), Some(last)) = (asking, asked, script.questions.last_mut()) {
                last.written += &format!("{line}\n");
                last.text += &format!("\n{more}");
            } else if let Some((tag, first)) = asked {
                let written = std::mem::take(&mut comment) + line + "\n";
                script.questions.push(Question { written, tag: tag.to_string(), text: first.to_string() });
            } else if script.questions.is_empty() {
                script.head += &format!("{line}\n");
                if let Some(name) = line.strip_prefix("== ") {
                    script.files.push((name.to_string(), String::new()));
                } else if let Some((_, content)) = script.files.last_mut() {
                    *content += &format!("{line}\n");
                }
            } else if line.starts_with("# ") {
                comment += &format!("{line}\n");
            }
            asking = asked.is_some();
        }
        if script.questions.is_empty() { Err("a script asks something".to_string()) } else { Ok(script) }
    }
}

/// The tag and the text of a question's line.
fn asked(line: &str) -> Option<(&str, &str)> {
    let (tag, rest) = match line.strip_prefix('[') {
        Some(tagged) => tagged.split_once("] ")?,
        None => ("", line),
    };
    Some((tag, rest.strip_prefix('>')?.trim()))
}

async fn run(script: &Script) -> String {
    let folder = tempfile::tempdir().unwrap();
    let config = SessionConfig::new().with_information_schema(true).with_target_partitions(1);
    let ctx = SessionContext::new_with_config(config);
    for (name, content) in &script.files {
        write_file(folder.path(), &ctx, name, content.trim_end_matches('\n')).await;
    }
    let texts = SourceSet::load(folder.path()).unwrap();
    let mut engine = Engine::with_context(ctx, folder.path()).await;
    let mut printed = script.head.clone();
    for (at, question) in script.questions.iter().enumerate() {
        let answer = match (&engine, question.tag.as_str()) {
            (_, "tree") => tree(&texts),
            (_, "check" | "data") => findings(&engine, &texts, question.tag == "data").await,
            (Ok(engine), "audit") => audited(engine, &texts),
            (Ok(engine), "expect") => expected(engine, &texts, question).await,
            (Ok(engine), "run") => ran(engine, &texts, question).await,
            (Ok(engine), "alerts" | "alerts brief") => events(engine, question).await,
            (Ok(_), tag) if tag.starts_with("as ") => seen_by(&tag[3..], folder.path(), &texts, question).await,
            (Ok(engine), _) => answer(engine, question).await,
            (Err(error), _) => failure(error, &texts),
        };
        // What a run has stored is found when the project is opened again.
        if let ("run", Ok(before)) = (question.tag.as_str(), &engine) {
            engine = Engine::with_context(before.context().clone(), folder.path()).await;
        }
        let gap = if at == 0 { "" } else { "\n" };
        let answer = answer.replace(&format!("{}/", folder.path().display()), "");
        let answer = answer.replace(&folder.path().display().to_string(), ".");
        let lines: Vec<&str> = answer.trim_end().lines().map(str::trim_end).collect();
        writeln!(printed, "{gap}{}{}", question.written, lines.join("\n")).unwrap();
    }
    printed
}

async fn write_file(folder: &Path, ctx: &SessionContext, header: &str, content: &str) {
    let name = header.strip_suffix(" hex").unwrap_or(header);
    let path = match name.strip_prefix("table ") {
        Some(table) => folder.join(format!(".{table}.csv")),
        None => folder.join(name),
    };
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    if let Some(name) = header.strip_suffix(" query") {
        let rows = SessionContext::new().sql(content).await.unwrap();
        let (file, options) = (folder.join(name), DataFrameWriteOptions::new().with_single_file_output(true));
        rows.write_parquet(file.to_str().unwrap(), options, None).await.unwrap();
        return;
    }
    let bytes = if header.ends_with(" hex") { from_hex(content) } else { with_newline(content).into_bytes() };
    std::fs::write(&path, bytes).unwrap();
    if let Some(table) = name.strip_prefix("table ") {
        ctx.register_csv(table, path.to_str().unwrap(), CsvReadOptions::new()).await.unwrap();
    }
}

fn with_newline(content: &str) -> String {
    if content.is_empty() { String::new() } else { format!("{content}\n") }
}

fn from_hex(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

fn tree(texts: &SourceSet) -> String {
    let written = |file: &Arc<SourceFile>| match syntax::format(&file.name, &file.text) {
        Ok(text) => text,
        Err(list) => shown(texts, &list),
    };
    texts.files().iter().map(written).collect()
}

async fn findings(engine: &Result<Engine, Error>, texts: &SourceSet, data: bool) -> String {
    let mut findings = match engine {
        Ok(engine) => engine.warnings().to_vec(),
        Err(Error::Diagnostics(list)) => list.clone(),
        Err(other) => return format!("error: {other}"),
    };
    if let (Ok(engine), true) = (engine, data) {
        let verified = verify(engine.context(), engine.catalog()).await;
        findings.extend(verified.findings);
        if verified.failures.is_empty() {
            let found = quality::evaluate(engine, &Expect::default()).await.unwrap();
            findings.extend(quality::diagnostics(engine.catalog(), &found));
        }
        for failed in verified.failures {
            match engine.explained(failed).await {
                Error::Diagnostics(list) => findings.extend(list),
                other => return format!("error: {other}"),
            }
        }
    }
    let count = |severity| findings.iter().filter(|finding| finding.severity() == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if findings.is_empty() {
        return "no errors".to_string();
    }
    format!("{}\nerrors: {errors}, warnings: {warnings}", shown(texts, &findings))
}

async fn events(engine: &Engine, question: &Question) -> String {
    let brief = question.tag == "alerts brief";
    let causes = if brief { 0 } else { 3 };
    let asked = Alerts { as_of: Some(question.text.clone()), causes, ..Alerts::default() };
    match evaluate(engine, &asked).await {
        Ok(outcome) => {
            let events = outcome.events.iter().map(|event| match brief {
                true => format!(
                    "{}: {:?}, target {:?}, limit {:?}, expected {:?}, {:?}, to {:?}",
                    event.key, event.value, event.target, event.limit, event.expected, event.status, event.notify
                ),
                false => serde_json::to_string_pretty(event).unwrap(),
            });
            let failures = outcome.failures.iter().map(|(alert, error)| format!("{alert}: {error}"));
            events.chain(failures).collect::<Vec<_>>().join("\n")
        }
        Err(error) => format!("error: {error}"),
    }
}

async fn expected(engine: &Engine, texts: &SourceSet, question: &Question) -> String {
    let asked: Expect = serde_json::from_str(&question.text).unwrap();
    let findings = match quality::evaluate(engine, &asked).await {
        Ok(findings) => findings,
        Err(error) => return failure(&error, texts),
    };
    let told = findings.iter().map(|finding| {
        let (severity, how) = (&finding.severity, finding.outcome.name());
        format!("{} ({severity}): {how}, {} of {}", finding.expectation, finding.broken, finding.of)
    });
    let wrong = shown(texts, &quality::diagnostics(engine.catalog(), &findings));
    told.chain([wrong]).collect::<Vec<_>>().join("\n")
}

async fn ran(engine: &Engine, texts: &SourceSet, question: &Question) -> String {
    let asked: Run = serde_json::from_str(&question.text).unwrap();
    let reports = match publish::run(engine, &asked, &|_| {}).await {
        Ok(reports) => reports,
        Err(error) => return failure(&error, texts),
    };
    let told = reports.iter().map(|report| match &report.error {
        Some(error) => format!("{} failed\n{}", report.publication, failure(error, texts)),
        None => {
            let (name, how) = (&report.publication, report.outcome.name());
            format!("{name} {how}: {} rows, {} files, {} kept", report.rows, report.files, report.kept)
        }
    });
    told.collect::<Vec<_>>().join("\n")
}

fn audited(engine: &Engine, texts: &SourceSet) -> String {
    let found: Vec<Diagnostic> = audit(engine.catalog()).into_iter().map(|finding| finding.diagnostic).collect();
    if found.is_empty() { "nothing found".to_string() } else { shown(texts, &found) }
}

fn shown(texts: &SourceSet, list: &[Diagnostic]) -> String {
    let texts: Vec<String> = list.iter().map(|diagnostic| render::to_text(texts, diagnostic, false)).collect();
    texts.join("\n")
}

fn failure(error: &Error, texts: &SourceSet) -> String {
    match error {
        Error::Diagnostics(list) => shown(texts, list),
        other => format!("error: {other}"),
    }
}

/// An ordinary question, asked by somebody with some roles.
async fn seen_by(roles: &str, folder: &Path, texts: &SourceSet, question: &Question) -> String {
    let roles = roles.split(',').map(|role| role.trim().to_string()).collect();
    let asked = Question { written: String::new(), tag: String::new(), text: question.text.clone() };
    match Engine::open_as(folder, &Limits::default(), &roles).await {
        Ok(engine) => answer(&engine, &asked).await,
        Err(error) => failure(&error, texts),
    }
}

async fn answer(engine: &Engine, question: &Question) -> String {
    let stage = match question.tag.as_str() {
        "ast" => Some(Stage::Ast),
        "catalog" => Some(Stage::Catalog),
        "plan" => Some(Stage::Plan),
        "optimized" => Some(Stage::Optimized),
        "" | "plain" | "foreign" => None,
        other => panic!("no stage is named {other}"),
    };
    let answered = match stage {
        Some(stage) => engine.explain(&question.text, stage).await,
        None => rows(engine, question).await,
    };
    answered.unwrap_or_else(|error| failure(&error, &texts_of(engine, &question.text)))
}

/// The texts that diagnostics of a question point into.
fn texts_of(engine: &Engine, question: &str) -> SourceSet {
    match question.strip_prefix("query ").map(request) {
        Some(request) => engine.sources_with_request(&request),
        None => engine.sources_with(question),
    }
}

fn request(json: &str) -> Request {
    serde_json::from_str(json).unwrap()
}

async fn rows(engine: &Engine, question: &Question) -> Result<String, Error> {
    let text = question.text.as_str();
    let frame: DataFrame = match (question.tag.as_str(), text.strip_prefix("query ")) {
        ("plain", _) => engine.context().sql(text).await?,
        ("foreign", _) => foreign(engine).sql(text).await?,
        (_, Some(json)) => engine.query(&request(json)).await?,
        _ => engine.sql(text).await?,
    };
    let schema = Arc::new(frame.schema().as_arrow().clone());
    let mut batches = match frame.collect().await {
        Ok(batches) => batches,
        Err(error) => return Err(engine.explained(error).await),
    };
    let options = FormatOptions::new().with_null("NULL");
    if schema.fields().is_empty() {
        return Ok(String::new());
    }
    // So that an answer without rows shows its columns.
    batches.push(RecordBatch::new_empty(schema));
    Ok(pretty_format_batches_with_options(&batches, &options).unwrap().to_string())
}

/// A session that has the same schemas, but was never prepared for them.
fn foreign(engine: &Engine) -> SessionContext {
    let ctx = SessionContext::new();
    let name = ctx.state().config_options().catalog.default_catalog.clone();
    ctx.register_catalog(&name, engine.context().catalog(&name).unwrap());
    ctx
}
