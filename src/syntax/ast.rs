//! The tree of a `.bell` file: plain data with spans; names are not resolved here.
//!
//! Items, clauses and names are our own types. Expressions are SQL's, so they are held as sqlparser's tree, in which
//! Bell's additions appear as calls of functions whose names begin with `bell_` (see [`Expr`]).

use datafusion::sql::sqlparser::ast as sql;

use super::{goals, outputs, policies};
use crate::source::{FileId, Span};

/// One file.
#[derive(Debug, Clone)]
pub struct File {
    /// Which one.
    pub file: FileId,
    /// `package retail "全渠道零售"`; without it the items belong to `public`.
    pub package: Option<Package>,
    /// The items that could be read, in order.
    pub items: Vec<Item>,
    /// The names that broken items would have declared: what refers to them is silent, not wrong.
    pub broken: Vec<Name>,
}

/// `package retail "label"`.
#[derive(Debug, Clone)]
pub struct Package {
    /// The namespace, and SQL schema.
    pub name: Name,
    /// For people.
    pub labels: Labels,
}

/// An item with what all items share.
#[derive(Debug, Clone)]
pub struct Item {
    /// From its first word to its last.
    pub span: Span,
    /// The text of the `///` lines before it.
    pub doc: Option<String>,
    /// What it declares.
    pub kind: ItemKind,
}

/// The kinds of items.
#[derive(Debug, Clone)]
#[allow(missing_docs, clippy::large_enum_variant)]
pub enum ItemKind {
    Source(Source),
    Dimension(Dimension),
    Hierarchy(Hierarchy),
    Segment(Segment),
    Calendar(Calendar),
    Indicator(Box<Indicator>),
    View(View),
    Funnel(Funnel),
    Cohort(Cohort),
    Process(Box<Process>),
    Tree(Tree),
    Target(Box<goals::Target>),
    Bands(goals::Bands),
    Scorecard(goals::Scorecard),
    Scenario(goals::Scenario),
    Alert(Box<goals::Alert>),
    Publication(Box<outputs::Publication>),
    Rollup(Box<outputs::Rollup>),
    Expectation(Box<outputs::Expectation>),
    Policy(Box<policies::Policy>),
    Use(Use),
    /// An item whose meaning comes later: it is parsed whole, and `check` says that it is not yet supported.
    Later(Later),
}

/// A name as written, without its quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The text.
    pub text: String,
    /// Where.
    pub span: Span,
}

/// `orders.store.region`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// At least one name.
    pub parts: Vec<Name>,
    /// All of it.
    pub span: Span,
}

/// A text for people, or a literal text, without its quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The text.
    pub text: String,
    /// Where, with the quotes.
    pub span: Span,
}

/// `"成交总额"` and `label en "Gross merchandise value"`.
#[derive(Debug, Clone, Default)]
pub struct Labels {
    /// The text right after the name.
    pub default: Option<Text>,
    /// By language tag.
    pub by_language: Vec<(Name, Text)>,
}

/// An expression: SQL's, with Bell's additions as calls.
///
/// | Bell | in the tree |
/// |---|---|
/// | `x at (all region, set channel = 'a')` | `bell_at(x, bell_all(region), bell_set(channel, 'a'))` |
/// | `x per (d, e)` | `bell_per(x, d, e)` |
/// | `count(*) of orders` | `bell_of(count(*), orders)` |
/// | `x filter (where p)`, x not a call | `bell_filter(x, p)` |
/// | `conversion from a to b by e within 7 days matching m` | `bell_conversion(a, b, e, bell_duration(7, 'days'), m)` |
/// | `conversions from a to b by e` | `bell_conversions(a, b, e, NULL)` |
/// | `3.5%` | the number `0.035` |
/// | `7 days` | `bell_duration(7, 'days')` |
///
/// Identifiers keep their case; spans in the tree are lines and columns of the whole file.
#[derive(Debug, Clone)]
pub struct Expr {
    /// The tree.
    pub sql: sql::Expr,
    /// All of it.
    pub span: Span,
}

