//! `bell anomalies`, `bell change-points`, `bell forecast`: an indicator over time.

use std::process::ExitCode;

use bellwether::analysis::series::anomalies::Judgement;
use bellwether::analysis::{Function, Reach};
use bellwether::engine::Question;
use clap::{Args, ValueEnum};

use super::answer::{TimingArgs, answer_once};
use super::output::OutputArgs;
use super::{Common, Failure};

/// What all of them are asked with.
#[derive(Debug, Args)]
struct Series {
    /// The indicator: gmv, or retail.gmv where several packages have one
    indicator: String,
    /// How time is cut: minute, hour, day, week, month, quarter, year
    #[arg(long, value_name = "GRAIN")]
    grain: String,
    /// Dimensions: each of their values is a series of its own
    #[arg(long, value_delimiter = ',', value_name = "DIMENSIONS")]
    by: Vec<String>,
    /// The time that is looked at: 2026, '2024-01 to 2026-09'; default: all of it
    #[arg(long, value_name = "PERIOD")]
    during: Option<String>,
    /// How many periods make a season; default: what is usual for the grain; 1: none
    #[arg(long, value_name = "N")]
    season: Option<usize>,
    /// A condition; several must all hold
    #[arg(long = "where", value_name = "CONDITION", allow_hyphen_values = true)]
    conditions: Vec<String>,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    timing: TimingArgs,
}

impl Series {
    async fn answer(&self, function: impl Function + 'static, common: &Common) -> Result<ExitCode, Failure> {
        answer_once(Question::function(function), common, &self.output, &self.timing).await
    }
}

/// Which values of an indicator stand out?
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bell anomalies gmv --grain day --by region")]
pub struct Anomalies {
    #[command(flatten)]
    series: Series,
    /// How values are judged
    #[arg(long, value_enum, default_value_t = MethodArg::Auto)]
    method: MethodArg,
}

/// A way to judge values, as an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MethodArg {
    /// Against the season where the series is long enough, else by the distance from the median
    Auto,
    /// What is left without trend and season, by its distance from the median
    Seasonal,
    /// The values themselves, by the generalised ESD test
    Esd,
    /// The distance from the median
    Robust,
    /// Nelson's tests on a control chart
    Control,
}

impl Anomalies {
    /// Writes the values that stand out.
    pub async fn run(&self, common: &Common) -> Result<ExitCode, Failure> {
        let series = &self.series;
        let question = bellwether::Anomalies {
            indicator: series.indicator.clone(),
            grain: series.grain.clone(),
            by: series.by.clone(),
            during: series.during.clone(),
            method: match self.method {
                MethodArg::Auto => Judgement::Auto,
                MethodArg::Seasonal => Judgement::Seasonal,
                MethodArg::Esd => Judgement::Esd,
                MethodArg::Robust => Judgement::Robust,
                MethodArg::Control => Judgement::Control,
            },
            season: series.season,
            conditions: series.conditions.clone(),
        };
        series.answer(question, common).await
    }
}

/// Since when is an indicator on another level?
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bell change-points gmv --grain week")]
pub struct ChangePoints {
    #[command(flatten)]
    series: Series,
    /// So many periods make a level, at least
    #[arg(long, value_name = "N", default_value_t = 3)]
    shortest: usize,
}

impl ChangePoints {
    /// Writes the changes of level.
    pub async fn run(&self, common: &Common) -> Result<ExitCode, Failure> {
        let series = &self.series;
        let question = bellwether::ChangePoints {
            indicator: series.indicator.clone(),
            grain: series.grain.clone(),
            by: series.by.clone(),
            during: series.during.clone(),
            season: series.season,
            shortest: self.shortest,
            conditions: series.conditions.clone(),
        };
        series.answer(question, common).await
    }
}

/// What comes next, and where will a period land?
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bell forecast gmv --grain month --horizon 3 --landing 2026 --target 1200000")]
pub struct Forecast {
    #[command(flatten)]
    series: Series,
    /// So many periods
    #[arg(long, value_name = "N", default_value_t = 12)]
    horizon: usize,
    /// How likely a value lies between low and high
    #[arg(long, value_name = "PROBABILITY", default_value_t = 0.8)]
    interval: f64,
    /// A longer period: what it has already, and what is still to come
    #[arg(long, value_name = "PERIOD")]
    landing: Option<String>,
    /// A value to reach, by the landing if there is one, else by each period: how likely is it missed?
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    target: Option<f64>,
    /// It is well not to go above the target, rather than to reach it
    #[arg(long)]
    at_most: bool,
}

impl Forecast {
    /// Writes the forecast.
    pub async fn run(&self, common: &Common) -> Result<ExitCode, Failure> {
        let series = &self.series;
        let question = bellwether::Forecast {
            indicator: series.indicator.clone(),
            grain: series.grain.clone(),
            horizon: self.horizon,
            by: series.by.clone(),
            during: series.during.clone(),
            season: series.season,
            interval: self.interval,
            landing: self.landing.clone(),
            target: self.target,
            reach: if self.at_most { Reach::AtMost } else { Reach::AtLeast },
            conditions: series.conditions.clone(),
        };
        series.answer(question, common).await
    }
}
