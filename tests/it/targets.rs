//! Targets, attainments and statuses against hand-written SQL on the same rows, drawn at random.

use std::fmt::Write;
use std::path::Path;

use bellwether::Engine;
use datafusion::arrow::util::pretty::pretty_format_batches;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

const MODEL: &str = "
package shop
source o { from csv 'o.csv'  key id  time day }
source plan { from csv 'plan.csv'  time month }
dimension region  = o.region, plan.region
dimension channel = o.channel
indicator amount = sum(o.x) { good up  owner 'a@example.com' }
indicator n      = count(*) of o { good up  owner 'a@example.com' }
indicator wait   = avg(o.wait) { good down  owner 'a@example.com' }
indicator level  = avg(o.x) { owner 'a@example.com' }
bands { green at 100%  amber at 80% }
target amount { at least 900  every month from 2024-02 to 2025-11  split region { 'a' 50%, 'b' 30%, 'c' 20% } }
target n      { at least 100  every quarter }
target wait   { at most 40  attainment target / value  every month  for each region  sample 5 of n }
target level  { between 45 and 55  tolerance 10  every year }
indicator held  = sum(o.x) { owner 'a@example.com' }
indicator aov   = amount / n { owner 'a@example.com' }
indicator large = sum(o.x) where o.x > 60 { owner 'a@example.com' }
target held     { at least 450  every month  for each region  bands { green at 100%  hold 2 of 3 } }
target aov      { at least 30  every month }
target large    { at least 300  every month  for each region, channel  sample 7 of n }
target region_plan { of n by region, month from plan  value amount }
";

