//! A publication as a question: the one that `bell query` would ask, and of which periods.

use chrono::{Datelike, NaiveDateTime, NaiveTime, Timelike};
use datafusion::common::Column;
use datafusion::logical_expr::Expr;
use datafusion::prelude::DataFrame;

use super::report::Periods;
use crate::catalog::Catalog;
use crate::catalog::calendar::{Calendar, Grain, TimePart};
use crate::catalog::expr::{Expression, Input};
use crate::catalog::period::Period;
use crate::catalog::publication::Publication;
use crate::diagnostic::{Diagnostic, codes};
use crate::engine::Engine;
use crate::error::Result;
use crate::plan::request::instant;
use crate::plan::{Request, request};
use crate::store::manifest::File;

/// The periods that are computed anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// The column of the publication that holds the periods.
    pub column: String,
    /// The first instant.
    pub start: Option<NaiveDateTime>,
    /// The first instant after it.
    pub end: Option<NaiveDateTime>,
    from: Option<String>,
    to: Option<String>,
}

impl Range {
    /// The range of `--from` and `--to`; `None` if neither is said.
    ///
    /// # Errors
    /// A diagnostic, if the publication cannot be replaced in such a part.
    pub fn of(
        catalog: &Catalog,
        publication: &Publication,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<Option<Range>, Diagnostic> {
        if from.is_none() && to.is_none() {
            return Ok(None);
        }
        let of_time = |at: &&usize| matches!(publication.by[**at].1, Input::MetricTime(TimePart::Grain(_)));
        let partition = publication.partitions.iter().find(of_time).map(|at| &publication.by[*at]);
        let Some((column, Input::MetricTime(TimePart::Grain(grain)))) = partition else {
            let message =
                format!("`{}` is not partitioned by time, so no part of it can be replaced", publication.item.name);
            return Err(refused(message).at(publication.item.span).help(
                "add `partitioned by month` (or another grain that `by` has), or run all of it without --from and --to",
            ));
        };
        let bound = |text: &str| Period::parse(text).ok_or_else(|| request::not_a_period(text));
        let start = from.map(|text| bound(text).map(Period::start)).transpose()?;
        let whole = |text: &str| {
            let moment = || refused(format!("`{text}` is a moment, and `to` is the last period that is computed"));
            bound(text)?.end().ok_or_else(|| moment().help("name a day, or a longer period"))
        };
        let end = to.map(whole).transpose()?;
        if let (Some(start), Some(end)) = (start, end)
            && end <= start
        {
            let (from, to) = (from.unwrap_or_default(), to.unwrap_or_default());
            return Err(Diagnostic::new(codes::REQUEST, format!("`from` ({from}) lies after `to` ({to})"))
                .help("`from` is the first period that is computed, `to` the last"));
        }
        for (at, text) in [(start, from), (end, to)] {
            if let (Some(at), Some(text)) = (at, text)
                && !begins(at, *grain, &catalog.calendar)
            {
                let message = format!(
                    "`{text}` cuts a partition of `{}`: its files hold a {} each",
                    publication.item.name,
                    grain.name()
                );
                return Err(refused(message).help("let the range begin and end where partitions do"));
            }
        }
        let text = |text: Option<&str>| text.map(str::to_string);
        Ok(Some(Range { column: column.clone(), start, end, from: text(from), to: text(to) }))
    }

    /// Whether a period of a partition, as its folder says, is in it.
    ///
    /// Times are written so that their order is that of the texts. NULL is no time, and so in no range.
    pub fn holds(&self, period: Option<&str>) -> bool {
        let Some(period) = period else { return false };
        let Some(at) = Period::parse(period).map(Period::start) else { return false };
        self.start.is_none_or(|start| start <= at) && self.end.is_none_or(|end| at < end)
    }

    /// The same of a file, by the folder it lies in.
    pub fn holds_file(&self, file: &File) -> bool {
        self.holds(file.partition.get(&self.column).and_then(|value| value.as_str()))
    }

    /// All periods of a column from one on.
    pub fn since(column: &str, start: NaiveDateTime) -> Range {
        let from = Some(start.format("%Y-%m-%d").to_string());
        Range { column: column.to_string(), start: Some(start), end: None, from, to: None }
    }

    /// The same for reports.
    pub fn periods(&self) -> Periods {
        Periods { column: self.column.clone(), from: self.from.clone(), to: self.to.clone() }
    }

    /// The texts of `--from` and `--to`.
    pub fn written(&self) -> (Option<String>, Option<String>) {
        (self.from.clone(), self.to.clone())
    }
}

fn refused(message: String) -> Diagnostic {
    Diagnostic::new(codes::BAD_BACKFILL, message)
}

/// Whether a period of that grain begins at an instant.
fn begins(at: NaiveDateTime, grain: Grain, calendar: &Calendar) -> bool {
    let midnight = at.time() == NaiveTime::MIN;
    let months = |every: u32, first: u32| midnight && at.day() == 1 && (at.month() + 12 - first).is_multiple_of(every);
    let whole = |nanoseconds: u32| at.nanosecond().is_multiple_of(nanoseconds);
    let fiscal = u32::from(calendar.fiscal_start);
    match grain {
        Grain::Microsecond => whole(1_000),
        Grain::Millisecond => whole(1_000_000),
        Grain::Second => at.nanosecond() == 0,
        Grain::Minute => at.second() == 0 && at.nanosecond() == 0,
        Grain::Hour => at.minute() == 0 && at.second() == 0 && at.nanosecond() == 0,
        Grain::Day => midnight,
        Grain::Week => midnight && at.weekday().num_days_from_monday() == u32::from(calendar.week_start),
        Grain::Month => months(1, 1),
        Grain::Quarter => months(3, 1),
        Grain::FiscalQuarter => months(3, fiscal),
        Grain::Year => months(12, 1),
        Grain::FiscalYear => months(12, fiscal),
    }
}

/// The rows of a publication, partition by partition, under the names of its columns.
///
/// # Errors
/// What planning finds.
pub fn frame_of(engine: &Engine, publication: &Publication, range: Option<&Range>) -> Result<DataFrame> {
    let catalog = engine.catalog();
    // Only where nothing looks beyond its own periods, reading less cannot change what is read.
    let narrowed = range.filter(|_| looks_at_own_periods(catalog, publication));
    let (from, to) = narrowed.map(Range::written).unwrap_or_default();
    let (whole, resolved) = Request::of_publication(catalog, publication);
    let order = order_of(publication).into_iter().map(|at| publication.by[at].0.clone()).collect();
    let asked = Request { from, to, order, ..whole };
    let frame = engine.query_from_rows(&asked, resolved)?;
    let frame = match range {
        Some(range) => within(frame, range)?,
        None => frame,
    };
    let columns = frame.schema().iter().zip(publication.columns());
    let columns: Vec<Expr> = columns.map(|(field, name)| Expr::Column(Column::from(field)).alias(name)).collect();
    Ok(frame.select(columns)?)
}

/// What its rows are sorted by, as positions in `by`: partitions first, so that the rows of each come together.
pub fn order_of(publication: &Publication) -> Vec<usize> {
    let others = (0..publication.by.len()).filter(|at| !publication.partitions.contains(at));
    publication.partitions.iter().copied().chain(others).collect()
}

/// The rows of the periods of a range.
fn within(frame: DataFrame, range: &Range) -> Result<DataFrame> {
    let found = frame.schema().iter().find(|(_, field)| field.name() == &range.column);
    let Some((qualifier, field)) = found else { return Ok(frame) };
    let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
    let data_type = field.data_type().clone();
    let from = range.start.map(|at| column.clone().gt_eq(instant(at, &data_type)));
    let to = range.end.map(|at| column.clone().lt(instant(at, &data_type)));
    match from.into_iter().chain(to).reduce(Expr::and) {
        Some(condition) => Ok(frame.filter(condition)?),
        None => Ok(frame),
    }
}

/// Whether every value comes from the rows of its own period alone, so that a question about a range has the values that
/// the question without it has there. An operand in another context may read all of time (`at (all month)`), a window what
/// was before, and `fill` adds periods up to the bounds of a range.
pub fn looks_at_own_periods(catalog: &Catalog, publication: &Publication) -> bool {
    let keys = publication.by.iter().map(|(_, input)| Expression::input(input.clone()));
    let indicators = publication.indicators.iter().map(|(_, id)| Expression::input(Input::Indicator(*id, vec![])));
    keys.chain(indicators).chain(publication.conditions.iter().cloned()).all(|it| plain(catalog, &it))
}

fn plain(catalog: &Catalog, expression: &Expression) -> bool {
    expression.inputs.iter().all(|input| match input {
        Input::Column(_) | Input::MetricTime(_) | Input::Period(..) => true,
        Input::Dimension(id, _) => catalog.dimension(*id).definitions.iter().all(|it| plain(catalog, it)),
        Input::Measure(measure) => [&measure.aggregate].into_iter().chain(&measure.filter).all(|it| plain(catalog, it)),
        Input::Indicator(id, filters) => {
            let indicator = catalog.indicator(*id);
            let read = [&indicator.formula].into_iter().chain(&indicator.conditions).chain(filters);
            let computed = indicator.fill.is_some() || indicator.within.is_some();
            !computed && read.chain(&indicator.time).all(|it| plain(catalog, it))
        }
        _ => false,
    })
}
