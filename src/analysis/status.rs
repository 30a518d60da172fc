//! [`Status`]: the question whether indicators are on track, and what answers it.

use std::sync::Arc;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use datafusion::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::{Result as PlanResult, internal_err};
use datafusion::config::ConfigOptions;
use serde::{Deserialize, Serialize};

use super::cells::{Cells, Key};
use super::ends::{EndBook, ask_ends};
use super::function::{Function, Texts, names};
use super::question::Asked;
use super::reader::{Argument, Reader};
use super::span::Span;
use super::standing::{Bench, Book, Judged, Subject, Terms, ask, last_ended};
use super::{Analysis, Later, Model};
use crate::catalog::calendar::TimePart;
use crate::catalog::expr::Input;
use crate::catalog::stretch::{Stretch, containing};
use crate::catalog::target::Level;
use crate::catalog::{Catalog, DimensionId, IndicatorId};
use crate::diagnostic::{Diagnostic, codes};
use crate::error::Result;
use crate::goal::amount::Decided;

/// Are indicators on track? In SQL `status('gmv', by => 'region', at => '2026-10')`, on the command line `bell status`.
///
/// ```
/// let status: bellwether::Status = serde_json::from_str(r#"{"indicators": ["gmv"], "at": "2026-10"}"#)?;
/// assert_eq!(status.at.as_deref(), Some("2026-10"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "serve", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Status {
    /// The indicators by name; all that have a target, if none is named.
    pub indicators: Vec<String>,
    /// Dimensions: a row for each slice.
    pub by: Vec<String>,
    /// The period, or `latest`: the last one of each target that has data. Without it, the last one that had ended.
    pub at: Option<String>,
    /// Up to when the data count, and by when a target must have been decided; without it, now.
    pub as_of: Option<String>,
    /// `commit`, `stretch` or `floor`.
    pub level: Option<String>,
    /// `current`, or `original`: targets as they were before they were revised.
    pub against: Option<String>,
}

/// Why time slices no status.
pub(super) const ONE_PERIOD: &str = "a status is of one period, so `{}` cannot slice it";

impl Function for Status {
    fn name(&self) -> &'static str {
        "status"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &["indicator", "by", "at", "as_of", "level", "against"]
    }

    fn needed(&self) -> Option<&'static str> {
        None
    }

    fn lists(&self) -> &'static [&'static str] {
        &["indicator", "by"]
    }

    fn example(&self) -> &'static str {
        "status('gmv', by => 'region', at => '2026-10')"
    }

    fn set(&mut self, argument: &str, text: &str) -> Result<(), Diagnostic> {
        let own = Some(text.to_string());
        match argument {
            "indicator" => self.indicators = names(text),
            "by" => self.by = names(text),
            "at" => self.at = own,
            "as_of" => self.as_of = own,
            "level" => self.level = own,
            _ => self.against = own,
        }
        Ok(())
    }

    fn texts(&self) -> Vec<(Argument, String)> {
        Texts::default()
            .one(Argument::AsOf, self.as_of.as_deref())
            .one(Argument::Level, self.level.as_deref())
            .one(Argument::Against, self.against.as_deref())
            .one(Argument::At, self.at.as_deref())
            .all(Argument::Indicator, &self.indicators)
            .all(Argument::By, &self.by)
            .0
    }

    fn prepare(&self, model: &mut Model<'_>) -> Result<Analysis> {
        let (options, now) = (model.options, model.now);
        let mut reader = Reader::new(model);
        let terms = terms(&mut reader, now, &self.as_of, &self.level, &self.against)?;
        let latest = self.at.as_deref().is_some_and(|text| text.trim().eq_ignore_ascii_case(LATEST));
        let at = match &self.at {
            // It is a text of the question, too.
            Some(text) if latest => {
                reader.add(Argument::At, text);
                None
            }
            Some(text) => Some(reader.span(Argument::At, text, None)?),
            None => None,
        };
        let (package, indicators) = self.indicators(&mut reader)?;
        let by = reader.dimensions(&self.by, &package, ONE_PERIOD)?;
        let catalog = Arc::clone(reader.catalog());
        let subject = |indicator: IndicatorId| {
            let span = match at {
                Some(at) => Some(at.stretch()),
                None => catalog.targets_of(indicator).find_map(|target| last_ended(&catalog, target, terms.as_of)),
            };
            span.map(|span| Subject { indicator, span })
        };
        let mut subjects: Vec<Subject> = Vec::new();
        for (number, indicator) in indicators.into_iter().enumerate() {
            match subject(indicator) {
                Some(subject) => subjects.push(subject),
                // Of all targets those that can be followed; `check` warned of the others.
                None if self.indicators.is_empty() => {}
                None => return Err(reader.at(without_period(&catalog, indicator), Argument::Indicator, number).into()),
            }
        }
        let question = Judging { catalog: Arc::clone(&catalog), package, by, terms: terms.clone(), subjects };
        let asked = question.analysis(options);
        let analysis = asked.map_err(|error| reader.at_dimension(error.into()))?;
        if !latest {
            return Ok(analysis);
        }
        let all_of_time = Stretch { start: instant_of_day(1700), end: terms.as_of };
        let indicators: Vec<IndicatorId> = question.subjects.iter().map(|subject| subject.indicator).collect();
        let asked = Asked { catalog, package: question.package.clone(), ..Asked::default() };
        let (ends, questions) = ask_ends(&asked, &indicators, vec![all_of_time], 0, options)?;
        let latest = Latest { question, ends, all_of_time, schema: analysis.answer.schema() };
        Ok(Analysis { questions, spares: vec![], answer: Arc::new(latest) })
    }
}