/// A question, and the same by hand over the source's own rows.
const PAIRS: &[(&str, &str)] = &[
    (
        "SELECT metric_time__month, region, TARGET(amount), ATTAINMENT(amount), STATUS(amount) FROM shop.indicators
         GROUP BY metric_time__month, region",
        "SELECT m, region, t, x / t, CASE WHEN t IS NULL THEN NULL WHEN x / t >= 1 THEN 'green' WHEN x / t >= 0.8 THEN 'amber' ELSE 'red' END
         FROM (SELECT m, region, x, CASE WHEN m BETWEEN '2024-02-01' AND '2025-11-01'
                 THEN 900 * CASE region WHEN 'a' THEN 0.5E0 WHEN 'b' THEN 0.3E0 WHEN 'c' THEN 0.2E0 END END AS t
               FROM (SELECT CAST(date_trunc('month', day) AS date) AS m, region, CAST(sum(x) AS double) AS x
                     FROM shop.o GROUP BY 1, 2))",
    ),
    (
        "SELECT metric_time__quarter, TARGET(amount), ATTAINMENT(amount), TARGET(n), STATUS(n) FROM shop.indicators
         GROUP BY metric_time__quarter",
        "SELECT q, t, x / t, 100E0, CASE WHEN n >= 100 THEN 'green' WHEN n >= 80 THEN 'amber' ELSE 'red' END
         FROM (SELECT CAST(date_trunc('quarter', day) AS date) AS q, CAST(sum(x) AS double) AS x, count(*) AS n,
                 CASE WHEN date_trunc('quarter', day) BETWEEN '2024-04-01' AND '2025-07-01' THEN 2700E0 END AS t
               FROM shop.o GROUP BY date_trunc('quarter', day))",
    ),
    (
        "SELECT metric_time__month, region, channel, ATTAINMENT(large), STATUS(large) FROM shop.indicators
         GROUP BY metric_time__month, region, channel",
        "SELECT m, region, channel, x / 300E0, CASE WHEN n < 7 THEN 'grey' WHEN x >= 300 THEN 'green' WHEN x >= 240 THEN 'amber' ELSE 'red' END
         FROM (SELECT CAST(date_trunc('month', day) AS date) AS m, region, channel, sum(x) FILTER (WHERE x > 60) AS x, count(*) AS n
               FROM shop.o GROUP BY 1, 2, 3) WHERE x IS NOT NULL",
    ),
    (
        "SELECT metric_time__month, region, TARGET(wait), ATTAINMENT(wait), STATUS(wait) FROM shop.indicators
         GROUP BY metric_time__month, region",
        "SELECT m, region, CAST(40 AS double), 40 / w,
                CASE WHEN n < 5 THEN 'grey' WHEN 40 / w >= 1 THEN 'green' WHEN 40 / w >= 0.8 THEN 'amber' ELSE 'red' END
         FROM (SELECT CAST(date_trunc('month', day) AS date) AS m, region, avg(CAST(wait AS double)) AS w, count(*) AS n
               FROM shop.o GROUP BY 1, 2)",
    ),
    (
        "SELECT metric_time__year, ATTAINMENT(level) FROM shop.indicators GROUP BY metric_time__year",
        "SELECT CAST(date_trunc('year', day) AS date),
                CASE WHEN avg(x) BETWEEN 45 AND 55 THEN 1E0
                     ELSE greatest(0E0, 1 - greatest(45 - avg(x), avg(x) - 55) / 10) END
         FROM shop.o GROUP BY 1",
    ),
    (
        "SELECT region, TARGET(amount), ATTAINMENT(amount) FROM shop.indicators
         WHERE metric_time >= '2025-01-01' AND metric_time < '2025-03-01' AND region IN ('a', 'b') GROUP BY region",
        "SELECT region, 2 * t, sum(x) / (2 * t) FROM (SELECT region, x, day, CASE region WHEN 'a' THEN 450E0 ELSE 270E0 END AS t FROM shop.o)
         WHERE day >= '2025-01-01' AND day < '2025-03-01' AND region IN ('a', 'b') GROUP BY region, t",
    ),
    (
        "SELECT metric_time__month, TARGET(amount) FROM shop.indicators WHERE channel = 'web' GROUP BY metric_time__month",
        "SELECT DISTINCT CAST(date_trunc('month', day) AS date), CAST(NULL AS double) FROM shop.o WHERE channel = 'web'",
    ),
    (
        "SELECT metric_time__month, region, TARGET(n), ATTAINMENT(n) FROM shop.indicators
         WHERE metric_time__year = '2025-01-01' AND region = 'a' GROUP BY metric_time__month, region",
        "SELECT o.m, 'a', p.t, o.n / p.t
         FROM (SELECT CAST(date_trunc('month', day) AS date) AS m, count(*) AS n FROM shop.o
               WHERE region = 'a' AND date_trunc('year', day) = '2025-01-01' GROUP BY 1) AS o
         LEFT JOIN (SELECT CAST(month AS date) AS m, CAST(sum(amount) AS double) AS t FROM shop.plan WHERE region = 'a' GROUP BY 1) AS p
         ON o.m = p.m",
    ),
    (
        "SELECT region, value, target, attainment, status FROM status('amount', by => 'region', at => '2025-Q1', as_of => '2025-12-31')",
        "SELECT region, x, t, x / t, CASE WHEN x / t >= 1 THEN 'green' WHEN x / t >= 0.8 THEN 'amber' ELSE 'red' END
         FROM (SELECT region, CAST(sum(x) AS double) AS x, 2700 * CASE region WHEN 'a' THEN 0.5E0 WHEN 'b' THEN 0.3E0 ELSE 0.2E0 END AS t
               FROM shop.o WHERE day >= '2025-01-01' AND day < '2025-04-01' GROUP BY region)",
    ),
    (
        "SELECT region, value, target FROM status('n', by => 'region', at => '2025-05', as_of => '2025-12-31')",
        "SELECT o.region, CAST(n AS double), t
         FROM (SELECT region, count(*) AS n FROM shop.o WHERE date_trunc('month', day) = '2025-05-01' GROUP BY region) AS o
         LEFT JOIN (SELECT region, CAST(sum(amount) AS double) AS t FROM shop.plan WHERE month = '2025-05-01' GROUP BY region) AS p
         ON o.region = p.region",
    ),
    (
        "SELECT value, due, pace, landing FROM status('amount', at => '2025-06', as_of => '2025-06-15')",
        "SELECT CAST(sum(x) AS double), 450E0, sum(x) / 450E0, sum(x) / 0.5E0 FROM shop.o WHERE day >= '2025-06-01' AND day < '2025-06-16'",
    ),
    // A worse status shows where it held in two of three months, or nothing better is known.
    (
        "SELECT metric_time__month, region, STATUS(held) FROM shop.indicators GROUP BY metric_time__month, region",
        HELD,
    ),
    (
        "SELECT metric_time__month, region, STATUS(held) FROM shop.indicators
         WHERE metric_time >= '2024-01-01' AND metric_time < '2026-01-01' AND region IN ('a', 'b', 'c') GROUP BY ROLLUP (metric_time__month, region)
         HAVING region IS NOT NULL",
        HELD,
    ),
    (
        "SELECT CAST('2025-06-01' AS date), region, status FROM status('held', by => 'region', at => '2025-06', as_of => '2026-01-15')",
        "SELECT * FROM (SELECT m, region, status FROM (SELECT m, region, CASE WHEN red + r1 + r2 >= 2 THEN 'red' ELSE 'green' END AS status
         FROM (SELECT m, region, red, lag(red) OVER w AS r1, lag(red, 2) OVER w AS r2
               FROM (SELECT CAST(date_trunc('month', day) AS date) AS m, region, CASE WHEN sum(x) < 450 THEN 1 ELSE 0 END AS red
                     FROM shop.o GROUP BY 1, 2)
               WINDOW w AS (PARTITION BY region ORDER BY m)))) WHERE m = '2025-06-01'",
    ),
    (
        "SELECT CAST('2025-06-01' AS date), region, STATUS(held) FROM shop.indicators WHERE metric_time__month = '2025-06-01' GROUP BY region",
        "SELECT CAST('2025-06-01' AS date), region, CASE WHEN sum(red) >= 2 THEN 'red' ELSE 'green' END
         FROM (SELECT date_trunc('month', day) AS m, region, CASE WHEN sum(x) < 450 THEN 1 ELSE 0 END AS red FROM shop.o
               WHERE day >= '2025-04-01' AND day < '2025-07-01' GROUP BY 1, 2) GROUP BY region",
    ),
    // Slices of a ratio: by planned sums, and by rates at the weights that there are.
    (
        "SELECT path, base, current, effect, rate, mix FROM explain_change('aov', base => 'target', current => '2025-05', by => 'region')
         WHERE breakdown = 'region' AND level = 1",
        "WITH s AS (SELECT o.region, 900 * CASE o.region WHEN 'a' THEN 0.5E0 WHEN 'b' THEN 0.3E0 ELSE 0.2E0 END AS a0, b0, a1, b1
           FROM (SELECT region, CAST(sum(x) AS double) AS a1, count(*) AS b1 FROM shop.o WHERE date_trunc('month', day) = '2025-05-01' GROUP BY region) AS o
           JOIN (SELECT region, CAST(amount AS double) AS b0 FROM shop.plan WHERE month = '2025-05-01') AS p ON o.region = p.region),
         t AS (SELECT sum(a0) AS ta0, sum(b0) AS tb0, sum(a1) AS ta1, CAST(sum(b1) AS double) AS tb1 FROM s),
         e AS (SELECT region, a0 / b0 AS r0, a1 / b1 AS r1, (b0 / tb0 + b1 / tb1) / 2 * (a1 / b1 - a0 / b0) AS rate,
                 (b1 / tb1 - b0 / tb0) * ((a0 / b0 + a1 / b1) / 2 - (ta0 / tb0 + ta1 / tb1) / 2) AS mix FROM s CROSS JOIN t)
         SELECT 'region = ' || region, r0, r1, rate + mix, rate, mix FROM e",
    ),
    (
        "SELECT path, effect, rate, mix FROM explain_change('wait', base => 'target', current => '2025-05', by => 'region')
         WHERE breakdown = 'region' AND level = 1",
        "SELECT 'region = ' || region, r AS effect, r AS rate, 0E0 FROM (
           SELECT region, count(*) * 1E0 / sum(count(*)) OVER () * (avg(CAST(wait AS double)) - 40) AS r
           FROM shop.o WHERE date_trunc('month', day) = '2025-05-01' GROUP BY region)",
    ),
];

