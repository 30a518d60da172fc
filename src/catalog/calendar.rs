//! Grains, date parts, and the project's calendar.

use std::collections::BTreeSet;

use chrono::{Datelike, NaiveDate};
use datafusion::arrow::datatypes::{DataType, TimeUnit};

use super::{Item, SourceId};

/// How fine time is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Grain {
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    FiscalQuarter,
    Year,
    FiscalYear,
}

/// An integer taken from a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum DatePart {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    Dow,
    Doy,
    Hour,
    Minute,
    Second,
}

/// What of a time dimension is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TimePart {
    /// The value itself.
    Whole,
    /// `name__month`: the start of the enclosing period.
    Grain(Grain),
    /// `name__retail_445_week`: the period of the day in a calendar from a table.
    Period(PeriodId),
    /// `name__extract_month`.
    Extract(DatePart),
}

/// A kind of period of a calendar from a table, by its position in [`Calendar::periods`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeriodId(pub u32);

/// `week wk` of `calendar retail_445 from retail_days { day date_day  week wk }`.
#[derive(Debug, Clone)]
pub struct Period {
    /// The calendar's name, labels, description.
    pub item: Item,
    /// The name after `__`: `retail_445_week`.
    pub name: String,
    /// The table with one row a day.
    pub source: SourceId,
    /// The position of the column with the day, which is a key of the table.
    pub day: usize,
    /// The position of the column with the period.
    pub column: usize,
    /// The type of its values.
    pub data_type: DataType,
}

/// `calendar retail_445 from retail_days { day date_day … }`: a table with a row for each day, or finer or coarser step.
#[derive(Debug, Clone)]
pub struct CalendarTable {
    /// The calendar's name, labels, description.
    pub item: Item,
    /// The table.
    pub source: SourceId,
    /// The position of the column with the step, which is a key of the table.
    pub column: usize,
    /// How long a step is.
    pub grain: Grain,
}

/// The project's calendar.
#[derive(Debug, Clone)]
pub struct Calendar {
    /// The zone whose wall clock cuts days; timestamps with a zone are converted to it.
    pub timezone: Option<String>,
    /// The first day of a week, 0 = Monday.
    pub week_start: u8,
    /// The first month of a fiscal year, 1 = January.
    pub fiscal_start: u8,
    /// The days of each week that are not worked, 0 = Monday.
    pub weekend: BTreeSet<u8>,
    /// Days that are not worked, though they may be of no weekend.
    pub holidays: BTreeSet<NaiveDate>,
    /// Days that are worked, though they are of a weekend (调休).
    pub workdays: BTreeSet<NaiveDate>,
    /// Further kinds of periods, from tables.
    pub periods: Vec<Period>,
    /// The tables of days (hours, …) that calendars are from.
    pub tables: Vec<CalendarTable>,
}

impl Calendar {
    /// A kind of period from a table by id.
    pub fn period(&self, id: PeriodId) -> &Period {
        &self.periods[id.0 as usize]
    }

    /// Whether a day is worked: outside of weekends, except for holidays, and where it is said.
    ///
    /// ```
    /// use bellwether::catalog::calendar::Calendar;
    /// let day = |text: &str| text.parse::<chrono::NaiveDate>().unwrap();
    /// let calendar = Calendar {
    ///     holidays: [day("2026-10-01")].into(),
    ///     workdays: [day("2026-10-10")].into(),
    ///     ..Calendar::default()
    /// };
    /// let days = ["2026-09-30", "2026-10-01", "2026-10-10", "2026-10-11"];
    /// assert_eq!(days.map(|it| calendar.is_worked(day(it))), [true, false, true, false]);
    /// ```
    pub fn is_worked(&self, day: NaiveDate) -> bool {
        let of_weekend = self.weekend.contains(&(day.weekday().num_days_from_monday() as u8));
        self.workdays.contains(&day) || !of_weekend && !self.holidays.contains(&day)
    }

    fn period_ids(&self) -> impl Iterator<Item = PeriodId> + '_ {
        (0..self.periods.len() as u32).map(PeriodId)
    }
}

impl Default for Calendar {
    fn default() -> Self {
        Calendar {
            timezone: None,
            week_start: 0,
            fiscal_start: 1,
            weekend: BTreeSet::from([5, 6]),
            holidays: BTreeSet::new(),
            workdays: BTreeSet::new(),
            periods: vec![],
            tables: vec![],
        }
    }
}

impl Grain {
    /// All grains, fine to coarse.
    pub const ALL: &[Grain] = &[
        Grain::Microsecond,
        Grain::Millisecond,
        Grain::Second,
        Grain::Minute,
        Grain::Hour,
        Grain::Day,
        Grain::Week,
        Grain::Month,
        Grain::Quarter,
        Grain::FiscalQuarter,
        Grain::Year,
        Grain::FiscalYear,
    ];

