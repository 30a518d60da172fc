//! [`Failure`]: why a command failed, how that is shown, and the exit code.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use annotate_snippets::{Group, Level, Renderer};
use bellwether::Error;
use bellwether::diagnostic::{Diagnostic, json, render};
use bellwether::source::SourceSet;
use datafusion::common::DataFusionError;
use serde_json::{Value, json};

use super::{ErrorFormat, interrupt};

/// Why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// The model, the question or the data is wrong.
    Wrong {
        /// What is wrong.
        error: Box<Error>,
        /// The texts that its places point into.
        sources: Box<SourceSet>,
    },
    /// The command line does not make sense; for what the parser of arguments cannot know.
    Usage(String),
    /// Ctrl-C.
    Interrupted,
}

impl Failure {
    /// An error with the texts that its places point into.
    pub fn new(error: impl Into<Error>, sources: SourceSet) -> Self {
        Failure::Wrong { error: Box::new(error.into()), sources: Box::new(sources) }
    }

    /// Writes the failure to stderr and gives its exit code.
    pub fn report(&self, format: ErrorFormat) -> ExitCode {
        let text = match format {
            ErrorFormat::Text => self.to_text(colour_on_stderr()),
            ErrorFormat::Json => format!("{}\n", self.to_json()),
        };
        // Nothing is left to be done if even stderr is gone.
        let _ = std::io::stderr().write_all(text.as_bytes());
        match self {
            Failure::Wrong { .. } => ExitCode::from(1),
            Failure::Usage(_) => ExitCode::from(2),
            Failure::Interrupted => ExitCode::from(interrupt::EXIT_CODE),
        }
    }

    fn to_text(&self, colour: bool) -> String {
        match self {
            Failure::Wrong { error, sources } => match error.as_ref() {
                Error::Diagnostics(list) => diagnostics_text(sources, list, colour),
                other => title(&message(other), colour),
            },
            Failure::Usage(message) => title(message, colour) + "\nFor more information, try '--help'.\n",
            Failure::Interrupted => "cancelled\n".to_string(),
        }
    }

    fn to_json(&self) -> Value {
        let plain = |message: &str| json!([{ "code": null, "severity": "error", "message": message }]);
        match self {
            Failure::Wrong { error, sources } => match error.as_ref() {
                Error::Diagnostics(list) => diagnostics_json(sources, list),
                other => plain(&message(other)),
            },
            Failure::Usage(message) => plain(message),
            Failure::Interrupted => plain("cancelled"),
        }
    }
}

/// What went wrong beside a result: with one of the things that a command works through.
pub struct Problem {
    /// Of what kind the thing is, and its name, if it is one of them.
    pub of: Option<(&'static str, String)>,
    /// What happened to it, before the reason.
    pub what: String,
    pub reason: Reason,
}

/// Why.
pub enum Reason {
    Diagnostics(Vec<Diagnostic>),
    Text(String),
    /// It went on all the same.
    Warning(String),
}

impl Reason {
    pub fn of(error: &Error) -> Reason {
        match error {
            Error::Diagnostics(list) => Reason::Diagnostics(list.clone()),
            other => Reason::Text(message(other)),
        }
    }
}

impl Problem {
    fn to_text(&self, sources: &SourceSet) -> String {
        let subject = self.of.as_ref().map_or_else(String::new, |(_, name)| format!("{name} {}", self.what));
        match &self.reason {
            Reason::Diagnostics(list) => {
                let heading = if subject.is_empty() { subject } else { subject + ":\n" };
                format!("{heading}{}\n", diagnostics_text(sources, list, colour_on_stderr()))
            }
            Reason::Text(text) | Reason::Warning(text) => format!("{subject}: {text}\n"),
        }
    }

