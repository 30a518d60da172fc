//! Funnels and cohorts against naive searches over the same small random rows.

use std::collections::{BTreeMap, BTreeSet};

use bellwether::Engine;

use crate::events::{Case, Row, ask, engine};

const MODEL: &str = "
source visits { from csv 'visits.csv'  key id  time seen  where not bot }
source orders { from csv 'orders.csv'  key id  time seen  where not bot }
dimension channel = visits.channel, orders.channel
dimension device  = visits.device, orders.device
funnel across { by who within 30 hours  step look = visits  step buy = orders where channel = 'web'  step more = visits where device = 'phone' }
funnel split  { by who within 3 days  step phone = visits where device = 'phone'  step desk = visits where device in ('desk', 'x')  step buy = orders }
funnel again  { by who within 3 days  step first = orders  step second = orders  step third = orders where channel = 'app' }
cohort daily  { entity orders.who  starts first orders  returns orders  every day for 4 }
cohort weekly { entity orders.who  starts first orders  returns orders  every week for 2 }
cohort seen   { entity orders.who  starts first orders where channel = 'web'  returns visits where device = 'desk'  every day for 5 }
";

/// Each is asked many questions.
const CASES: u64 = 12;

async fn case(seed: u64) -> (Case, Engine, tempfile::TempDir) {
    let case = Case::draw(seed);
    let folder = tempfile::tempdir().unwrap();
    case.write(folder.path(), MODEL);
    let engine = engine(folder.path(), 1 + seed as usize % 4).await;
    (case, engine, folder)
}

/// Answers are compared in any order.
async fn agree(engine: &Engine, sql: &str, mut expected: Vec<Vec<String>>, case: &Case, seed: u64) {
    let mut found = ask(engine, sql).await;
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "seed {seed}: {sql}\nvisits {:#?} orders {:#?}", case.visits, case.orders);
}

/// The rows of a step, and whether it must be later than the step before.
struct Step<'c> {
    name: &'static str,
    rows: Vec<&'c Row>,
    later: bool,
}

fn step<'c>(name: &'static str, rows: Vec<&'c Row>, later: bool, fits: impl Fn(&Row) -> bool) -> Step<'c> {
    Step { name, rows: rows.into_iter().filter(|row| fits(row)).collect(), later }
}

