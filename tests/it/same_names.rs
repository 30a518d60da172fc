//! Columns of the same name in several joined sources, over files whose statistics prune them.
//!
//! A filter made from one side of a join is pushed to the files of the other; there it must reach the column that it is
//! about, not another one of the same name.

use std::path::Path;

use bellwether::Engine;
use datafusion::prelude::SessionContext;

use crate::events::ask;

const MODEL: &str = "
source orders {
  from parquet 'orders.parquet'
  key id
  join customer = customers on customer_id = customer.id
  join ship_city = cities on city_id = ship_city.id
  join shop = shops on shop_id
}
source customers { from parquet 'customers.parquet'  key id  join city = cities on city_id = city.id }
source shops { from parquet 'shops.parquet'  key shop_id  join city = cities on city_id = city.id }
source cities { from parquet 'cities.parquet'  key id }
dimension ship = orders.ship_city.name
dimension home = orders.customer.city.name
dimension shop = orders.shop.city.name
indicator n = count(*) of orders
indicator people = count(distinct orders.customer.id)
";

/// Each city has orders shipped there by customers who live in another one.
const FILES: [(&str, &str); 4] = [
    ("cities", "SELECT * FROM (VALUES (1, 'a'), (2, 'b'), (3, 'c')) AS t(id, name)"),
    ("customers", "SELECT * FROM (VALUES (11, 2, 'ann'), (12, 2, 'bob')) AS t(id, city_id, name)"),
    ("shops", "SELECT * FROM (VALUES (21, 3, 'x')) AS t(shop_id, city_id, name)"),
    ("orders", "SELECT * FROM (VALUES (1, 11, 21, 1), (2, 12, 21, 1)) AS t(id, customer_id, shop_id, city_id)"),
];

async fn project(folder: &Path) -> Engine {
    let ctx = SessionContext::new();
    for (name, rows) in FILES {
        let path = folder.join(name).with_extension("parquet");
        ctx.sql(&format!("COPY ({rows}) TO '{}'", path.display())).await.unwrap().collect().await.unwrap();
    }
    std::fs::write(folder.join("model.bell"), MODEL).unwrap();
    Engine::open(folder).await.unwrap()
}

#[tokio::test]
async fn a_condition_reaches_its_own_column() {
    let folder = tempfile::tempdir().unwrap();
    let engine = project(folder.path()).await;
    let rows = |sql: &'static str| ask(&engine, sql);
    let of = |values: &[&str]| vec![values.iter().map(|value| value.to_string()).collect::<Vec<String>>()];
    let asked = "SELECT ship, MEASURE(n), MEASURE(people) FROM indicators WHERE home = 'b' GROUP BY ship";
    assert_eq!(rows(asked).await, of(&["a", "2", "2"]));
    let asked = "SELECT ship, home, shop, MEASURE(n) FROM indicators WHERE shop = 'c' AND home IN ('b', 'c') GROUP BY ship, home, shop";
    assert_eq!(rows(asked).await, of(&["a", "b", "c", "2"]));
    let asked = "SELECT home, MEASURE(n) FROM indicators WHERE shop = 'c' GROUP BY home";
    assert_eq!(rows(asked).await, of(&["b", "2"]));
}

/// The same in SQL without indicators, where the names are not ours.
#[tokio::test]
async fn plain_sql_reaches_them_too() {
    let folder = tempfile::tempdir().unwrap();
    let engine = project(folder.path()).await;
    let joined = "FROM orders JOIN shops USING (shop_id) JOIN customers ON customer_id = customers.id JOIN cities ON ";
    for (on, shop) in [("shops.city_id = cities.id", "c"), ("customers.city_id = cities.id", "b")] {
        let sql = format!(
            "SELECT orders.city_id AS o, shops.city_id AS s, customers.city_id AS c, count(*) {joined}{on} \
             WHERE cities.name = '{shop}' GROUP BY o, s, c"
        );
        assert_eq!(ask(&engine, &sql).await, [["1", "3", "2", "2"]], "{sql}");
    }
}

/// Files that cannot change the least value of a column, and have that of something else. There are some in each
/// partition, so that the first ones tell what the later ones can change.
#[tokio::test]
async fn no_extreme_is_forgotten_for_another() {
    let folder = tempfile::tempdir().unwrap();
    let rows = folder.path().join("rows");
    std::fs::create_dir(&rows).unwrap();
    let writer = SessionContext::new();
    for n in 1..=8 {
        let file = rows.join(n.to_string()).with_extension("parquet");
        let late = if n < 8 { "NULL" } else { "5" };
        let row = format!("SELECT {n} AS n, {} AS m, {} AS w, CAST({late} AS INT) AS late", 20 - n, 10 - n);
        writer.sql(&format!("COPY ({row}) TO '{}'", file.display())).await.unwrap().collect().await.unwrap();
    }
    let model = "
source rows { from parquet 'rows/' }
indicator least = min(rows.n)
indicator twice = min(rows.w + rows.w)
indicator late = max(rows.late) + min(rows.n)
indicator both = min(rows.n) + min(rows.m * 2) + max(rows.w + rows.n + rows.n)";
    std::fs::write(folder.path().join("model.bell"), model).unwrap();
    let indicators = "SELECT MEASURE(least), MEASURE(twice), MEASURE(both) FROM indicators";
    let engine = Engine::open(folder.path()).await.unwrap();
    ask(&engine, "SET datafusion.execution.target_partitions = 2").await;
    for sql in [indicators, "SELECT min(n), min(w + w), min(n) + min(m * 2) + max(w + n + n) FROM rows"] {
        assert_eq!(ask(&engine, sql).await, [["1", "4", "43"]], "{sql}");
    }
    for sql in ["SELECT MEASURE(late) FROM indicators", "SELECT max(late) + min(n) FROM rows"] {
        assert_eq!(ask(&engine, sql).await, [["6"]], "{sql}");
    }
    // And in a caller's own session.
    let config = datafusion::prelude::SessionConfig::new().with_target_partitions(2);
    let caller = Engine::with_context(SessionContext::new_with_config(config), folder.path()).await.unwrap();
    assert_eq!(ask(&caller, indicators).await, [["1", "4", "43"]]);
    assert_eq!(ask(&caller, "SELECT MEASURE(late) FROM indicators").await, [["6"]]);
}
