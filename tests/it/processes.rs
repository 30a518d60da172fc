//! Processes against hand-written SQL over random logs, in which there are ties, rows without a case or a time, steps that are
//! visited again and work that ends before it begins or after the next step.

use std::fmt::Write;
use std::path::Path;

use bellwether::Engine;
use datafusion::prelude::{CsvReadOptions, SessionContext};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::compare::{Pair, assert_all_equal, assert_plain_answers};

const MODEL: &str = "
source loans { from csv 'loans.csv'  key loan }
source log   { from csv 'log.csv'  key id  time begun  join loan = loans on loan }
dimension product = log.loan.product
dimension step    = log.step
process plain   from log(loan, step, begun)            { unit minutes }
process worked  from log(loan, step, begun, done)
process queued  from log(loan, step, log.begun)        { waits 'wait', 'idle'  unit days }
dimension following = plain.next
indicator slow_visits = count(plain.visit) where plain.stay > 60
indicator longest     = max(worked.waiting) { unit hours }
indicator first_stay  = avg(plain.stay) where plain.visit = 1 { unit minutes }
";

/// The rows that are steps, with what follows them; times in seconds.
const STEPS: &str = "
WITH known AS (
  SELECT log.*, product, extract(epoch FROM begun) AS begins, extract(epoch FROM done) AS ends
  FROM log LEFT JOIN loans ON log.loan = loans.loan WHERE log.loan IS NOT NULL AND begun IS NOT NULL),
followed AS (
  SELECT *, lead(begins) OVER (PARTITION BY loan ORDER BY begun, id) AS next,
         lead(step) OVER (PARTITION BY loan ORDER BY begun, id) AS next_step,
         row_number() OVER (PARTITION BY loan, step ORDER BY begun, id) AS visit FROM known),
steps AS (
  SELECT *, next - begins AS stay,
         CASE WHEN next IS NOT NULL THEN next WHEN ends IS NOT NULL THEN greatest(ends, begins) END - begins AS whole,
         CASE WHEN ends IS NULL THEN next WHEN greatest(ends, begins) > next THEN next
              ELSE greatest(ends, begins) END - begins AS work FROM followed)
";

const PAIRS: &[(&str, &str, &str)] = &[
    (
        "time, visits and cases by step",
        "SELECT plain_step, plain_time, plain_visits, plain_cases, plain_average, plain_median, plain_per_case
         FROM indicators GROUP BY plain_step ORDER BY plain_step",
        "SELECT log.step, f.time, coalesce(f.visits, 0), count(DISTINCT log.loan), f.mean, f.median, f.time / count(DISTINCT log.loan)
         FROM log LEFT JOIN (SELECT step, sum(stay) / 60.0 AS time, count(*) AS visits, avg(stay / 60.0) AS mean,
                                    median(stay / 60.0) AS median FROM steps GROUP BY step) f ON f.step IS NOT DISTINCT FROM log.step
         
         GROUP BY log.step, f.time, f.visits, f.mean, f.median ORDER BY log.step",
    ),
    (
        "shares of the time, by product",
        "SELECT product, step, plain_share FROM indicators GROUP BY product, step HAVING plain_time IS NOT NULL ORDER BY product, step",
        "SELECT product, step, sum(stay) / sum(sum(stay)) OVER (PARTITION BY product) FROM steps GROUP BY product, step
         HAVING sum(stay) IS NOT NULL ORDER BY product, step",
    ),
    (
        "the bottleneck of each product",
        "SELECT product, plain_bottleneck FROM indicators GROUP BY product HAVING plain_time IS NOT NULL ORDER BY product",
        "SELECT product, max(time) / nullif(sum(time), 0) FROM (
           SELECT product, step, sum(stay) AS time FROM steps GROUP BY product, step) GROUP BY product
         HAVING sum(time) IS NOT NULL ORDER BY product",
    ),
    (
        "working and waiting by the ends of the work",
        "SELECT step, worked_time, worked_working, worked_waiting, worked_waiting_share, longest
         FROM indicators GROUP BY step HAVING worked_visits > 0 ORDER BY step",
        "SELECT step, sum(whole) / 3600.0, sum(work) / 3600.0, sum(whole - work) / 3600.0,
                (sum(whole - work) / 3600.0) / nullif(sum(whole) / 3600.0, 0), max(whole - work) / 3600.0
         FROM steps GROUP BY step ORDER BY step",
    ),
    (
        "waiting by the names of steps",
        "SELECT product, queued_time, queued_working, queued_waiting FROM indicators GROUP BY product
         HAVING queued_visits > 0 ORDER BY product",
        "SELECT product, sum(stay) / 86400.0,
                sum(CASE WHEN step IN ('wait', 'idle') AND stay IS NOT NULL THEN 0.0 ELSE stay END) / 86400.0,
                sum(CASE WHEN step IN ('wait', 'idle') THEN stay WHEN stay IS NOT NULL THEN 0.0 END) / 86400.0
         FROM steps GROUP BY product ORDER BY product",
    ),
    (
        "rework, by what comes next",
        "SELECT following, plain_rework, plain_visits FROM indicators GROUP BY following HAVING plain_visits > 0 ORDER BY following",
        "SELECT next_step, CAST(count(*) FILTER (WHERE visit > 1) AS DOUBLE) / count(*), count(*)
         FROM steps GROUP BY next_step ORDER BY next_step",
    ),
    (
        "indicators of one's own, with a condition that does not change what follows a row",
        "SELECT metric_time__month, slow_visits, first_stay FROM indicators WHERE step = 'check'
         GROUP BY metric_time__month HAVING slow_visits > 0 ORDER BY 1",
        "SELECT date_trunc('month', begun), count(*) FILTER (WHERE stay > 3600), avg(stay / 60.0) FILTER (WHERE visit = 1)
         FROM steps WHERE step = 'check' GROUP BY 1 HAVING count(*) FILTER (WHERE stay > 3600) > 0 ORDER BY 1",
    ),
    (
        "a running sum, by product",
        "SELECT product, metric_time__day, plain_time AT (TO DATE month) FROM indicators
         GROUP BY product, metric_time__day HAVING plain_visits > 0 ORDER BY 1, 2",
        "SELECT product, day, sum(time) OVER (PARTITION BY product, date_trunc('month', day) ORDER BY day) FROM (
           SELECT product, date_trunc('day', begun) AS day, sum(stay) / 60.0 AS time FROM steps GROUP BY 1, 2)
         ORDER BY 1, 2",
    ),
    (
        "only the last day of each product",
        "SELECT product, plain_time AT (LAST day) FROM indicators WHERE product IS NOT NULL GROUP BY product ORDER BY 1",
        "SELECT product, sum(stay) / 60.0 FROM (
           SELECT *, max(day) OVER (PARTITION BY product) AS last FROM (
             SELECT *, date_trunc('day', begun) AS day FROM steps)) WHERE day = last AND product IS NOT NULL
         GROUP BY product ORDER BY 1",
    ),
    (
        "the month before",
        "SELECT metric_time__month, plain_time, plain_time AT (PREVIOUS month) FROM indicators
         GROUP BY metric_time__month HAVING plain_time IS NOT NULL ORDER BY 1",
        "SELECT now.month, now.time, before.time
         FROM (SELECT date_trunc('month', begun) AS month, sum(stay) / 60.0 AS time FROM steps GROUP BY 1) now
         LEFT JOIN (SELECT date_trunc('month', begun) AS month, sum(stay) / 60.0 AS time FROM steps GROUP BY 1) before
         ON now.month = before.month + INTERVAL '1 month' WHERE now.time IS NOT NULL ORDER BY 1",
    ),
];

