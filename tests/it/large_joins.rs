//! Joins of more rows than memory holds.

use std::path::Path;

use bellwether::Engine;
use bellwether::engine::Limits;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::prelude::SessionContext;

const MODEL: &str = "
source people { from parquet 'people.parquet'  key id }
source lines  { from parquet 'lines.parquet'  key line  join person = people on person_id }
dimension name = lines.person.name
dimension kind = lines.person.kind
indicator n    = count(*) of lines
indicator most = max(lines.line)
";

/// People of whom some have no line, and lines of which some have no person, or one whom nobody knows.
const FILES: [(&str, &str); 2] = [
    (
        "people",
        "SELECT value AS id, value % 7 AS kind, 'somebody named ' || value AS name FROM generate_series(1, 600000)",
    ),
    (
        "lines",
        "SELECT value AS line, CASE WHEN value % 11 > 0 THEN value * 7 % 610000 END AS person_id FROM generate_series(1, 700000)",
    ),
];

const SQL: &str = "SELECT kind, MEASURE(n), MEASURE(most) FROM indicators WHERE name IS NULL OR name LIKE '%1%' GROUP BY 1 ORDER BY 1";

/// Plain SQL with the other kinds of joins.
const OTHERS: [&str; 5] = [
    "SELECT count(*), count(p.name), sum(l.line), sum(p.id) FROM lines l FULL JOIN people p ON l.person_id = p.id AND l.line % 3 > 0",
    "SELECT count(*), sum(l.line) FROM lines l JOIN people p ON l.person_id = p.id WHERE p.name > 'somebody named 3'",
    "SELECT count(*), sum(line) FROM lines WHERE person_id IN (SELECT id FROM people)",
    "SELECT count(*), sum(line) FROM lines WHERE NOT EXISTS (SELECT 1 FROM people WHERE id = person_id AND kind > 2)",
    "SELECT count(*), sum(line) FROM lines WHERE line % 2 = 0 OR person_id IN (SELECT id FROM people WHERE kind = 1)",
];

async fn asked(folder: &Path, memory: Option<usize>, sql: &str) -> String {
    let engine = Engine::open_within(folder, &Limits { memory }).await.unwrap();
    for set in ["SET bell.reduce_rows = false", "SET datafusion.execution.target_partitions = 2"] {
        engine.sql(set).await.unwrap();
    }
    let rows = engine.sql(sql).await.unwrap().collect().await.unwrap();
    pretty_format_batches(&rows).unwrap().to_string()
}

#[tokio::test]
async fn they_are_made_by_sorting() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("model.bell"), MODEL).unwrap();
    for (name, sql) in FILES {
        let file = folder.path().join(format!("{name}.parquet"));
        let options = DataFrameWriteOptions::new().with_single_file_output(true);
        let rows = SessionContext::new().sql(sql).await.unwrap();
        rows.write_parquet(file.to_str().unwrap(), options, None).await.unwrap();
    }
    let explain = format!("EXPLAIN {SQL}");
    let (enough, short) = (Some(1 << 30), Some(48 << 20));
    for (memory, join) in [(None, "HashJoinExec"), (enough, "HashJoinExec"), (short, "SortMergeJoinExec")] {
        let plan = asked(folder.path(), memory, &explain).await;
        assert!(plan.contains(join), "{memory:?}: {plan}");
    }
    for sql in OTHERS.into_iter().chain([SQL]) {
        assert_eq!(asked(folder.path(), short, sql).await, asked(folder.path(), None, sql).await, "{sql}");
    }
}
