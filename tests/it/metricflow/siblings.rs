//! Requests beside the shared ones, each with its meaning as plain SQL: see `siblings.txt`.

use std::collections::BTreeMap;

use super::{Case, GroupBy, TimeConstraint, ask, compare, import, rows, shared};

/// A request, and SQL for its result.
struct Sibling {
    case: Case,
    sql: String,
}

fn siblings() -> Vec<Sibling> {
    let text = include_str!("siblings.txt");
    text.split("\n== ").skip(1).map(sibling).collect()
}

fn sibling(block: &str) -> Sibling {
    let (title, rest) = block.split_once('\n').unwrap();
    let mut case = Case {
        id: title.to_string(),
        manifest: "simple_manifest".to_string(),
        apply_group_by: true,
        ..Case::default()
    };
    let mut constraint = TimeConstraint::default();
    let mut sql = Vec::new();
    for line in rest.lines() {
        let (key, value) = line.split_once(": ").filter(|_| sql.is_empty()).unwrap_or(("", ""));
        let listed = || value.split(", ").map(str::to_string).collect::<Vec<_>>();
        match key {
            "manifest" => case.manifest = value.to_string(),
            "metrics" => case.metrics = listed(),
            "by" => case.group_bys = listed(),
            "parts" => case.group_by_objs = value.split(", ").map(part).collect(),
            "where" => case.where_filter = Some(value.to_string()),
            "from" => constraint.start = Some(value.to_string()),
            "to" => constraint.end = Some(value.to_string()),
            "order" => case.order_bys = listed(),
            "limit" => case.limit = value.parse().ok(),
            "ends" => case.min_max_only = true,
            _ => sql.push(line),
        }
    }
    if constraint.start.is_some() {
        case.time_constraint = Some(constraint);
    }
    Sibling { case, sql: sql.join("\n") }
}

/// `metric_time/dow`.
fn part(written: &str) -> GroupBy {
    let (name, part) = written.split_once('/').unwrap();
    GroupBy { name: name.to_string(), grain: None, date_part: Some(part.to_string()) }
}

#[tokio::test]
async fn siblings_of_the_shared_cases_are_answered() {
    let Some(folder) = shared() else { return };
    let mut imported = BTreeMap::new();
    let mut wrong = Vec::new();
    for Sibling { case, sql } in siblings() {
        if !imported.contains_key(&case.manifest) {
            imported.insert(case.manifest.clone(), import(&folder, &case.manifest).await.unwrap());
        }
        let imported = &imported[&case.manifest];
        let told = |problem: String| format!("{}: {problem}", case.id);
        let answer = match ask::plan(imported, &case).await {
            Ok((frame, columns)) => rows::of(frame, columns).await,
            Err(why) => Err(why),
        };
        let expected = imported.engine.sql(&sql).await.unwrap_or_else(|error| panic!("{}: {error}", case.id));
        let columns = expected.schema().columns().into_iter().map(|column| column.name).collect();
        let expected = rows::of(expected, columns).await.unwrap();
        match answer {
            Ok(answer) => wrong.extend(compare::difference(&compare::Expected::of(&expected), &answer).map(told)),
            Err(why) => wrong.push(told(why)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
