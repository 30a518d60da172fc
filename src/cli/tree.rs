//! `bell tree`: a tree with its values.

use std::process::ExitCode;

use bellwether::Outline;
use bellwether::engine::Question;
use clap::Args;

use super::answer::{TimingArgs, answer_once};
use super::output::OutputArgs;
use super::{Common, Failure};

/// Show the tree of an indicator with the values of its parts, and how they changed.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bell tree gmv --by region --at 2026-10")]
pub struct Tree {
    /// The indicator at its root
    indicator: String,
    /// The period; without it all of time, and no changes
    #[arg(long, value_name = "PERIOD")]
    at: Option<String>,
    /// What it is compared with: 2026-09, 'previous year'; default: the period just before
    #[arg(long, value_name = "PERIOD", requires = "at")]
    from: Option<String>,
    /// A tree for each value of these dimensions
    #[arg(long, value_delimiter = ',', value_name = "DIMENSIONS")]
    by: Vec<String>,
    /// A condition on dimensions; several must all hold
    #[arg(long = "where", value_name = "CONDITION", allow_hyphen_values = true)]
    conditions: Vec<String>,
    #[command(flatten)]
    output: OutputArgs,
}

impl Tree {
    /// Writes the tree.
    pub async fn run(&self, common: &Common) -> Result<ExitCode, Failure> {
        let outline = Outline {
            indicator: self.indicator.clone(),
            at: self.at.clone(),
            base: self.from.clone(),
            by: self.by.clone(),
            conditions: self.conditions.clone(),
        };
        answer_once(Question::function(outline), common, &self.output, &TimingArgs::NONE).await
    }
}