/// The word for the last period with data.
const LATEST: &str = "latest";

fn instant_of_day(year: i32) -> NaiveDateTime {
    NaiveDate::from_ymd_opt(year, 1, 1).unwrap_or_default().and_time(NaiveTime::MIN)
}

/// What is judged.
#[derive(Debug, Clone)]
struct Judging {
    catalog: Arc<Catalog>,
    package: String,
    by: Vec<(String, Input)>,
    terms: Terms,
    subjects: Vec<Subject>,
}

impl Judging {
    fn analysis(&self, options: &ConfigOptions) -> PlanResult<Analysis> {
        let Judging { catalog, package, by, terms, subjects } = self;
        let (book, questions, spares) = ask(catalog, package, by, subjects, terms, options)?;
        let shown = Shown {
            catalog: Arc::clone(catalog),
            terms: terms.clone(),
            book,
            subjects: subjects.clone(),
            by: by.iter().map(|(name, _)| name.clone()).collect(),
            dimensions: by.iter().map(|(_, input)| whole(input)).collect(),
        };
        Ok(Analysis { questions, spares, answer: Arc::new(shown) })
    }
}

/// The same in the last periods that have data, once these are known.
#[derive(Debug)]
struct Latest {
    question: Judging,
    ends: EndBook,
    all_of_time: Stretch,
    schema: SchemaRef,
}

impl super::Answer for Latest {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn answer(&self, _: &Cells) -> PlanResult<RecordBatch> {
        internal_err!("a question that depends on another was not asked")
    }

    fn later(&self) -> Option<&dyn Later> {
        Some(self)
    }
}

impl Later for Latest {
    fn then(&self, cells: &Cells, options: &ConfigOptions) -> PlanResult<Analysis> {
        let mut question = self.question.clone();
        for subject in &mut question.subjects {
            let every = question.catalog.targets_of(subject.indicator).find_map(|target| target.every);
            let last = self.ends.last(cells, subject.indicator, self.all_of_time);
            let period = every.zip(last).and_then(|(every, at)| containing(every, at, &question.catalog.calendar));
            // Without data it stays the last one that had ended, of which nothing can be said.
            subject.span = period.unwrap_or(subject.span);
        }
        question.analysis(options)
    }
}

impl Status {
    /// The indicators that are asked for.
    fn indicators(&self, reader: &mut Reader<'_, '_>) -> Result<(String, Vec<IndicatorId>), Diagnostic> {
        let mut found: Vec<IndicatorId> = Vec::new();
        let mut package = None;
        for (number, name) in self.indicators.iter().enumerate() {
            let (own, id) = reader.indicator(name)?;
            if reader.catalog().targets_of(id).next().is_none() {
                let diagnostic = Diagnostic::new(codes::NO_TARGET, format!("`{name}` has no target"))
                    .help(format!("declare `target {name} {{ … }}`"));
                return Err(reader.at(diagnostic, Argument::Indicator, number));
            }
            package.get_or_insert(own);
            if !found.contains(&id) {
                found.push(id);
            }
        }
        if self.indicators.is_empty() {
            for target in &reader.catalog().targets {
                if !found.contains(&target.of) {
                    found.push(target.of);
                    package.get_or_insert_with(|| reader.catalog().indicator(target.of).item.package.clone());
                }
            }
        }
        match package {
            Some(package) => Ok((package, found)),
            None => Err(Diagnostic::new(codes::NO_TARGET, "no indicator has a target")
                .help("declare one: `target gmv { at least 1_200_000 CNY  every month }`")),
        }
    }
}

/// The dimension that is asked by, if targets can be about it.
pub(super) fn whole(input: &Input) -> Option<DimensionId> {
    match input {
        Input::Dimension(id, TimePart::Whole) => Some(*id),
        _ => None,
    }
}

