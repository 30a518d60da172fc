//! Targets (目标), the bands that judge them, and scorecards (平衡计分卡).

use std::cmp::Reverse;

use chrono::{NaiveDate, NaiveDateTime};

use super::calendar::Grain;
use super::expr::Expression;
use super::indicator::Direction;
use super::{Catalog, DimensionId, IndicatorId, Item};

/// What an indicator should reach.
#[derive(Debug, Clone)]
pub struct Target {
    /// Name, labels, owner (the indicator's, if it has none of its own).
    pub item: Item,
    /// The indicator.
    pub of: IndicatorId,
    /// The periods that it stands for.
    pub every: Option<Grain>,
    /// The first instant of the first period.
    pub from: Option<NaiveDateTime>,
    /// The first instant after the last period.
    pub to: Option<NaiveDateTime>,
    /// How much.
    pub amounts: Amounts,
    /// Of which slices, besides those that a split makes.
    pub slices: Slices,
    /// How a value is compared with it.
    pub judging: Judging,
    /// Why it is what it is.
    pub because: Option<String>,
    /// The last instant of each source that the indicator is made of, in microseconds since 1970 (doubles hold them
    /// exactly), as indicators that nobody can name.
    pub ends: Vec<IndicatorId>,
}

/// How much is to be reached.
#[derive(Debug, Clone)]
pub enum Amounts {
    /// What the file says: the original, then its revisions by date.
    Stated(Vec<Statement>),
    /// What a table says.
    Rows(Rows),
}

/// Amounts in a table.
#[derive(Debug, Clone)]
pub struct Rows {
    /// The amounts as an indicator.
    pub indicator: IndicatorId,
    /// The first ones, where rows say when they were decided.
    pub original: Option<IndicatorId>,
    /// When a row was decided.
    pub decided: Option<Expression>,
    /// The dimensions for whose values there are amounts.
    pub by: Vec<DimensionId>,
    /// In which direction.
    pub direction: Option<Direction>,
}

/// What was decided at a time.
#[derive(Debug, Clone)]
pub struct Statement {
    /// When, if it is a revision.
    pub set: Option<NaiveDate>,
    /// The start of the first period that it changes; without it, the first one that had not ended then.
    pub from: Option<NaiveDateTime>,
    /// What is to be reached on each level; at least what is committed to.
    pub aims: Vec<(Level, Aim)>,
    /// How it is split.
    pub split: Option<Split>,
}

/// How serious an amount is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Level {
    /// What is committed to.
    #[default]
    Commit,
    /// What would be very good.
    Stretch,
    /// What must not be missed.
    Floor,
}

impl Level {
    /// All of them.
    pub const ALL: [Level; 3] = [Level::Commit, Level::Stretch, Level::Floor];

    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            Level::Commit => "commit",
            Level::Stretch => "stretch",
            Level::Floor => "floor",
        }
    }
}

/// A direction and an amount, in the indicator's unit.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs)]
pub enum Aim {
    AtLeast(f64),
    AtMost(f64),
    Between(f64, f64),
}

/// A dimension whose slices share a target.
#[derive(Debug, Clone)]
pub struct Split {
    /// The dimension.
    pub by: DimensionId,
    /// How.
    pub how: SplitBy,
}

/// How slices share a target.
#[derive(Debug, Clone)]
pub enum SplitBy {
    /// As they shared the value of the same period a year earlier.
    LastYear(YearBefore),
    /// In these shares, which add up to 1; `others` is what all slices together have that are not named.
    Shares {
        /// Value and share.
        parts: Vec<(String, f64)>,
        /// The share of the rest.
        others: Option<f64>,
    },
}

/// What of the slices together decides their shares, as indicators that nobody can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct YearBefore {
    /// The sum of the values of all slices.
    pub sum: IndicatorId,
    /// The least of them: shares of a sum with negative parts mean nothing.
    pub least: IndicatorId,
    /// Each of them with its name, where parts are whole numbers that add up: then each depends on all.
    pub each: Option<IndicatorId>,
}

