//! `bell import`: a project from a foreign model.

use std::path::PathBuf;
use std::process::ExitCode;

use bellwether::Error;
use bellwether::import::{Report, metricflow};
use bellwether::source::SourceSet;
use clap::{Args, Subcommand, ValueEnum};
use datafusion::prelude::SessionContext;

use super::Failure;
use super::output::print;

/// Write a project from the model of another tool, and say what became of everything in it.
#[derive(Debug, Args)]
pub struct Import {
    #[command(subcommand)]
    from: From,
}

#[derive(Debug, Subcommand)]
enum From {
    /// A dbt semantic manifest (MetricFlow)
    Metricflow(Metricflow),
}

/// Semantic models become sources and dimensions, metrics indicators of their names, saved queries views.
#[derive(Debug, Args)]
struct Metricflow {
    /// target/semantic_manifest.json, a YAML file, or a folder of YAML files
    manifest: PathBuf,
    /// The folder that holds the tables: <table>.parquet (or .csv, .json, .arrow, or a folder of that name)
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The folder to write into; existing .bell files are never overwritten
    #[arg(short, long, value_name = "PROJECT")]
    output: PathBuf,
    /// How to print the report
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    /// Counts, and everything that is not exact
    #[default]
    Text,
    /// Every metric, dimension, entity and saved query
    Json,
}

impl Import {
    /// Writes the project and prints the report.
    pub async fn run(&self) -> Result<ExitCode, Failure> {
        let From::Metricflow(import) = &self.from;
        let ctx = SessionContext::new();
        let imported = metricflow::import(&import.manifest, &import.data, &import.output, &ctx).await;
        let (_, report) = imported.map_err(|error| Failure::new(error, SourceSet::default()))?;
        print(&text(&report, import.format)?)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn text(report: &Report, format: Format) -> Result<String, Failure> {
    match format {
        Format::Json => {
            let text = serde_json::to_string_pretty(report);
            let text = text.map_err(|error| Failure::new(Error::Data(error.to_string()), SourceSet::default()))?;
            Ok(text + "\n")
        }
        Format::Text => {
            let folder = report.files.first().and_then(|file| file.parent()).map(|folder| folder.display().to_string());
            let written = format!("{} files written to {}\n", report.files.len(), folder.unwrap_or_default());
            Ok(format!("{report}{written}"))
        }
    }
}
