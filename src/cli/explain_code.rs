//! `bell explain-code`: the explanation of a diagnostic code.

use std::process::ExitCode;

use bellwether::diagnostic::codes::{Entry, TABLE};
use clap::Args;

use super::Failure;
use super::output::print;

/// Explain a diagnostic code: what it means, why it is refused, how to mend it.
#[derive(Debug, Args)]
pub struct ExplainCode {
    /// Such as B0101; without it, all codes with a line each
    code: Option<String>,
}

impl ExplainCode {
    /// Writes the explanation.
    pub fn run(&self) -> Result<ExitCode, Failure> {
        let Some(code) = &self.code else {
            let lines: Vec<String> = TABLE.iter().map(|entry| format!("{}  {}\n", entry.id, entry.summary)).collect();
            return print(&lines.concat()).map(|()| ExitCode::SUCCESS);
        };
        match TABLE.iter().find(|entry| entry.id.eq_ignore_ascii_case(code)) {
            Some(entry) => print(&page(entry)).map(|()| ExitCode::SUCCESS),
            None => Err(Failure::Usage(format!("there is no code {code}; `bell explain-code` lists all"))),
        }
    }
}

fn page(entry: &Entry) -> String {
    format!("{}: {}\n\n{}\n", entry.id, entry.summary, entry.explanation.trim_end())
}
