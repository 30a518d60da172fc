//! Importing a dbt semantic manifest: what is written, and what is said of it.

use std::path::Path;

use bellwether::Engine;
use bellwether::import::{Fidelity, Kind, Report, metricflow};
use datafusion::prelude::SessionContext;

const MANIFEST: &str = r#"
semantic_models:
  - name: orders
    description: One row an order.
    model: ref('fct_orders')
    config: { meta: { owner: "sales@example.com", tier: 1 } }
    defaults: { agg_time_dimension: ordered_at }
    entities:
      - { name: order, type: primary, expr: order_id }
      - { name: customer, type: foreign, expr: customer_id }
    dimensions:
      - { name: ordered_at, type: time, type_params: { time_granularity: day } }
      - { name: size, type: categorical, expr: "CASE WHEN amount >= 10 THEN 'large' ELSE 'small' END", label: Size }
    measures:
      - { name: revenue, agg: sum, expr: amount, create_metric: true }
      - { name: order_count, agg: count, expr: order_id }
      - { name: odd, agg: sum, expr: no_such_function(amount), create_metric: true }
  - name: customers
    model: ref('dim_customers')
    entities:
      - { name: customer, type: primary, expr: id }
    dimensions:
      - { name: country, type: categorical, description: Where they live. }
      - { name: gone, type: categorical }
  - name: visits
    model: ref('fct_visits')
    entities:
      - { name: visit, type: primary }
---
metrics:
  - name: orders
    label: Orders
    type: simple
    type_params: { measure: order_count }
  - name: french_revenue
    type: simple
    type_params: { measure: { name: revenue, fill_nulls_with: 0 } }
    filter: "{{ Dimension('customer__country') }} = 'fr' OR {{ TimeDimension('metric_time', 'month') }} < '2026-01-01'"
  - name: revenue_per_order
    type: ratio
    type_params: { numerator: revenue, denominator: { name: orders, filter: "{{ Dimension('order__size') }} = 'large'" } }
  - name: odd_doubled
    type: derived
    type_params: { expr: 2 * o, metrics: [ { name: odd, alias: o } ] }
saved_queries:
  - name: by_country
    query_params:
      metrics: [orders]
      group_by: ["Dimension('customer__country')"]
"#;

async fn imported(folder: &Path) -> Report {
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    write("manifest.yml", MANIFEST);
    write(
        "fct_orders.csv",
        "order_id,customer_id,amount,ordered_at\n1,1,5,2026-01-05\n2,1,20,2026-01-06\n3,2,30,2026-02-01\n",
    );
    write("dim_customers.csv", "id,country\n1,fr\n2,de\n");
    let ctx = SessionContext::new();
    metricflow::import(&folder.join("manifest.yml"), folder, &folder.join("project"), &ctx).await.unwrap().1
}

#[tokio::test]
async fn a_manifest_becomes_readable_files() {
    let folder = tempfile::tempdir().unwrap();
    imported(folder.path()).await;
    let read = |name: &str| std::fs::read_to_string(folder.path().join("project").join(name)).unwrap();
    assert_eq!(
        read("orders_source.bell"),
        r#"-- Imported from a dbt semantic manifest.

/// One row an order.
-- meta tier: 1
source orders_source {
  from csv '../fct_orders.csv'
  key order_id
  time ordered_at
  join customer = customers on customer_id
  columns { size = case when amount >= 10 then 'large' else 'small' end }
  owner "sales@example.com"
}

dimension order__ordered_at = orders_source.ordered_at

dimension order__size "Size" = orders_source.size

dimension order = orders_source.order_id
"#
    );
    assert_eq!(
        read("metrics.bell"),
        r#"-- Imported from a dbt semantic manifest.

indicator orders "Orders" = sum(case when orders_source.order_id is not null then 1 else 0 end)

indicator french_revenue = coalesce(sum(orders_source.amount), 0) where customer__country = 'fr' or metric_time__month < '2026-01-01'

indicator revenue_per_order = revenue / orders filter (where order__size = 'large')

-- not imported: B0103: `odd` is not known here
-- indicator odd_doubled = 2 * odd

indicator revenue = sum(orders_source.amount)

-- not imported: B0201: Invalid function 'no_such_function'
-- indicator odd = sum(no_such_function(orders_source.amount))
"#
    );
    let engine = Engine::open(&folder.path().join("project")).await.unwrap();
    let asked = engine.sql("SELECT customer__country, orders, revenue_per_order FROM indicators GROUP BY 1").await;
    assert_eq!(asked.unwrap().count().await.unwrap(), 2);
}

#[tokio::test]
async fn everything_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let report = imported(folder.path()).await;
    let missing: Vec<String> = report
        .entries
        .iter()
        .filter(|entry| entry.fidelity == Fidelity::NotImported)
        .map(|entry| format!("{}: {}", entry.name, entry.notes.join("; ")))
        .collect();
    assert_eq!(
        missing,
        [
            "visits: no file of table `fct_visits` was found",
            "visits.visit: no file of table `fct_visits` was found",
            "customers.gone: `gone`: the table has no column `gone`",
            "odd_doubled: B0103: `odd` is not known here",
            "odd: B0201: Invalid function 'no_such_function'",
        ]
    );
    assert_eq!(report.count(Kind::Metric, Fidelity::Exact), 4);
    assert_eq!(report.count(Kind::SavedQuery, Fidelity::Approximated), 1);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["entries"][0]["fidelity"], "not_imported");
}

#[tokio::test]
async fn a_project_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    imported(folder.path()).await;
    let (manifest, project) = (folder.path().join("manifest.yml"), folder.path().join("project"));
    let again = metricflow::import(&manifest, folder.path(), &project, &SessionContext::new()).await;
    assert!(again.is_err_and(|error| error.to_string().contains("is there already")));
}
