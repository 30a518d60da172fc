//! The comparison of a row's value with the target of its period and slice, as a scalar function.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array, StringArray};
use datafusion::arrow::datatypes::{DataType, Float64Type, TimestampNanosecondType, UInt64Type};
use datafusion::common::Result;
#[cfg(feature = "serve")]
use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility};

use super::marker::Aspect;
use super::so_far::SoFar;
use crate::catalog::DimensionId;
use crate::catalog::calendar::Grain;
use crate::catalog::indicator::Direction;
use crate::catalog::modifier::TimeSpan;
use crate::catalog::stretch::{Stretch, containing, now};
use crate::catalog::target::{Aim, Amounts, Bands, Level, Rows, Target};
use crate::goal::amount::{Decided, Required, Scale, Shared, Slice, Wanted, aim_of, periods_of};
use crate::goal::compared::{Comparison, attained};
use crate::goal::pace::LastYear;
use crate::goal::{Reason, bands};

/// A condition of the question, as far as targets are concerned.
#[derive(Debug, Clone)]
pub(crate) enum Limit {
    /// On dimensions; whether it is that one of them has a value.
    Dimensions { dimensions: Vec<DimensionId>, value: Option<String> },
    /// On periods of that grain.
    Periods(Grain),
}

/// What a comparison with a target needs besides the value, by position.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Needs {
    /// Its amount, where that is in a table.
    pub(crate) amount: Option<usize>,
    /// Its sample.
    pub(crate) sample: Option<usize>,
    /// Where slices share it as a year earlier: what was then.
    pub(crate) year: Option<Year>,
}

/// The periods before a row's own, the latest first: what `hold` looks at.
#[derive(Debug, Clone)]
pub(crate) struct Past {
    /// How far they lie apart.
    pub(crate) step: TimeSpan,
    pub(crate) periods: Vec<Before>,
}

/// What was in a period before, by position.
#[derive(Debug, Clone)]
pub(crate) struct Before {
    pub(crate) value: usize,
    /// For each target its amount, where that is in a table.
    pub(crate) amounts: Vec<Option<usize>>,
}

/// What was a year earlier, by position.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Year {
    /// The value of the slice, that of all slices, the least of theirs.
    One([usize; 3]),
    /// The value of each slice with its name, in a list.
    Each(usize),
}

/// What values are compared with.
#[derive(Debug)]
pub(crate) struct Yardstick {
    pub(crate) scale: Scale,
    /// Whether values of finer slices add up.
    pub(crate) adds_up: bool,
    /// The targets, each with the positions of what it needs among the arguments.
    pub(crate) targets: Vec<(Target, Needs)>,
    /// The positions of the last instants of what the indicator is made of.
    pub(crate) ends: Vec<usize>,
    /// For rows of each kind of period, what was before.
    pub(crate) past: Vec<Past>,
    /// For rows of each kind of period, what the running one has by now.
    pub(crate) so_far: Vec<SoFar>,
    /// How many keys the question has.
    pub(crate) keys: usize,
    pub(crate) times: Vec<(usize, Grain)>,
    pub(crate) dimensions: Vec<(usize, DimensionId)>,
    pub(crate) limits: Vec<Limit>,
    /// Whether targets can be about the question's rows at all.
    pub(crate) fits: bool,
}

/// The function: its arguments are the value, the grouping id, the range's ends, the time that it is (NULL: by the clock),
/// the periods, the dimensions, and what else targets need.
#[derive(Debug)]
pub(crate) struct Judgement {
    name: String,
    aspect: Aspect,
    signature: Signature,
    yardstick: Arc<Yardstick>,
}

impl Judgement {
    pub(crate) fn new(aspect: Aspect, indicator: String, yardstick: Yardstick) -> Self {
        Judgement {
            name: format!("bell_{}_of_{indicator}", aspect.name()),
            aspect,
            signature: Signature::variadic_any(Volatility::Stable),
            yardstick: Arc::new(yardstick),
        }
    }
}

/// Whether a function judges values by targets, which looks at the clock each time it is run.
#[cfg(feature = "serve")]
pub(crate) fn is_judgement(function: &ScalarUDF) -> bool {
    function.inner().is::<Judgement>()
}

impl PartialEq for Judgement {
    fn eq(&self, other: &Self) -> bool {
        self.aspect == other.aspect && self.name == other.name && Arc::ptr_eq(&self.yardstick, &other.yardstick)
    }
}

impl Eq for Judgement {}

