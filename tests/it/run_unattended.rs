//! `bell run`, night after night, with nobody who looks: what gets old, and what folders are named.

use std::path::Path;

use super::runs::{bell, manifest, project, refused, run, sql};

/// The time so many days ago.
fn ago(days: u64) -> String {
    let now = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now());
    let day = now - chrono::Days::new(days);
    day.format("%Y-%m-%dT%H:%M:%S").to_string()
}

fn rows(folder: &Path, name: &str, rows: &[(&str, String)]) {
    let lines: String = rows.iter().enumerate().map(|(at, (rest, time))| format!("{at},{rest},{time}\n")).collect();
    std::fs::write(folder.join(name), format!("id,x,at_time\n{lines}")).unwrap();
}

#[test]
fn rows_that_do_not_come_stop_what_would_else_be_current() {
    let model = "
source o { from csv 'o.csv'  key id  time at_time  columns { x decimal(9, 2) } }
indicator sales = sum(o.x)
publish daily { indicators sales  by day  to 'out/daily/'  partitioned by day  lookback 1 day }
expect o.x > 0
expect o fresh within 9 days
";
    let project = project(model);
    let folder = project.path();
    rows(folder, "o.csv", &[("1.5", ago(5)), ("2.5", ago(4))]);
    assert_eq!(run(folder, 0, &[])[0]["outcome"], "published");
    let report = run(folder, 0, &[]).remove(0);
    assert_eq!((&report["outcome"], report["expectations"].as_array().unwrap().len()), (&"current".into(), 1));

    // Days pass.
    let later = |text: &str| std::fs::write(folder.join("model.bell"), model.replace("within 9 days", text)).unwrap();
    later("within 2 days");
    let told = refused(folder, 1, &[]);
    assert!(told.contains("`o fresh within 2 days`: the newest is of"), "{told}");
    assert_eq!(manifest(folder, "daily")["files"].as_array().unwrap().len(), 2);
    let found = sql(folder, "SELECT expectation, outcome FROM bell.expectations ORDER BY 1");
    assert_eq!(found, "expectation,outcome\no fresh within 2 days,broken\no.x > 0,kept\n");
    later("within 2 days { severity warn }");
    assert_eq!(run(folder, 0, &[])[0]["outcome"], "current");

    // What is expected since is looked at, once.
    later("within 9 days\nexpect o.x > 2");
    assert!(refused(folder, 1, &[]).contains("`o.x > 2`: 1 of 2 rows breaks it"));
    later("within 9 days\nexpect o.x > 1");
    assert_eq!(run(folder, 0, &[])[0]["expectations"].as_array().unwrap().len(), 2);
    assert_eq!(run(folder, 0, &[])[0]["expectations"].as_array().unwrap().len(), 1);
}
