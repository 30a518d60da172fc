//! A request in MetricFlow's words as a question to the engine.

use bellwether::import::metricflow::{Name, fineness};
use bellwether::{Error, Request};
use chrono::{Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};
use datafusion::logical_expr::Expr;
use datafusion::prelude::DataFrame;

use super::{Case, GroupBy, Imported, TimeConstraint};

/// A request with its names understood.
struct Question {
    metrics: Vec<String>,
    keys: Vec<Name>,
    conditions: Vec<String>,
    /// Columns of the result, and whether the greatest come first.
    order: Vec<(String, bool)>,
    limit: Option<usize>,
}

/// The plan of a case, and the names of its columns.
pub async fn plan(imported: &Imported, case: &Case) -> Result<(DataFrame, Vec<String>), String> {
    let question = understood(imported, case)?;
    let columns: Vec<String> =
        question.keys.iter().map(|key| key.column.clone()).chain(question.metrics.iter().cloned()).collect();
    let plain = question.keys.iter().all(|key| key.bell.trim_matches('"') == key.plain);
    if !question.metrics.is_empty() && plain && !case.min_max_only {
        let frame = imported.engine.query(&request(&question)).await.map_err(told)?;
        return Ok((frame, columns));
    }
    // Plain SQL has no `per` in conditions: the values are those where some metric over their rows has one.
    if question.metrics.is_empty() && plain && question.conditions.iter().any(|condition| condition.contains(" per ")) {
        let metric = imported.semantics.metric_over(&question.keys).ok_or("no metric is over the rows of these")?;
        let asked = Request { indicators: vec![metric.to_string()], ..request(&question) };
        let frame = imported.engine.query(&asked).await.map_err(told)?;
        let keys: Vec<_> = frame.schema().columns().into_iter().take(columns.len()).map(Expr::Column).collect();
        return Ok((frame.select(keys).map_err(|error| error.to_string())?, columns));
    }
    let sql = sql(imported, &question, case)?;
    let frame = imported.engine.sql(&sql).await.map_err(|error| format!("{} in {sql}", told(error)))?;
    let columns = match case.min_max_only {
        true => columns.iter().flat_map(|column| [format!("{column}__min"), format!("{column}__max")]).collect(),
        false => columns,
    };
    Ok((frame, columns))
}

fn told(error: Error) -> String {
    error.to_string().replace('\n', " ")
}

fn understood(imported: &Imported, case: &Case) -> Result<Question, String> {
    let semantics = &imported.semantics;
    let saved = match &case.saved_query_name {
        None => None,
        Some(name) => {
            let found = semantics.manifest.saved_queries.iter().find(|query| query.name == *name);
            Some(&found.ok_or(format!("there is no saved query `{name}`"))?.query_params)
        }
    };
    let mut metrics: Vec<String> = saved.map(|saved| saved.metrics.clone()).unwrap_or_default();
    metrics.extend(case.metrics.iter().cloned());
    let mut keys = Vec::new();
    for written in saved.iter().flat_map(|saved| &saved.group_by).chain(&case.group_bys) {
        keys.push(semantics.grouped(&metrics, written)?);
    }
    for GroupBy { name, grain, date_part } in &case.group_by_objs {
        keys.push(semantics.name_of(&metrics, name, grain.as_deref(), date_part.as_deref())?);
    }
    let mut conditions = Vec::new();
    for filter in saved.iter().flat_map(|saved| &saved.conditions).chain(&case.where_filter) {
        conditions.push(semantics.condition(&metrics, filter)?);
    }
    if let Some(constraint) = &case.time_constraint {
        conditions.push(range(imported, &metrics, &keys, constraint)?);
    }
    let written = if case.order_bys.is_empty() {
        saved.map_or(&case.order_bys, |saved| &saved.order_by)
    } else {
        &case.order_bys
    };
    let order = written.iter().map(|written| {
        let (written, minus) = written.strip_prefix('-').map_or((written.as_str(), false), |rest| (rest, true));
        semantics.ordered(&metrics, written).map(|(name, descending)| (name, descending || minus))
    });
    let order = order.collect::<Result<_, String>>()?;
    let limit = case.limit.or(saved.and_then(|saved| saved.limit));
    Ok(Question { metrics, keys, conditions, order, limit })
}

