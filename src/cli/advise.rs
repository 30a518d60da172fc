//! `bell advise`: which rollups would answer what is asked?

use std::path::PathBuf;
use std::process::ExitCode;

use bellwether::advise::{Bounds, Log, advise};
use clap::{Args, ValueEnum};

use super::input::{STDIN, read_text};
use super::limits::bytes;
use super::output::print;
use super::{Common, Failure, project};

/// Propose rollups for questions that were asked.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bell serve --audit audit.jsonl\n  bell advise audit.jsonl > rollups.bell\n\n\
    What is written is Bell: everything else is in its comments. Questions are never run, only planned; the rows are \
    read to count cells.")]
pub struct Advise {
    /// Lines of JSON: questions as `bell query --request` takes them, {"sql": "…"}, or the audit file of `bell serve`
    #[arg(value_name = "FILE", default_value = STDIN)]
    files: Vec<PathBuf>,
    /// At most so many rollups; [default: 5, or any number with --budget]
    #[arg(long, value_name = "N")]
    max: Option<usize>,
    /// At most so many bytes together, before compression: 500KB, 20GB
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    budget: Option<u64>,
    /// How the advice is written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// How the advice is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Bell
    Text,
    /// One object
    Json,
}

/// How many rollups are proposed where nothing is said.
const FEW: usize = 5;

impl Advise {
    /// Writes the advice to stdout.
    pub async fn run(&self, common: &Common) -> Result<ExitCode, Failure> {
        let mut log = Log::default();
        for file in &self.files {
            let name = if file.as_os_str() == STDIN { "stdin".to_string() } else { file.display().to_string() };
            log.read(&name, &read_text(file)?);
        }
        let engine = project::open(common).await?;
        let rollups = self.max.unwrap_or(if self.budget.is_some() { usize::MAX } else { FEW });
        let bounds = Bounds { rollups, bytes: self.budget };
        let advice = advise(&engine, &log, bounds).await;
        let advice = advice.map_err(|error| Failure::new(error, engine.sources().clone()))?;
        print(&match self.format {
            Format::Text => advice.to_string(),
            Format::Json => format!("{:#}\n", serde_json::json!(advice)),
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