/// The slices that a target is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slices {
    /// The whole.
    Whole,
    /// The whole, and each slice of these dimensions as well.
    Each(Vec<DimensionId>),
    /// Only this slice.
    These(Vec<(DimensionId, String)>),
}

/// How a value is compared with a target.
#[derive(Debug, Clone, PartialEq)]
pub struct Judging {
    /// The formula.
    pub form: Form,
    /// Where the way to the target began.
    pub baseline: Option<f64>,
    /// How far outside of a range the attainment is 0.
    pub tolerance: Option<f64>,
    /// From attainment to status.
    pub bands: Bands,
    /// How much is due before a period has ended.
    pub pace: Pace,
    /// The least value that another indicator must have for a judgement.
    pub sample: Option<(IndicatorId, f64)>,
}

/// The formula of an attainment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// By direction and baseline: v/t, (v−b)/(t−b), (b−v)/(b−t), the distance to a range.
    Natural,
    /// t/v, for what should be small.
    TargetOverValue,
    /// 2 − v/t, for what should be small.
    TwoMinus,
    /// 1 where the target is met, 0 elsewhere.
    Met,
}

/// How much of a target is due before its period has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Pace {
    Linear,
    WorkingDays,
    Seasonal,
}

impl Pace {
    /// Its words.
    pub fn name(self) -> &'static str {
        match self {
            Pace::Linear => "linear",
            Pace::WorkingDays => "working days",
            Pace::Seasonal => "seasonal",
        }
    }
}

/// From attainment to status.
#[derive(Debug, Clone, PartialEq)]
pub struct Bands {
    /// Names and the least attainment of each, from best to worst.
    pub bands: Vec<(String, f64)>,
    /// What lies below all.
    pub below: String,
    /// A status that is worse shows only if it held in so many of the last so many periods.
    pub hold: Option<(usize, usize)>,
}

impl Bands {
    /// The status that is told to pipelines: `red`, wherever it stands, or what lies below all.
    pub fn worst(&self) -> &str {
        const RED: &str = "red";
        if self.bands.iter().any(|(name, _)| name == RED) { RED } else { &self.below }
    }
}

impl Default for Bands {
    /// Green at 100 %, amber at 90 %, else red.
    fn default() -> Self {
        let band = |name: &str, at| (name.to_string(), at);
        Bands { bands: vec![band("green", 1.0), band("amber", 0.9)], below: "red".to_string(), hold: None }
    }
}

/// A `scorecard`.
#[derive(Debug, Clone)]
pub struct Scorecard {
    /// Name, labels, owner.
    pub item: Item,
    /// How the scores of its perspectives make its own.
    pub rule: ScoreRule,
    /// The perspectives: since the beginning, then since each of these dates.
    pub versions: Vec<(Option<NaiveDateTime>, Vec<Perspective>)>,
    /// From score to status.
    pub bands: Bands,
}

/// A perspective of a scorecard.
#[derive(Debug, Clone)]
pub struct Perspective {
    /// Its name.
    pub name: String,
    /// For people.
    pub label: Option<String>,
    /// Its weight.
    pub weight: f64,
    /// How the scores of its indicators make its own.
    pub rule: ScoreRule,
    /// Indicators and weights.
    pub children: Vec<(IndicatorId, f64)>,
}

/// How scores make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScoreRule {
    /// The weighted mean.
    Weighted,
    /// The least.
    Worst,
    /// The weighted geometric mean: one zero is zero.
    Geometric,
}

impl ScoreRule {
    /// All of them.
    pub const ALL: [ScoreRule; 3] = [ScoreRule::Weighted, ScoreRule::Worst, ScoreRule::Geometric];

    /// Its word.
    pub fn name(self) -> &'static str {
        match self {
            ScoreRule::Weighted => "weighted",
            ScoreRule::Worst => "worst",
            ScoreRule::Geometric => "geometric",
        }
    }
}