const HELD: &str = "
SELECT m, region, CASE WHEN red + coalesce(r1, 0) + coalesce(r2, 0) >= 2 OR r1 IS NULL AND red = 1 THEN 'red' ELSE 'green' END
FROM (SELECT m, region, red, lag(red) OVER w AS r1, lag(red, 2) OVER w AS r2
      FROM (SELECT CAST(date_trunc('month', day) AS date) AS m, region, CASE WHEN sum(x) < 450 THEN 1 ELSE 0 END AS red
            FROM shop.o GROUP BY 1, 2)
      WINDOW w AS (PARTITION BY region ORDER BY m))";

#[tokio::test]
async fn targets_are_what_sql_by_hand_gives() {
    for seed in 0..3 {
        let folder = tempfile::tempdir().unwrap();
        write_project(folder.path(), &mut SmallRng::seed_from_u64(seed));
        let engine = Engine::open(folder.path()).await.unwrap();
        for (ours, by_hand) in PAIRS {
            assert_eq!(rows(&engine, ours).await, rows(&engine, by_hand).await, "seed {seed}: {ours}");
        }
    }
}

/// A period runs until the clock of the calendar's zone says that it has ended; what lies ahead there does not count.
#[tokio::test]
async fn running_periods_go_by_the_clock_of_the_calendar() {
    for zone in [chrono_tz::Pacific::Kiritimati, chrono_tz::Etc::GMTPlus12, chrono_tz::UTC] {
        let local = || chrono::Utc::now().with_timezone(&zone).naive_local();
        let begun = local();
        let hour = |at: i64| begun.date().and_hms_opt(0, 30, 0).unwrap() + chrono::TimeDelta::hours(at);
        let mut rows = String::from("id,day,ts,x\n");
        for at in -48..72 {
            writeln!(rows, "{at},{},{},{}", hour(at).date(), hour(at).format("%Y-%m-%dT%H:%M:%S"), at + 100).unwrap();
        }
        let model = format!(
            "package shop\ncalendar {{ timezone '{zone}' }}\nsource o {{ from csv 'o.csv'  key id  time ts }}\n\
             indicator a = sum(o.x) {{ good up  owner 'a@example.com' }}\ntarget a {{ at least 1  every day }}\n"
        );
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("model.bell"), model).unwrap();
        std::fs::write(folder.path().join("o.csv"), rows).unwrap();
        let engine = Engine::open(folder.path()).await.unwrap();
        let sql = format!(
            "SELECT coalesce(ATTAINMENT(a), 0) FROM shop.indicators WHERE metric_time__day = '{}' GROUP BY metric_time__day",
            begun.date()
        );
        let batches = engine.sql(&sql).await.unwrap().collect().await.unwrap();
        let found = pretty_format_batches(&batches).unwrap().to_string();
        let known = |now| (0..24).filter(|at| hour(*at) < now).map(|at| at + 100).sum::<i64>();
        // The clock may strike in between.
        let expected = [known(begun), known(local())].map(|sum| format!("| {sum}.0"));
        assert!(expected.iter().any(|sum| found.contains(sum)), "{zone} at {begun}: {expected:?}\n{found}");
    }
}

