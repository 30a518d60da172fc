//! What a newcomer gets from a folder of files.

use datafusion::datasource::provider_as_source;

use super::*;
use crate::catalog::source::Rows;
use crate::check::functions::Functions;
use crate::check::{self, Table, Tables};
use crate::diagnostic::render::to_text;
use crate::source::SourceSet;
use crate::store;
use crate::syntax::{self, Parsed, ast};

fn write(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// What `check` says of the written project.
async fn problems(dir: &Path, from: &[String]) -> Vec<String> {
    let ctx = SessionContext::new();
    let sources = SourceSet::load(dir).unwrap();
    let parsed: Vec<Parsed> = sources.files().iter().map(|file| syntax::parse(file)).collect();
    let mut tables = Tables::new();
    for candidate in candidates::candidates(dir, from).unwrap() {
        let Ok(table) = store::open(&candidate.spec, &ctx).await else { continue };
        let schema = table.schema();
        let rows = Rows::Table(provider_as_source(table));
        tables.insert(("public".to_string(), candidate.spec.name), Table { rows, schema });
    }
    let mut diagnostics: Vec<_> = parsed.iter().flat_map(|parsed| parsed.diagnostics.clone()).collect();
    let files: Vec<ast::File> = parsed.into_iter().map(|parsed| parsed.file).collect();
    diagnostics.extend(check::check(&sources, &files, &tables, &Functions::of(&ctx.state())).diagnostics);
    diagnostics.iter().map(|diagnostic| to_text(&sources, diagnostic, false)).collect()
}

async fn written(dir: &Path, from: &str) -> (InitReport, String) {
    let from = [dir.join(from).to_string_lossy().into_owned()];
    let report = init(dir, &from, &SessionContext::new()).await.unwrap();
    assert_eq!(problems(dir, &from).await.join(""), "");
    let texts: Vec<String> = report.files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let text = texts.join("\n").replace("What was guessed says why: check it, and change what is wrong.", "…");
    (report, text)
}

#[tokio::test]
async fn a_small_shop() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "data/cities.csv", "city_id,name,country\n1,Bern,CH\n2,Bonn,DE\n3,Brno,CZ\n");
    write(
        dir.path(),
        "data/orders.csv",
        "order_id,ordered_at,ship_city_id,bill_city_id,status,amount,discount_rate\n\
         1,2026-01-01,1,2,paid,10.5,0.1\n2,2026-01-01,2,2,paid,7.25,0.2\n3,2026-01-03,1,,open,3.5,0.0\n",
    );
    let (report, text) = written(dir.path(), "data/*.csv").await;
    assert_eq!(
        report.sources[1],
        "orders: 3 rows, key order_id, time ordered_at, ship_city_id → cities, bill_city_id → cities"
    );
    assert_eq!(
        text,
        "\
-- Written by `bell init` from 3 rows. …

source cities {
  from csv 'data/cities.csv'
  key city_id    -- unique and never NULL in 3 rows
}

dimension city_name = cities.name    -- 3 values
dimension country   = cities.country    -- 3 values

indicator cities_count = count(*) of cities

-- Written by `bell init` from 3 rows. …

source orders {
  from csv 'data/orders.csv'
  key order_id    -- unique and never NULL in 3 rows
  time ordered_at
  join ship_city = cities on ship_city_id    -- 100 % of 2 values found in cities.city_id
  join bill_city = cities on bill_city_id    -- 100 % of 1 values found in cities.city_id
}

dimension order_status      = orders.status    -- 2 values
dimension ship_city_name    = orders.ship_city.name
dimension ship_city_country = orders.ship_city.country
dimension bill_city_name    = orders.bill_city.name
dimension bill_city_country = orders.bill_city.country

indicator orders_count                = count(*) of orders
indicator order_distinct_ship_city_id = count(distinct orders.ship_city_id)
indicator order_distinct_bill_city_id = count(distinct orders.bill_city_id)
indicator total_amount                = sum(orders.amount)
indicator avg_discount_rate           = avg(orders.discount_rate)    -- an average: sums of it mean nothing
"
    );
}

#[tokio::test]
async fn parts_and_partitions() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "data/visits_2025.csv", "visit_id,page\n1,a\n");
    write(dir.path(), "data/visits_2026.csv", "visit_id,page\n2,b\n");
    write(dir.path(), "data/sales/dt=2026-01-01/x.csv", "sale_id,qty\n1,2\n");
    write(dir.path(), "data/sales/dt=2026-01-02/x.csv", "sale_id,qty\n2,3\n");
    write(dir.path(), "data/broken.csv", "a,b\n1\n");
    let (report, text) = written(dir.path(), "data").await;
    assert!(text.contains("  from csv 'data/visits_2025.csv', 'data/visits_2026.csv'\n  key visit_id"), "{text}");
    assert!(text.contains("  from csv 'data/sales/'\n  partition by dt date\n  key sale_id"), "{text}");
    assert!(text.contains("  time dt\n"), "{text}");
    assert_eq!(report.skipped.len(), 1);
    assert!(report.skipped[0].contains("broken.csv, row 2: the row has 1 fields"), "{:?}", report.skipped);
}

#[tokio::test]
async fn a_project_is_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "model.bell", "-- mine");
    let error = init(dir.path(), &["*.csv".to_string()], &SessionContext::new()).await.unwrap_err();
    assert!(error.to_string().ends_with("model.bell is there already: choose an empty folder"));
}

#[tokio::test]
async fn what_few_rows_prove() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "data/days.csv", "day\n2026-01-01\n2026-01-02\n");
    write(dir.path(), "data/users.csv", "user_id,city\nu000001,Bern\nu000002,Bonn\nu000003,Brno\nu000004,Rome\n");
    write(
        dir.path(),
        "data/stays.csv",
        "host_id,night,is_paid,visits_value,visit_count\n\
         u000001,2026-01-01,true,5,2\nu000002,2026-01-01,false,6,3\nu000003,2026-01-02,true,7,4\nu000001,2026-01-02,,8,5\n",
    );
    let (report, text) = written(dir.path(), "data/*.csv").await;
    assert_eq!(report.skipped, ["days: it holds moments and nothing else, and grouping by time needs no table"]);
    let stays = text.split_once("source stays").unwrap().1.split_once("\n-- Written").unwrap().0;
    assert_eq!(
        stays,
        " {
  from csv 'data/stays.csv'
  -- perhaps: key (host_id, night), unique together, but by chance perhaps in only 4 rows
  time night
  join host = users on host_id    -- 100 % of 3 values found in users.user_id
}

dimension is_paid = stays.is_paid    -- 2 values

indicator stays_count            = count(*) of stays
indicator stay_distinct_host_id  = count(distinct stays.host_id)
indicator paid_share             = count(*) filter (where stays.is_paid) / count(stays.is_paid) { unit percent }    \
         -- of the rows where it is known
indicator total_visits_value     = sum(stays.visits_value)
indicator total_visit_count      = sum(stays.visit_count)
indicator visits_value_per_visit = total_visits_value / total_visit_count
"
    );
}
