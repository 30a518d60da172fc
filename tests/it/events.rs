//! Conversions against naive loops over small random rows, in which there are NULLs, duplicates and ties; the rows serve
//! funnels and cohorts as well (`event_views`).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use bellwether::Engine;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::{SessionConfig, SessionContext};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

const CASES: u64 = 25;

const MODEL: &str = "
source visits { from csv 'visits.csv'  key id  time seen  where not bot }
source orders { from csv 'orders.csv'  key id  time seen  where not bot }
dimension channel = visits.channel, orders.channel
dimension device  = visits.device
indicator visit_count = count(*) of visits
indicator within_days = conversion from visits to orders by who within 3 days
indicator in_channel  = conversions from visits to orders by who within 30 hours matching channel
indicator ever        = conversions from visits to orders by who matching channel
indicator on_phone    = conversions from visits to orders by who where device = 'phone'
";

#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) id: i64,
    /// Hours after the beginning of the year.
    pub(crate) hour: Option<i64>,
    pub(crate) who: Option<char>,
    pub(crate) channel: Option<&'static str>,
    pub(crate) device: &'static str,
    pub(crate) bot: bool,
}

pub(crate) struct Case {
    pub(crate) visits: Vec<Row>,
    pub(crate) orders: Vec<Row>,
}

impl Case {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut dice = SmallRng::seed_from_u64(seed);
        let mut rows = |most: usize| {
            let count = dice.random_range(0..=most);
            let mut rows: Vec<Row> = (0..count as i64).map(|id| row(&mut dice, id)).collect();
            // The files' own order means nothing.
            rows.sort_by_key(|row| (row.id * 7919) % 31);
            rows
        };
        Case { visits: rows(25), orders: rows(20) }
    }

    pub(crate) fn write(&self, folder: &Path, model: &str) {
        std::fs::write(folder.join("model.bell"), model).unwrap();
        std::fs::write(folder.join("visits.csv"), csv(&self.visits)).unwrap();
        std::fs::write(folder.join("orders.csv"), csv(&self.orders)).unwrap();
    }

    pub(crate) fn visits(&self) -> Vec<&Row> {
        self.visits.iter().filter(|row| !row.bot).collect()
    }

    pub(crate) fn orders(&self) -> Vec<&Row> {
        self.orders.iter().filter(|row| !row.bot).collect()
    }

    /// The visits to which an order is credited: for each order the latest one of the same keys that is not after it,
    /// at one instant that of the greatest key, if it is not too old.
    fn credited(&self, hours: Option<i64>, key: impl Fn(&Row) -> Option<(char, Option<&'static str>)>) -> Vec<i64> {
        let mut credited = Vec::new();
        for order in self.orders.iter().filter(|row| !row.bot) {
            let (Some(hour), Some(wanted)) = (order.hour, key(order)) else { continue };
            let fits = |visit: &&&Row| key(visit) == Some(wanted) && visit.hour.is_some_and(|at| at <= hour);
            let visits = self.visits();
            let latest = visits.iter().filter(fits).max_by_key(|visit| (visit.hour, visit.id));
            if let Some(visit) = latest.filter(|visit| hours.is_none_or(|most| hour - visit.hour.unwrap() <= most)) {
                credited.push(visit.id);
            }
        }
        credited.sort();
        credited.dedup();
        credited
    }
}

fn row(dice: &mut SmallRng, id: i64) -> Row {
    Row {
        id,
        // Few hours, so that many rows have the same.
        hour: if dice.random_bool(0.95) { Some(dice.random_range(0..30) * 6) } else { None },
        who: if dice.random_bool(0.9) { Some(['a', 'b', 'c'][dice.random_range(0..3)]) } else { None },
        channel: if dice.random_bool(0.9) { Some(["app", "web"][dice.random_range(0..2)]) } else { None },
        device: ["phone", "desk"][dice.random_range(0..2)],
        bot: dice.random_bool(0.1),
    }
}

fn csv(rows: &[Row]) -> String {
    // The first row gives the columns their types; it does not exist.
    let mut text = "id,seen,who,channel,device,bot\n99,2025-01-01T00:00:00,x,x,x,true\n".to_string();
    for row in rows {
        let seen =
            row.hour.map_or(String::new(), |hour| format!("2026-01-{:02}T{:02}:00:00", 1 + hour / 24, hour % 24));
        let who = row.who.map_or(String::new(), |who| who.to_string());
        let channel = row.channel.unwrap_or_default();
        writeln!(text, "{},{seen},{who},{channel},{},{}", row.id, row.device, row.bot).unwrap();
    }
    text
}

pub(crate) async fn engine(folder: &Path, partitions: usize) -> Engine {
    let config = SessionConfig::new().with_target_partitions(partitions).with_batch_size(4);
    Engine::with_context(SessionContext::new_with_config(config), folder).await.unwrap()
}

/// The rows of an answer as texts, in order.
pub(crate) async fn ask(engine: &Engine, sql: &str) -> Vec<Vec<String>> {
    let frame = engine.sql(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let batches = frame.collect().await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let options = FormatOptions::new().with_null("NULL");
    let mut rows = Vec::new();
    for batch in &batches {
        let columns: Vec<_> =
            batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
        rows.extend((0..batch.num_rows()).map(|at| columns.iter().map(|c| c.value(at).to_string()).collect()));
    }
    rows
}

#[tokio::test]
async fn conversions_agree_with_loops() {
    for seed in 0..CASES {
        let case = Case::draw(seed);
        let folder = tempfile::tempdir().unwrap();
        case.write(folder.path(), MODEL);
        let engine = engine(folder.path(), 1 + seed as usize % 4).await;
        let alone = |row: &Row| row.who.map(|who| (who, None));
        let both = |row: &Row| Some((row.who?, Some(row.channel?)));
        let credited = [
            case.credited(Some(72), alone),
            case.credited(Some(30), both),
            case.credited(None, both),
            case.credited(None, alone),
        ];
        let mut groups: BTreeMap<String, [i64; 5]> = BTreeMap::new();
        for visit in case.visits() {
            let group = groups.entry(visit.channel.unwrap_or("NULL").to_string()).or_default();
            group[0] += 1;
            for (at, credited) in credited.iter().enumerate() {
                let counts = at < 3 || visit.device == "phone";
                group[at + 1] += i64::from(counts && credited.contains(&visit.id));
            }
        }
        let mut expected: Vec<Vec<String>> = Vec::new();
        for (channel, [all, first, second, third, fourth]) in groups {
            let rate = format!("{:?}", first as f64 / all as f64);
            expected.push(vec![
                channel,
                all.to_string(),
                rate,
                second.to_string(),
                third.to_string(),
                fourth.to_string(),
            ]);
        }
        let sql =
            "SELECT channel, visit_count, within_days, in_channel, ever, on_phone FROM indicators GROUP BY channel";
        let mut found = ask(&engine, sql).await;
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "seed {seed}: visits {:#?} orders {:#?}", case.visits, case.orders);
    }
}
