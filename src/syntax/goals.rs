//! The tree of targets, bands, scorecards, scenarios and alerts: plain data with spans, like the rest of [`super::ast`].

use super::ast::{Expr, Indicator, Labels, Name, Path, Question, Text};
use crate::source::Span;

/// `1_200_000 CNY`, `2%`.
#[derive(Debug, Clone)]
pub struct Amount {
    /// The number; a percentage as a fraction.
    pub value: f64,
    /// How it is written.
    pub written: Written,
    /// All of it.
    pub span: Span,
}

/// How an amount is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Written {
    /// `5`.
    Bare,
    /// `5%`.
    Percent,
    /// `5 seconds`.
    Unit(Name),
}

/// `target gmv { … }`.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its name: the indicator's, if `of` names no other.
    pub name: Path,
    /// For people.
    pub labels: Labels,
    /// `every month from 2026-01 to 2026-12`.
    pub every: Option<EveryPeriod>,
    /// `at least 5`, `stretch at least 6`, `between 5 and 6`.
    pub aims: Vec<Aim>,
    /// `split region { … }`.
    pub split: Option<Split>,
    /// `for region = '华东'`, `for each region`.
    pub slices: Option<ForSlices>,
    /// `of gmv by store, month from store_plan`.
    pub of: Option<Of>,
    /// `attainment target / value`.
    pub attainment: Option<Expr>,
    /// `baseline 48 hours`.
    pub baseline: Option<Amount>,
    /// `tolerance 2`.
    pub tolerance: Option<Amount>,
    /// `pace seasonal`.
    pub pace: Option<Pace>,
    /// `sample 30 of orders_paid`.
    pub sample: Option<(f64, Path)>,
    /// `revised 2026-06-15 { … }`.
    pub revisions: Vec<Revision>,
    /// `bands { … }`.
    pub bands: Option<Bands>,
    /// `owner "…"`.
    pub owner: Option<Text>,
    /// `because "…"`.
    pub because: Option<Text>,
}

/// `every month from 2026-01 to 2026-12`.
#[derive(Debug, Clone)]
pub struct EveryPeriod {
    /// The grain.
    pub grain: Name,
    /// The first period.
    pub from: Option<Text>,
    /// The last one.
    pub to: Option<Text>,
}

/// What is to be reached.
#[derive(Debug, Clone)]
pub struct Aim {
    /// `stretch`, `floor`; without a word it is what is committed to.
    pub level: Option<Name>,
    /// In which direction, how much.
    pub bound: Bound,
    /// All of it.
    pub span: Span,
}

/// In which direction, how much.
#[derive(Debug, Clone)]
pub enum Bound {
    /// `at least 5`; the amount may come from a table.
    AtLeast(Option<Amount>),
    /// `at most 5`.
    AtMost(Option<Amount>),
    /// `between 5 and 6`.
    Between(Amount, Amount),
}

/// `split region { '华东' 50%, others 20% }`, `split region by last year`.
#[derive(Debug, Clone)]
pub struct Split {
    /// The dimension.
    pub by: Path,
    /// How.
    pub how: SplitBy,
    /// All of it.
    pub span: Span,
}

/// How a target is split.
#[derive(Debug, Clone)]
pub enum SplitBy {
    /// As the same period of last year was.
    LastYear,
    /// In these shares; without any, in equal ones.
    Parts(Vec<Part>),
}

/// `'华东' 50%`.
#[derive(Debug, Clone)]
pub struct Part {
    /// The slice, or `others`.
    pub slice: Slice,
    /// Its share.
    pub share: Option<f64>,
    /// All of it.
    pub span: Span,
}

/// A slice of a split.
#[derive(Debug, Clone, PartialEq)]
pub enum Slice {
    /// A value of the dimension.
    Value(String),
    /// All that are not named.
    Others,
    /// Another bare word, which is a mistake.
    Word(String),
}

/// Which slices a target is for.
#[derive(Debug, Clone)]
pub enum ForSlices {
    /// `for each region`: each of them, and the whole.
    Each(Vec<Path>),
    /// `for region = '华东'`.
    These(Vec<(Path, Text)>),
}

/// `of gmv by store, month from store_plan value plan_amount valid from set_at`.
#[derive(Debug, Clone)]
pub struct Of {
    /// The indicator.
    pub indicator: Path,
    /// Dimensions and the grain.
    pub by: Vec<Path>,
    /// Where the amounts are.
    pub table: Option<Path>,
    /// The amounts of a table as an indicator under the target's name.
    pub rows: Option<Box<Indicator>>,
    /// The same, by the first decision about each, where rows say when they were decided.
    pub original: Option<Box<Indicator>>,
    /// The column that says so.
    pub valid: Option<Expr>,
    /// All of it.
    pub span: Span,
}

