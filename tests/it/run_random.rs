//! Nights at random: files come, change and go, ranges are backfilled, and whatever happens, what is published is what the
//! rows by hand are, but for days of which a run has said that their rows came too late.

use std::collections::{BTreeMap, BTreeSet};

use bellwether::publish::{Outcome, Report, run};
use bellwether::{Engine, Run};
use datafusion::arrow::util::display::array_value_to_string;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

const MODEL: &str = "
source customers { from csv 'customers.csv'  key customer }
source orders {
  from csv 'orders/*.csv'  key id  time day  columns { day date, customer bigint, x bigint }
  join customers on customer
}
dimension region = orders.customers.region
indicator n     = count(*) of orders
indicator sales = sum(orders.x)
publish daily { indicators n, sales  by day, region  to 'out/'  partitioned by day  lookback 2 days }
rollup cells { indicators n, sales  by day, region  to 'cells/' }
source told { from parquet 'out/'  partition by day date }
";

const BY_HAND: &str = "SELECT o.day, c.region, count(*), sum(o.x) FROM orders o LEFT JOIN customers c \
    ON o.customer = c.customer GROUP BY o.day, c.region";
const PUBLISHED: &str = "SELECT day, region, n, sales FROM told";
const ANSWERED: &str =
    "SELECT metric_time__day, region, MEASURE(n), MEASURE(sales) FROM indicators GROUP BY metric_time__day, region";

const NIGHTS: usize = 12;
const CUSTOMERS: u64 = 4;
const REGIONS: [&str; 3] = ["east", "west", "south"];

/// The rows of each day.
type Days = BTreeMap<String, BTreeSet<String>>;

struct Nights {
    folder: tempfile::TempDir,
    random: SmallRng,
    files: Vec<u32>,
    ids: u32,
    newest: u32,
    /// Days whose rows came late, and were not taken in since.
    late: BTreeSet<String>,
}

