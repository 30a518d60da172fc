//! Keys, times and joins, by what the values show and the names suggest. Both must agree: small integers are contained
//! in every key, and equal names often mean different things.

use datafusion::dataframe::DataFrame;
use datafusion::prelude::SessionContext;

use super::candidates::Candidate;
use crate::error::Result;
use crate::store::profile::{
    ColumnProfile, Family, TableProfile, bounds, distinct_rows, profile, shared_values, shortest_text,
};
use crate::store::{self, StoreError};

/// A source and what was found about it.
pub(super) struct Table {
    /// What it was made from.
    pub candidate: Candidate,
    /// Its rows.
    pub frame: DataFrame,
    /// Its columns.
    pub profile: TableProfile,
    /// Its key; empty if none was found.
    pub key: Vec<String>,
    /// Two columns that are unique together, in too few rows to be called a key.
    pub perhaps_key: Vec<String>,
    /// Its default time axis.
    pub time: Option<Time>,
    /// To other sources.
    pub joins: Vec<FoundJoin>,
}

/// The column that says when a row happened.
#[derive(Debug, Clone)]
pub(super) enum Time {
    /// A date or a timestamp.
    Column(String),
    /// Whole numbers that count from 1970: the column, DataFusion's function and factor for it, and the unit in words.
    Epoch {
        /// The column.
        column: String,
        /// Makes a timestamp of seconds, milliseconds, ….
        function: &'static str,
        /// Before the function is applied.
        factor: u32,
        /// In words.
        unit: &'static str,
    },
}

/// A join, many to one.
#[derive(Debug, Clone)]
pub(super) struct FoundJoin {
    /// The role.
    pub name: String,
    /// The joined source.
    pub to: String,
    /// The column here.
    pub column: String,
    /// The key there.
    pub key: String,
    /// Different values here.
    pub values: u64,
    /// How many of them are there too.
    pub shared: u64,
    /// Other sources whose keys hold the column's values.
    pub also: Vec<String>,
}

impl Table {
    /// Opens and profiles a candidate; the error says which one was left out and why.
    pub async fn open(candidate: Candidate, ctx: &SessionContext) -> Result<Table, String> {
        let name = candidate.spec.name.clone();
        let failed = |reason: String| format!("{name}: {reason}");
        let provider = store::open(&candidate.spec, ctx).await.map_err(|e: StoreError| failed(e.to_string()))?;
        let frame = ctx.read_table(provider).map_err(|e| failed(e.strip_backtrace()))?;
        let profile = match profile(&frame).await {
            Ok(profile) => profile,
            Err(error) => {
                let explained = store::explain_read_error(&candidate.spec, ctx, &error).await;
                return Err(failed(explained.map_or_else(|| error.strip_backtrace(), |e| e.to_string())));
            }
        };
        let found = key_of(&name, &frame, &profile).await.map_err(|e| failed(e.strip_backtrace()))?;
        let (key, perhaps_key) = match found {
            Key::Sure(columns) => (columns, vec![]),
            Key::Perhaps(columns) => (vec![], columns),
        };
        let time = time_of(&frame, &profile, &key).await.map_err(|e| failed(e.strip_backtrace()))?;
        Ok(Table { candidate, frame, profile, key, perhaps_key, time, joins: vec![] })
    }

    /// Whether it holds moments and nothing else, as tables do that other tools need for grouping by time.
    pub fn is_time_spine(&self) -> bool {
        matches!(self.profile.columns.as_slice(), [only] if only.family() == Some(Family::Time))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.candidate.spec.name
    }

    /// Whether a column is part of the key or leads to another source.
    pub fn is_reference(&self, column: &str) -> bool {
        self.key.iter().any(|key| key == column) || self.joins.iter().any(|join| join.column == column)
    }
}

/// Words that mark a column as an identifier.
const ID_WORDS: [&str; 8] = ["id", "key", "code", "no", "number", "uuid", "guid", "sk"];

/// The words of a name, in lower case: `HostID`, `host_id` and `host-id` have two.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut after_lower = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && after_lower) {
            words.push(String::new());
        }
        if let (true, Some(word)) = (c.is_alphanumeric(), words.last_mut()) {
            word.extend(c.to_lowercase());
        }
        after_lower = c.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether a name says that its column identifies something.
pub(super) fn is_id(name: &str) -> bool {
    words(name).last().is_some_and(|word| ID_WORDS.contains(&word.as_str()))
}

