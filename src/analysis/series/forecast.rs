//! [`Forecast`]: what comes next, and where a period will land.

use std::sync::Arc;

use chrono::NaiveDateTime;
use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use distrs::Normal;
use serde::{Deserialize, Serialize};

use super::anomalies::series_texts;
use super::data::{Series, Source, Wanted, holds, numbers};
use super::model::{Forecasted, SHORTEST, forecast};
use super::season::season_of;
use crate::analysis::cells::{Cells, Key};
use crate::analysis::function::{Function, Texts, choice, names, number};
use crate::analysis::nested::ROUNDING;
use crate::analysis::reader::{Argument, Reader};
use crate::analysis::span::Span;
use crate::analysis::{Analysis, Model};
use crate::diagnostic::{Diagnostic, codes};
use crate::error::Result;

/// What comes next? In SQL `forecast('gmv', grain => 'month', horizon => '6')`, on the command line `bell forecast`.
///
/// ```
/// let question: bellwether::Forecast = serde_json::from_str(
///     r#"{"indicator": "gmv", "grain": "month", "landing": "2026", "target": 1200000}"#,
/// )?;
/// assert_eq!((question.horizon, question.interval), (12, 0.8));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "serve", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Forecast {
    /// The indicator by name.
    pub indicator: String,
    /// How time is cut: `day`, `week`, `month`, …
    pub grain: String,
    /// So many periods.
    pub horizon: usize,
    /// Dimensions: a forecast for each of their values.
    pub by: Vec<String>,
    /// The time that is learnt from; without it all of it.
    pub during: Option<String>,
    /// How many periods make a season; without it what is usual for the grain, 1 for none.
    pub season: Option<usize>,
    /// How likely the value lies between `low` and `high`.
    pub interval: f64,
    /// A longer period, whose value is forecast too: what it has already, and what is still to come.
    pub landing: Option<String>,
    /// A value that is to be reached: by the landing if one is asked for, else by each period.
    pub target: Option<f64>,
    /// On which side of the target it is well.
    pub reach: Reach,
    /// Conditions.
    #[serde(rename = "where")]
    pub conditions: Vec<String>,
}

/// On which side of a target it is well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "serve", derive(schemars::JsonSchema))]
pub enum Reach {
    /// Not below.
    #[default]
    #[serde(rename = "at least")]
    AtLeast,
    /// Not above.
    #[serde(rename = "at most")]
    AtMost,
}

impl Default for Forecast {
    fn default() -> Self {
        Forecast {
            indicator: String::new(),
            grain: String::new(),
            horizon: 12,
            by: vec![],
            during: None,
            season: None,
            interval: 0.8,
            landing: None,
            target: None,
            reach: Reach::AtLeast,
            conditions: vec![],
        }
    }
}

impl Function for Forecast {
    fn name(&self) -> &'static str {
        "forecast"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &["indicator", "grain", "horizon", "by", "during", "season", "interval", "landing", "target", "reach", "where"]
    }

    fn example(&self) -> &'static str {
        "forecast('gmv', grain => 'month', horizon => '6')"
    }

    fn set(&mut self, argument: &str, text: &str) -> Result<(), Diagnostic> {
        let own = || text.to_string();
        match argument {
            "indicator" => self.indicator = own(),
            "grain" => self.grain = own(),
            "horizon" => self.horizon = number(argument, text)?,
            "by" => self.by = names(text),
            "during" => self.during = Some(own()),
            "season" => self.season = Some(number(argument, text)?),
            "interval" => self.interval = number(argument, text)?,
            "landing" => self.landing = Some(own()),
            "target" => self.target = Some(number(argument, text)?),
            "reach" => {
                self.reach = choice("side", text, &[("at least", Reach::AtLeast), ("at most", Reach::AtMost)])?;
            }
            _ => self.conditions = vec![own()],
        }
        Ok(())
    }

    fn texts(&self) -> Vec<(Argument, String)> {
        let landing = Texts::default().one(Argument::Landing, self.landing.as_deref()).0;
        [series_texts(self.wanted()), landing].concat()
    }

    fn prepare(&self, model: &mut Model<'_>) -> Result<Analysis> {
        let options = model.options;
        let mut reader = Reader::new(model);
        let (source, questions) = self.wanted().read(&mut reader, options)?;
        let landing = self.landing.as_deref().map(|text| reader.span(Argument::Landing, text, None)).transpose()?;
        self.require_sense()?;
        let place = reader.place(Argument::Landing, 0);
        let season = self.season.unwrap_or(season_of(source.grain));
        let served = Served { source, question: self.clone(), season, landing, place };
        Ok(Analysis { questions, spares: vec![], answer: Arc::new(served) })
    }
}

