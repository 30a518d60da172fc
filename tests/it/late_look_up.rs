//! Rows that are added up twice before names are looked up, beside the same questions as SQL by hand, over random rows: keys
//! that are NULL, that nobody knows, and names that several share.

use std::fmt::Write;
use std::path::Path;

use bellwether::Engine;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::{CsvReadOptions, SessionContext};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

const MODEL: &str = "
source countries { from csv 'countries.csv'  key code }
source customers { from csv 'customers.csv'  key id  join country = countries on country_code }
source orders    { from csv 'orders.csv'  key order_id  join customer = customers on customer_id }
source lines     { from csv 'lines.csv'  key line_id  join order = orders on order_id }
dimension customer = lines.order.customer.customer_name
dimension country  = lines.order.customer.country.country_name
dimension way      = lines.order.way
dimension kind     = lines.kind
indicator total = sum(lines.amount)
indicator n     = count(lines.amount)
indicator most  = max(lines.amount)
indicator mean  = total / n
indicator few   = total filter (where kind = 1)
";

const JOINED: &str = "lines l LEFT JOIN orders o ON l.order_id = o.order_id LEFT JOIN customers c ON o.customer_id = c.id \
                      LEFT JOIN countries x ON c.country_code = x.code";

const VALUES: [(&str, &str); 5] = [
    ("MEASURE(total)", "sum(amount)"),
    ("MEASURE(n)", "count(amount)"),
    ("MEASURE(most)", "max(amount)"),
    ("MEASURE(mean)", "CAST(sum(amount) AS DOUBLE) / nullif(count(amount), 0)"),
    ("MEASURE(few)", "sum(amount) FILTER (WHERE kind = 1)"),
];

const KEYS: [(&str, &str); 7] = [
    ("customer", "customer_name"),
    ("country", "country_name"),
    ("customer, country", "customer_name, country_name"),
    ("country, way", "country_name, way"),
    ("kind, customer", "kind, customer_name"),
    ("CUBE (country, way)", "CUBE (country_name, way)"),
    ("ROLLUP (country, customer)", "ROLLUP (country_name, customer_name)"),
];

/// A number below `most`, or now and then nothing.
fn some(random: &mut SmallRng, most: u32) -> String {
    if random.random_ratio(1, 6) { String::new() } else { random.random_range(0..most).to_string() }
}

fn write_rows(folder: &Path, random: &mut SmallRng) {
    let mut write = |name: &str, header: &str, rows: u32, row: &dyn Fn(&mut SmallRng) -> String| {
        let mut text = format!("{header}\n");
        for at in 0..rows {
            writeln!(text, "{at},{}", row(random)).unwrap();
        }
        std::fs::write(folder.join(name), text).unwrap();
    };
    // Keys go further than what they lead to.
    write("countries.csv", "code,country_name", 3, &|random| format!("land {}", random.random_range(0..2)));
    write("customers.csv", "id,customer_name,country_code", 6, &|random| {
        format!("name {},{}", random.random_range(0..4), some(random, 5))
    });
    write("orders.csv", "order_id,customer_id,way", 15, &|random| {
        format!("{},{}", some(random, 8), ["post", "shop", ""][random.random_range(0..3)])
    });
    write("lines.csv", "line_id,order_id,kind,amount", 60, &|random| {
        format!("{},{},{}", some(random, 18), random.random_range(0..3), some(random, 100))
    });
}

fn rows(batches: &[RecordBatch]) -> Vec<String> {
    let table = pretty_format_batches(batches).unwrap().to_string();
    // Without the header, whose names differ; what is padded by them is trimmed.
    let cells = |line: &str| line.split('|').map(str::trim).collect::<Vec<_>>().join("|");
    let mut rows: Vec<String> = table.lines().skip(3).filter(|line| line.starts_with('|')).map(cells).collect();
    rows.sort();
    rows
}

fn grouped(keys: &str, value: &str, from: &str) -> String {
    let shown = keys.trim_start_matches("CUBE (").trim_start_matches("ROLLUP (").trim_end_matches(')');
    format!("SELECT {shown}, {value} FROM {from} GROUP BY {keys}")
}

#[tokio::test]
async fn it_is_the_sql_by_hand() {
    let (mut asked, mut late) = (0, 0);
    for seed in 0..6 {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("model.bell"), MODEL).unwrap();
        write_rows(folder.path(), &mut SmallRng::seed_from_u64(seed));
        let engine = Engine::open(folder.path()).await.unwrap();
        engine.sql("SET bell.reduce_factor = 0").await.unwrap();
        let plain = SessionContext::new();
        for table in ["countries", "customers", "orders", "lines"] {
            let file = folder.path().join(format!("{table}.csv"));
            plain.register_csv(table, file.to_str().unwrap(), CsvReadOptions::new()).await.unwrap();
        }
        for (keys, by_hand) in KEYS {
            for (value, aggregate) in VALUES {
                let sql = grouped(keys, value, "indicators");
                let frame = engine.sql(&sql).await.unwrap();
                late += usize::from(frame.clone().into_optimized_plan().unwrap().to_string().contains("$late"));
                let ours = rows(&frame.collect().await.unwrap());
                let theirs = plain.sql(&grouped(by_hand, aggregate, JOINED)).await.unwrap();
                assert_eq!(ours, rows(&theirs.collect().await.unwrap()), "seed {seed}: {sql}");
                asked += 1;
            }
        }
    }
    // The others are filtered among the cells.
    println!("{late} of {asked} were added up twice");
    assert!(late * 2 > asked);
}