impl Nights {
    fn new(seed: u64) -> Nights {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("orders")).unwrap();
        std::fs::write(folder.path().join("model.bell"), MODEL).unwrap();
        let random = SmallRng::seed_from_u64(seed);
        let mut nights = Nights { folder, random, files: vec![], ids: 0, newest: 8, late: BTreeSet::new() };
        nights.customers();
        nights.file();
        nights
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.random.random_range(0..100) < percent
    }

    fn customers(&mut self) {
        // One customer too few: its orders have no region.
        let rows = (1..CUSTOMERS).map(|customer| {
            let region = REGIONS[self.random.random_range(0..REGIONS.len())];
            format!("{customer},{region}\n")
        });
        let text = "customer,region\n".to_string() + &rows.collect::<String>();
        std::fs::write(self.folder.path().join("customers.csv"), text).unwrap();
    }

    fn write(&mut self, name: u32) {
        let rows: Vec<String> = (0..self.random.random_range(1..5)).map(|_| self.order()).collect();
        let text = format!("id,day,customer,x\n{}", rows.concat());
        std::fs::write(self.folder.path().join(format!("orders/{name}.csv")), text).unwrap();
    }

    fn order(&mut self) -> String {
        let day = match self.random.random_range(0..100) {
            0..4 => String::new(),
            4..14 => format!("2026-01-{:02}", self.random.random_range(1..=self.newest)),
            _ => format!("2026-01-{:02}", self.random.random_range(self.newest - 2..=self.newest)),
        };
        self.ids += 1;
        let (customer, x) = (self.random.random_range(1..=CUSTOMERS), self.random.random_range(0..100));
        format!("{},{day},{customer},{x}\n", self.ids)
    }

    fn file(&mut self) {
        self.ids += 1;
        self.files.push(self.ids);
        self.write(self.ids);
    }

    /// A day passes.
    fn pass(&mut self) {
        self.newest += self.random.random_range(0..2);
        match self.random.random_range(0..100) {
            0..8 => self.customers(),
            8..16 => {
                let file = self.files[self.random.random_range(0..self.files.len())];
                self.write(file);
            }
            16..22 if self.files.len() > 1 => {
                let file = self.files.swap_remove(self.random.random_range(0..self.files.len()));
                std::fs::remove_file(self.folder.path().join(format!("orders/{file}.csv"))).unwrap();
            }
            22..90 => self.file(),
            _ => {}
        }
    }

    async fn engine(&self) -> Engine {
        Engine::open(self.folder.path()).await.unwrap()
    }

    async fn days(&self, question: &str) -> Days {
        let rows = self.engine().await.sql(question).await.unwrap().collect().await.unwrap();
        let mut days = Days::new();
        for batch in rows {
            for row in 0..batch.num_rows() {
                let texts = batch.columns().iter().map(|column| array_value_to_string(column, row).unwrap());
                let texts: Vec<String> = texts.collect();
                days.entry(texts[0].clone()).or_default().insert(texts[1..].join(" "));
            }
        }
        days
    }

    async fn run(&self, asked: Run) -> Report {
        let reports = run(&self.engine().await, &asked, &|_| {}).await.unwrap();
        let errors: Vec<String> = reports.iter().filter_map(|it| it.error.as_ref()).map(ToString::to_string).collect();
        assert!(errors.is_empty(), "{errors:?}");
        reports.into_iter().next_back().unwrap()
    }

    /// Some periods are computed anew, and nothing is said of the others.
    async fn backfill(&mut self) {
        let from = self.random.random_range(1..=self.newest);
        let to = self.random.random_range(from..=self.newest);
        let (from, to) = (format!("2026-01-{from:02}"), format!("2026-01-{to:02}"));
        let asked = Run { from: Some(from.clone()), to: Some(to.clone()), ..Run::default() };
        self.run(asked).await;
        let is_within = |day: &String| (&from..=&to).contains(&day);
        self.late.retain(|day| !is_within(day));
        let of = |days: Days| days.into_iter().filter(|(day, _)| is_within(day)).collect::<Days>();
        assert_eq!(of(self.days(PUBLISHED).await), of(self.days(BY_HAND).await));
    }

    async fn night(&mut self) -> Outcome {
        let report = self.run(Run::default()).await;
        let by_hand = self.days(BY_HAND).await;
        assert_eq!(self.days(ANSWERED).await, by_hand, "the rollup");
        match (report.outcome, &report.periods) {
            (Outcome::Published, None) => self.late.clear(),
            (Outcome::Published, Some(periods)) => {
                let from = periods.from.clone().unwrap();
                self.late.retain(|day| *day < from);
            }
            _ => assert_eq!(report.outcome, Outcome::Current),
        }
        let published = self.days(PUBLISHED).await;
        for day in &report.late {
            assert_ne!(published.get(day), by_hand.get(day), "{day} was not late");
        }
        self.late.extend(report.late);
        let of = |days: Days| days.into_iter().filter(|(day, _)| !self.late.contains(day)).collect::<Days>();
        assert_eq!(of(published), of(by_hand));
        report.outcome
    }
}

#[tokio::test]
async fn what_is_published_is_what_there_is_or_said_to_be_late() {
    let seeds = std::env::var("BELL_SEEDS").map_or(4, |text| text.parse().unwrap());
    let (mut late, mut outcomes) = (0, BTreeMap::new());
    for seed in 0..seeds {
        println!("seed {seed}");
        let mut nights = Nights::new(seed);
        if nights.chance(30) {
            nights.backfill().await;
        }
        for _ in 0..NIGHTS {
            nights.pass();
            if nights.chance(25) {
                nights.backfill().await;
            }
            if nights.chance(80) {
                *outcomes.entry(nights.night().await.name()).or_insert(0) += 1;
                late += nights.late.len();
            }
        }
    }
    // What is tested happens.
    println!("{outcomes:?}, {late} days late");
    assert!(late > 0 && outcomes["current"] > 0, "{outcomes:?}");
}