/// How much is due before a period has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// By days.
    Linear,
    /// By days from Monday to Friday.
    WorkingDays,
    /// As last year.
    Seasonal,
}

/// `revised 2026-06-15 { from 2026-07 at least 5 }`.
#[derive(Debug, Clone)]
pub struct Revision {
    /// When it was decided.
    pub date: Text,
    /// The first period that it changes.
    pub from: Option<Text>,
    /// What is to be reached now.
    pub aims: Vec<Aim>,
    /// How it is split now.
    pub split: Option<Split>,
}

/// `bands { green at 100%  amber at 90%  hold 2 of 3 }`.
#[derive(Debug, Clone)]
pub struct Bands {
    /// Names with the least attainment, as written.
    pub bands: Vec<(Name, Amount)>,
    /// `hold 2 of 3`.
    pub hold: Option<(f64, f64)>,
    /// All of it.
    pub span: Span,
}

/// `scorecard company { perspective finance 40% { gmv 60%, profit 40% } }`.
#[derive(Debug, Clone)]
pub struct Scorecard {
    /// Its name.
    pub name: Name,
    /// For people.
    pub labels: Labels,
    /// `score worst`.
    pub rule: Option<Name>,
    /// The perspectives.
    pub perspectives: Vec<Perspective>,
    /// `revised 2026-07 { … }`: the perspectives from then on.
    pub revisions: Vec<(Text, Vec<Perspective>)>,
    /// `bands { … }`: of its scores.
    pub bands: Option<Bands>,
    /// `owner "…"`.
    pub owner: Option<Text>,
}

/// `perspective finance 40% { gmv 60%, profit 40% }`.
#[derive(Debug, Clone)]
pub struct Perspective {
    /// Its name.
    pub name: Name,
    /// For people.
    pub label: Option<Text>,
    /// Its weight.
    pub weight: f64,
    /// `score geometric`.
    pub rule: Option<Name>,
    /// Indicators and weights.
    pub children: Vec<(Path, f64)>,
    /// All of it.
    pub span: Span,
}

/// `scenario retention { goal "…"  pain "…"  process "…"  indicators churn_rate }`.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its name.
    pub name: Name,
    /// For people.
    pub labels: Labels,
    /// What is wanted.
    pub goals: Vec<Text>,
    /// What hurts.
    pub pains: Vec<Text>,
    /// In which processes.
    pub processes: Vec<Text>,
    /// Which indicators tell, and what of.
    pub indicators: Vec<(Telling, Path)>,
    /// `owner "…"`.
    pub owner: Option<Text>,
}

/// What an indicator tells of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// `indicators`: something.
    Something,
    /// `result`: whether the goal is reached.
    Result,
    /// `efficiency`: at what expense of time, money or people.
    Efficiency,
}

/// `alert gmv_red { when status(gmv by region) = 'red' for 2 periods  notify owner  severity high }`.
#[derive(Debug, Clone)]
pub struct Alert {
    /// Its name.
    pub name: Name,
    /// For people.
    pub labels: Labels,
    /// What is looked out for.
    pub when: Option<When>,
    /// The same as written.
    pub said: Option<Text>,
    /// `for 2 periods`.
    pub holds: Option<AlertFor>,
    /// `every day`.
    pub every: Option<Name>,
    /// `explain by region, channel`.
    pub explain: Vec<Path>,
    /// `base previous year`, `base target`: what causes are compared with.
    pub base: Option<Text>,
    /// `notify owner, webhook 'https://…'`.
    pub notify: Vec<Receiver>,
    /// `severity high`.
    pub severity: Option<Name>,
    /// `owner "…"`.
    pub owner: Option<Text>,
    /// `because "…"`.
    pub because: Option<Text>,
}

/// What an alert looks out for.
#[derive(Debug, Clone)]
pub enum When {
    /// `status(gmv by region) = 'red'`.
    Status(Watched, Vec<Text>),
    /// `anomaly(gmv by region)`.
    Anomaly(Watched),
    /// `gmv < 0.8 * gmv at (previous year) by region`.
    Question(Question),
}

/// `gmv by region`.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The indicator.
    pub indicator: Path,
    /// The slices.
    pub by: Vec<Path>,
}

/// The number of `for 2 periods`.
#[derive(Debug, Clone)]
pub struct AlertFor {
    /// As written.
    pub text: String,
    /// Where.
    pub span: Span,
}

/// Somebody who is told.
#[derive(Debug, Clone)]
pub enum Receiver {
    /// `owner`.
    Owner(Span),
    /// `"sales-ops@example.com"`.
    Person(Text),
    /// `webhook 'https://…'`.
    Webhook(Text),
}
