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

#[test]
fn folders_have_the_names_that_readers_know() {
    let model = "
source o { from csv 'o.csv'  key id }
dimension 区域 = o.region
indicator 数 = count(*) of o
publish 表 { indicators 数  by 区域  to 'out/t/'  partitioned by 区域 }
";
    let project = project(model);
    let folder = project.path();
    std::fs::write(folder.join("o.csv"), "id,region\n1,华东\n2,a=b%20c\n3,\n").unwrap();
    run(folder, 0, &[]);
    let mut folders: Vec<String> = manifest(folder, "t")["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["path"].as_str().unwrap().split('/').nth(3).unwrap().to_string())
        .collect();
    folders.sort();
    assert_eq!(folders, ["区域=__HIVE_DEFAULT_PARTITION__", "区域=a%3Db%2520c", "区域=华东"]);

    let read = format!("{model}source t {{ from parquet 'out/t/'  partition by 区域 varchar }}");
    std::fs::write(folder.join("model.bell"), &read).unwrap();
    assert_eq!(sql(folder, "SELECT 区域, 数 FROM t ORDER BY 1"), "区域,数\na=b%20c,1\n华东,1\nNULL,1\n");
    assert_eq!(sql(folder, "SELECT 数 FROM t WHERE 区域 = '华东'"), "数\n1\n");

    // What was written before, with names that are encoded, is read as well.
    let old = folder.join("old/%E5%8C%BA%E5%9F%9F=%E5%8D%8E");
    std::fs::create_dir_all(&old).unwrap();
    std::fs::write(old.join("part-0.csv"), "数\n7\n").unwrap();
    std::fs::write(folder.join("model.bell"), "source t { from csv 'old/'  partition by 区域 varchar }").unwrap();
    assert_eq!(sql(folder, "SELECT 区域, 数 FROM t WHERE 区域 = '华'"), "区域,数\n华,7\n");
    assert!(bell(folder, &["check"]).status.success());
}

#[test]
fn what_reads_what_is_published_comes_after_it() {
    let first = "
source o { from csv 'o.csv'  key id  time at_time  columns { x decimal(9, 2) } }
indicator sales = sum(o.x)
publish days { indicators sales  by day  to 'out/days/' }
";
    let second = "
publish sums { indicators told  to 'out/sums/'  format csv }
source told_days { from parquet './out/days'  time day }
indicator told = sum(told_days.sales)
rollup told_months { indicators told  by month  to 'out/months/' }
";
    let project = project(first);
    let folder = project.path();
    run(folder, 0, &[]);
    std::fs::write(folder.join("model.bell"), format!("{second}{first}")).unwrap();
    run(folder, 0, &[]);
    std::fs::write(folder.join("o.csv"), "id,region,x,at_time\n1,east,7,2026-01-01\n").unwrap();
    let reports = run(folder, 0, &[]);
    let names: Vec<&str> = reports.iter().map(|report| report["publication"].as_str().unwrap()).collect();
    assert_eq!(names, ["public.days", "public.told_months/told_days", "public.sums"]);
    let path = manifest(folder, "sums")["files"][0]["path"].as_str().unwrap().to_string();
    assert_eq!(std::fs::read_to_string(folder.join("out/sums").join(path)).unwrap(), "told\n7.00\n");
    // A rollup of it is current, too.
    assert!(sql(folder, "SELECT state FROM bell.rollups").contains("current"));
    // One that is asked for alone reads what is there.
    std::fs::write(folder.join("o.csv"), "id,region,x,at_time\n1,east,8,2026-01-01\n").unwrap();
    assert_eq!(run(folder, 0, &["sums"]).len(), 1);
    assert_eq!(run(folder, 0, &["--only", "sums,days"])[1]["publication"], "public.sums");
    assert_eq!(run(folder, 0, &["--dry-run"]).len(), 3);
}
