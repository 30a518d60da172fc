//! [`ChangePoints`]: where the level of an indicator changed for good.

use std::sync::Arc;

use chrono::NaiveDateTime;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::anomalies::series_texts;
use super::change_point::change_points;
use super::data::{Series, Source, Wanted, numbers};
use super::season::{season_of, take_apart};
use super::statistics::mean;
use crate::analysis::cells::{Cells, Key};
use crate::analysis::function::{Function, names, number};
use crate::analysis::reader::{Argument, Reader};
use crate::analysis::{Analysis, Model};
use crate::diagnostic::Diagnostic;
use crate::error::Result;

/// Since when is an indicator on another level? In SQL `change_points('gmv', grain => 'day')`, on the command line
/// `bell change-points`.
///
/// ```
/// let question: bellwether::ChangePoints = serde_json::from_str(r#"{"indicator": "gmv", "grain": "week"}"#)?;
/// assert_eq!(question.shortest, 3);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "serve", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ChangePoints {
    /// The indicator by name.
    pub indicator: String,
    /// How time is cut: `day`, `week`, `month`, …
    pub grain: String,
    /// Dimensions: each of their values is looked at for itself.
    pub by: Vec<String>,
    /// The time that is looked at; without it all of it.
    pub during: Option<String>,
    /// How many periods make a season; without it what is usual for the grain, 1 for none.
    pub season: Option<usize>,
    /// So many periods make a level, at least.
    pub shortest: usize,
    /// Conditions.
    #[serde(rename = "where")]
    pub conditions: Vec<String>,
}

impl Default for ChangePoints {
    fn default() -> Self {
        ChangePoints {
            indicator: String::new(),
            grain: String::new(),
            by: vec![],
            during: None,
            season: None,
            shortest: 3,
            conditions: vec![],
        }
    }
}

impl Function for ChangePoints {
    fn name(&self) -> &'static str {
        "change_points"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &["indicator", "grain", "by", "during", "season", "shortest", "where"]
    }

    fn example(&self) -> &'static str {
        "change_points('gmv', grain => 'day')"
    }

    fn set(&mut self, argument: &str, text: &str) -> Result<(), Diagnostic> {
        let own = || text.to_string();
        match argument {
            "indicator" => self.indicator = own(),
            "grain" => self.grain = own(),
            "by" => self.by = names(text),
            "during" => self.during = Some(own()),
            "season" => self.season = Some(number(argument, text)?),
            "shortest" => self.shortest = number(argument, text)?,
            _ => self.conditions = vec![own()],
        }
        Ok(())
    }

    fn texts(&self) -> Vec<(Argument, String)> {
        series_texts(self.wanted())
    }

    fn prepare(&self, model: &mut Model<'_>) -> Result<Analysis> {
        let options = model.options;
        let (source, questions) = self.wanted().read(&mut Reader::new(model), options)?;
        let season = self.season.unwrap_or(season_of(source.grain));
        let levels = Levels { source, season, shortest: self.shortest.max(1) };
        Ok(Analysis { questions, spares: vec![], answer: Arc::new(levels) })
    }
}

impl ChangePoints {
    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            indicator: &self.indicator,
            grain: &self.grain,
            by: &self.by,
            during: self.during.as_deref(),
            conditions: &self.conditions,
        }
    }
}

/// What is looked at.
#[derive(Debug)]
struct Levels {
    source: Source,
    season: usize,
    shortest: usize,
}

/// A change of level.
struct Found {
    key: Key,
    period: NaiveDateTime,
    before: f64,
    after: f64,
}

impl Levels {
    fn find(&self, cells: &Cells) -> Result<Vec<Found>, Diagnostic> {
        let series = self.source.series(cells)?;
        let least = 2 * self.shortest + 2;
        let long = |(_, values): &(&Series, Vec<f64>)| values.len() >= least;
        let filled: Vec<(&Series, Vec<f64>)> =
            series.iter().filter_map(|series| Some((series, series.filled()?))).filter(long).collect();
        if filled.is_empty() {
            let longest = series.iter().map(|series| series.values.iter().flatten().count()).max();
            return Err(self.source.too_short(longest.unwrap_or(0), least));
        }
        let mut found = Vec::new();
        for (series, values) in filled {
            let values = without_season(values, self.season);
            let mut cuts = change_points(&values, self.shortest);
            let starts: Vec<usize> = std::iter::once(0).chain(cuts.iter().copied()).collect();
            cuts.push(values.len());
            let levels: Vec<f64> =
                starts.iter().zip(&cuts).filter_map(|(from, to)| mean(&values[*from..*to])).collect();
            for (at, pair) in levels.windows(2).enumerate() {
                let period = series.periods[cuts[at]];
                found.push(Found { key: series.key.clone(), period, before: pair[0], after: pair[1] });
            }
        }
        Ok(found)
    }
}

/// The values without what repeats, if they are long enough to tell.
fn without_season(values: Vec<f64>, season: usize) -> Vec<f64> {
    let Some(parts) = take_apart(&values, season) else { return values };
    let own = |(value, season): (f64, &f64)| if parts.multiplies { value / season } else { value - season };
    values.into_iter().zip(&parts.season).map(own).collect()
}

impl crate::analysis::Answer for Levels {
    fn schema(&self) -> SchemaRef {
        let mut fields = self.source.fields();
        fields.extend(["before", "after", "change", "growth"].map(|name| Field::new(name, DataType::Float64, true)));
        Arc::new(Schema::new(fields))
    }

    fn answer(&self, cells: &Cells) -> datafusion::common::Result<RecordBatch> {
        let found = self.find(cells)?;
        let mut columns = self.source.columns(found.iter().map(|row| (&row.key, row.period)))?;
        columns.push(numbers(found.iter().map(|row| Some(row.before))));
        columns.push(numbers(found.iter().map(|row| Some(row.after))));
        columns.push(numbers(found.iter().map(|row| Some(row.after - row.before))));
        let growth = |row: &Found| (row.before != 0.0).then(|| (row.after - row.before) / row.before.abs());
        columns.push(numbers(found.iter().map(growth)));
        Ok(RecordBatch::try_new(self.schema(), columns)?)
    }
}
