//! Expectations from outside: what they stop, what they only tell, and how often rows are read for them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bellwether::{Engine, Expect, quality};
use datafusion::arrow::array::{Int64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::MemTable;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionContext;
use serde_json::Value;

use super::runs::{bell, project};

const MODEL: &str = "
source o { from csv 'o.csv'  key id  time at_time }
source other { from csv 'o.csv'  key id }
indicator sales = sum(o.x)
indicator rows  = count(*) of other
expect o.x > 0
expect sales < 6 every month { severity warn }
publish pack { indicators sales  by month  to 'out/pack/'  partitioned by month  lookback 3 days }
publish rest { indicators rows  to 'out/rest/' }
";

fn run(folder: &Path, code: i32) -> (Vec<Value>, String) {
    let output = bell(folder, &["run", "-F", "json"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{told}");
    (serde_json::from_slice(&output.stdout).unwrap(), told)
}

fn manifest(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("out/pack/_bell/manifest.json")).unwrap()
}

#[test]
fn a_publication_waits_until_the_data_is_as_expected() {
    let project = project(MODEL);
    let folder = project.path();
    let planned = bell(folder, &["run", "--dry-run"]);
    assert!(String::from_utf8(planned.stdout).unwrap().contains("| 2 planned "));
    let (reports, told) = run(folder, 0);
    assert_eq!(reports[0]["expectations"][0]["outcome"], "kept");
    assert_eq!(reports[0]["expectations"][1]["outcome"], "broken");
    assert_eq!(reports[1]["expectations"], Value::Array(vec![]));
    assert!(told.contains("warning[B0386]") && told.contains("month = 2026-02-01"), "{told}");
    let before = manifest(folder);

    std::fs::write(folder.join("o.csv"), "id,region,x,at_time\n7,east,-1.5,2026-01-01\n8,east,,2026-01-01\n").unwrap();
    let (reports, told) = run(folder, 3);
    assert_eq!((&reports[0]["outcome"], &reports[1]["outcome"]), (&"failed".into(), &"published".into()));
    assert_eq!(reports[0]["expectations"][0]["examples"], serde_json::json!(["id = 7"]));
    assert!(told.contains("`o.x > 0`: 1 of 2 rows breaks it"), "{told}");
    assert_eq!(manifest(folder), before);
    let failed = std::fs::read_to_string(folder.join("out/pack/_bell/failed.json")).unwrap();
    assert!(failed.contains("B0385"), "{failed}");
    let found = bell(folder, &["expect", "sales", "pack", "-F", "csv"]);
    assert_eq!(found.status.code(), Some(3));
    let table = String::from_utf8(found.stdout).unwrap();
    assert!(table.contains("public,o.x > 0,stop,broken,1,2"), "{table}");
    let found = bell(folder, &["expect", "sales"]);
    assert_eq!(found.status.code(), Some(0));

    std::fs::write(folder.join("o.csv"), "id,region,x,at_time\n7,east,1.5,2026-01-01\n").unwrap();
    run(folder, 0);
    // Where nothing has changed nothing is looked at.
    let (reports, _) = run(folder, 0);
    assert_eq!((&reports[0]["outcome"], &reports[0]["expectations"]), (&"current".into(), &Value::Array(vec![])));
}

/// A table that counts how often it is read.
#[derive(Debug)]
struct Counted(MemTable, AtomicUsize);

#[async_trait]
impl TableProvider for Counted {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.scan(state, projection, filters, limit).await
    }
}

#[tokio::test]
async fn the_rows_of_a_source_are_read_once() {
    let rows = RecordBatch::try_from_iter([
        ("id", Arc::new(Int64Array::from(vec![1, 2, 3])) as _),
        ("x", Arc::new(Int64Array::from(vec![Some(5), None, Some(7)])) as _),
        ("y", Arc::new(StringArray::from(vec!["a", "b", "c"])) as _),
    ])
    .unwrap();
    let table = Arc::new(Counted(MemTable::try_new(rows.schema(), vec![vec![rows]]).unwrap(), AtomicUsize::new(0)));
    let ctx = SessionContext::new();
    ctx.register_table("counted", Arc::clone(&table) as _).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let model = "source o { from table counted  key id }
indicator n = sum(o.x)
expect o.x > 0
expect o.x < 7 { severity warn }
expect o.y <> '' where o.x is not null
expect o.x + o.id > 0
";
    std::fs::write(folder.path().join("model.bell"), model).unwrap();
    let engine = Engine::with_context(ctx, folder.path()).await.unwrap();
    let found = quality::evaluate(&engine, &Expect::default()).await.unwrap();
    let counts: Vec<(u64, u64)> = found.iter().map(|finding| (finding.broken, finding.of)).collect();
    assert_eq!(counts, [(0, 3), (1, 3), (0, 2), (0, 3)]);
    assert_eq!(found[1].examples, ["id = 3"]);
    // Once for all, once for the key of what is broken.
    assert_eq!(table.1.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn how_new_a_source_is_is_told_by_the_wall_clock() {
    let folder = tempfile::tempdir().unwrap();
    let model = "calendar { timezone 'Asia/Shanghai' }
source o { from csv 'o.csv'  time at_time  columns { at_time timestamp with time zone } }
source p { from csv 'o.csv' }
indicator n = count(*) of o
expect o fresh within 2 hours
expect p fresh within 1 day
";
    std::fs::write(folder.path().join("model.bell"), model).unwrap();
    std::fs::write(folder.path().join("o.csv"), "at_time\n2026-01-01T00:30:00Z\n").unwrap();
    let engine = Engine::open(folder.path()).await.unwrap();
    let at = async |as_of: &str| {
        let asked = Expect { as_of: Some(as_of.to_string()), ..Expect::default() };
        quality::evaluate(&engine, &asked).await.unwrap().iter().map(|it| it.outcome.name()).collect::<Vec<_>>()
    };
    // Half past eight in Shanghai.
    assert_eq!(at("2026-01-01 10:30").await, ["kept", "kept"]);
    assert_eq!(at("2026-01-01 10:31").await, ["broken", "kept"]);
    assert_eq!(at("2099-01-01").await, ["broken", "broken"]);
}