/// `customers` → `customer`, `categories` → `category`; good enough for names.
pub(super) fn singular(word: &str) -> String {
    match word {
        _ if word.ends_with("ies") && word.len() > 4 => format!("{}y", &word[..word.len() - 3]),
        _ if word.ends_with("sses") || word.ends_with("xes") || word.ends_with("ches") => {
            word[..word.len() - 2].to_string()
        }
        _ if word.ends_with('s') && !word.ends_with("ss") && !word.ends_with("us") && word.len() > 3 => {
            word[..word.len() - 1].to_string()
        }
        _ => word.to_string(),
    }
}

/// The words of a source's name that say what a row is: `dim_listings_latest` is about listings.
pub(super) fn subject(source: &str) -> Vec<String> {
    const NOISE: [&str; 14] =
        ["dim", "fct", "fact", "stg", "raw", "src", "tbl", "table", "latest", "extended", "mapping", "t", "tmp", "v"];
    let all: Vec<String> = words(source).iter().map(|word| singular(word)).collect();
    let kept: Vec<String> = all.iter().filter(|word| !NOISE.contains(&word.as_str())).cloned().collect();
    if kept.is_empty() { all } else { kept }
}

/// How much a column's name looks like the key of its own table.
fn key_score(source: &str, column: &str, position: usize) -> i64 {
    let (words, subject) = (words(column), subject(source));
    let about_itself = words.iter().any(|word| subject.contains(&singular(word)));
    let mut score = -(position as i64);
    score += if is_id(column) { 100 } else { 0 };
    score += if about_itself { 60 } else { 0 };
    score += if words.len() == 1 && is_id(column) { 40 } else { 0 };
    score
}

/// Columns that may be keys, the likeliest first. Doubles are never identical twice, so they identify by accident only;
/// a moment identifies a row only together with what happened.
fn key_candidates<'a>(source: &str, profile: &'a TableProfile) -> Vec<&'a ColumnProfile> {
    let may_be = |c: &&ColumnProfile| {
        c.values == profile.rows && matches!(c.family(), Some(Family::Integer | Family::Text | Family::Time))
    };
    let mut candidates: Vec<(i64, &ColumnProfile)> = profile
        .columns
        .iter()
        .filter(may_be)
        .map(|c| (key_score(source, &c.name, profile.columns.iter().position(|o| o.name == c.name).unwrap_or(0)), c))
        .collect();
    candidates.sort_by_key(|(score, _)| -score);
    candidates.into_iter().map(|(_, column)| column).collect()
}

/// A key as far as the rows prove it; empty if there is none.
enum Key {
    Sure(Vec<String>),
    Perhaps(Vec<String>),
}

async fn key_of(source: &str, frame: &DataFrame, profile: &TableProfile) -> datafusion::error::Result<Key> {
    let candidates = key_candidates(source, profile);
    let single = candidates.iter().find(|c| c.is_unique(profile.rows) && may_be_key(source, c, profile));
    if let Some(column) = single {
        return Ok(Key::Sure(vec![column.name.clone()]));
    }
    pair(frame, profile, &candidates).await
}

/// In a table of a few rows any column is unique by accident: its name must agree, or it stands first. A moment is a key
/// only of a table of moments, which has no identifiers.
fn may_be_key(source: &str, column: &ColumnProfile, profile: &TableProfile) -> bool {
    let first = profile.columns.first().is_some_and(|first| first.name == column.name);
    let calendar = !profile.columns.iter().any(|c| is_id(&c.name) || c.family() == Some(Family::Number));
    match column.family() {
        Some(Family::Time) => first && calendar,
        _ if is_measure_name(&column.name) => false,
        _ => first || profile.rows > 1000 || key_score(source, &column.name, 0) > 0,
    }
}