impl Hash for Judgement {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.aspect, &self.name).hash(state);
    }
}

impl ScalarUDFImpl for Judgement {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.aspect.data_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let arrays = args.args.iter().map(|arg| arg.to_array(rows)).collect::<Result<Vec<ArrayRef>>>()?;
        let arguments = Arguments { yardstick: &self.yardstick, arrays: &arrays };
        let clock = now(&self.yardstick.scale.calendar);
        let judged = (0..rows).map(|row| arguments.judge(row, clock));
        Ok(ColumnarValue::Array(match self.aspect {
            Aspect::Target => Arc::new(Float64Array::from_iter(judged.map(|it| it.amount()))),
            Aspect::Attainment => Arc::new(Float64Array::from_iter(judged.map(|it| it.attained.ok()))),
            Aspect::Status => Arc::new(StringArray::from_iter(judged.map(|it| it.status))),
        }))
    }
}

/// What is said of one row.
struct Judged {
    aim: Result<Aim, Reason>,
    attained: Result<f64, Reason>,
    /// NULL without a target, grey where nothing can be said.
    status: Option<String>,
}

impl Judged {
    /// The amount; of a range there is no one amount.
    fn amount(&self) -> Option<f64> {
        match self.aim {
            Ok(Aim::AtLeast(amount) | Aim::AtMost(amount)) => Some(amount),
            _ => None,
        }
    }
}

/// What is compared with a target.
#[derive(Default)]
struct Values {
    value: Option<f64>,
    sample: Option<f64>,
    last_year: LastYear,
}

/// The period and the slice that a row is of.
#[derive(Clone)]
struct Place {
    span: Stretch,
    slice: Slice,
    /// The targets, in the order in which they count.
    order: Vec<usize>,
    now: NaiveDateTime,
}

struct Arguments<'a> {
    yardstick: &'a Yardstick,
    arrays: &'a [ArrayRef],
}

/// Where the arguments for keys begin.
const FIRST_KEY: usize = 5;

