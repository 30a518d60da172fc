//! How much of a target is due before its period has ended.

use chrono::{Months, NaiveDate, NaiveDateTime, NaiveTime};

use super::Reason;
use crate::catalog::calendar::Calendar;
use crate::catalog::stretch::Stretch;
use crate::catalog::target::{Aim, Pace};

/// What of a year earlier is known: the value until the same day, and of the whole period.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LastYear {
    /// Until the same day.
    pub to_date: Option<f64>,
    /// Of the whole period.
    pub whole: Option<f64>,
}

/// The part of a period's amount that is due at an instant inside it, between 0 and 1.
///
/// # Errors
/// [`Reason::NoLastYear`], if the year before tells nothing.
pub fn due(
    pace: Pace,
    period: Stretch,
    at: NaiveDateTime,
    last_year: LastYear,
    calendar: &Calendar,
) -> Result<f64, Reason> {
    match pace {
        Pace::Linear => Ok(linear(period, at)),
        Pace::WorkingDays => {
            let worked = |until| working_days(period.start, until, calendar);
            let all = worked(period.end);
            if all == 0.0 { Ok(linear(period, at)) } else { Ok(worked(at) / all) }
        }
        Pace::Seasonal => match (last_year.to_date, last_year.whole) {
            (Some(to_date), Some(whole)) if to_date > 0.0 && whole >= to_date => Ok(to_date / whole),
            _ => Err(Reason::NoLastYear),
        },
    }
}

/// Months of quarters and years count alike; within them days do.
fn linear(period: Stretch, at: NaiveDateTime) -> f64 {
    let share = |from: NaiveDateTime, to: NaiveDateTime| (at - from).as_seconds_f64() / (to - from).as_seconds_f64();
    match period.months().filter(|months| *months > 1) {
        Some(months) => {
            let begun = |count: u32| period.start.checked_add_months(Months::new(count));
            let whole = (0..months).take_while(|count| begun(count + 1).is_some_and(|next| next <= at)).count() as u32;
            match (begun(whole), begun(whole + 1)) {
                (Some(from), Some(to)) if whole < months => (f64::from(whole) + share(from, to)) / f64::from(months),
                _ => 1.0,
            }
        }
        None => share(period.start, period.end),
    }
}

/// The working days between two instants, the day that an instant cuts by its part.
fn working_days(from: NaiveDateTime, to: NaiveDateTime, calendar: &Calendar) -> f64 {
    let counts = |day: NaiveDate| if calendar.is_worked(day) { 1.0 } else { 0.0 };
    let until = |at: NaiveDateTime| {
        let of_day = (at - at.date().and_time(NaiveTime::MIN)).as_seconds_f64() / 86_400.0;
        (at.date(), of_day * counts(at.date()))
    };
    let ((first, before), (last, after)) = (until(from), until(to));
    let whole: f64 = first.iter_days().take_while(|day| *day < last).map(counts).sum();
    whole - before + after
}

/// What is to be reached until an instant at which such a part is due. Only amounts that grow with time have one.
pub fn scaled(aim: Aim, due: f64) -> Aim {
    match aim {
        Aim::AtLeast(amount) => Aim::AtLeast(amount * due),
        Aim::AtMost(amount) => Aim::AtMost(amount * due),
        Aim::Between(low, high) => Aim::Between(low * due, high * due),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: &str) -> NaiveDateTime {
        day.parse::<NaiveDate>().unwrap().and_time(NaiveTime::MIN)
    }

    #[test]
    fn the_worked_quarter() {
        let quarter = Stretch { start: at("2026-01-01"), end: at("2026-04-01") };
        let last_year = LastYear { to_date: Some(170.0), whole: Some(300.0) };
        let due_by = |pace| due(pace, quarter, at("2026-03-01"), last_year, &Calendar::default()).unwrap();
        assert!((due_by(Pace::Seasonal) * 360.0 - 204.0).abs() < 1e-9);
        assert!((195.0 / (due_by(Pace::Seasonal) * 360.0) - 0.9559).abs() < 5e-5);
        assert!((195.0 / due_by(Pace::Seasonal) - 344.1).abs() < 0.05);
        assert!((due_by(Pace::Linear) * 360.0 - 240.0).abs() < 1e-9);
        assert!((195.0 / (due_by(Pace::Linear) * 360.0) - 0.8125).abs() < 1e-12);
    }

    #[test]
    fn working_days_leave_out_weekends() {
        // June 2026 begins on a Monday and has 22 working days.
        let june = Stretch { start: at("2026-06-01"), end: at("2026-07-01") };
        let none = LastYear { to_date: None, whole: None };
        let by = |pace, until| due(pace, june, at(until), none, &Calendar::default());
        assert_eq!(by(Pace::WorkingDays, "2026-06-08"), Ok(5.0 / 22.0));
        assert_eq!(by(Pace::WorkingDays, "2026-06-06"), Ok(5.0 / 22.0));
        assert_eq!(by(Pace::Linear, "2026-06-16"), Ok(0.5));
        assert_eq!(by(Pace::Seasonal, "2026-06-16"), Err(Reason::NoLastYear));
    }

    /// October 2026 has 22 days from Monday to Friday. With the first week off and a Saturday instead there are 18.
    #[test]
    fn holidays_are_no_working_days_and_some_saturdays_are() {
        let days = |all: &[&str]| all.iter().map(|day| day.parse::<NaiveDate>().unwrap()).collect();
        let week = ["2026-10-01", "2026-10-02", "2026-10-03", "2026-10-04", "2026-10-05", "2026-10-06", "2026-10-07"];
        let calendar = Calendar { holidays: days(&week), workdays: days(&["2026-10-10"]), ..Calendar::default() };
        let october = Stretch { start: at("2026-10-01"), end: at("2026-11-01") };
        let none = LastYear { to_date: None, whole: None };
        let by = |until| due(Pace::WorkingDays, october, at(until), none, &calendar);
        assert_eq!(by("2026-10-08"), Ok(0.0));
        assert_eq!(by("2026-10-11"), Ok(3.0 / 18.0));
        assert_eq!(by("2026-11-01"), Ok(1.0));
    }
}