/// Two identifiers, or an identifier and a time, that are unique together while each has values twice.
async fn pair(
    frame: &DataFrame,
    profile: &TableProfile,
    candidates: &[&ColumnProfile],
) -> datafusion::error::Result<Key> {
    let plausible: Vec<&&ColumnProfile> = candidates
        .iter()
        .filter(|c| (is_id(&c.name) || c.family() == Some(Family::Time)) && c.distinct > 1 && c.distinct < profile.rows)
        .take(8)
        .collect();
    for (at, first) in plausible.iter().enumerate() {
        for second in &plausible[at + 1..] {
            let times = [first, second].iter().filter(|c| c.family() == Some(Family::Time)).count();
            let combinations = first.distinct.saturating_mul(second.distinct);
            let enough = combinations >= profile.rows;
            if times < 2 && enough && distinct_rows(frame, &[&first.name, &second.name]).await? == profile.rows {
                let columns = vec![first.name.clone(), second.name.clone()];
                let telling = expected_twins(profile.rows, combinations) >= TELLING_TWINS;
                return Ok(if telling { Key::Sure(columns) } else { Key::Perhaps(columns) });
            }
        }
    }
    Ok(Key::Sure(vec![]))
}

/// So many pairs of equal rows must be due by chance before having none means something: then it is chance in one of
/// twenty tables.
const TELLING_TWINS: f64 = 3.0;

/// How many pairs of rows would be equal if each row drew one of the combinations.
fn expected_twins(rows: u64, combinations: u64) -> f64 {
    let rows = rows as f64;
    rows * (rows - 1.0) / 2.0 / combinations as f64
}

/// The most event-like date or timestamp; without any, whole numbers that are named and lie like moments.
async fn time_of(frame: &DataFrame, profile: &TableProfile, key: &[String]) -> datafusion::error::Result<Option<Time>> {
    let times = profile.columns.iter().enumerate().filter(|(_, c)| c.family() == Some(Family::Time) && c.values > 0);
    let best = times.max_by_key(|(position, column)| {
        let of_key = if key.contains(&column.name) { 20 } else { 0 };
        time_score(*position, column, profile.rows) + of_key
    });
    if let Some((_, column)) = best {
        return Ok(Some(Time::Column(column.name.clone())));
    }
    for column in profile.columns.iter().filter(|c| c.family() == Some(Family::Integer) && c.values == profile.rows) {
        if has_word(&column.name, &EPOCH_WORDS) {
            let bounds = bounds(frame, &column.name).await?;
            if let Some(time) = bounds.and_then(|bounds| epoch(&column.name, bounds)) {
                return Ok(Some(time));
            }
        }
    }
    Ok(None)
}

fn time_score(position: usize, column: &ColumnProfile, rows: u64) -> i64 {
    const ENDS: [&str; 16] = [
        "updated",
        "modified",
        "deleted",
        "valid",
        "end",
        "ended",
        "closed",
        "expires",
        "birth",
        "due",
        "to",
        "until",
        "resolved",
        "partitioned",
        "paid",
        "archived",
    ];
    const EVENTS: [&str; 12] = [
        "created",
        "ordered",
        "occurred",
        "event",
        "booked",
        "opened",
        "started",
        "timestamp",
        "ds",
        "dt",
        "happened",
        "sold",
    ];
    let mut score = 40 - position.min(30) as i64;
    score -= if has_word(&column.name, &ENDS) { 60 } else { 0 };
    score += if has_word(&column.name, &EVENTS) { 30 } else { 0 };
    score += if has_word(&column.name, &["time", "date", "day", "at", "ts"]) { 15 } else { 0 };
    score - if column.values < rows { 25 } else { 0 }
}

const EPOCH_WORDS: [&str; 10] = ["time", "timestamp", "ts", "epoch", "at", "date", "minute", "second", "ms", "unix"];

/// The unit in which numbers between the bounds are moments of 2000 to 2040, if there is one.
fn epoch(column: &str, (least, greatest): (i64, i64)) -> Option<Time> {
    const UNITS: [(&str, &str, u32, i64); 4] = [
        ("to_timestamp_seconds", "minutes", 60, 60),
        ("to_timestamp_seconds", "seconds", 1, 1),
        ("to_timestamp_millis", "milliseconds", 1, -1000),
        ("to_timestamp_micros", "microseconds", 1, -1_000_000),
    ];
    const FROM: i64 = 946_684_800;
    const TO: i64 = 2_208_988_800;
    let scaled = |second: i64, unit: i64| if unit > 0 { second / unit } else { second * -unit };
    let unit = UNITS.iter().find(|(.., unit)| least >= scaled(FROM, *unit) && greatest <= scaled(TO, *unit));
    unit.map(|(function, words, factor, _)| Time::Epoch {
        column: column.into(),
        function,
        factor: *factor,
        unit: words,
    })
}

fn has_word(name: &str, list: &[&str]) -> bool {
    words(name).iter().any(|word| list.contains(&word.as_str()))
}

