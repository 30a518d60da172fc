//! Grains, date parts, and the project's calendar.

use datafusion::arrow::datatypes::{DataType, TimeUnit};

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
    /// `name__extract_month`.
    Extract(DatePart),
}

/// The project's calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// The zone whose wall clock cuts days; timestamps with a zone are converted to it.
    pub timezone: Option<String>,
    /// The first day of a week, 0 = Monday.
    pub week_start: u8,
    /// The first month of a fiscal year, 1 = January.
    pub fiscal_start: u8,
}

impl Default for Calendar {
    fn default() -> Self {
        Calendar { timezone: None, week_start: 0, fiscal_start: 1 }
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
    pub fn suffix(self) -> String {
        match self {
            TimePart::Whole => String::new(),
            TimePart::Grain(grain) => format!("__{}", grain.name()),
            TimePart::Extract(part) => format!("__extract_{}", part.name()),
        }
    }

    /// Splits `ordered_at__month` into the dimension's name and what is meant of it.
    pub fn split(name: &str) -> Option<(&str, TimePart)> {
        let (dimension, part) = name.rsplit_once("__")?;
        let part = match part.strip_prefix("extract_") {
            Some(part) => TimePart::Extract(DatePart::ALL.iter().copied().find(|candidate| candidate.name() == part)?),
            None => TimePart::Grain(Grain::named(part)?),
        };
        Some((dimension, part))
    }

    /// Every part that a time value of that type offers, the value itself first.
    pub fn offered(axis: &DataType) -> impl Iterator<Item = TimePart> + '_ {
        let grains = Grain::ALL.iter().copied().filter(|grain| grain.fits(axis)).map(TimePart::Grain);
        let parts = DatePart::ALL.iter().copied().filter(|part| part.fits(axis)).map(TimePart::Extract);
        std::iter::once(TimePart::Whole).chain(grains).chain(parts)
    }

    /// The type of this part of a value of type `axis`.
    pub fn data_type(self, axis: &DataType) -> DataType {
        match self {
            TimePart::Whole => axis.clone(),
            TimePart::Grain(grain) => grain.data_type(axis),
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
