//! Rows that are added up twice before names are looked up, or grouped by a key before what hangs on it is, beside the same questions as SQL by hand, over random rows: keys
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
dimension number   = lines.order.customer.id
dimension code     = lines.order.customer.country.code
dimension order_no = lines.order.order_id
dimension who      = customers.id
dimension called   = customers.customer_name
indicator latest   = max(orders.order_id)
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

/// Keys that hang on another one.
const DETAILS: [(&str, &str); 6] = [
    ("number, customer", "id, customer_name"),
    ("country, number, customer", "country_name, id, customer_name"),
    ("kind, number, country", "kind, id, country_name"),
    ("country, code", "country_name, code"),
    ("customer, order_no, way, country", "customer_name, o.order_id, way, country_name"),
    ("code, number, customer", "code, id, customer_name"),
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

/// The rows of a table in order, without its header.
pub fn rows(batches: &[RecordBatch]) -> Vec<String> {
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

/// The same rows for us and for plain DataFusion.
async fn projects(seed: u64) -> (tempfile::TempDir, Engine, SessionContext) {
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
    (folder, engine, plain)
}

#[tokio::test]
async fn it_is_the_sql_by_hand() {
    let (mut asked, mut late) = (0, 0);
    for seed in 0..6 {
        let (_folder, engine, plain) = projects(seed).await;
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

/// Too few lines have the same order to be added up by it first: they are by its customer, whom nobody looks up for a line.
#[tokio::test]
async fn rows_are_added_up_where_they_are_joined() {
    let (mut asked, mut on_the_way) = (0, 0);
    for seed in 0..6 {
        let (folder, _, plain) = projects(seed).await;
        for table in ["countries", "customers", "orders", "lines"] {
            let file = folder.path().join(format!("{table}.parquet"));
            let copy = format!("COPY (SELECT * FROM {table}) TO '{}' STORED AS PARQUET", file.display());
            plain.sql(&copy).await.unwrap().collect().await.unwrap();
        }
        std::fs::write(folder.path().join("model.bell"), MODEL.replace("csv", "parquet")).unwrap();
        let engine = Engine::open(folder.path()).await.unwrap();
        engine.sql("SET bell.reduce_factor = 5").await.unwrap();
        for (keys, by_hand) in [
            ("number", "id"),
            ("code", "code"),
            ("number, code", "id, code"),
            ("kind, number", "kind, id"),
            ("ROLLUP (number)", "ROLLUP (id)"),
            ("CUBE (number, code)", "CUBE (id, code)"),
        ] {
            for (value, aggregate) in VALUES {
                for condition in ["", " WHERE kind > 0"] {
                    let sql = grouped(keys, value, &format!("indicators{condition}"));
                    let frame = engine.sql(&sql).await.unwrap();
                    let plan = frame.clone().into_optimized_plan().unwrap().to_string();
                    on_the_way += usize::from(plan.contains("groupBy=[[lines.order.customer_id]]"));
                    let ours = rows(&frame.collect().await.unwrap());
                    let theirs = grouped(by_hand, aggregate, &format!("{JOINED}{condition}"));
                    let theirs = plain.sql(&theirs).await.unwrap().collect().await.unwrap();
                    assert_eq!(ours, rows(&theirs), "seed {seed}: {sql}");
                    asked += 1;
                }
            }
        }
    }
    println!("{on_the_way} of {asked} were added up on their way");
    assert!(on_the_way * 2 > asked);
}

#[tokio::test]
async fn details_are_looked_up_after() {
    let (mut asked, mut after) = (0, 0);
    for seed in 0..3 {
        let (_folder, engine, plain) = projects(seed).await;
        for (keys, by_hand) in DETAILS {
            for (value, aggregate) in VALUES {
                for (rest, by_hand_too) in [
                    ("", ""),
                    (" HAVING MEASURE(n) > 1", " HAVING count(amount) > 1"),
                    (" ORDER BY MEASURE(n) DESC, 1, 2 LIMIT 4", " ORDER BY count(amount) DESC, 1, 2 LIMIT 4"),
                    (" ORDER BY MEASURE(total) DESC NULLS LAST LIMIT 100", ""),
                ] {
                    let sql = grouped(keys, value, "indicators") + rest;
                    let frame = engine.sql(&sql).await.unwrap();
                    after += usize::from(frame.clone().into_optimized_plan().unwrap().to_string().contains("$details"));
                    let ours = rows(&frame.collect().await.unwrap());
                    let theirs = plain.sql(&(grouped(by_hand, aggregate, JOINED) + by_hand_too)).await.unwrap();
                    assert_eq!(ours, rows(&theirs.collect().await.unwrap()), "seed {seed}: {sql}");
                    asked += 1;
                }
            }
        }
    }
    println!("{after} of {asked} looked details up after");
    assert!(after * 2 > asked);
}

#[tokio::test]
async fn the_first_rows_are_found_before_their_details() {
    let (_folder, engine, plain) = projects(7).await;
    let ask = |order: &str| {
        format!("SELECT number, customer, country, MEASURE(total) FROM indicators GROUP BY 1, 2, 3 {order}")
    };
    let plan =
        async |sql: &str| engine.sql(sql).await.unwrap().into_optimized_plan().unwrap().display_indent().to_string();
    let first = plan(&ask("ORDER BY 4 DESC NULLS LAST LIMIT 2")).await;
    let lines: Vec<&str> = first.lines().map(str::trim).collect();
    let at =
        |part: &str| lines.iter().position(|line| line.contains(part)).unwrap_or_else(|| panic!("{part}\n{first}"));
    let sorts: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].starts_with("Sort:")).collect();
    assert!(sorts.len() == 2 && sorts[1] > at("Left Join"), "{first}");
    // By a name the first ones are known once it is looked up.
    let by_name = plan(&ask("ORDER BY 4 DESC, 2 LIMIT 2")).await;
    assert_eq!(by_name.matches("Sort:").count(), 1, "{by_name}");
    let by_hand = format!(
        "SELECT id, customer_name, country_name, sum(amount) FROM {JOINED} GROUP BY 1, 2, 3 ORDER BY 4 DESC NULLS LAST LIMIT 2"
    );
    let ours = engine.sql(&ask("ORDER BY 4 DESC NULLS LAST LIMIT 2")).await.unwrap().collect().await.unwrap();
    assert_eq!(rows(&ours), rows(&plain.sql(&by_hand).await.unwrap().collect().await.unwrap()));
}

#[tokio::test]
async fn two_facts_meet_on_keys_and_their_details() {
    let ours = "SELECT who, called, MEASURE(total), MEASURE(latest) FROM indicators GROUP BY 1, 2";
    let theirs = format!(
        "SELECT coalesce(a.id, b.id), coalesce(a.customer_name, b.customer_name), total, latest
         FROM (SELECT id, customer_name, sum(amount) AS total FROM {JOINED} GROUP BY 1, 2) a
         FULL JOIN (SELECT id, customer_name, max(order_id) AS latest
                    FROM orders LEFT JOIN customers ON customer_id = id GROUP BY 1, 2) b
         ON (a.id IS NOT DISTINCT FROM b.id) AND (a.customer_name IS NOT DISTINCT FROM b.customer_name)"
    );
    for seed in 0..6 {
        let (_folder, engine, plain) = projects(seed).await;
        let frame = engine.sql(ours).await.unwrap();
        let plan = frame.clone().into_optimized_plan().unwrap().display_indent().to_string();
        assert_eq!(plan.matches("SubqueryAlias: $details").count(), 2, "{plan}");
        let by_hand = plain.sql(&theirs).await.unwrap().collect().await.unwrap();
        assert_eq!(rows(&frame.collect().await.unwrap()), rows(&by_hand), "seed {seed}");
    }
}