impl Aim {
    /// The amount, or the lower end of a range.
    pub fn low(self) -> Option<f64> {
        match self {
            Aim::AtLeast(amount) => Some(amount),
            Aim::AtMost(_) => None,
            Aim::Between(low, _) => Some(low),
        }
    }

    /// The amount, or the upper end of a range.
    pub fn high(self) -> Option<f64> {
        match self {
            Aim::AtLeast(_) => None,
            Aim::AtMost(amount) => Some(amount),
            Aim::Between(_, high) => Some(high),
        }
    }

    /// Its words.
    pub fn direction(self) -> &'static str {
        match self {
            Aim::AtLeast(_) => "at least",
            Aim::AtMost(_) => "at most",
            Aim::Between(..) => "between",
        }
    }
}

impl Target {
    /// The split that counts: the last one that was decided.
    pub fn split(&self) -> Option<&Split> {
        match &self.amounts {
            Amounts::Stated(all) => all.iter().rev().find_map(|statement| statement.split.as_ref()),
            Amounts::Rows(_) => None,
        }
    }

    /// Takes away splits whose shares are those of the year before: their slices have no target then.
    pub fn without_last_year(&mut self) {
        let Amounts::Stated(all) = &mut self.amounts else { return };
        for statement in all {
            statement.split.take_if(|split| matches!(split.how, SplitBy::LastYear(_)));
        }
    }

    /// Whether it stands for slices by these dimensions, or for some of them; by none, for the whole.
    pub fn is_of_slices_by(&self, by: &[DimensionId]) -> bool {
        let are_these = |own: &[DimensionId]| own.len() == by.len() && own.iter().all(|id| by.contains(id));
        match (&self.slices, &self.amounts) {
            (Slices::These(these), _) => are_these(&these.iter().map(|(id, _)| *id).collect::<Vec<_>>()),
            (_, _) if by.is_empty() => true,
            (Slices::Each(each), _) => are_these(each),
            (Slices::Whole, Amounts::Rows(rows)) => by.iter().all(|id| rows.by.contains(id)),
            (Slices::Whole, Amounts::Stated(all)) => {
                all.iter().filter_map(|it| it.split.as_ref()).any(|split| by == [split.by])
            }
        }
    }

    /// Whether slices share it as they did a year earlier.
    pub fn splits_by_last_year(&self) -> bool {
        match &self.amounts {
            Amounts::Stated(all) => {
                let mut splits = all.iter().filter_map(|statement| statement.split.as_ref());
                splits.any(|split| matches!(split.how, SplitBy::LastYear(_)))
            }
            Amounts::Rows(_) => false,
        }
    }
}

impl Catalog {
    /// How an indicator is named beside others that have targets: with its package, where another one has its name.
    pub fn name_among_targets(&self, id: IndicatorId) -> String {
        let item = &self.indicator(id).item;
        let others = self.targets.iter().filter(|target| target.of != id);
        let alike = |target: &Target| self.indicator(target.of).item.name == item.name;
        match others.into_iter().any(alike) {
            true => format!("{}.{}", item.package, item.name),
            false => item.name.clone(),
        }
    }

    /// The targets of an indicator, in the order in which they count for a slice: those for it alone, for the whole with its
    /// parts, for each slice, then those in tables; of each kind those for longer periods first.
    pub fn targets_of(&self, id: IndicatorId) -> impl Iterator<Item = &Target> {
        let mut found: Vec<&Target> = self.targets.iter().filter(|target| target.of == id).collect();
        found.sort_by_key(|target| {
            let kind = match (&target.amounts, &target.slices) {
                (Amounts::Rows(_), _) => 3,
                (_, Slices::These(_)) => 0,
                (_, Slices::Whole) => 1,
                (_, Slices::Each(_)) => 2,
            };
            (kind, Reverse(target.every))
        });
        found.into_iter()
    }
}