/// How many steps some chain of rows comes to, the first included: every chain is tried.
fn reached(who: char, hour: i64, until: i64, steps: &[Step<'_>]) -> usize {
    let Some((next, rest)) = steps.split_first() else { return 0 };
    let follows = |row: &&&Row| {
        let at = row.hour.unwrap_or(i64::MIN);
        row.who == Some(who) && at <= until && if next.later { at > hour } else { at >= hour }
    };
    let ways = next.rows.iter().filter(follows);
    ways.map(|row| 1 + reached(who, row.hour.unwrap(), until, rest)).max().unwrap_or(0)
}

/// What a funnel shows for each group of first rows.
fn funnel(steps: &[Step<'_>], hours: i64, group: impl Fn(&Row) -> Option<String>) -> Vec<Vec<String>> {
    let mut groups: BTreeMap<String, Vec<BTreeSet<char>>> = BTreeMap::new();
    for row in &steps[0].rows {
        let Some(group) = group(row) else { continue };
        let sets = groups.entry(group).or_insert_with(|| vec![BTreeSet::new(); steps.len()]);
        let Some(who) = row.who else { continue };
        let further = row.hour.map_or(0, |hour| reached(who, hour, hour + hours, &steps[1..]));
        for set in sets.iter_mut().take(1 + further) {
            set.insert(who);
        }
    }
    let mut rows = Vec::new();
    for (group, sets) in groups {
        for (at, step) in steps.iter().enumerate() {
            let before = if at == 0 { 0 } else { sets[at - 1].len() };
            rows.push(vec![
                group.clone(),
                step.name.to_string(),
                (at + 1).to_string(),
                sets[at].len().to_string(),
                share(sets[at].len(), sets[0].len()),
                share(before.max(sets[at].len()) - sets[at].len(), before),
            ]);
        }
    }
    rows
}

fn share(part: usize, whole: usize) -> String {
    if whole == 0 { "NULL".to_string() } else { format!("{:?}", part as f64 / whole as f64) }
}

fn channel(row: &Row) -> String {
    row.channel.unwrap_or("NULL").to_string()
}

#[tokio::test]
async fn funnels_agree_with_a_search() {
    for seed in 0..CASES {
        let (case, engine, _folder) = case(seed).await;
        let (visits, orders) = (case.visits(), case.orders());
        let all = |_: &Row| true;
        let across = [
            step("look", visits.clone(), false, all),
            step("buy", orders.clone(), false, |row| row.channel == Some("web")),
            step("more", visits.clone(), true, |row| row.device == "phone"),
        ];
        let split = [
            step("phone", visits.clone(), false, |row| row.device == "phone"),
            step("desk", visits.clone(), false, |row| row.device == "desk"),
            step("buy", orders.clone(), false, all),
        ];
        let again = [
            step("first", orders.clone(), false, all),
            step("second", orders.clone(), true, all),
            step("third", orders.clone(), true, |row| row.channel == Some("app")),
        ];
        for (name, steps, hours) in [("across", across, 30), ("split", split, 72), ("again", again, 72)] {
            let sql = format!(
                "SELECT channel, step, position, MEASURE(entities), MEASURE(rate), MEASURE(drop_off) FROM {name}"
            );
            let by_channel = format!("{sql} GROUP BY channel, step, position");
            agree(&engine, &by_channel, funnel(&steps, hours, |row| Some(channel(row))), &case, seed).await;
            let on_desk =
                format!("{sql} WHERE device = 'desk' AND metric_time < '2026-01-04' GROUP BY channel, step, position");
            let desk = |row: &Row| row.device == "desk" && row.hour.is_some_and(|hour| hour < 72);
            let expected = funnel(&steps, hours, |row| desk(row).then(|| channel(row)));
            agree(&engine, &on_desk, expected, &case, seed).await;
            let running = format!(
                "SELECT metric_time__day, MEASURE(entities) AT (TRAILING 2 DAYS) FROM {name}
                 WHERE position = 2 AND metric_time >= '2026-01-01' GROUP BY metric_time__day"
            );
            agree(&engine, &running, trailing(&steps, 1, hours), &case, seed).await;
            let bare = format!("SELECT * FROM {name}");
            let whole = funnel(&steps, hours, |_| Some(String::new()));
            agree(&engine, &bare, whole.into_iter().map(|row| row[1..].to_vec()).collect(), &case, seed).await;
        }
    }
}

/// The entities that came to a step from a first row of the two days that end with each one.
fn trailing(steps: &[Step<'_>], wanted: usize, hours: i64) -> Vec<Vec<String>> {
    let days = steps[0].rows.iter().filter_map(|row| Some((row.hour? / 24, row)));
    let days: Vec<(i64, &&Row)> = days.collect();
    let (Some(first), Some(last)) = (days.iter().map(|(day, _)| *day).min(), days.iter().map(|(day, _)| *day).max())
    else {
        return vec![];
    };
    let mut rows = Vec::new();
    for day in first..=last {
        let window = days.iter().filter(|(at, _)| day - 1 <= *at && *at <= day);
        let window: Vec<&&Row> = window.map(|(_, row)| *row).collect();
        let came = window.iter().filter_map(|row| {
            let (who, hour) = (row.who?, row.hour?);
            (reached(who, hour, hour + hours, &steps[1..]) >= wanted).then_some(who)
        });
        let came: BTreeSet<char> = came.collect();
        if !window.is_empty() {
            rows.push(vec![format!("2026-01-{:02}", 1 + day), came.len().to_string()]);
        }
    }
    rows
}

/// An entity's first row, and the ages at which it came back.
struct Member<'c> {
    first: &'c Row,
    period: i64,
    ages: Vec<(i64, bool)>,
}

fn members<'c>(
    starts: &[&'c Row],
    returns: &[&Row],
    last: Option<i64>,
    ages: i64,
    period: impl Fn(i64) -> i64,
) -> Vec<Member<'c>> {
    let mut members = Vec::new();
    for who in ['a', 'b', 'c'] {
        let own = starts.iter().filter(|row| row.who == Some(who) && row.hour.is_some());
        let Some(first) = own.min_by_key(|row| (row.hour, row.id)) else { continue };
        let begun = first.hour.unwrap();
        let came = |at: i64| {
            let back = |row: &&&Row| row.who == Some(who) && row.hour.is_some_and(|h| h >= begun && period(h) == at);
            returns.iter().any(|row| back(&row))
        };
        let known = (0..=ages).filter(|age| last.is_some_and(|last| period(begun) + age <= period(last)));
        let ages = known.map(|age| (age, came(period(begun) + age))).collect();
        members.push(Member { first, period: period(begun), ages });
    }
    members
}

/// What a cohort shows for each group of members.
fn cohort(members: &[Member<'_>], group: impl Fn(&Member<'_>) -> String) -> Vec<Vec<String>> {
    let mut cells: BTreeMap<(String, i64), (usize, usize)> = BTreeMap::new();
    for member in members {
        for (age, came) in &member.ages {
            let cell = cells.entry((group(member), *age)).or_default();
            cell.0 += 1;
            cell.1 += usize::from(*came);
        }
    }
    let row = |((group, age), (all, came)): ((String, i64), (usize, usize))| {
        vec![group, age.to_string(), came.to_string(), share(came, all)]
    };
    cells.into_iter().map(row).collect()
}

#[tokio::test]
async fn cohorts_agree_with_a_search() {
    let day = |hour: i64| hour.div_euclid(24);
    // The year began on a Thursday.
    let week = |hour: i64| (hour.div_euclid(24) + 3).div_euclid(7);
    let first_of_week =
        |week: i64| if week == 0 { "2025-12-29".to_string() } else { format!("2026-01-{:02}", 7 * week - 2) };
    for seed in 0..CASES {
        let (case, engine, _folder) = case(seed).await;
        let (visits, orders) = (case.visits(), case.orders());
        let last = |rows: &[&Row]| rows.iter().filter_map(|row| row.hour).max();
        let web: Vec<&Row> = orders.iter().copied().filter(|row| row.channel == Some("web")).collect();
        let desk: Vec<&Row> = visits.iter().copied().filter(|row| row.device == "desk").collect();
        let both = last(&orders).max(last(&visits));
        let daily = members(&orders, &orders, last(&orders), 4, day);
        let weekly = members(&orders, &orders, last(&orders), 2, week);
        let seen = members(&web, &desk, both, 5, day);
        let first_day = |member: &Member<'_>| format!("2026-01-{:02}", 1 + member.period);
        let tables = [
            ("daily", &daily, cohort(&daily, first_day)),
            ("weekly", &weekly, cohort(&weekly, |member| first_of_week(member.period))),
            ("seen", &seen, cohort(&seen, first_day)),
        ];
        for (name, members, expected) in tables {
            agree(&engine, &format!("SELECT * FROM {name}"), expected, &case, seed).await;
            let sql =
                format!("SELECT channel, age, MEASURE(entities), MEASURE(rate) FROM {name} GROUP BY channel, age");
            agree(&engine, &sql, cohort(members, |member| channel(member.first)), &case, seed).await;
        }
    }
}
