//! `bell show`: one indicator, funnel or cohort in full.

use std::process::ExitCode;

use bellwether::engine::Question;
use clap::Args;

use super::answer::{TimingArgs, answer_once};
use super::output::OutputArgs;
use super::{Common, Failure};

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
        let statement = format!("DESCRIBE INDICATOR {}", self.indicator);
        answer_once(Question::sql(&statement), common, &self.output, &TimingArgs::NONE).await
    }
}