/// Names of what is measured rather than told apart.
pub(super) fn is_measure_name(name: &str) -> bool {
    const MEASURES: [&str; 30] = [
        "amount", "amt", "price", "cost", "revenue", "sales", "total", "qty", "quantity", "value", "fee", "tax",
        "discount", "count", "num", "minutes", "seconds", "hours", "days", "duration", "size", "weight", "score",
        "rate", "ratio", "percent", "pct", "balance", "usd", "capacity",
    ];
    has_word(name, &MEASURES)
}

/// Finds joins between all tables.
pub(super) async fn joins(tables: &mut [Table]) -> Result<()> {
    let mut found: Vec<Vec<FoundJoin>> = Vec::new();
    for from in tables.iter() {
        let mut joins = Vec::new();
        for column in &from.profile.columns {
            let mut targets = Vec::new();
            for to in tables.iter() {
                targets.extend(join_between(from, column, to).await?.map(|join| (join, to)));
            }
            joins.extend(best_of(targets));
        }
        found.push(joins);
    }
    for (table, joins) in tables.iter_mut().zip(found) {
        table.joins = with_roles(joins, &table.profile);
    }
    Ok(())
}

/// One join a column: the table where most values are found, of equal ones the base; a second path to the same key would
/// only make questions ambiguous. The others are named in the comment.
fn best_of(mut targets: Vec<(FoundJoin, &Table)>) -> Option<FoundJoin> {
    let best = targets.iter().max_by(|(a, a_table), (b, b_table)| {
        let base = |one: &Table, other: &Table| u8::from(is_base_of(one, other));
        a.shared.cmp(&b.shared).then(base(a_table, b_table).cmp(&base(b_table, a_table)))
    });
    let name = best.map(|(join, _)| join.to.clone())?;
    let at = targets.iter().position(|(join, _)| join.to == name)?;
    let (mut join, _) = targets.swap_remove(at);
    join.also = targets.into_iter().map(|(other, _)| other.to).collect();
    Some(join)
}

async fn join_between(from: &Table, column: &ColumnProfile, to: &Table) -> Result<Option<FoundJoin>> {
    let [key] = to.key.as_slice() else { return Ok(None) };
    let Some(target) = to.profile.columns.iter().find(|c| c.name == *key) else { return Ok(None) };
    let comparable =
        matches!(column.family(), Some(Family::Integer | Family::Text)) && column.family() == target.family();
    let same_table = from.name() == to.name();
    if same_table || !comparable || column.distinct == 0 || is_measure_name(&column.name) {
        return Ok(None);
    }
    let closeness = name_closeness(&column.name, to.name(), key);
    let mirrored = from.key.as_slice() == [column.name.as_str()] && !is_base_of(to, from);
    let telling = if closeness == 0 && !mirrored { telling(from, column).await? } else { Telling::Nothing };
    if mirrored || closeness == 0 && telling == Telling::Nothing {
        return Ok(None);
    }
    let shared = shared_values(&from.frame, &column.name, &to.frame, key).await?;
    // Rows without a match are kept by a join, so a column with the key's own name may miss many; a weak name must be
    // proven by its values.
    let enough = match closeness {
        3 if from.key.as_slice() != [column.name.as_str()] => shared * 2 >= column.distinct,
        2.. => shared * 100 >= column.distinct * 95,
        0 if telling == Telling::Half => shared >= 3 && shared * 2 >= column.distinct,
        _ => shared == column.distinct && (column.distinct >= 10 || column.family() == Some(Family::Text)),
    };
    let join = FoundJoin {
        name: String::new(),
        to: to.name().to_string(),
        column: column.name.clone(),
        key: key.clone(),
        values: column.distinct,
        shared,
        also: vec![],
    };
    Ok(enough.then_some(join))
}

/// How many values must be found before they alone tell that a column leads somewhere (`host_id` in users).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Telling {
    /// They never do.
    Nothing,
    /// All of many.
    All,
    /// Half of them: they are so long that nothing else is called so.
    Half,
}

/// Values of identifying text are seldom those of something else by accident, whatever the column is called.
async fn telling(table: &Table, column: &ColumnProfile) -> Result<Telling> {
    if column.family() != Some(Family::Text) || !is_id(&column.name) {
        return Ok(Telling::Nothing);
    }
    let long = shortest_text(&table.frame, &column.name).await?.is_some_and(|length| length >= 6);
    Ok(match () {
        () if long => Telling::Half,
        () if column.distinct >= 10 => Telling::All,
        () => Telling::Nothing,
    })
}

