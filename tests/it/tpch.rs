//! Questions to the TPC-H model against SQL on the same tables.
//!
//! The model is `examples/tpch`; the data is generated at scale 0.01.

#[path = "../../examples/tpch/tables.rs"]
mod tables;

use std::path::Path;

use bellwether::Engine;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use tempfile::TempDir;

use crate::compare::{assert_all_equal, assert_plain_answers};
use crate::tpch_pairs::PAIRS;

const SCALE: f64 = 0.01;

#[tokio::test]
async fn questions_equal_their_sql() {
    let project = project();
    let engine = Engine::open(project.path()).await.unwrap_or_else(|error| panic!("{error}"));
    assert_all_equal(&engine, &plain(project.path()).await, PAIRS).await;
}

#[tokio::test]
async fn the_sql_to_compare_with_has_rows() {
    let project = project();
    assert_plain_answers(&plain(project.path()).await, PAIRS).await;
}

/// The example's model beside data of its own.
fn project() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/tpch/tpch.bell");
    std::fs::copy(model, folder.path().join("tpch.bell")).unwrap();
    tables::write_all(SCALE, &folder.path().join("data")).unwrap();
    folder
}

async fn plain(project: &Path) -> SessionContext {
    let ctx = SessionContext::new();
    for table in tables::TABLES {
        let path = project.join(format!("data/{table}.parquet"));
        ctx.register_parquet(table, path.to_str().unwrap(), ParquetReadOptions::new()).await.unwrap();
    }
    ctx
}