fn request(question: &Question) -> Request {
    let named = |column: &String| {
        let key = question.keys.iter().find(|key| key.column == *column);
        key.map_or(column.clone(), |key| key.bell.clone())
    };
    Request {
        indicators: question.metrics.clone(),
        by: question.keys.iter().map(|key| key.bell.clone()).collect(),
        conditions: question.conditions.clone(),
        order: question
            .order
            .iter()
            .map(|(column, descending)| format!("{}{}", if *descending { "-" } else { "" }, named(column)))
            .collect(),
        limit: question.limit,
        ..Request::default()
    }
}

fn sql(imported: &Imported, question: &Question, case: &Case) -> Result<String, String> {
    let mut sql = if question.metrics.is_empty() {
        values(imported, question, case.apply_group_by)?
    } else {
        let keys: Vec<&str> = question.keys.iter().map(|key| key.bell.as_str()).collect();
        let shown = question.keys.iter().map(|key| format!("{} AS \"{}\"", key.bell, key.column));
        let metrics = question.metrics.iter().map(|metric| format!("MEASURE(\"{metric}\") AS \"{metric}\""));
        let mut sql = format!("SELECT {} FROM indicators", shown.chain(metrics).collect::<Vec<_>>().join(", "));
        sql.push_str(&restricted(&question.conditions));
        if !keys.is_empty() {
            sql.push_str(&format!(" GROUP BY {}", keys.join(", ")));
        }
        sql
    };
    if case.min_max_only {
        let ends = question.keys.iter().map(|key| format!("min(\"{0}\"), max(\"{0}\")", key.column));
        sql = format!("SELECT {} FROM ({sql})", ends.collect::<Vec<_>>().join(", "));
    }
    if !question.order.is_empty() {
        let by = question
            .order
            .iter()
            .map(|(column, descending)| format!("\"{column}\"{}", if *descending { " DESC NULLS LAST" } else { "" }));
        sql.push_str(&format!(" ORDER BY {}", by.collect::<Vec<_>>().join(", ")));
    }
    if let Some(limit) = question.limit {
        sql.push_str(&format!(" LIMIT {limit}"));
    }
    Ok(sql)
}

fn restricted(conditions: &[String]) -> String {
    match conditions {
        [] => String::new(),
        several => format!(" WHERE {}", several.iter().map(|c| format!("({c})")).collect::<Vec<_>>().join(" AND ")),
    }
}

/// The values of dimensions. `metric_time` is then the time spine, which goes with everything.
fn values(imported: &Imported, question: &Question, distinct: bool) -> Result<String, String> {
    let (times, others): (Vec<&Name>, Vec<&Name>) = question.keys.iter().partition(|key| key.metric_time);
    let (of_time, of_others): (Vec<&String>, Vec<&String>) =
        question.conditions.iter().partition(|condition| condition.contains("metric_time"));
    let word = if distinct { "DISTINCT " } else { "" };
    let part = |keys: &[&Name], conditions: &[&String], rename: &dyn Fn(&str) -> String| {
        let shown = keys.iter().map(|key| format!("{} AS \"{}\"", rename(&key.bell), key.column));
        let conditions: Vec<String> = conditions.iter().map(|condition| rename(condition)).collect();
        let shown = shown.collect::<Vec<_>>().join(", ");
        format!("SELECT {word}{shown} FROM indicators{}", restricted(&conditions))
    };
    let mut parts = Vec::new();
    if !others.is_empty() {
        parts.push(part(&others, &of_others, &str::to_string));
    }
    if !times.is_empty() {
        let finest = times.iter().filter_map(|key| key.grain.as_deref()).min_by_key(|grain| fineness(grain));
        let (source, column) = imported.semantics.spine(finest.unwrap_or("day")).ok_or("there is no time spine")?;
        let name = format!("{source}__{column}");
        parts.push(part(&times, &of_time, &|text| text.replace("metric_time", &name)));
    }
    Ok(match parts.as_slice() {
        [one] => one.clone(),
        [others, times] => {
            let columns = question.keys.iter().map(|key| format!("\"{}\"", key.column));
            format!("SELECT {} FROM ({others}) CROSS JOIN ({times})", columns.collect::<Vec<_>>().join(", "))
        }
        _ => return Err("it asks for nothing".to_string()),
    })
}