fn without_period(catalog: &Catalog, indicator: IndicatorId) -> Diagnostic {
    let name = &catalog.indicator(indicator).item.name;
    Diagnostic::new(codes::NO_TARGET, format!("the target of `{name}` has no period"))
        .help("write `every month` in the target, or ask for a period (`at`)")
}

/// Up to when, on which level, by which decision.
pub(super) fn terms(
    reader: &mut Reader<'_, '_>,
    now: NaiveDateTime,
    as_of: &Option<String>,
    level: &Option<String>,
    against: &Option<String>,
) -> Result<Terms, Diagnostic> {
    let as_of = match as_of {
        Some(text) => reader.instant(Argument::AsOf, text)?,
        None => now,
    };
    let level = reader.word(Argument::Level, level, &Level::ALL.map(|level| (level.name(), level)))?;
    let decided = [("current", Decided::Current), ("original", Decided::Original)];
    let decided = reader.word(Argument::Against, against, &decided)?;
    Ok(Terms { as_of, level, decided })
}

/// What is printed.
#[derive(Debug)]
struct Shown {
    catalog: Arc<Catalog>,
    terms: Terms,
    book: Book,
    subjects: Vec<Subject>,
    by: Vec<String>,
    /// The dimensions, if targets can be about them.
    dimensions: Option<Vec<DimensionId>>,
}

struct Row {
    indicator: String,
    key: Key,
    period: String,
    judged: Judged,
}

/// The slice of a split that takes the rest.
const OTHERS: &str = "others";

impl Shown {
    fn rows(&self, cells: &Cells) -> Vec<Row> {
        let set: Vec<usize> = (0..self.by.len()).collect();
        let bench = Bench {
            catalog: &self.catalog,
            terms: &self.terms,
            book: &self.book,
            cells,
            set: &set,
            by: self.dimensions.as_deref(),
        };
        let mut rows = Vec::new();
        for subject in &self.subjects {
            let indicator = self.catalog.name_among_targets(subject.indicator);
            let period = Span::between(subject.span.start, subject.span.end).to_string();
            let row = |key, judged| Row { indicator: indicator.clone(), key, period: period.clone(), judged };
            for key in bench.keys(subject) {
                let judged = bench.judge(subject, &key);
                if set.is_empty() || judged.value.is_some() || judged.aim.is_some() {
                    rows.push(row(key, judged));
                }
            }
            if let Some((_, judged)) = bench.others(subject) {
                rows.push(row(vec![Some(OTHERS.to_string())], judged));
            }
        }
        rows
    }
}

impl super::Answer for Shown {
    fn schema(&self) -> SchemaRef {
        let text = |name: &str| Field::new(name, DataType::Utf8, true);
        let number = |name: &str| Field::new(name, DataType::Float64, true);
        let mut fields = vec![text("indicator")];
        fields.extend(self.by.iter().map(|name| text(name)));
        fields.extend([text("period"), number("value"), text("direction")]);
        fields.extend(["target", "target_to", "attainment", "due", "pace", "landing", "score"].map(number));
        fields.extend(["status", "reason", "owner"].map(text));
        Arc::new(Schema::new(fields))
    }

    fn answer(&self, cells: &Cells) -> PlanResult<RecordBatch> {
        let rows = self.rows(cells);
        let texts =
            |of: &dyn Fn(&Row) -> Option<String>| -> ArrayRef { Arc::new(StringArray::from_iter(rows.iter().map(of))) };
        let numbers = |of: &dyn Fn(&Judged) -> Option<f64>| -> ArrayRef {
            Arc::new(Float64Array::from_iter(rows.iter().map(|row| of(&row.judged))))
        };
        let mut columns = vec![texts(&|row| Some(row.indicator.clone()))];
        columns.extend((0..self.by.len()).map(|at| texts(&|row: &Row| row.key[at].clone())));
        columns.push(texts(&|row| Some(row.period.clone())));
        columns.push(numbers(&|it| it.value));
        columns.push(texts(&|row| row.judged.aim.map(|aim| aim.direction().to_string())));
        columns.push(numbers(&|it| it.aim.and_then(|aim| aim.low().or(aim.high()))));
        columns.push(numbers(&|it| it.aim.and_then(|aim| aim.low().and(aim.high()))));
        columns.push(numbers(&|it| it.attainment));
        columns.push(numbers(&|it| it.due.and_then(|aim| aim.low().or(aim.high()))));
        columns.push(numbers(&|it| it.pace));
        columns.push(numbers(&|it| it.landing));
        columns.push(numbers(&|it| it.score));
        columns.push(texts(&|row| row.judged.status.clone()));
        columns.push(texts(&|row| row.judged.reason.map(|reason| reason.name().to_string())));
        columns.push(texts(&|row| row.judged.owner.clone()));
        Ok(RecordBatch::try_new(self.schema(), columns)?)
    }
}
