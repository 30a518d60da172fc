//! [`Anomalies`]: values that stand out.

use std::sync::Arc;

use chrono::NaiveDateTime;
use datafusion::arrow::array::{ArrayRef, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use distrs::Normal;
use serde::{Deserialize, Serialize};

use super::control::{TESTS, charted, first_tests};
use super::data::{Series, Source, Wanted, numbers};
use super::season::{season_of, take_apart};
use super::statistics::{extreme_deviates, mean, robust_scale, robust_z};
use crate::analysis::cells::{Cells, Key};
use crate::analysis::function::{Function, Texts, choice, names, number};
use crate::analysis::reader::{Argument, Reader};
use crate::analysis::{Analysis, Model};
use crate::diagnostic::Diagnostic;
use crate::error::Result;

/// Which values of an indicator stand out? In SQL `anomalies('gmv', grain => 'day')`, on the command line `bell anomalies`.
///
/// ```
/// let question: bellwether::Anomalies = serde_json::from_str(r#"{"indicator": "gmv", "grain": "day", "by": ["region"]}"#)?;
/// assert_eq!(question.season, None);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "serve", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Anomalies {
    /// The indicator by name.
    pub indicator: String,
    /// How time is cut: `day`, `week`, `month`, …
    pub grain: String,
    /// Dimensions: each of their values is looked at for itself.
    pub by: Vec<String>,
    /// The time that is looked at; without it all of it.
    pub during: Option<String>,
    /// How values are judged.
    pub method: Judgement,
    /// How many periods make a season; without it what is usual for the grain, 1 for none.
    pub season: Option<usize>,
    /// Conditions.
    #[serde(rename = "where")]
    pub conditions: Vec<String>,
}

/// How values are judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "serve", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Judgement {
    /// Against the season where the series is long enough, else by the distance from the median.
    #[default]
    Auto,
    /// What is left without trend and season, by its distance from the median, in median distances.
    Seasonal,
    /// The values themselves, by the generalised ESD test.
    Esd,
    /// The distance from the median, in median distances.
    Robust,
    /// Nelson's tests on a control chart.
    Control,
}

impl Judgement {
    const NAMES: [(&'static str, Judgement); 5] = [
        ("auto", Judgement::Auto),
        ("seasonal", Judgement::Seasonal),
        ("esd", Judgement::Esd),
        ("robust", Judgement::Robust),
        ("control", Judgement::Control),
    ];

    fn name(self) -> &'static str {
        Judgement::NAMES.iter().find(|(_, known)| *known == self).map_or("auto", |(name, _)| name)
    }
}

impl Function for Anomalies {
    fn name(&self) -> &'static str {
        "anomalies"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &["indicator", "grain", "by", "during", "method", "season", "where"]
    }

    fn example(&self) -> &'static str {
        "anomalies('gmv', grain => 'day')"
    }

    fn set(&mut self, argument: &str, text: &str) -> Result<(), Diagnostic> {
        let own = || text.to_string();
        match argument {
            "indicator" => self.indicator = own(),
            "grain" => self.grain = own(),
            "by" => self.by = names(text),
            "during" => self.during = Some(own()),
            "method" => self.method = choice("method", text, &Judgement::NAMES)?,
            "season" => self.season = Some(number(argument, text)?),
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
        let found = Judged { source, method: self.method, season };
        Ok(Analysis { questions, spares: vec![], answer: Arc::new(found) })
    }
}

impl Anomalies {
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

/// The texts of a question for series, in the order in which they are read.
pub(super) fn series_texts(wanted: Wanted<'_>) -> Vec<(Argument, String)> {
    Texts::default()
        .one(Argument::Indicator, Some(wanted.indicator))
        .one(Argument::Grain, Some(wanted.grain))
        .one(Argument::During, wanted.during)
        .all(Argument::By, wanted.by)
        .all(Argument::Where, wanted.conditions)
        .0
}

/// What is looked at.
#[derive(Debug)]
struct Judged {
    source: Source,
    method: Judgement,
    season: usize,
}

/// A value that stands out.
struct Found {
    key: Key,
    period: NaiveDateTime,
    value: f64,
    expected: f64,
    z: f64,
    method: &'static str,
}

/// Fewer values have no middle to speak of.
const LEAST: usize = 7;
/// The chance of a false alarm in all series together.
const SIGNIFICANCE: f64 = 0.05;
/// At most one of five values stands out.
const MOST: f64 = 0.2;
/// What is nearer than so many deviations never stands out (Iglewicz and Hoaglin).
const NEAR: f64 = 3.5;

/// A judged series: which values stand out, what was expected of each, and how far off each is.
pub struct Verdict {
    /// The positions of those that stand out.
    pub outliers: Vec<usize>,
    /// What was expected.
    pub expected: Vec<f64>,
    /// How many robust deviations each value is off.
    pub z: Vec<f64>,
    /// How they were judged.
    pub method: Judgement,
    /// Of a control chart: the test that each value completes, from 1.
    pub tests: Vec<usize>,
}

impl Verdict {
    /// By what a value stands out.
    fn name(&self, at: usize) -> &'static str {
        match self.tests.get(at).and_then(|test| TESTS.get(test.checked_sub(1)?)) {
            Some(test) => test,
            None => self.method.name(),
        }
    }
}