/// A time constraint covers whole periods of the coarsest grain that is asked for.
fn range(
    imported: &Imported,
    metrics: &[String],
    keys: &[Name],
    constraint: &TimeConstraint,
) -> Result<String, String> {
    let asked = keys.iter().filter(|key| key.metric_time).filter_map(|key| key.grain.clone());
    let own = metrics.iter().flat_map(|metric| imported.semantics.grains_of(metric));
    let standard = |grain: &String| fineness(grain) <= fineness("year");
    let grain = asked.chain(own).filter(standard).max_by_key(|grain| fineness(grain));
    let grain = grain.unwrap_or("day".to_string());
    let mut parts = Vec::new();
    if let Some(start) = &constraint.start {
        let start = floor(instant(start)?, &grain);
        parts.push(format!("metric_time >= timestamp '{start}'"));
        // An earlier value of a cumulative metric is there only where that metric's own day is in the constraint.
        if let [metric] = metrics {
            for offset in imported.semantics.offsets_of_cumulative(metric) {
                let begin = offset.offset_window.and_then(|window| longer(start, window.count, &window.granularity));
                parts.extend(begin.map(|begin| format!("metric_time >= timestamp '{begin}'")));
                let floors = offset.offset_to_grain;
                parts.extend(floors.map(|grain| format!("metric_time__{grain} >= timestamp '{start}'")));
            }
        }
    }
    if let Some(end) = &constraint.end {
        parts.push(format!("metric_time < timestamp '{}'", after(floor(instant(end)?, &grain), &grain)));
    }
    Ok(parts.join(" and "))
}

fn instant(text: &str) -> Result<NaiveDateTime, String> {
    let text = text.replace('T', " ");
    let date = NaiveDate::parse_from_str(&text, "%Y-%m-%d").map(|date| date.and_time(NaiveTime::MIN));
    date.or_else(|_| NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f"))
        .map_err(|error| format!("{text}: {error}"))
}

fn floor(at: NaiveDateTime, grain: &str) -> NaiveDateTime {
    let date = at.date();
    let first = |months: u32| {
        let month = date.month0() / months * months + 1;
        NaiveDate::from_ymd_opt(date.year(), month, 1).unwrap_or(date).and_time(NaiveTime::MIN)
    };
    let of_day = |keep: u32| {
        let seconds = at.num_seconds_from_midnight() / keep * keep;
        date.and_time(NaiveTime::MIN) + TimeDelta::seconds(seconds.into())
    };
    match grain {
        "year" => first(12),
        "quarter" => first(3),
        "month" => first(1),
        "week" => (date - Days::new(date.weekday().num_days_from_monday().into())).and_time(NaiveTime::MIN),
        "day" => date.and_time(NaiveTime::MIN),
        "hour" => of_day(3600),
        "minute" => of_day(60),
        "second" => of_day(1),
        _ => at,
    }
}

/// That much later; `None` for grains of a calendar.
fn longer(at: NaiveDateTime, count: i64, grain: &str) -> Option<NaiveDateTime> {
    let months = |each: i64| at.checked_add_months(Months::new(u32::try_from(count * each).ok()?));
    match grain {
        "year" => months(12),
        "quarter" => months(3),
        "month" => months(1),
        grain if fineness(grain) > fineness("year") => None,
        grain => Some(at + (after(at, grain) - at) * i32::try_from(count).ok()?),
    }
}

fn after(at: NaiveDateTime, grain: &str) -> NaiveDateTime {
    match grain {
        "year" => at + Months::new(12),
        "quarter" => at + Months::new(3),
        "month" => at + Months::new(1),
        "week" => at + TimeDelta::weeks(1),
        "day" => at + TimeDelta::days(1),
        "hour" => at + TimeDelta::hours(1),
        "minute" => at + TimeDelta::minutes(1),
        "second" => at + TimeDelta::seconds(1),
        "millisecond" => at + TimeDelta::milliseconds(1),
        "microsecond" => at + TimeDelta::microseconds(1),
        _ => at + TimeDelta::nanoseconds(1),
    }
}