/// Of two tables with the same key, the base is the one that is called like the key, then the one with more rows, then
/// the one with the shorter name. Only one direction is joined, or every path would be there twice.
fn is_base_of(base: &Table, other: &Table) -> bool {
    let rank = |table: &Table| {
        let key: Vec<String> = table.key.iter().flat_map(|key| stems(key)).collect();
        let of_others = !subject(table.name()).iter().all(|word| key.contains(word));
        (of_others, std::cmp::Reverse(table.profile.rows), words(table.name()).len(), table.name().to_string())
    };
    rank(base) < rank(other)
}

/// 0: no relation between the names; 1: the column mentions the source; 2: it ends like the source's key; 3: it has the
/// name of the key, or of the source and the key.
fn name_closeness(column: &str, source: &str, key: &str) -> u8 {
    let (column, key, subject) = (stems(column), stems(key), subject(source));
    let generic = key.iter().all(|word| ID_WORDS.contains(&word.as_str()));
    let of_subject = subject.iter().all(|word| column.contains(word));
    let ends_like_key = column.ends_with(&key);
    match () {
        () if !generic && column == key => 3,
        () if generic && ends_like_key && of_subject => 3,
        () if !generic && ends_like_key => 2,
        () if of_subject
            || !generic && key.iter().filter(|w| !ID_WORDS.contains(&w.as_str())).all(|w| column.contains(w)) =>
        {
            1
        }
        () => 0,
    }
}

fn stems(name: &str) -> Vec<String> {
    words(name).iter().map(|word| singular(word)).collect()
}

/// Names the joins: after the column where that says a role (`ship_city_id`), else after the source; each name once, and
/// none that is also a column.
fn with_roles(mut joins: Vec<FoundJoin>, profile: &TableProfile) -> Vec<FoundJoin> {
    let mut taken: Vec<String> = profile.columns.iter().map(|c| c.name.clone()).collect();
    for join in &mut joins {
        let mut role = stems(&join.column);
        while role.len() > 1 && role.last().is_some_and(|word| ID_WORDS.contains(&word.as_str())) {
            role.pop();
        }
        let numbered = (2..).map(|number| format!("{}_{number}", join.to));
        let mut options = [role.join("_"), join.to.clone()].into_iter().chain(numbered);
        join.name = options.find(|name| !taken.contains(name)).unwrap_or_default();
        taken.push(join.name.clone());
    }
    joins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_names() {
        assert_eq!(words("HostUserID"), ["host", "user", "id"]);
        assert_eq!(words("ship_city_id"), ["ship", "city", "id"]);
        assert_eq!(subject("dim_listings_latest"), ["listing"]);
        assert_eq!(singular("categories"), "category");
        assert_eq!(singular("status"), "status");
        assert!(is_id("customer_id") && is_id("ID") && !is_id("video"));
    }

    #[test]
    fn numbers_that_are_moments() {
        let unit = |bounds| match epoch("ts", bounds) {
            Some(Time::Epoch { unit, .. }) => unit,
            _ => "",
        };
        assert_eq!(unit((1_566_656_280, 1_570_334_520)), "seconds");
        assert_eq!(unit((26_110_938, 26_172_242)), "minutes");
        assert_eq!(unit((1_566_656_280_000, 1_570_334_520_000)), "milliseconds");
        assert_eq!(unit((1, 60)), "");
    }

    #[test]
    fn unique_by_chance() {
        // Six users on two days, each once: chance would have repeated some.
        assert!(expected_twins(12, 6 * 2) > TELLING_TWINS);
        // Eight sales of two users on eight days: nothing had to repeat.
        assert!(expected_twins(8, 2 * 8) < TELLING_TWINS);
    }

    #[test]
    fn names_that_belong_together() {
        assert_eq!(name_closeness("customer_id", "customers", "customer_id"), 3);
        assert_eq!(name_closeness("customer_id", "customers", "id"), 3);
        assert_eq!(name_closeness("ship_city_id", "cities", "city_id"), 2);
        assert_eq!(name_closeness("quantity", "customers", "id"), 0);
        assert_eq!(name_closeness("id", "customers", "id"), 0);
    }
}