/// Judges the values of a series; `significance` is the chance of a false alarm.
pub fn judge(values: &[f64], method: Judgement, season: usize, significance: f64) -> Verdict {
    let most = (values.len() as f64 * MOST).floor().max(1.0) as usize;
    let parts = match method {
        Judgement::Auto | Judgement::Seasonal => take_apart(values, season),
        Judgement::Esd | Judgement::Robust | Judgement::Control => None,
    };
    if method == Judgement::Control {
        return by_tests(values);
    }
    let beyond = |z: &[f64], far: f64| (0..z.len()).filter(|at| z[*at].abs() > far).collect();
    if let Some(parts) = parts {
        let z: Vec<f64> = robust_z(&parts.rest).iter().map(|z| z / parts.spread).collect();
        let outliers = beyond(&z, parts.far * farther(values.len(), significance));
        return Verdict { outliers, expected: parts.expected, z, method: Judgement::Seasonal, tests: vec![] };
    }
    let centre = robust_scale(values).map_or(0.0, |(centre, _)| centre);
    let z = robust_z(values);
    let expected = vec![centre; values.len()];
    if method == Judgement::Esd {
        let outliers = extreme_deviates(values, most, significance);
        return Verdict { outliers, expected, z, method, tests: vec![] };
    }
    let outliers = beyond(&z, NEAR * farther(values.len(), significance));
    Verdict { outliers, expected, z, method: Judgement::Robust, tests: vec![] }
}

/// Nelson's tests: a value stands out that completes one.
fn by_tests(values: &[f64]) -> Verdict {
    let (centre, z) = charted(values).unwrap_or_else(|| (mean(values).unwrap_or(0.0), vec![0.0; values.len()]));
    let varies = z.iter().any(|z| *z != 0.0);
    let tests = if varies { first_tests(&z) } else { vec![0; z.len()] };
    let outliers = (0..tests.len()).filter(|at| tests[*at] > 0).collect();
    Verdict { outliers, expected: vec![centre; values.len()], z, method: Judgement::Control, tests }
}

/// How much farther than in one series a value has to be off where several are looked at: as much as for normal values.
fn farther(count: usize, significance: f64) -> f64 {
    let limit = |significance: f64| Normal::ppf(1.0 - significance / (2.0 * count as f64), 0.0, 1.0);
    limit(significance) / limit(SIGNIFICANCE)
}

impl Judged {
    fn find(&self, cells: &Cells) -> Result<Vec<Found>, Diagnostic> {
        let series = self.source.series(cells)?;
        let filled: Vec<(&Series, Vec<f64>)> = series
            .iter()
            .filter_map(|series| Some((series, series.filled()?)))
            .filter(|(_, it)| it.len() >= LEAST)
            .collect();
        if filled.is_empty() {
            let longest = series.iter().map(|series| series.values.iter().flatten().count()).max();
            return Err(self.source.too_short(longest.unwrap_or(0), LEAST));
        }
        let mut found = Vec::new();
        for (series, values) in &filled {
            let verdict = judge(values, self.method, self.season, SIGNIFICANCE / filled.len() as f64);
            let mut outliers = verdict.outliers.clone();
            outliers.sort_unstable();
            // What was only laid on a line cannot stand out.
            found.extend(outliers.into_iter().filter_map(|at| {
                let value = series.values[at]?;
                let (key, period) = (series.key.clone(), series.periods[at]);
                Some(Found {
                    key,
                    period,
                    value,
                    expected: verdict.expected[at],
                    z: verdict.z[at],
                    method: verdict.name(at),
                })
            }));
        }
        Ok(found)
    }
}

impl crate::analysis::Answer for Judged {
    fn schema(&self) -> SchemaRef {
        let number = |name: &str| Field::new(name, DataType::Float64, true);
        let mut fields = self.source.fields();
        fields.extend(["value", "expected", "deviation", "z"].map(number));
        fields.push(Field::new("method", DataType::Utf8, false));
        Arc::new(Schema::new(fields))
    }

    fn answer(&self, cells: &Cells) -> datafusion::common::Result<RecordBatch> {
        let found = self.find(cells)?;
        let mut columns = self.source.columns(found.iter().map(|row| (&row.key, row.period)))?;
        columns.push(numbers(found.iter().map(|row| Some(row.value))));
        columns.push(numbers(found.iter().map(|row| Some(row.expected))));
        columns.push(numbers(found.iter().map(|row| Some(row.value - row.expected))));
        columns.push(numbers(found.iter().map(|row| Some(row.z))));
        let methods: ArrayRef = Arc::new(StringArray::from_iter_values(found.iter().map(|row| row.method)));
        columns.push(methods);
        Ok(RecordBatch::try_new(self.schema(), columns)?)
    }
}
