//! [`Mod`]: the modifiers of `at (…)`.

use super::expr::{Ex, Grain};

/// So many units of time; negative ones look ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount {
    pub n: i64,
    pub unit: Grain,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Mod {
    /// `all d, …`
    AllOf(Vec<Ex>),
    All,
    Set(Ex, Ex),
    Where(Ex),
    Visible,
    Shift(Amount),
    Previous(Grain),
    PreviousPeriod,
    Trailing(Amount),
    ToDate(Grain),
    Cumulative,
    /// By what, and for each of what.
    First(Ex, Vec<Ex>),
    Last(Ex, Vec<Ex>),
    /// `within period first`: the first step of that grain. Never written.
    FirstStep(Grain),
    /// `within period average`: each step of that grain. Never written.
    EachStep(Grain),
}

impl Mod {
    /// The expressions inside.
    pub fn expressions(&self) -> Vec<&Ex> {
        match self {
            Mod::AllOf(ds) => ds.iter().collect(),
            Mod::Set(d, v) => vec![d, v],
            Mod::Where(p) => vec![p],
            Mod::First(d, per) | Mod::Last(d, per) => per.iter().chain([d]).collect(),
            _ => vec![],
        }
    }

    /// Whether a window ends at each point.
    pub fn is_running(&self) -> bool {
        matches!(self, Mod::Trailing(_) | Mod::ToDate(_) | Mod::Cumulative)
    }

    /// Whether groups that only a window reaches stay out.
    pub fn changes_groups(&self) -> bool {
        matches!(
            self,
            Mod::AllOf(_)
                | Mod::All
                | Mod::Set(..)
                | Mod::Where(_)
                | Mod::Visible
                | Mod::Shift(_)
                | Mod::Previous(_)
                | Mod::PreviousPeriod
        )
    }

    /// Whether it needs a time axis.
    pub fn is_timed(&self) -> bool {
        self.is_running() || matches!(self, Mod::Shift(_) | Mod::Previous(_) | Mod::PreviousPeriod)
    }
}

impl Grain {
    /// `month`, as a bare word.
    pub fn word(self) -> &'static str {
        self.suffix().trim_start_matches("__")
    }
}
