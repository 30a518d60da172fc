//! `bell advise` from outside: what it proposes passes `bell check`, and answers what it says, with the same numbers.

use std::path::Path;

use serde_json::Value;

use super::runs::{bell, sql, write};

const MODEL: &str = "
source regions { from csv 'regions.csv'  key id }
source o { from csv 'o.csv'  key id  time at_time  join regions on region = regions.id  columns { x decimal(10, 2)  weight double } }
source v { from csv 'v.csv'  key id  time at_time }
dimension region  = o.regions.name
dimension channel = o.channel, v.channel
indicator sales   = sum(o.x)
indicator orders  = count(*) of o
indicator buyers  = count(distinct o.buyer)
indicator basket  = sales / orders
indicator online  = sales filter (where channel = 'web')
indicator visits  = count(*) of v
indicator rate    = orders / visits
indicator middle  = median(o.x)
indicator load    = sum(o.weight)
indicator growth  = sales / sales at (shift 1 month) - 1
indicator month_to_date = sales at (to date month)
indicator best_day = max(sales per day)
";

/// Questions that rollups can answer: each key, condition, range and context that decides about the cells.
const SERVED: [&str; 12] = [
    "SELECT region, sales, orders FROM indicators GROUP BY region",
    "SELECT metric_time__month, sales, buyers FROM indicators GROUP BY 1",
    "SELECT metric_time__week, channel, sales FROM indicators GROUP BY 1, 2",
    "SELECT channel, basket, online FROM indicators WHERE region = 'east' GROUP BY channel",
    "SELECT channel, rate FROM indicators GROUP BY channel",
    "SELECT metric_time__month, growth FROM indicators GROUP BY 1",
    "SELECT metric_time__day, month_to_date FROM indicators GROUP BY 1",
    "SELECT region, best_day FROM indicators GROUP BY region",
    "SELECT region, MEASURE(sales) FILTER (WHERE channel = 'web') AS web FROM indicators GROUP BY region",
    "SELECT region, channel, MEASURE(sales) AS sales FROM indicators GROUP BY ROLLUP (region, channel)",
    "SELECT MEASURE(sales) AS sales FROM indicators WHERE metric_time >= '2026-02-10' AND metric_time < '2026-03-05'",
    "SELECT region, sales, visits FROM (SELECT region, channel, sales FROM indicators GROUP BY region, channel) a \
     JOIN (SELECT channel AS c, visits FROM indicators GROUP BY channel) b ON c = a.channel",
];

fn project(model: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "model.bell", model);
    write(folder.path(), "regions.csv", "id,name\n1,east\n2,west\n");
    let (mut orders, mut visits) =
        ("id,buyer,region,channel,x,weight,at_time\n".to_string(), "id,channel,at_time\n".to_string());
    for at in 0..6000 {
        let (region, channel) = (["1", "2", ""][at % 3], ["web", "app", "", "store"][at % 7 % 4]);
        let (month, day) = (at % 4 + 1, at * 5 % 28 + 1);
        let (buyer, x) = (at % 23, at * 37 % 1000);
        orders +=
            &format!("{at},b{buyer},{region},{channel},{x}.25,0.1,2026-{month:02}-{day:02}T{:02}:00:00\n", at % 24);
        visits += &format!("{at},{channel},2026-{month:02}-{day:02}T00:00:00\n");
    }
    write(folder.path(), "o.csv", &orders);
    write(folder.path(), "v.csv", &visits);
    folder
}

fn log_of(questions: &[&str]) -> String {
    questions.iter().map(|question| serde_json::json!({ "sql": question }).to_string() + "\n").collect()
}

