//! `bell status`: are indicators on track?

use std::process::ExitCode;

use bellwether::Status as Request;
use bellwether::catalog::Catalog;
use bellwether::catalog::target::Target;
use bellwether::engine::Question;
use bellwether::goal::bands::GREY;
use clap::{Args, ValueEnum};
use datafusion::arrow::array::{Array, AsArray, RecordBatch};

use super::answer::{TimingArgs, answer_watched};
use super::output::{Output, OutputArgs};
use super::{Common, Failure, project};

/// The exit code where something is as it must not be.
const MISSED: u8 = 3;

/// Are indicators on track? Values, targets, red, amber, green.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  bell status gmv --by region --at 2026-10\n\nExit code 3: a row has a status of --fail-on."
)]
pub struct Status {
    /// The indicators; all that have a target, if none is named
    indicators: Vec<String>,
    /// The period; default: the last one of each target that has ended
    #[arg(long, value_name = "PERIOD")]
    at: Option<String>,
    /// Up to when the data count: 2026-10-15 (its end), '2026-10-15 12:00'; default: now
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// A row for each value of these dimensions
    #[arg(long, value_delimiter = ',', value_name = "DIMENSIONS")]
    by: Vec<String>,
    /// Which amount counts
    #[command(flatten)]
    target: TargetArgs,
    /// Statuses for which the exit code is 3; 'never' for none; default: the worst of each target's bands, mostly red
    #[arg(long, value_delimiter = ',', value_name = "STATUSES")]
    fail_on: Vec<String>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Which of a target's amounts counts.
#[derive(Debug, Args)]
pub struct TargetArgs {
    /// What is committed to, what would be very good, what must not be missed
    #[arg(long, value_enum, default_value_t = LevelArg::Commit)]
    level: LevelArg,
    /// Targets as they are now, or as they were before they were revised
    #[arg(long, value_enum, default_value_t = AgainstArg::Current)]
    against: AgainstArg,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LevelArg {
    Commit,
    Stretch,
    Floor,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AgainstArg {
    Current,
    Original,
}

impl TargetArgs {
    /// As the request has them.
    pub fn level(&self) -> Option<String> {
        Some(word(self.level))
    }

    /// As the request has them.
    pub fn against(&self) -> Option<String> {
        Some(word(self.against))
    }
}

fn word(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_string()).unwrap_or_default()
}

impl Status {
    /// Writes the table.
    pub async fn run(&self, common: &Common) -> Result<ExitCode, Failure> {
        let mut output = Output::new(&self.output)?;
        let engine = project::open(common).await?;
        let fail_on = self.fail_on(engine.catalog())?;
        let request = Request {
            indicators: self.indicators.clone(),
            by: self.by.clone(),
            at: self.at.clone(),
            as_of: self.as_of.clone(),
            level: self.target.level(),
            against: self.target.against(),
        };
        let mut missed = false;
        let mut watch = |batch: &RecordBatch| missed |= has_one_of(batch, &fail_on);
        answer_watched(&engine, &Question::function(request), &mut output, &TimingArgs::NONE, &mut watch).await?;
        output.commit()?;
        Ok(if missed { ExitCode::from(MISSED) } else { ExitCode::SUCCESS })
    }

    /// The statuses for which the exit code tells, of one indicator or of all.
    fn fail_on(&self, catalog: &Catalog) -> Result<Vec<(Option<String>, String)>, Failure> {
        if self.fail_on.is_empty() {
            let of = |it: &Target| (Some(catalog.name_among_targets(it.of)), it.judging.bands.worst().to_string());
            return Ok(catalog.targets.iter().map(of).collect());
        }
        let bands = || catalog.targets.iter().map(|target| &target.judging.bands);
        let mut known: Vec<&str> = vec![GREY, NEVER];
        known.extend(
            bands().flat_map(|it| it.bands.iter().map(|(name, _)| name).chain([&it.below])).map(String::as_str),
        );
        known.sort_unstable();
        known.dedup();
        match self.fail_on.iter().find(|status| !known.contains(&status.as_str())) {
            Some(status) => Err(Failure::Usage(format!(
                "nothing is ever `{status}` (--fail-on); the statuses here are {}",
                known.into_iter().filter(|name| *name != NEVER).collect::<Vec<_>>().join(", ")
            ))),
            None => Ok(self.fail_on.iter().map(|status| (None, status.clone())).collect()),
        }
    }
}

/// The word for no status.
const NEVER: &str = "never";

fn has_one_of(batch: &RecordBatch, wanted: &[(Option<String>, String)]) -> bool {
    let text = |name: &str| batch.column_by_name(name).map(|column| column.as_string::<i32>());
    let (Some(indicators), Some(statuses)) = (text("indicator"), text("status")) else { return false };
    let is_wanted = |row: usize| {
        let of = |name: &Option<String>| name.as_deref().is_none_or(|name| name == indicators.value(row));
        wanted.iter().any(|(name, status)| of(name) && status == statuses.value(row))
    };
    (0..statuses.len()).any(|row| statuses.is_valid(row) && is_wanted(row))
}
