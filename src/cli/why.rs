//! `bell why`: why did an indicator change?

use std::process::ExitCode;

use bellwether::Change;
use bellwether::analysis::effects::Method;
use bellwether::engine::Question;
use clap::{Args, ValueEnum};

use super::answer::{TimingArgs, answer_once};
use super::output::OutputArgs;
use super::{Common, Failure};

/// Why did an indicator change? By its tree, and by slices.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bell why gmv --from 2026-09 --to 2026-10 --by region,channel")]
pub struct Why {
    /// The indicator: gmv, or retail.gmv where several packages have one
    indicator: String,
    /// What is compared with: 2026-09, '2026-07 to 2026-09', 'previous year', target; default: the period just before
    #[arg(long, value_name = "PERIOD")]
    from: Option<String>,
    /// The period that is explained
    #[arg(long, value_name = "PERIOD")]
    to: Option<String>,
    /// Dimensions: the change is broken down by each, and by all together
    #[arg(long, value_delimiter = ',', value_name = "DIMENSIONS")]
    by: Vec<String>,
    /// How a change is shared among the parts of a formula
    #[arg(long, value_enum, default_value_t = MethodArg::Auto)]
    method: MethodArg,
    /// A condition on both sides; several must all hold
    #[arg(long = "where", value_name = "CONDITION", allow_hyphen_values = true)]
    conditions: Vec<String>,
    /// A condition on the base only: compare with another slice
    #[arg(long, value_name = "CONDITION", allow_hyphen_values = true)]
    base_where: Vec<String>,
    /// A condition on the other side only
    #[arg(long, value_name = "CONDITION", allow_hyphen_values = true)]
    current_where: Vec<String>,
    /// With --from target: up to when the data count, and by when it must have been decided; default: now
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    timing: TimingArgs,
}

/// A method as an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MethodArg {
    /// By the form of each formula
    Auto,
    /// Sums only: each part's own change
    Additive,
    /// Products: logarithmic mean Divisia index
    Lmdi,
    /// The mean over all orders in which the parts could have changed
    Shapley,
    /// 连环替代: one part after the other, in the order of the formula
    Chain,
}

impl Why {
    /// Writes the explanation.
    pub async fn run(&self, common: &Common) -> Result<ExitCode, Failure> {
        let change = self.change();
        answer_once(Question::function(change), common, &self.output, &self.timing).await
    }

    fn change(&self) -> Change {
        Change {
            indicator: self.indicator.clone(),
            base: self.from.clone(),
            current: self.to.clone(),
            by: self.by.clone(),
            method: match self.method {
                MethodArg::Auto => Method::Auto,
                MethodArg::Additive => Method::Additive,
                MethodArg::Lmdi => Method::Lmdi,
                MethodArg::Shapley => Method::Shapley,
                MethodArg::Chain => Method::Chain,
            },
            conditions: self.conditions.clone(),
            base_where: self.base_where.clone(),
            current_where: self.current_where.clone(),
            as_of: self.as_of.clone(),
        }
    }
}