/// `source orders { … }`.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name.
    pub name: Name,
    /// For people.
    pub labels: Labels,
    /// Where the rows come from; a source without `from` is refused by `check`.
    pub from: Option<From>,
    /// `partition by dt date, region varchar`.
    pub partitions: Vec<ColumnType>,
    /// `key order_id`, `key (sku, day)`; a further `key` is a further unique set of columns.
    pub keys: Vec<Vec<Name>>,
    /// `time ordered_at`.
    pub time: Option<Expr>,
    /// `where not is_test`.
    pub filter: Option<Expr>,
    /// `join …`.
    pub joins: Vec<Join>,
    /// `columns { … }`.
    pub columns: Vec<ColumnSpec>,
    /// `owner "…"`.
    pub owner: Option<Text>,
}

/// Where the rows of a source come from.
#[derive(Debug, Clone)]
pub enum From {
    /// `from parquet 's3://lake/orders/' { header true }`.
    Files {
        /// `parquet`, `csv`, `json`, `arrow`; as written, lower case.
        format: Name,
        /// Files, folders, globs.
        locations: Vec<Text>,
        /// `header true  delimiter ','`, …
        options: Vec<(Name, OptionValue)>,
    },
    /// `from query ( select … )`.
    Query {
        /// The query, parsed.
        query: Box<sql::Query>,
        /// Its text, without the brackets.
        span: Span,
    },
    /// `from table app.events`.
    Table(Path),
}

/// The value of a format option.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum OptionValue {
    Text(Text),
    Word(Name),
    Bool(bool, Span),
    Number(String, Span),
}

/// A column and its SQL type.
#[derive(Debug, Clone)]
pub struct ColumnType {
    /// The column.
    pub name: Name,
    /// Its type, if given.
    pub data_type: Option<(sql::DataType, Span)>,
}

/// One entry of `columns { … }`: `amount decimal(18,2)`, `note hidden`, `net = amount - discount`.
#[derive(Debug, Clone)]
pub struct ColumnSpec {
    /// The column.
    pub name: Name,
    /// For people.
    pub labels: Labels,
    /// Overrides the file's type.
    pub data_type: Option<(sql::DataType, Span)>,
    /// Not shown to analysts.
    pub hidden: bool,
    /// Computed from others of the same source.
    pub computed: Option<Expr>,
}

/// `join store = stores on store_id = stores.id`, `join customers on customer_id` (the name is then the source's).
#[derive(Debug, Clone)]
pub struct Join {
    /// All of it.
    pub span: Span,
    /// The role.
    pub name: Name,
    /// The joined source: `stores` or `other.stores`.
    pub to: Path,
    /// How rows meet.
    pub on: JoinOn,
    /// `valid between a and b`.
    pub valid: Option<(Expr, Expr)>,
}

/// How rows of a join meet.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)]
pub enum JoinOn {
    /// `on customer_id`, `on (a, b)`.
    Columns(Vec<Name>),
    /// `on store_id = stores.id [and …]`.
    Equation(Expr),
}

/// `dimension channel = orders.channel, clean_visits.channel`.
#[derive(Debug, Clone)]
pub struct Dimension {
    /// Its name.
    pub name: Name,
    /// For people.
    pub labels: Labels,
    /// One expression for each root; at least one.
    pub definitions: Vec<Expr>,
    /// `owner "…"`.
    pub owner: Option<Text>,
}

/// `hierarchy geography = country > region > city`.
#[derive(Debug, Clone)]
pub struct Hierarchy {
    /// Its name.
    pub name: Name,
    /// For people.
    pub labels: Labels,
    /// From coarse to fine.
    pub levels: Vec<Path>,
}

/// `segment paid = orders.status = 'paid'`; several, comma-separated, like a dimension's.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Its name.
    pub name: Name,
    /// For people.
    pub labels: Labels,
    /// The condition for each root.
    pub definitions: Vec<Expr>,
}