    fn to_json(&self, sources: &SourceSet) -> Vec<Value> {
        let mut all: Vec<Value> = match &self.reason {
            Reason::Diagnostics(list) => list.iter().map(|diagnostic| json::to_json(sources, diagnostic)).collect(),
            Reason::Text(text) => vec![json!({ "code": null, "severity": "error", "message": text })],
            Reason::Warning(text) => vec![json!({ "code": null, "severity": "warning", "message": text })],
        };
        if let Some((kind, name)) = &self.of {
            all.iter_mut().for_each(|one| one[*kind] = name.as_str().into());
        }
        all
    }
}

/// Writes problems to stderr, for programs as one array; nothing if there are none.
pub fn tell(format: ErrorFormat, sources: &SourceSet, problems: &[Problem]) {
    let text = match format {
        _ if problems.is_empty() => return,
        ErrorFormat::Text => problems.iter().map(|problem| problem.to_text(sources)).collect(),
        ErrorFormat::Json => {
            format!("{}\n", problems.iter().flat_map(|problem| problem.to_json(sources)).collect::<Value>())
        }
    };
    // As with failures, nothing is left to be done if stderr is gone.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Diagnostics for people, an empty line between each two.
pub fn diagnostics_text(sources: &SourceSet, list: &[Diagnostic], colour: bool) -> String {
    let texts: Vec<String> = list.iter().map(|diagnostic| render::to_text(sources, diagnostic, colour)).collect();
    texts.join("\n")
}

/// Diagnostics for programs: one array.
pub fn diagnostics_json(sources: &SourceSet, list: &[Diagnostic]) -> Value {
    list.iter().map(|diagnostic| json::to_json(sources, diagnostic)).collect()
}

/// Whether stderr is a terminal whose user has not asked for plain text.
pub fn colour_on_stderr() -> bool {
    std::io::stderr().is_terminal() && colour_wanted()
}

/// Whether the user has not asked for plain text: <https://no-color.org>.
pub fn colour_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn title(message: &str, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[Group::with_title(Level::ERROR.primary_title(message))]) + "\n"
}

/// What went wrong, without the wrappers that say through which layers it came.
fn message(error: &Error) -> String {
    match error {
        Error::Engine(error) => innermost(error),
        other => other.to_string(),
    }
}

fn innermost(error: &DataFusionError) -> String {
    match error.find_root() {
        DataFusionError::Internal(text) => format!("internal error: {text}"),
        DataFusionError::SQL(error, _) => unwrapped(&error.to_string()),
        DataFusionError::ResourcesExhausted(text) => match text.split_once("Failed to allocate") {
            Some((_, what)) => format!("more memory is needed than `--memory-limit` gives: no room for{what}"),
            None => unwrapped(text),
        },
        other => unwrapped(&other.message()),
    }
}

/// Layers that a message names before it comes to its point.
const WRAPPERS: &[&str] = &[
    "External error: ",
    "External: ",
    "Arrow error: ",
    "ArrowError: ",
    "Parquet error: ",
    "Object Store error: ",
    "Error during planning: ",
    "Execution error: ",
    "sql parser error: ",
    "Generic LocalFileSystem error: ",
];

fn unwrapped(text: &str) -> String {
    let mut rest = text.trim();
    while let Some(shorter) = WRAPPERS.iter().find_map(|wrapper| rest.strip_prefix(wrapper)) {
        rest = shorter.trim_start();
    }
    rest.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_lose_their_wrappers() {
        let inner = DataFusionError::Plan("table 'x' not found".to_string());
        let outer = DataFusionError::External(Box::new(inner)).context("while planning");
        assert_eq!(message(&Error::from(outer)), "table 'x' not found");
        let full = "Additional allocation failed for X as:\n  Y.\nError: Failed to allocate additional 4 KB for X - 1 KB remain";
        let told = "more memory is needed than `--memory-limit` gives: no room for additional 4 KB for X - 1 KB remain";
        assert_eq!(message(&Error::from(DataFusionError::ResourcesExhausted(full.to_string()))), told);
        assert_eq!(unwrapped("External error: Arrow error: Divide by zero"), "Divide by zero");
    }

    #[test]
    fn every_failure_is_an_array_in_json() {
        let failure = Failure::new(Error::Data("orders.csv: row 3 has 5 fields".to_string()), SourceSet::default());
        assert_eq!(failure.to_json()[0]["message"], "orders.csv: row 3 has 5 fields");
        assert_eq!(Failure::Interrupted.to_json()[0]["severity"], "error");
    }
}