#[tokio::test]
async fn processes_are_what_sql_says() {
    for seed in 0..6 {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), seed);
        let engine = Engine::open(folder.path()).await.unwrap();
        let plain = SessionContext::new();
        for name in ["log", "loans"] {
            let path = folder.path().join(format!("{name}.csv"));
            plain.register_csv(name, path.to_str().unwrap(), CsvReadOptions::new()).await.unwrap();
        }
        let texts: Vec<(&str, &str, String)> =
            PAIRS.iter().map(|(name, ours, theirs)| (*name, *ours, format!("{STEPS} {theirs}"))).collect();
        let pairs: Vec<Pair> =
            texts.iter().map(|(name, ours, theirs)| Pair { name, ours, plain: theirs.clone().leak() }).collect();
        assert_plain_answers(&plain, &pairs).await;
        assert_all_equal(&engine, &plain, &pairs).await;
    }
}

fn write(folder: &Path, seed: u64) {
    let mut dice = SmallRng::seed_from_u64(seed);
    let mut log = String::from("id,loan,step,begun,done\n");
    for id in 0..400 {
        let loan = if dice.random_ratio(1, 25) { String::new() } else { dice.random_range(1..40).to_string() };
        let step = ["ask", "check", "wait", "idle", "decide"][dice.random_range(0..5)];
        // Few instants, so that there are ties.
        let minute = 60 + dice.random_range(0..9) * 17 * 60 + dice.random_range(0..4) * 25;
        let month = dice.random_range(1..4);
        let time = |minute: i32| {
            format!("2026-{month:02}-{:02}T{:02}:{:02}:00", 10 + minute / 1440, minute / 60 % 24, minute % 60)
        };
        let at = if dice.random_ratio(1, 30) { String::new() } else { time(minute) };
        let done = if dice.random_ratio(1, 6) { String::new() } else { time(minute + dice.random_range(-30..300)) };
        writeln!(log, "{id},{loan},{step},{at},{done}").unwrap();
    }
    let mut loans = String::from("loan,product\n");
    for loan in 1..38 {
        writeln!(loans, "{loan},{}", ["house", "car", "card"][loan % 3]).unwrap();
    }
    std::fs::write(folder.join("log.csv"), log).unwrap();
    std::fs::write(folder.join("loans.csv"), loans).unwrap();
    std::fs::write(folder.join("model.bell"), MODEL).unwrap();
}
