//! `bell show`: one indicator, funnel or cohort in full.

use std::process::ExitCode;

use clap::Args;

use super::answer::{Question, TimingArgs, answer};
use super::output::{Output, OutputArgs};
use super::{Common, Failure, project};

/// Show an indicator, a funnel or a cohort: meaning, formula in words, unit, owner, the dimensions that it can be asked by, lineage.
#[derive(Debug, Args)]
pub struct Show {
    /// Its name: gmv, or retail.gmv where several packages have one
    indicator: String,
    #[command(flatten)]
    output: OutputArgs,
}

impl Show {
    /// Writes the description.
    pub async fn run(&self, common: &Common) -> Result<ExitCode, Failure> {
        let mut output = Output::new(&self.output)?;
        let engine = project::open(common).await?;
        let statement = format!("DESCRIBE INDICATOR {}", self.indicator);
        answer(&engine, &Question::sql(&statement), &mut output, &TimingArgs::NONE).await?;
        output.commit()?;
        Ok(ExitCode::SUCCESS)
    }
}