/// `calendar { timezone 'Asia/Shanghai'  week starts monday  fiscal year starts april }`.
#[derive(Debug, Clone)]
pub struct Calendar {
    /// A named calendar comes from a table: `calendar retail_445 from retail_days { … }`.
    pub name: Option<Name>,
    /// For people.
    pub labels: Labels,
    /// The source of a named one.
    pub from: Option<Path>,
    /// `timezone '…'`.
    pub timezone: Option<Text>,
    /// `week starts monday`.
    pub week_starts: Option<Name>,
    /// `fiscal year starts april`.
    pub fiscal_year_starts: Option<Name>,
    /// `weekend friday, saturday`; `weekend none`, where every day is worked.
    pub weekend: Vec<Name>,
    /// `holidays 2026-01-01, 2026-10-01 to 2026-10-07`.
    pub holidays: Vec<Days>,
    /// `workdays 2026-10-10`: days that are worked although they are of a weekend.
    pub workdays: Vec<Days>,
    /// `day date_day  week wk`: grain and column, of a named one.
    pub grains: Vec<(Name, Name)>,
}

/// `2026-10-01 to 2026-10-07`: the days from a period to another, or of one.
#[derive(Debug, Clone)]
pub struct Days {
    /// The first period.
    pub from: Text,
    /// The last one.
    pub to: Option<Text>,
    /// Where both stand.
    pub span: Span,
}

/// `indicator gmv "成交总额" = sum(orders.amount) { … }`.
#[derive(Debug, Clone)]
pub struct Indicator {
    /// Its name.
    pub name: Name,
    /// For people.
    pub labels: Labels,
    /// What it computes.
    pub definition: Expr,
    /// A trailing `where` and `where` clauses; they are AND-ed.
    pub conditions: Vec<Expr>,
    /// `unit CNY`.
    pub unit: Option<Name>,
    /// `good up`.
    pub good: Option<Name>,
    /// `owner "…"`.
    pub owner: Option<Text>,
    /// `grain day by region, channel`.
    pub grain: Option<IndicatorGrain>,
    /// `fill 0`.
    pub fill: Option<Expr>,
    /// `each day` of `fill 0 each day`.
    pub fill_each: Option<Name>,
    /// `empty null`.
    pub empty: Option<Expr>,
    /// The unit of `fill 0 CNY`.
    pub fill_unit: Option<Name>,
    /// `within period average`.
    pub within: Option<Name>,
    /// `time orders.shipped_at`.
    pub time: Option<Expr>,
    /// `format '…'`, for front ends.
    pub format: Option<Text>,
    /// `bands { … }`: how its attainments are judged.
    pub bands: Option<goals::Bands>,
    /// What it computes in words of the language, where the file does not say it.
    pub written: Option<String>,
    /// Clauses whose meaning comes later (`state`, `version`, `was`, `because`).
    pub later: Vec<Name>,
}

impl Indicator {
    /// An indicator of which nothing is said but what it computes.
    pub fn defined(name: Name, labels: Labels, definition: Expr) -> Self {
        Indicator {
            name,
            labels,
            definition,
            conditions: vec![],
            unit: None,
            good: None,
            owner: None,
            grain: None,
            fill: None,
            fill_each: None,
            empty: None,
            fill_unit: None,
            within: None,
            time: None,
            format: None,
            bands: None,
            written: None,
            later: vec![],
        }
    }
}

/// `grain day by region, channel`, `grain by region`, `grain month`.
#[derive(Debug, Clone)]
pub struct IndicatorGrain {
    /// The time grain.
    pub time: Option<Name>,
    /// The dimensions.
    pub by: Vec<Path>,
    /// All of it.
    pub span: Span,
}

/// `view sales { indicators gmv, aov  dimensions region, channel }`.
#[derive(Debug, Clone)]
pub struct View {
    /// Its name.
    pub name: Name,
    /// For people.
    pub labels: Labels,
    /// Its indicators.
    pub indicators: Vec<Path>,
    /// Its dimensions.
    pub dimensions: Vec<Path>,
}

/// `funnel checkout { by visitor_id within 1 day  step view = views  step pay = orders where paid }`.
#[derive(Debug, Clone)]
pub struct Funnel {
    /// Its name.
    pub name: Name,
    /// For people.
    pub labels: Labels,
    /// The entity whose steps are followed, and how long.
    pub by: Option<FunnelBy>,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// `owner "…"`.
    pub owner: Option<Text>,
}

