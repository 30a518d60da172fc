//! `bell init`: a first project over data files.

use std::path::PathBuf;
use std::process::ExitCode;

use bellwether::source::SourceSet;
use clap::Args;
use datafusion::prelude::SessionContext;

use super::Failure;
use super::output::print;

/// Look at data files and write a first project over them: sources with the keys and joins that the data shows,
/// dimensions, obvious indicators.
#[derive(Debug, Args)]
pub struct Init {
    /// The folder to write into; existing .bell files are never overwritten
    dir: PathBuf,
    /// Data files: paths, folders, globs, URLs
    #[arg(long, required = true, num_args = 1.., value_name = "GLOB")]
    from: Vec<String>,
}

impl Init {
    /// Writes the project and says what it wrote.
    pub async fn run(&self) -> Result<ExitCode, Failure> {
        let ctx = SessionContext::new();
        let report = super::library::init(&self.dir, &self.from, &ctx).await;
        print(&report.map_err(|error| Failure::new(error, SourceSet::default()))?)?;
        Ok(ExitCode::SUCCESS)
    }
}
