//! `bell list`: what a project declares.

use std::process::ExitCode;

use bellwether::engine::Question;
use clap::{Args, ValueEnum};

use super::answer::{TimingArgs, answer_once};
use super::output::OutputArgs;
use super::{Common, Failure};

/// List what the project declares.
#[derive(Debug, Args)]
pub struct List {
    /// Which kind of item
    #[arg(value_enum, default_value_t = Kind::Indicators)]
    kind: Kind,
    #[command(flatten)]
    output: OutputArgs,
}

/// A kind of item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Indicators with label, unit and formula
    Indicators,
    /// Dimensions
    Dimensions,
    /// Sources
    Sources,
    /// What SQL can select from
    Views,
    /// Funnels and cohorts
    Events,
    /// Processes
    Processes,
    /// What is to be reached
    Targets,
    /// What indicators are for
    Scenarios,
    /// What is looked out for, and who is told
    Alerts,
    /// What runs write
    Publications,
    /// What is stored to answer from, and whether it is current
    Rollups,
    /// Who may see which rows, and what of them
    Policies,
    /// What is expected of the data, and what the last run found
    Expectations,
}

impl Kind {
    /// The statement that lists the items of this kind.
    pub fn sql(self) -> &'static str {
        match self {
            Kind::Indicators => "SELECT * FROM bell.indicators ORDER BY 1, 2",
            Kind::Dimensions => "SELECT * FROM bell.dimensions ORDER BY 1, 2",
            Kind::Sources => "SELECT * FROM bell.sources ORDER BY 1, 2",
            Kind::Events => "SELECT * FROM bell.events ORDER BY 1, 2",
            Kind::Processes => "SELECT * FROM bell.processes ORDER BY 1, 2",
            Kind::Targets => "SELECT * FROM bell.targets ORDER BY 1, 2",
            Kind::Scenarios => "SELECT * FROM bell.scenarios ORDER BY 1, 2",
            Kind::Publications => "SELECT * FROM bell.publications ORDER BY 1, 2",
            Kind::Rollups => "SELECT * FROM bell.rollups ORDER BY 1, 2",
            Kind::Policies => "SELECT * FROM bell.policies ORDER BY 1, 2",
            Kind::Expectations => "SELECT * FROM bell.expectations ORDER BY 1, 2",
            Kind::Alerts => "SELECT * FROM bell.alerts ORDER BY 1, 2",
            Kind::Views => {
                "SELECT table_schema AS package, table_name AS view FROM information_schema.tables \
                 WHERE table_schema NOT IN ('information_schema', 'bell') ORDER BY 1, 2"
            }
        }
    }
}

impl List {
    /// Writes the list.
    pub async fn run(&self, common: &Common) -> Result<ExitCode, Failure> {
        answer_once(Question::sql(self.kind.sql()), common, &self.output, &TimingArgs::NONE).await
    }
}