/// The rows as texts, in order; doubles to nine digits.
async fn rows(engine: &Engine, sql: &str) -> Vec<String> {
    let frame = engine.sql(sql).await.unwrap_or_else(|error| panic!("{error}: {sql}"));
    let columns: Vec<String> = frame
        .schema()
        .fields()
        .iter()
        .enumerate()
        .map(|(at, field)| match field.data_type().is_floating() {
            true => format!("round(c{at} * 1000000) / 1000000 + 0"),
            false => format!("c{at}"),
        })
        .collect();
    let names: Vec<String> = (0..columns.len()).map(|at| format!("c{at}")).collect();
    let sql = format!("SELECT {} FROM ({sql}) AS t ({})", columns.join(", "), names.join(", "));
    let batches = engine.sql(&sql).await.unwrap().collect().await.unwrap();
    let text = pretty_format_batches(&batches).unwrap().to_string();
    let row = |line: &str| line.split('|').map(str::trim).collect::<Vec<_>>().join("|");
    let mut rows: Vec<String> = text.lines().skip(3).map(row).collect();
    rows.sort();
    assert!(rows.len() > 1, "{sql} has no rows");
    rows
}

fn write_project(folder: &Path, dice: &mut SmallRng) {
    let mut orders = String::from("id,day,region,channel,x,wait\n");
    for id in 0..900 {
        let (year, month, day) = (dice.random_range(2024..=2025), dice.random_range(1..=12), dice.random_range(1..=28));
        let region = ["a", "b", "c"][dice.random_range(0..3)];
        let channel = ["web", "shop"][dice.random_range(0..2)];
        let (x, wait) = (dice.random_range(1..100), dice.random_range(10..80));
        writeln!(orders, "{id},{year}-{month:02}-{day:02},{region},{channel},{x},{wait}").unwrap();
    }
    let mut plan = String::from("month,region,amount\n");
    for month in 1..=12 {
        let (a, b) = (dice.random_range(5..13), dice.random_range(5..13));
        for (region, amount) in [("a", a), ("b", b), ("c", 30 - a - b)] {
            writeln!(plan, "2025-{month:02}-01,{region},{amount}").unwrap();
        }
    }
    let files = [("model.bell", MODEL), ("o.csv", orders.as_str()), ("plan.csv", plan.as_str())];
    files.iter().for_each(|(name, text)| std::fs::write(folder.join(name), text).unwrap());
}
