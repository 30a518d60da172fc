//! `bell check`: everything that is wrong with a project, in one pass.

use std::io::IsTerminal;
use std::process::ExitCode;

use bellwether::diagnostic::{Diagnostic, Severity};
use bellwether::engine::verify::verify;
use bellwether::quality::{diagnostics, evaluate};
use bellwether::source::SourceSet;
use bellwether::{Engine, Error, Expect};
use clap::Args;

use super::failure::{colour_wanted, diagnostics_json, diagnostics_text};
use super::output::print;
use super::{Common, ErrorFormat, Failure, project};

/// Check a project: names, types, units, joins, all errors in one pass. Exit code 1 if there is an error.
#[derive(Debug, Args)]
pub struct Check {
    /// Also read the data: keys unique, join keys present, types fit, expectations kept
    #[arg(long)]
    data: bool,
    /// How the findings are written to stdout
    #[arg(long, value_enum, default_value_t = ErrorFormat::Text)]
    format: ErrorFormat,
}

impl Check {
    /// Writes the findings to stdout: they are this command's result.
    pub async fn run(&self, common: &Common) -> Result<ExitCode, Failure> {
        let folder = project::folder(common)?;
        let (findings, sources) = match Engine::open(&folder).await {
            Ok(engine) => (self.findings(&engine).await?, engine.sources().clone()),
            Err(Error::Diagnostics(list)) => (list, project::texts(&folder)),
            Err(error) => return Err(Failure::new(error, SourceSet::default())),
        };
        print(&match self.format {
            ErrorFormat::Json => format!("{:#}\n", diagnostics_json(&sources, &findings)),
            ErrorFormat::Text => text(&sources, &findings),
        })?;
        Ok(if count(&findings, Severity::Error) > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    async fn findings(&self, engine: &Engine) -> Result<Vec<Diagnostic>, Failure> {
        let mut findings = engine.warnings().to_vec();
        if !self.data {
            return Ok(findings);
        }
        let verified = verify(engine.context(), engine.catalog()).await;
        findings.extend(verified.findings);
        if verified.failures.is_empty() {
            let found = evaluate(engine, &Expect::default()).await;
            let found = found.map_err(|error| Failure::new(error, engine.sources().clone()))?;
            findings.extend(diagnostics(engine.catalog(), &found));
        }
        for failure in verified.failures {
            match engine.explained(failure).await {
                Error::Diagnostics(list) => findings.extend(list),
                error => return Err(Failure::new(error, engine.sources().clone())),
            }
        }
        Ok(findings)
    }
}

fn text(sources: &SourceSet, findings: &[Diagnostic]) -> String {
    let (errors, warnings) = (count(findings, Severity::Error), count(findings, Severity::Warning));
    let files = sources.files().len();
    if findings.is_empty() {
        return format!("{}: no errors\n", counted(files, "file"));
    }
    let colour = std::io::stdout().is_terminal() && colour_wanted();
    let shown = diagnostics_text(sources, findings, colour);
    format!("{shown}\n{}: {}, {}\n", counted(files, "file"), counted(errors, "error"), counted(warnings, "warning"))
}

fn count(findings: &[Diagnostic], severity: Severity) -> usize {
    findings.iter().filter(|finding| finding.severity() == severity).count()
}

fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
