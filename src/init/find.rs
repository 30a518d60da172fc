//! Keys, times and joins, by what the values show and the names suggest. Both must agree: small integers are contained
//! in every key, and equal names often mean different things.

use datafusion::dataframe::DataFrame;
use datafusion::prelude::SessionContext;

use super::candidates::Candidate;
use crate::error::Result;
use crate::store::profile::{ColumnProfile, Family, TableProfile, distinct_rows, profile, shared_values};
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
    /// Its default time axis.
    pub time: Option<String>,
    /// To other sources.
    pub joins: Vec<FoundJoin>,
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
        let key = key_of(&name, &frame, &profile).await.map_err(|e| failed(e.strip_backtrace()))?;
        let time = time_of(&profile);
        Ok(Table { candidate, frame, profile, key, time, joins: vec![] })
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

async fn key_of(source: &str, frame: &DataFrame, profile: &TableProfile) -> datafusion::error::Result<Vec<String>> {
    let candidates = key_candidates(source, profile);
    let is_first = |c: &ColumnProfile| profile.columns.first().is_some_and(|first| first.name == c.name);
    // In a table of a few rows any column is unique by accident: its name must agree, or it stands first.
    let single = candidates.iter().find(|c| {
        let named = is_id(&c.name) || is_first(c) || key_score(source, &c.name, 0) > 0;
        c.is_unique(profile.rows)
            && (named || profile.rows > 1000 && c.family() != Some(Family::Time))
            && !is_measure_name(&c.name)
    });
    if let Some(column) = single {
        return Ok(vec![column.name.clone()]);
    }
    if profile.rows < 2 {
        return Ok(vec![]);
    }
    pair(frame, profile, &candidates).await
}

/// Two identifiers, or an identifier and a time, that are unique together.
async fn pair(
    frame: &DataFrame,
    profile: &TableProfile,
    candidates: &[&ColumnProfile],
) -> datafusion::error::Result<Vec<String>> {
    let plausible: Vec<&&ColumnProfile> = candidates
        .iter()
        .filter(|c| (is_id(&c.name) || c.family() == Some(Family::Time)) && c.distinct > 1)
        .take(8)
        .collect();
    for (at, first) in plausible.iter().enumerate() {
        for second in &plausible[at + 1..] {
            let times = [first, second].iter().filter(|c| c.family() == Some(Family::Time)).count();
            let enough = first.distinct.saturating_mul(second.distinct) >= profile.rows;
            if times < 2 && enough && distinct_rows(frame, &[&first.name, &second.name]).await? == profile.rows {
                return Ok(vec![first.name.clone(), second.name.clone()]);
            }
        }
    }
    Ok(vec![])
}

/// The column that says when a row happened.
fn time_of(profile: &TableProfile) -> Option<String> {
    let score = |position: usize, column: &ColumnProfile| {
        let words = words(&column.name);
        let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
        let mut score = 40 - position.min(30) as i64;
        score += if has(&[
            "updated", "modified", "deleted", "valid", "end", "ended", "closed", "expires", "birth", "due", "to",
            "until", "resolved",
        ]) {
            -60
        } else {
            0
        };
        score += if has(&[
            "created",
            "ordered",
            "occurred",
            "event",
            "booked",
            "opened",
            "started",
            "timestamp",
            "ds",
            "at",
        ]) {
            30
        } else {
            0
        };
        score += if has(&["time", "date", "day", "dt"]) { 15 } else { 0 };
        score - if column.values < profile.rows { 25 } else { 0 }
    };
    let times = profile.columns.iter().enumerate().filter(|(_, c)| c.family() == Some(Family::Time) && c.values > 0);
    times.max_by_key(|(position, column)| score(*position, column)).map(|(_, column)| column.name.clone())
}

/// Names of what is measured rather than told apart.
pub(super) fn is_measure_name(name: &str) -> bool {
    const MEASURES: [&str; 30] = [
        "amount", "amt", "price", "cost", "revenue", "sales", "total", "qty", "quantity", "value", "fee", "tax",
        "discount", "count", "num", "minutes", "seconds", "hours", "days", "duration", "size", "weight", "score",
        "rate", "ratio", "percent", "pct", "balance", "usd", "capacity",
    ];
    words(name).iter().any(|word| MEASURES.contains(&word.as_str()))
}

/// Finds joins between all tables.
pub(super) async fn joins(tables: &mut [Table]) -> Result<()> {
    let mut found: Vec<Vec<FoundJoin>> = Vec::new();
    for from in tables.iter() {
        let mut joins = Vec::new();
        for column in &from.profile.columns {
            for to in tables.iter() {
                joins.extend(join_between(from, column, to).await?);
            }
        }
        found.push(joins);
    }
    for (table, joins) in tables.iter_mut().zip(found) {
        table.joins = with_roles(joins, &table.profile);
    }
    Ok(())
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
    if closeness == 0 || mirrored {
        return Ok(None);
    }
    let shared = shared_values(&from.frame, &column.name, &to.frame, key).await?;
    // A strong name may miss a few values (late or lost rows); a weak one must be proven by many.
    let enough = match closeness {
        2.. => shared * 100 >= column.distinct * 95,
        _ => shared == column.distinct && (column.distinct >= 10 || column.family() == Some(Family::Text)),
    };
    let join = FoundJoin {
        name: String::new(),
        to: to.name().to_string(),
        column: column.name.clone(),
        key: key.clone(),
        values: column.distinct,
        shared,
    };
    Ok(enough.then_some(join))
}

/// Of two tables with the same key, the one with more rows, then with fewer words in its name, is the base: one
/// direction only, or every path would be there twice.
fn is_base_of(base: &Table, other: &Table) -> bool {
    let rank =
        |table: &Table| (std::cmp::Reverse(table.profile.rows), words(table.name()).len(), table.name().to_string());
    rank(base) < rank(other)
}

/// 0: no relation between the names; 1: the column mentions the source; 2: it is named like the source's key.
fn name_closeness(column: &str, source: &str, key: &str) -> u8 {
    let (column, key, subject) = (stems(column), stems(key), subject(source));
    let generic = key.iter().all(|word| ID_WORDS.contains(&word.as_str()));
    let of_subject = subject.iter().all(|word| column.contains(word));
    let ends_like_key = column.ends_with(&key);
    match () {
        () if !generic && column == key => 2,
        () if generic && ends_like_key && of_subject => 2,
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
    for at in 0..joins.len() {
        let mut role = stems(&joins[at].column);
        while role.len() > 1 && role.last().is_some_and(|word| ID_WORDS.contains(&word.as_str())) {
            role.pop();
        }
        let rivals = joins.iter().filter(|other| other.column == joins[at].column).count();
        let role = role.join("_");
        let source = joins[at].to.clone();
        let options = if rivals == 1 { vec![role, source.clone()] } else { vec![source.clone(), role] };
        let numbered = (2..).map(|number| format!("{source}_{number}"));
        let name = options.into_iter().chain(numbered).find(|name| !taken.contains(name)).unwrap_or(source);
        taken.push(name.clone());
        joins[at].name = name;
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
    fn names_that_belong_together() {
        assert_eq!(name_closeness("customer_id", "customers", "customer_id"), 2);
        assert_eq!(name_closeness("customer_id", "customers", "id"), 2);
        assert_eq!(name_closeness("ship_city_id", "cities", "city_id"), 2);
        assert_eq!(name_closeness("quantity", "customers", "id"), 0);
        assert_eq!(name_closeness("id", "customers", "id"), 0);
    }
}