impl Forecast {
    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            indicator: &self.indicator,
            grain: &self.grain,
            by: &self.by,
            during: self.during.as_deref(),
            conditions: &self.conditions,
        }
    }

    fn require_sense(&self) -> Result<(), Diagnostic> {
        if self.horizon == 0 || self.horizon > FARTHEST {
            let message = format!("a forecast of {} periods is none", self.horizon);
            return Err(Diagnostic::new(codes::REQUEST, message).help(format!("ask for 1 to {FARTHEST}")));
        }
        if !(0.0 < self.interval && self.interval < 1.0) {
            let message = format!("a value lies in no interval with a probability of {}", self.interval);
            return Err(Diagnostic::new(codes::REQUEST, message).help("write `interval => '0.8'`"));
        }
        Ok(())
    }
}

/// Farther than that nobody sees.
const FARTHEST: usize = 1000;
/// Of a longer series only the end is learnt from.
const LEARNT: usize = 2000;

/// What is forecast.
#[derive(Debug)]
struct Served {
    source: Source,
    question: Forecast,
    season: usize,
    landing: Option<Span>,
    place: Option<crate::source::Span>,
}

/// A row of the answer.
struct Row {
    key: Key,
    kind: &'static str,
    period: NaiveDateTime,
    /// Value and standard deviation; `None` where the series is too short.
    value: Option<(f64, f64)>,
    method: &'static str,
    counts: bool,
}

impl Served {
    fn rows(&self, cells: &Cells) -> Result<Vec<Row>, Diagnostic> {
        let series = self.source.series(cells)?;
        let mut rows = Vec::new();
        for series in &series {
            rows.extend(self.rows_of(series)?);
        }
        if rows.iter().all(|row| row.value.is_none()) {
            let longest = series.iter().map(|series| series.values.iter().flatten().count()).max();
            return Err(self.source.too_short(longest.unwrap_or(0), SHORTEST));
        }
        Ok(rows)
    }

    fn rows_of(&self, series: &Series) -> Result<Vec<Row>, Diagnostic> {
        let Some(last) = series.periods.last() else { return Ok(vec![]) };
        let ahead = self.ahead(*last)?;
        let learnt = series.filled().filter(|_| series.values.last().is_some_and(Option::is_some));
        let learnt = learnt.map(|values| values[values.len().saturating_sub(LEARNT)..].to_vec());
        let found = learnt.and_then(|values| forecast(&values, self.season, ahead.len()));
        let method = found.as_ref().map_or("too few values", |found| found.method.name());
        let row = |kind, period, value, counts| Row { key: series.key.clone(), kind, period, value, method, counts };
        let value = |step: usize| found.as_ref().map(|found| (found.values[step], found.deviation(step)));
        let alone = self.landing.is_none();
        let shown = ahead.iter().enumerate().take(self.question.horizon);
        let mut rows: Vec<Row> = shown.map(|(step, start)| row("forecast", *start, value(step), alone)).collect();
        if let Some(landing) = self.landing {
            let value = found.as_ref().map(|found| self.land(series, &ahead, found, landing)).transpose()?;
            rows.push(row("landing", landing.start, value, true));
        }
        Ok(rows)
    }

    /// The periods that are forecast: as many as asked for, and to the end of the landing.
    fn ahead(&self, last: NaiveDateTime) -> Result<Vec<NaiveDateTime>, Diagnostic> {
        let mut found = Vec::new();
        let mut at = last;
        while let Some(next) = self.source.after(at) {
            let to_land = self.landing.is_some_and(|landing| next < landing.end);
            if found.len() >= self.question.horizon && !to_land || found.len() > FARTHEST {
                break;
            }
            found.push(next);
            at = next;
        }
        match self.landing {
            Some(landing) if self.source.after(at).is_some_and(|next| next < landing.end) => {
                Err(self.no_landing(format!("{landing} ends more than {FARTHEST} periods after the last value")))
            }
            _ => Ok(found),
        }
    }