fn advice(folder: &Path, arguments: &[&str]) -> Value {
    let output = bell(folder, &[&["advise", "log.jsonl", "--format", "json"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn sorted(rows: &str) -> Vec<&str> {
    let mut rows: Vec<&str> = rows.lines().collect();
    rows.sort_unstable();
    rows
}

#[test]
fn what_is_proposed_answers_with_the_same_numbers() {
    let folder = project(MODEL);
    let folder = folder.path();
    write(folder, "log.jsonl", &log_of(&SERVED));
    let output = bell(folder, &["advise", "log.jsonl", "--max", "3"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("12 of 12 (100 %) with these"), "{text}");
    let before: Vec<String> = SERVED.iter().map(|question| sql(folder, question)).collect();
    write(folder, "advised.bell", &text);
    let checked = bell(folder, &["check"]);
    assert!(checked.status.success(), "{text}\n{}", String::from_utf8_lossy(&checked.stderr));
    assert!(bell(folder, &["run"]).status.success());
    for (question, before) in SERVED.iter().zip(&before) {
        assert_eq!(sorted(&sql(folder, question)), sorted(before), "{question}");
        let explained = bell(folder, &["explain", question]);
        let explained = String::from_utf8_lossy(&explained.stdout).into_owned();
        let scans: Vec<&str> = explained.lines().filter(|line| line.contains("TableScan: ")).collect();
        assert!(!scans.is_empty() && scans.iter().all(|scan| scan.contains("TableScan: rollup ")), "{explained}");
    }
    // Now there is nothing left to propose.
    let after = advice(folder, &[]);
    assert_eq!((&after["served_now"], &after["rollups"]), (&12.into(), &serde_json::json!([])), "{after:#}");
}

#[test]
fn what_no_rollup_answers_is_told_with_the_reason() {
    let folder = project(&format!(
        "{MODEL}policy east on o to role east where regions.name = 'east'\npolicy everything on o to role all where true\n"
    ));
    let folder = folder.path();
    let asked =
        |text: &str, roles: Value| serde_json::json!({ "event": "asked", "text": text, "roles": roles }).to_string();
    let lines = [
        log_of(&["SELECT region, middle FROM indicators GROUP BY region"]),
        log_of(&["SELECT region, load FROM indicators GROUP BY region"]),
        asked("SELECT channel, sales FROM indicators GROUP BY channel", serde_json::json!(["east"])) + "\n",
        asked("status(indicator => 'sales')", Value::Null) + "\n",
        log_of(&["SELECT channel, visits FROM indicators GROUP BY channel"]),
        log_of(&["SELECT region, visits FROM indicators GROUP BY region"]),
        "cut off\n".to_string(),
        log_of(&["SELECT DISTINCT region FROM indicators"]),
    ];
    write(folder, "log.jsonl", &lines.concat());
    let advice = advice(folder, &[]);
    let reasons: Vec<(u64, String)> = advice["not_served"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["lines"][0]["line"].as_u64().unwrap(), it["reasons"].to_string()))
        .collect();
    let of = |line: u64| reasons.iter().find(|(at, _)| *at == line).map_or("", |(_, reasons)| reasons.as_str());
    assert!(of(1).contains("`middle`: `median(o.x)` needs the rows themselves"), "{reasons:#?}");
    assert!(of(2).contains("floating-point"), "{reasons:#?}");
    assert!(of(3).contains("a policy narrows"), "{reasons:#?}");
    assert!(of(4).contains("`status` is an analysis"), "{reasons:#?}");
    assert_eq!(reasons.len(), 4, "{reasons:#?}");
    // One rollup, for the question that it answers.
    assert_eq!(advice["rollups"][0]["name"], "by_channel", "{advice:#}");
    let unread: Vec<u64> = advice["unread"].as_array().unwrap().iter().map(|it| it["line"].as_u64().unwrap()).collect();
    assert_eq!(unread, [6, 7], "{advice:#}");
    assert_eq!(advice["without_indicators"], 1);
    assert_eq!((&advice["questions"], &advice["served_proposed"]), (&5.into(), &1.into()));
}

#[test]
fn declared_rollups_and_bounds_are_heeded() {
    let declared = "rollup daily { indicators sales, orders, buyers, basket, online, growth, month_to_date, best_day\n  \
                    by day, region, channel  to 'rollups/daily/' }\n";
    let folder = project(&format!("{MODEL}{declared}"));
    let folder = folder.path();
    write(folder, "log.jsonl", &log_of(&SERVED));
    // It was never computed: what it would answer is not proposed again for its own sake.
    let found = advice(folder, &["--max", "1"]);
    assert_eq!((&found["served_now"], &found["served_declared"]), (&0.into(), &10.into()), "{found:#}");
    let all = advice(folder, &[]);
    assert_eq!(all["served_proposed"], 12, "{all:#}");
    // A budget bounds all of them together.
    let few = advice(folder, &["--budget", "2KB"]);
    let bytes: u64 = few["rollups"].as_array().unwrap().iter().map(|it| it["bytes"].as_u64().unwrap()).sum();
    assert!(bytes <= 2000, "{few:#}");
    let none = advice(folder, &["--max", "0"]);
    assert_eq!(none["rollups"], serde_json::json!([]));
    assert!(none["not_served"].as_array().unwrap().iter().all(|it| !it["reasons"][0].as_str().unwrap().is_empty()));
}

#[test]
fn cells_and_bytes_are_those_that_are_stored() {
    let folder = project(MODEL);
    let folder = folder.path();
    write(
        folder,
        "log.jsonl",
        &log_of(&["SELECT metric_time__day, region, channel, sales FROM indicators GROUP BY 1, 2, 3"]),
    );
    let advice = advice(folder, &[]);
    let proposal = &advice["rollups"][0];
    write(folder, "advised.bell", proposal["text"].as_str().unwrap());
    assert!(bell(folder, &["run"]).status.success());
    let cells = sql(folder, "SELECT cells FROM bell.rollups").lines().nth(1).unwrap().parse::<f64>().unwrap();
    let estimated = proposal["cells"].as_f64().unwrap();
    // The sketch errs by some per cent.
    assert!((estimated - cells).abs() <= 0.05 * cells, "{estimated} for {cells}");
}
