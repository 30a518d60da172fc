//! The series of an indicator, one for each slice: asked of the engine in one question, put in order here.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use datafusion::arrow::array::{ArrayRef, Float64Array, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::config::ConfigOptions;

use crate::analysis::cells::{Cells, Key};
use crate::analysis::question::{Asked, Question, Side};
use crate::analysis::reader::{Argument, Reader};
use crate::analysis::span::{Span, later};
use crate::catalog::IndicatorId;
use crate::catalog::calendar::{Grain, TimePart};
use crate::catalog::expr::Input;
use crate::diagnostic::{Diagnostic, codes, nearest};
use crate::error::Result;
use crate::source;

/// What series are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'w> {
    /// The indicator by name.
    pub indicator: &'w str,
    /// The grain by name.
    pub grain: &'w str,
    /// The dimensions, with a series for each of their values.
    pub by: &'w [String],
    /// The time that is looked at.
    pub during: Option<&'w str>,
    /// Conditions.
    pub conditions: &'w [String],
}

/// What the series are of, once the texts are read.
#[derive(Debug, Clone)]
pub struct Source {
    /// The indicator's name.
    pub name: String,
    /// The indicator.
    pub id: IndicatorId,
    /// The grain.
    pub grain: Grain,
    /// The dimensions' names.
    pub by: Vec<String>,
    /// The type of a period in answers.
    pub period_type: DataType,
    /// Where the indicator is said.
    pub place: Option<source::Span>,
}

/// The values of a slice.
#[derive(Debug, Clone)]
pub struct Series {
    /// The slice.
    pub key: Key,
    /// The beginnings of its periods, without a gap from its first one to the last of all.
    pub periods: Vec<NaiveDateTime>,
    /// Their values; `None`, where there is none.
    pub values: Vec<Option<f64>>,
    /// The value of all of its time together.
    pub whole: Option<f64>,
}

impl Wanted<'_> {
    /// Reads the texts; gives the question too.
    ///
    /// # Errors
    /// Diagnostics whose places are in the texts.
    pub(super) fn read(self, reader: &mut Reader<'_, '_>, options: &ConfigOptions) -> Result<(Source, Vec<Question>)> {
        let (package, id) = reader.indicator(self.indicator)?;
        let grain = self.grain(reader)?;
        let during = self.during.map(|text| reader.span(Argument::During, text, None)).transpose()?;
        let by = reader.dimensions(self.by, &package, "the grain says how time is cut, so `{}` is no slice")?;
        let conditions = reader.conditions(Argument::Where, self.conditions, &package)?;
        let catalog = Arc::clone(reader.catalog());
        let part = TimePart::Grain(grain);
        let dimensions: Vec<usize> = (0..by.len()).collect();
        let with_time: Vec<usize> = (0..=by.len()).collect();
        let source = Source {
            name: catalog.indicator(id).item.name.clone(),
            id,
            grain,
            by: by.iter().map(|(name, _)| name.clone()).collect(),
            period_type: grain.data_type(&catalog.metric_time),
            place: reader.place(Argument::Indicator, 0),
        };
        let time = (format!("metric_time{}", part.suffix(&catalog.calendar)), Input::MetricTime(part));
        let asked = Asked {
            first: 0,
            by: by.into_iter().chain([time]).collect(),
            catalog,
            package,
            sets: vec![dimensions, with_time],
            indicators: vec![id],
            sides: vec![Side { span: during, conditions }],
        };
        let questions = asked.questions(options).map_err(|error| reader.at_dimension(error.into()))?;
        Ok((source, questions))
    }

    fn grain(self, reader: &mut Reader<'_, '_>) -> std::result::Result<Grain, Diagnostic> {
        // Series are of minutes and what is coarser.
        let grains = || Grain::ALL.iter().copied().filter(|grain| *grain >= Grain::Minute);
        let names = || grains().map(|grain| grain.name());
        let text = self.grain.trim().to_lowercase();
        let number = reader.add(Argument::Grain, self.grain);
        let known = grains().find(|grain| grain.name() == text);
        let unfit = match known {
            Some(grain) if grain.fits(&reader.catalog().metric_time) => return Ok(grain),
            Some(grain) => Diagnostic::new(codes::REQUEST, format!("time is not kept by the {}", grain.name())),
            None => {
                let message = match text.as_str() {
                    "" => "how time is cut is not said".to_string(),
                    _ => format!("`{}` is no grain", self.grain),
                };
                let diagnostic = Diagnostic::new(codes::REQUEST, message);
                match nearest(&text, names()) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None => diagnostic.help(format!("grains are {}", names().collect::<Vec<_>>().join(", "))),
                }
            }
        };
        Err(if text.is_empty() { unfit } else { reader.at(unfit, Argument::Grain, number) })
    }
}

/// A slice whose NULLs sort last.
type Sortable = Vec<(bool, Option<String>)>;

/// Series of more periods are a mistake in the data, such as a date in the year 1.
const MOST: usize = 1_000_000;