    /// What a longer period has already, and what is still to come.
    fn land(
        &self,
        series: &Series,
        ahead: &[NaiveDateTime],
        found: &Forecasted,
        landing: Span,
    ) -> Result<(f64, f64), Diagnostic> {
        let sum: f64 = series.values.iter().flatten().sum();
        let size: f64 = series.values.iter().flatten().map(|value| value.abs()).sum();
        if series.whole.is_none_or(|whole| (whole - sum).abs() > ROUNDING * size) {
            let message = format!("the values of `{}` do not add up over time", self.source.name);
            return Err(self.no_landing(message).help("land the sums and counts behind it"));
        }
        let inside: Vec<usize> = (0..ahead.len()).filter(|step| holds(landing, ahead[*step])).collect();
        let begins = series.periods.iter().chain(ahead).any(|start| *start == landing.start);
        let (Some(from), Some(to), true) = (inside.first(), inside.last(), begins) else {
            if begins {
                return Err(self.no_landing(format!("{landing} is over: nothing of it is to be forecast")));
            }
            let message = format!("no {} with a value, or after them, begins with {landing}", self.source.grain.name());
            return Err(self
                .no_landing(message)
                .help("take a period that the series covers from its first day, and a grain that it is made of"));
        };
        let had = series.periods.iter().zip(&series.values).filter(|(start, _)| holds(landing, **start));
        let had: f64 = had.filter_map(|(_, value)| *value).sum();
        let coming: f64 = inside.iter().map(|step| found.values[*step]).sum();
        Ok((had + coming, found.deviation_of_sum(*from, *to)))
    }

    fn no_landing(&self, message: String) -> Diagnostic {
        let diagnostic = Diagnostic::new(codes::REQUEST, message);
        match self.place {
            Some(place) => diagnostic.at(place),
            None => diagnostic,
        }
    }

    /// The probability that a value misses the target.
    fn misses(&self, row: &Row) -> Option<f64> {
        let (target, (value, deviation)) = (self.question.target.filter(|_| row.counts)?, row.value?);
        let below = match deviation > 0.0 {
            true => Normal::cdf(target, value, deviation),
            false => f64::from(u8::from(value < target)),
        };
        Some(match self.question.reach {
            Reach::AtLeast => below,
            Reach::AtMost => 1.0 - below,
        })
    }
}

impl crate::analysis::Answer for Served {
    fn schema(&self) -> SchemaRef {
        let number = |name: &str| Field::new(name, DataType::Float64, true);
        let text = |name: &str| Field::new(name, DataType::Utf8, false);
        let mut fields = self.source.fields();
        fields.push(text("kind"));
        fields.extend(["value", "low", "high"].map(number));
        fields.push(text("method"));
        fields.push(number("p_miss"));
        Arc::new(Schema::new(fields))
    }

    fn answer(&self, cells: &Cells) -> datafusion::common::Result<RecordBatch> {
        let rows = self.rows(cells)?;
        let wide = Normal::ppf((1.0 + self.question.interval) / 2.0, 0.0, 1.0);
        let bound = |by: f64| rows.iter().map(move |row| row.value.map(|(value, deviation)| value + by * deviation));
        let texts = |of: &dyn Fn(&Row) -> &'static str| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(rows.iter().map(of)))
        };
        let mut columns = self.source.columns(rows.iter().map(|row| (&row.key, row.period)))?;
        columns.push(texts(&|row| row.kind));
        columns.push(numbers(bound(0.0)));
        columns.push(numbers(bound(-wide)));
        columns.push(numbers(bound(wide)));
        columns.push(texts(&|row| row.method));
        columns.push(numbers(rows.iter().map(|row| self.misses(row))));
        Ok(RecordBatch::try_new(self.schema(), columns)?)
    }
}