impl Arguments<'_> {
    fn number(&self, at: usize, row: usize) -> Option<f64> {
        let array = self.arrays[at].as_primitive::<Float64Type>();
        array.is_valid(row).then(|| array.value(row))
    }

    fn instant(&self, at: usize, row: usize) -> Option<NaiveDateTime> {
        let array = self.arrays[at].as_primitive::<TimestampNanosecondType>();
        array.is_valid(row).then(|| DateTime::from_timestamp_nanos(array.value(row)).naive_utc())
    }

    /// Slices with their values, in the order in which equal ones are served: by name, NULL last.
    fn slices(&self, at: usize, row: usize) -> Vec<(Option<String>, f64)> {
        let lists = self.arrays[at].as_list::<i32>();
        if lists.is_null(row) {
            return vec![];
        }
        let list = lists.value(row);
        let slices = list.as_struct();
        let (names, values) = (slices.column(0).as_string::<i32>(), slices.column(1).as_primitive::<Float64Type>());
        let name = |at: usize| names.is_valid(at).then(|| names.value(at).to_string());
        let there = (0..slices.len()).filter(|at| values.is_valid(*at));
        let mut found: Vec<(Option<String>, f64)> = there.map(|at| (name(at), values.value(at))).collect();
        found.sort_by(|(left, _), (right, _)| (left.is_none(), left).cmp(&(right.is_none(), right)));
        found
    }

    fn text(&self, at: usize, row: usize) -> Option<String> {
        let array = self.arrays[at].as_string::<i32>();
        array.is_valid(row).then(|| array.value(row).to_string())
    }

    /// Whether a key is part of the row's grouping set.
    fn is_grouped(&self, key: usize, row: usize) -> bool {
        let left_out = self.arrays[1].as_primitive::<UInt64Type>().value(row);
        left_out & (1 << (self.yardstick.keys - 1 - key)) == 0
    }

    fn judge(&self, row: usize, clock: NaiveDateTime) -> Judged {
        let found = self.place(row).and_then(|(span, slice)| {
            let now = self.instant(4, row).unwrap_or(clock);
            let place = Place { span, slice, order: self.order(span), now };
            let found = self.aim(row, &place, None)?;
            Ok((place, found))
        });
        let (place, (at, required)) = match found {
            Ok(found) => found,
            Err(reason) => return Judged { aim: Err(reason), attained: Err(reason), status: None },
        };
        let Values { value, sample, last_year } = self.values(row, &place, at);
        let comparison = self.comparison(&place, at, required, last_year);
        let judging = comparison.judging;
        let few = judging.sample.is_some_and(|(_, least)| sample.unwrap_or(0.0) < least);
        let known = !few && !self.is_late(row, place.span);
        let rank = comparison.rank(value).filter(|_| known);
        let rank = rank.and_then(|rank| self.held(row, &place, rank, &judging.bands));
        let status = rank.map_or(bands::GREY, |rank| bands::name(rank, &judging.bands));
        Judged { aim: Ok(required.aim), attained: comparison.with(value).attained, status: Some(status.to_string()) }
    }

    fn comparison(&self, place: &Place, target: usize, required: Required, last_year: LastYear) -> Comparison<'_> {
        let yardstick = self.yardstick;
        Comparison {
            required,
            judging: &yardstick.targets[target].0.judging,
            period: place.span,
            as_of: place.now,
            grows: yardstick.adds_up,
            last_year,
            calendar: &yardstick.scale.calendar,
        }
    }

    /// The row's values, those of a running period as they are by now.
    fn values(&self, row: usize, place: &Place, target: usize) -> Values {
        let number = |at: usize| self.number(at, row);
        if place.span.end <= place.now {
            let sample = self.yardstick.targets[target].1.sample.and_then(number);
            return Values { value: number(0), sample, last_year: LastYear::default() };
        }
        let calendar = &self.yardstick.scale.calendar;
        let is_of = |it: &&SoFar| match it.grain {
            Some(grain) => containing(grain, place.now, calendar) == Some(place.span),
            None => [2, 3].map(|at| self.instant(at, row)) == [place.span.start, place.span.end].map(Some),
        };
        // A period that has not begun has none.
        let begun = place.span.start < place.now;
        let Some(so_far) = self.yardstick.so_far.iter().find(is_of).filter(|_| begun) else {
            return Values::default();
        };
        let last_year = so_far.last_year.map(|both| both.map(number));
        let last_year = last_year.map(|[to_date, whole]| LastYear { to_date, whole }).unwrap_or_default();
        Values { value: number(so_far.value), sample: so_far.samples[target].and_then(number), last_year }
    }

    /// Whether nothing the indicator is made of has data since the period's beginning: nobody knows what happened.
    fn is_late(&self, row: usize, span: Stretch) -> bool {
        let began = span.start.and_utc().timestamp_micros() as f64;
        let ends = &self.yardstick.ends;
        !ends.is_empty() && ends.iter().all(|end| self.number(*end, row).is_none_or(|last| last < began))
    }

    /// What the periods before allow; `None`, if these are not known.
    fn held(&self, row: usize, place: &Place, latest: usize, bands: &Bands) -> Option<usize> {
        if bands.hold.is_none() {
            return Some(latest);
        }
        let past = self.yardstick.past.iter().find(|past| past.step == place.span.step())?;
        let mut ranks = vec![Some(latest)];
        for (steps, before) in (1..).zip(&past.periods) {
            let rank = || {
                let place = Place { span: place.span.before(steps)?, ..place.clone() };
                let (at, required) = self.aim(row, &place, Some(before)).ok()?;
                let value = self.number(before.value, row);
                let attained = attained(value, required, &self.yardstick.targets[at].0.judging);
                bands::rank_of(value, required.aim, attained, bands)
            };
            ranks.push(rank());
        }
        ranks.reverse();
        bands::held(&ranks, bands)
    }

    /// The period and the slice that a row is of.
    fn place(&self, row: usize) -> Result<(Stretch, Slice), Reason> {
        let yardstick = self.yardstick;
        if !yardstick.fits {
            return Err(Reason::OtherRows);
        }
        let mut slice: Slice = Vec::new();
        for (at, (key, id)) in yardstick.dimensions.iter().enumerate() {
            if self.is_grouped(*key, row) {
                slice.push((*id, self.text(FIRST_KEY + yardstick.times.len() + at, row)));
            }
        }
        let grouped = |id: &DimensionId, slice: &Slice| slice.iter().any(|(known, _)| known == id);
        let span = self.span(row)?;
        for limit in &yardstick.limits {
            match limit {
                Limit::Dimensions { dimensions, .. } if dimensions.iter().all(|id| grouped(id, &slice)) => {}
                Limit::Dimensions { dimensions, value: Some(value) } => {
                    slice.push((dimensions[0], Some(value.clone())))
                }
                Limit::Dimensions { .. } => return Err(Reason::OtherRows),
                Limit::Periods(grain) => {
                    let within = containing(*grain, span.start, &yardstick.scale.calendar);
                    if within.is_none_or(|period| span.end > period.end) {
                        return Err(Reason::OtherRows);
                    }
                }
            }
        }
        Ok((span, slice))
    }

    /// The finest period that a row is grouped by, whole; else the range.
    fn span(&self, row: usize) -> Result<Stretch, Reason> {
        let yardstick = self.yardstick;
        let (from, to) = (self.instant(2, row), self.instant(3, row));
        let mut span: Option<Stretch> = None;
        for (at, (key, grain)) in yardstick.times.iter().enumerate() {
            if !self.is_grouped(*key, row) {
                continue;
            }
            let start = self.instant(FIRST_KEY + at, row).ok_or(Reason::OtherPeriod)?;
            let period = containing(*grain, start, &yardstick.scale.calendar).ok_or(Reason::OtherPeriod)?;
            span = Some(match span {
                None => period,
                // Of two periods a row is of what they share; only one inside the other is a period.
                Some(known) if known.start <= period.start && period.end <= known.end => period,
                Some(known) if period.start <= known.start && known.end <= period.end => known,
                Some(_) => return Err(Reason::OtherPeriod),
            });
        }
        match (span, from, to) {
            (None, Some(start), Some(end)) if start < end => Ok(Stretch { start, end }),
            (None, _, _) => Err(Reason::OtherPeriod),
            (Some(span), from, to) => {
                let whole = from.is_none_or(|from| from <= span.start) && to.is_none_or(|to| span.end <= to);
                if whole { Ok(span) } else { Err(Reason::OtherPeriod) }
            }
        }
    }

    /// The targets by position, those for periods like this one first.
    fn order(&self, span: Stretch) -> Vec<usize> {
        let yardstick = self.yardstick;
        let exact = |target: &Target| {
            target.every.and_then(|every| containing(every, span.start, &yardstick.scale.calendar)) == Some(span)
        };
        let mut order: Vec<usize> = (0..yardstick.targets.len()).collect();
        order.sort_by_key(|at| !exact(&yardstick.targets[*at].0));
        order
    }

    /// The first target that stands for a period and a slice, by position: the row's own period, or one before.
    fn aim(&self, row: usize, place: &Place, before: Option<&Before>) -> Result<(usize, Required), Reason> {
        let yardstick = self.yardstick;
        let Place { span, slice, order, now } = place;
        let (decided, known) = (Decided::Current, Some(*now));
        let wanted = Wanted { span: *span, slice, level: Level::Commit, decided, known, last_year: None };
        let mut reason = None;
        for at in order {
            let (target, needs) = &yardstick.targets[*at];
            // How slices shared what was two years ago is not asked for.
            let year = needs.year.filter(|_| before.is_none());
            let slices = match year {
                Some(Year::Each(at)) => self.slices(at, row),
                _ => vec![],
            };
            let last_year = year.map(|year| match year {
                Year::One(places) => {
                    let [own, sum, least] = places.map(|at| self.number(at, row));
                    Shared::One { own, sum, least }
                }
                Year::Each(_) => Shared::Slices(&slices),
            });
            let amount = before.map_or(needs.amount, |before| before.amounts[*at]);
            let required = match &target.amounts {
                Amounts::Stated(_) => aim_of(&yardstick.scale, target, &Wanted { last_year, ..wanted }),
                Amounts::Rows(rows) => self.aim_of_rows(row, target, rows, amount, &wanted),
            };
            match required {
                Ok(required) => return Ok((*at, required)),
                Err(other) => _ = reason.get_or_insert(other),
            }
        }
        Err(reason.unwrap_or(Reason::NoTarget))
    }

    fn aim_of_rows(
        &self,
        row: usize,
        target: &Target,
        rows: &Rows,
        amount: Option<usize>,
        wanted: &Wanted<'_>,
    ) -> Result<Required, Reason> {
        let times = periods_of(&self.yardstick.scale, target, wanted.span)?.len() as f64;
        let amount = amount.ok_or(Reason::OtherSlice)?;
        if !self.yardstick.adds_up && wanted.slice.len() != rows.by.len() {
            return Err(Reason::OtherSlice);
        }
        let amount = self.number(amount, row).ok_or(Reason::NoTarget)?;
        match rows.direction {
            Some(Direction::Up) => Ok(Required { aim: Aim::AtLeast(amount), times }),
            Some(Direction::Down) => Ok(Required { aim: Aim::AtMost(amount), times }),
            None => Err(Reason::NoDirection),
        }
    }
}