impl Source {
    /// The series of all slices, in order.
    ///
    /// # Errors
    /// A diagnostic, if the periods of the data are absurdly far apart.
    pub fn series(&self, cells: &Cells) -> std::result::Result<Vec<Series>, Diagnostic> {
        let dimensions: Vec<usize> = (0..self.by.len()).collect();
        let with_time: Vec<usize> = (0..=self.by.len()).collect();
        let mut found: BTreeMap<Sortable, BTreeMap<NaiveDateTime, f64>> = BTreeMap::new();
        for (_, key, values) in cells.of_set(&with_time) {
            let (Some(Some(time)), Some(value)) = (key.last(), values.get(&self.id)) else { continue };
            let Some(start) = instant(time) else { continue };
            // NULL last, as everywhere.
            let slice = key[..self.by.len()].iter().map(|part| (part.is_none(), part.clone())).collect();
            found.entry(slice).or_default().insert(start, *value);
        }
        let last = found.values().filter_map(|values| values.keys().last()).max().copied();
        let series = found.into_iter().map(|(slice, values)| {
            let key: Key = slice.into_iter().map(|(_, part)| part).collect();
            let first = values.keys().next().copied();
            let periods = first.zip(last).map_or(Some(vec![]), |(first, last)| self.periods(first, last));
            let periods = periods.ok_or_else(|| self.refused(format!("`{}` has too many periods", self.name)))?;
            let whole = cells.value(0, &dimensions, &key, self.id);
            let values = periods.iter().map(|start| values.get(start).copied()).collect();
            Ok(Series { key, periods, values, whole })
        });
        series.collect()
    }

    fn periods(&self, first: NaiveDateTime, last: NaiveDateTime) -> Option<Vec<NaiveDateTime>> {
        let mut periods = vec![first];
        while periods[periods.len() - 1] < last {
            periods.push(self.after(periods[periods.len() - 1])?);
            if periods.len() > MOST {
                return None;
            }
        }
        Some(periods)
    }

    /// The beginning of the next period.
    pub fn after(&self, start: NaiveDateTime) -> Option<NaiveDateTime> {
        later(start, self.grain.span())
    }

    /// A refusal at the indicator.
    pub fn refused(&self, message: String) -> Diagnostic {
        let diagnostic = Diagnostic::new(codes::SHORT_SERIES, message);
        match self.place {
            Some(place) => diagnostic.at(place),
            None => diagnostic,
        }
    }

    /// What no series is long enough for.
    pub fn too_short(&self, longest: usize, least: usize) -> Diagnostic {
        let message = match longest {
            0 => format!("`{}` has no values by {}", self.name, self.grain.name()),
            count => {
                format!("`{}` has {count} values by {}: at least {least} are needed", self.name, self.grain.name())
            }
        };
        self.refused(message).help("take a finer grain, or a longer time")
    }

    /// The columns that say of which slice and period a row is.
    pub fn fields(&self) -> Vec<Field> {
        let mut fields: Vec<Field> = self.by.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
        fields.push(Field::new("period", self.period_type.clone(), true));
        fields
    }

    /// Their values.
    ///
    /// # Errors
    /// None that a caller could bring about.
    pub fn columns<'k>(
        &self,
        rows: impl Iterator<Item = (&'k Key, NaiveDateTime)> + Clone,
    ) -> datafusion::common::Result<Vec<ArrayRef>> {
        let mut columns: Vec<ArrayRef> = Vec::new();
        for at in 0..self.by.len() {
            columns.push(Arc::new(StringArray::from_iter(rows.clone().map(|(key, _)| key[at].clone()))));
        }
        let texts = rows.map(|(_, start)| Some(start.format("%Y-%m-%dT%H:%M:%S%.f").to_string()));
        let texts: ArrayRef = Arc::new(StringArray::from_iter(texts));
        columns.push(cast(&texts, &self.period_type)?);
        Ok(columns)
    }
}

impl Series {
    /// Its values with those that are missing laid on a straight line between their neighbours; `None`, if more than one of
    /// five is missing.
    pub fn filled(&self) -> Option<Vec<f64>> {
        let missing = self.values.iter().filter(|value| value.is_none()).count();
        if missing * 5 > self.values.len() {
            return None;
        }
        let known: Vec<(usize, f64)> =
            self.values.iter().enumerate().filter_map(|(at, value)| Some((at, (*value)?))).collect();
        let value = |at: usize| {
            let next = known.partition_point(|(place, _)| *place < at);
            match (next.checked_sub(1).and_then(|before| known.get(before)), known.get(next)) {
                (_, Some((place, value))) if *place == at => *value,
                (Some((from, low)), Some((to, high))) => low + (high - low) * (at - from) as f64 / (to - from) as f64,
                (Some((_, value)), None) | (None, Some((_, value))) => *value,
                (None, None) => 0.0,
            }
        };
        Some((0..self.values.len()).map(value).collect())
    }
}

fn instant(text: &str) -> Option<NaiveDateTime> {
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|day| day.and_time(NaiveTime::MIN));
    day().or_else(|| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok())
}

/// A column of numbers.
pub fn numbers(values: impl Iterator<Item = Option<f64>>) -> ArrayRef {
    // Zero has no sign for people.
    Arc::new(Float64Array::from_iter(values.map(|value| value.map(|number| number + 0.0))))
}

/// Whether a span of time holds a period.
pub fn holds(span: Span, start: NaiveDateTime) -> bool {
    span.start <= start && start < span.end
}
