//! `bell localise`: which combination of dimension values is to blame?

use std::process::ExitCode;

use bellwether::engine::Question;
use clap::Args;

use super::answer::{TimingArgs, answer_once};
use super::output::OutputArgs;
use super::{Common, Failure};

/// Which combination of dimension values is to blame for a change?
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  bell localise gmv --from 'previous 4 weeks' --to 2026-W40 --by region,channel,product"
)]
pub struct Localise {
    /// The indicator: gmv, or retail.gmv where several packages have one
    indicator: String,
    /// What is compared with: 2026-09, '2026-07 to 2026-09' (the mean of its periods), 'previous 4 weeks', 'previous
    /// year', 'target'; default: the period just before
    #[arg(long, value_name = "PERIOD")]
    from: Option<String>,
    /// The period that is explained
    #[arg(long, value_name = "PERIOD")]
    to: Option<String>,
    /// Dimensions: the cause is looked for among their values
    #[arg(long, value_delimiter = ',', value_name = "DIMENSIONS")]
    by: Vec<String>,
    /// At most so many causes
    #[arg(long, value_name = "N", default_value_t = 3)]
    causes: usize,
    /// At most so many dimensions in one cause
    #[arg(long, value_name = "N", default_value_t = 3)]
    depth: usize,
    /// A condition on both sides; several must all hold
    #[arg(long = "where", value_name = "CONDITION", allow_hyphen_values = true)]
    conditions: Vec<String>,
    /// Against the target: up to when the data count, and by when it was decided: 2026-11-15; default: now
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    timing: TimingArgs,
}

impl Localise {
    /// Writes the causes.
    pub async fn run(&self, common: &Common) -> Result<ExitCode, Failure> {
        let question = bellwether::Localise {
            indicator: self.indicator.clone(),
            base: self.from.clone(),
            current: self.to.clone(),
            by: self.by.clone(),
            causes: self.causes,
            depth: self.depth,
            conditions: self.conditions.clone(),
            as_of: self.as_of.clone(),
        };
        answer_once(Question::function(question), common, &self.output, &self.timing).await
    }
}
