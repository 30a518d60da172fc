//! `bell scorecard`: scores, and what changed them.

use std::process::ExitCode;

use bellwether::Score;
use bellwether::engine::Question;
use clap::Args;

use super::answer::{TimingArgs, answer_once};
use super::output::OutputArgs;
use super::status::TargetArgs;
use super::{Common, Failure};

/// Show a scorecard: scores, and what changed them.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bell scorecard company --at 2026-10")]
pub struct Scorecard {
    /// The scorecard: company, or retail.company where several packages have one
    scorecard: String,
    /// The period
    #[arg(long, value_name = "PERIOD")]
    at: String,
    /// What it is compared with: 2026-09, 'previous year'; default: the period just before
    #[arg(long, value_name = "PERIOD")]
    from: Option<String>,
    /// Up to when the data count; default: now
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// A scorecard for each value of these dimensions
    #[arg(long, value_delimiter = ',', value_name = "DIMENSIONS")]
    by: Vec<String>,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl Scorecard {
    /// Writes the scorecard.
    pub async fn run(&self, common: &Common) -> Result<ExitCode, Failure> {
        let score = Score {
            scorecard: self.scorecard.clone(),
            by: self.by.clone(),
            at: Some(self.at.clone()),
            base: self.from.clone(),
            as_of: self.as_of.clone(),
            level: self.target.level(),
            against: self.target.against(),
        };
        answer_once(Question::function(score), common, &self.output, &TimingArgs::NONE).await
    }
}
