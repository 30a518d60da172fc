//! Are we on track? From a value and a target to an attainment, a pace, a status and a score.
//!
//! Pure functions on numbers and dates, used by the planner (columns beside an indicator) and by analyses (`status`,
//! `scorecard`) alike, so that both say the same.
//!
//! Invariant: what cannot be said is a [`Reason`], never an infinite or made-up number.

pub mod amount;
pub mod attainment;
pub mod bands;
pub mod cascade;
pub mod compared;
pub mod pace;
pub mod score;

/// Why there is no judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No target stands for the period or on the level that is asked.
    NoTarget,
    /// The target says no period.
    NoPeriod,
    /// The target stands for other periods, and its indicator does not add up over time.
    OtherPeriod,
    /// The target stands for other slices.
    OtherSlice,
    /// The slice is one of `others`, which have one target together.
    OneOfOthers,
    /// The question has conditions, and the target is for the rows without them.
    OtherRows,
    /// The indicator has no value.
    NoValue,
    /// Division by a target of 0.
    ZeroTarget,
    /// A negative target without a baseline is no measure of progress.
    NegativeTarget,
    /// target / value, and the value is 0: what should be small cannot be smaller.
    ZeroValue,
    /// target / value of a negative value.
    NegativeValue,
    /// The way from the baseline to the target has no length.
    BaselineIsTarget,
    /// The baseline is better than the target.
    BaselineBeyondTarget,
    /// Neither the target nor its indicator says what is good.
    NoDirection,
    /// The sample is too small.
    SmallSample,
    /// The period has not begun.
    NotBegun,
    /// The period has begun, and no part of its amount is due by now.
    NothingDue,
    /// The periods before it still count, by `hold`.
    Held,
    /// There are no data since the period's beginning.
    DataBefore,
    /// The data end before the period, or before what is judged of it.
    DataWithin,
    /// Nothing tells how the year before went.
    NoLastYear,
    /// Too much of a scorecard has no score.
    LittleCovered,
}

impl Reason {
    /// What stands in a column `reason`.
    pub fn name(self) -> &'static str {
        match self {
            Reason::NoTarget => "no target",
            Reason::NoPeriod => "target without a period",
            Reason::OtherPeriod => "target of another period",
            Reason::OtherSlice => "target of another slice",
            Reason::OneOfOthers => "target of the others together",
            Reason::OtherRows => "target of other rows",
            Reason::NoValue => "no value",
            Reason::ZeroTarget => "target is zero",
            Reason::NegativeTarget => "target is negative",
            Reason::ZeroValue => "value is zero",
            Reason::NegativeValue => "value is negative",
            Reason::BaselineIsTarget => "baseline is the target",
            Reason::BaselineBeyondTarget => "baseline is beyond the target",
            Reason::NoDirection => "target without a direction",
            Reason::SmallSample => "sample too small",
            Reason::NotBegun => "period not begun",
            Reason::NothingDue => "nothing due yet",
            Reason::Held => "held by the periods before",
            Reason::DataBefore => "data end before the period",
            Reason::DataWithin => "data end within the period",
            Reason::NoLastYear => "no value a year before",
            Reason::LittleCovered => "less than 80 % covered",
        }
    }
}