    /// The name in files and after `__`.
    pub fn name(self) -> &'static str {
        match self {
            Grain::Microsecond => "microsecond",
            Grain::Millisecond => "millisecond",
            Grain::Second => "second",
            Grain::Minute => "minute",
            Grain::Hour => "hour",
            Grain::Day => "day",
            Grain::Week => "week",
            Grain::Month => "month",
            Grain::Quarter => "quarter",
            Grain::FiscalQuarter => "fiscal_quarter",
            Grain::Year => "year",
            Grain::FiscalYear => "fiscal_year",
        }
    }

    /// Whether its periods are made of whole periods of a finer grain.
    pub fn consists_of(self, fine: Grain) -> bool {
        use Grain::{FiscalQuarter, FiscalYear, Month, Quarter, Week, Year};
        match fine {
            Week => self == Week,
            Month => matches!(self, Month | Quarter | FiscalQuarter | Year | FiscalYear),
            Quarter => matches!(self, Quarter | Year),
            FiscalQuarter => matches!(self, FiscalQuarter | FiscalYear),
            Year => self == Year,
            FiscalYear => self == FiscalYear,
            // Days and what is finer make up everything that is coarser.
            fine => self >= fine,
        }
    }

    /// The grain of that name.
    pub fn named(name: &str) -> Option<Grain> {
        Grain::ALL.iter().copied().find(|grain| grain.name() == name)
    }

    /// Day and coarser are dates; finer ones timestamps.
    pub fn data_type(self, axis: &DataType) -> DataType {
        if self >= Grain::Day { DataType::Date32 } else { plain_timestamp(axis) }
    }

    /// Whether a value of that type can be cut so fine.
    pub fn fits(self, axis: &DataType) -> bool {
        match axis {
            DataType::Timestamp(TimeUnit::Second, _) => self >= Grain::Second,
            DataType::Timestamp(TimeUnit::Millisecond, _) => self >= Grain::Millisecond,
            DataType::Timestamp(..) => true,
            _ => self >= Grain::Day,
        }
    }
}

impl DatePart {
    /// All parts.
    pub const ALL: &[DatePart] = &[
        DatePart::Year,
        DatePart::Quarter,
        DatePart::Month,
        DatePart::Week,
        DatePart::Day,
        DatePart::Dow,
        DatePart::Doy,
        DatePart::Hour,
        DatePart::Minute,
        DatePart::Second,
    ];

    /// The name after `__extract_`, which is SQL's.
    pub fn name(self) -> &'static str {
        match self {
            DatePart::Year => "year",
            DatePart::Quarter => "quarter",
            DatePart::Month => "month",
            DatePart::Week => "week",
            DatePart::Day => "day",
            DatePart::Dow => "dow",
            DatePart::Doy => "doy",
            DatePart::Hour => "hour",
            DatePart::Minute => "minute",
            DatePart::Second => "second",
        }
    }

    /// Whether a value of that type has this part.
    pub fn fits(self, axis: &DataType) -> bool {
        matches!(axis, DataType::Timestamp(..)) || self < DatePart::Hour
    }
}

impl TimePart {
    /// What follows the name of the dimension in a column's name: ``, `__month`, `__extract_month`.
    pub fn suffix(self, calendar: &Calendar) -> String {
        match self {
            TimePart::Whole => String::new(),
            TimePart::Grain(grain) => format!("__{}", grain.name()),
            TimePart::Period(id) => format!("__{}", calendar.period(id).name),
            TimePart::Extract(part) => format!("__extract_{}", part.name()),
        }
    }

    /// What a name after `__` means: `month`, `retail_445_week`, `extract_month`.
    pub fn named(name: &str, calendar: &Calendar) -> Option<TimePart> {
        if let Some(grain) = Grain::named(name) {
            return Some(TimePart::Grain(grain));
        }
        let extracted = name.strip_prefix("extract_");
        let part = extracted.and_then(|part| DatePart::ALL.iter().copied().find(|known| known.name() == part));
        let period = || calendar.period_ids().find(|id| calendar.period(*id).name == name);
        part.map(TimePart::Extract).or_else(|| period().map(TimePart::Period))
    }

    /// Splits `ordered_at__month` into the dimension's name and what is meant of it.
    pub fn split<'n>(name: &'n str, calendar: &Calendar) -> Option<(&'n str, TimePart)> {
        // A calendar's name may have two underscores of its own.
        let places = name.rmatch_indices("__");
        let mut split = places.map(|(at, _)| (&name[..at], &name[at + 2..]));
        split.find_map(|(dimension, part)| Some((dimension, TimePart::named(part, calendar)?)))
    }

    /// Every part that a time value of that type offers, the value itself first.
    pub fn offered<'c>(axis: &'c DataType, calendar: &'c Calendar) -> impl Iterator<Item = TimePart> + 'c {
        let grains = Grain::ALL.iter().copied().filter(|grain| grain.fits(axis)).map(TimePart::Grain);
        let periods = calendar.period_ids().map(TimePart::Period);
        let parts = DatePart::ALL.iter().copied().filter(|part| part.fits(axis)).map(TimePart::Extract);
        std::iter::once(TimePart::Whole).chain(grains).chain(periods).chain(parts)
    }

    /// The type of this part of a value of type `axis`.
    pub fn data_type(self, axis: &DataType, calendar: &Calendar) -> DataType {
        match self {
            TimePart::Whole => axis.clone(),
            TimePart::Grain(grain) => grain.data_type(axis),
            TimePart::Period(id) => calendar.period(id).data_type.clone(),
            TimePart::Extract(_) => DataType::Int32,
        }
    }
}

fn plain_timestamp(axis: &DataType) -> DataType {
    match axis {
        DataType::Timestamp(unit, _) => DataType::Timestamp(*unit, None),
        _ => DataType::Timestamp(TimeUnit::Nanosecond, None),
    }
}

/// Whether values of that type are points in time.
pub fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Date32 | DataType::Date64 | DataType::Timestamp(..))
}
