//! `bell audit`: is the model fit to be worked with?

use std::collections::HashSet;
use std::io::IsTerminal;
use std::process::ExitCode;

use bellwether::audit::{Criterion, Finding, audit};
use bellwether::diagnostic::Diagnostic;
use bellwether::source::SourceSet;
use clap::Args;

use super::failure::{colour_wanted, diagnostics_json, diagnostics_text};
use super::output::print;
use super::{Common, ErrorFormat, Failure, project};

/// The exit code where something is found.
const FOUND: u8 = 3;

/// Audit a project: who answers for each indicator, what it should reach, what it is for, what is there twice.
#[derive(Debug, Args)]
#[command(
    after_help = "Rules: owner, target, scenario, result, efficiency, process, same-definition, same-name\n\nExit code 3: something is found."
)]
pub struct Audit {
    /// Only these rules
    #[arg(long, value_delimiter = ',', value_name = "RULES", value_parser = rule)]
    rule: Vec<Criterion>,
    /// How the findings are written to stdout
    #[arg(long, value_enum, default_value_t = ErrorFormat::Text)]
    format: ErrorFormat,
}

fn rule(name: &str) -> Result<Criterion, String> {
    let all = || Criterion::ALL.map(Criterion::name).join(", ");
    Criterion::named(name).ok_or_else(|| format!("the rules are {}", all()))
}

impl Audit {
    /// Writes the findings to stdout: they are this command's result.
    pub async fn run(&self, common: &Common) -> Result<ExitCode, Failure> {
        let engine = project::open(common).await?;
        let wanted = |finding: &Finding| self.rule.is_empty() || self.rule.contains(&finding.criterion);
        let found: Vec<Finding> = audit(engine.catalog()).into_iter().filter(wanted).collect();
        let diagnostics: Vec<Diagnostic> = found.iter().map(|finding| finding.diagnostic.clone()).collect();
        print(&match self.format {
            ErrorFormat::Json => format!("{:#}\n", diagnostics_json(engine.sources(), &diagnostics)),
            ErrorFormat::Text => text(engine.sources(), &found, &diagnostics),
        })?;
        Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FOUND) })
    }
}

fn text(sources: &SourceSet, found: &[Finding], diagnostics: &[Diagnostic]) -> String {
    if found.is_empty() {
        return "nothing found\n".to_string();
    }
    let colour = std::io::stdout().is_terminal() && colour_wanted();
    let shown = diagnostics_text(sources, diagnostics, colour);
    let items: HashSet<(&str, &str, &str)> =
        found.iter().map(|it| (it.kind.name(), it.package.as_str(), it.name.as_str())).collect();
    let counts: Vec<String> = Criterion::ALL
        .iter()
        .map(|rule| (rule.name(), found.iter().filter(|finding| finding.criterion == *rule).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    format!("{shown}\nitems: {}; findings: {}\n", items.len(), counts.join(", "))
}