/// `by visitor_id within 1 day`.
#[derive(Debug, Clone)]
pub struct FunnelBy {
    /// The entity.
    pub entity: Expr,
    /// `bell_duration(1, 'days')`.
    pub within: Expr,
}

/// `step pay "支付" = orders where paid`.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its name.
    pub name: Name,
    /// For people.
    pub label: Option<Text>,
    /// Which rows are it.
    pub rows: EventRows,
}

/// `orders where paid`.
#[derive(Debug, Clone)]
pub struct EventRows {
    /// The source.
    pub source: Path,
    /// Which of its rows.
    pub conditions: Vec<Expr>,
}

/// `cohort retention { entity orders.customer_id  starts first orders  returns orders  every month for 12 }`.
#[derive(Debug, Clone)]
pub struct Cohort {
    /// Its name.
    pub name: Name,
    /// For people.
    pub labels: Labels,
    /// Who begins and comes back.
    pub entity: Option<Expr>,
    /// The rows of which the first sets the cohort.
    pub starts: Option<EventRows>,
    /// The rows of those who come back.
    pub returns: Option<EventRows>,
    /// `every month for 12`.
    pub every: Option<Every>,
    /// `owner "…"`.
    pub owner: Option<Text>,
}

/// `every month for 12`.
#[derive(Debug, Clone)]
pub struct Every {
    /// The grain.
    pub grain: Name,
    /// How many ages after the first.
    pub ages: Option<Name>,
}

/// `process approval from events(case, step, happened_at) { waits 'queued'  unit hours }`.
#[derive(Debug, Clone)]
pub struct Process {
    /// Its name.
    pub name: Name,
    /// For people.
    pub labels: Labels,
    /// The source with a row for each step of a case.
    pub source: Path,
    /// What goes through the steps; like the others by its whole path.
    pub case: Expr,
    /// Which step a row is.
    pub step: Expr,
    /// When it begins.
    pub time: Expr,
    /// When work on it ends.
    pub until: Option<Expr>,
    /// Steps in which nobody works on a case.
    pub waits: Vec<Text>,
    /// In which unit times are told.
    pub unit: Option<Name>,
    /// `owner "…"`.
    pub owner: Option<Text>,
    /// The steps as a dimension.
    pub steps: Dimension,
    /// The indicators that it declares.
    pub indicators: Vec<Indicator>,
}

/// `tree profit = revenue - cost { revenue = price * volume }`.
#[derive(Debug, Clone)]
pub struct Tree {
    /// The root and what it breaks down into, as the indicator that it is, unless one of its name is declared.
    pub root: Indicator,
    /// The same for parts that break down further.
    pub branches: Vec<Indicator>,
}

/// `use finance.cost`.
#[derive(Debug, Clone)]
pub struct Use {
    /// What it reaches for.
    pub path: Path,
}

/// An item of sections 5, 7 and 8 of the language that the engine does not answer yet.
#[derive(Debug, Clone)]
pub struct Later {
    /// `template`, `test`, …
    pub keyword: Name,
    /// Its name, where it has one.
    pub name: Option<Name>,
    /// The names that expressions could use, were it supported.
    pub declares: Vec<Name>,
    /// What it holds, as far as the grammar names it, for `explain --stage ast`.
    pub clauses: Vec<LaterClause>,
}

/// A clause of a [`Later`] item.
#[derive(Debug, Clone)]
pub struct LaterClause {
    /// The clause's grammar name, such as `target_every`.
    pub kind: String,
    /// Where.
    pub span: Span,
    /// The clauses inside it.
    pub clauses: Vec<LaterClause>,
}

/// A question as Bell writes it: `x, y by d, e where p`.
#[derive(Debug, Clone)]
pub struct Question {
    /// What is asked for.
    pub indicators: Vec<Expr>,
    /// By what.
    pub by: Vec<Path>,
    /// Under which conditions.
    pub conditions: Vec<Expr>,
}
