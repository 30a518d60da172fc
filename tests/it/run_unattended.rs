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
    let outcomes = || sql(folder, "SELECT outcome FROM bell.runs ORDER BY outcome DESC");
    assert_eq!(outcomes(), "outcome\npublished\nfailed\n");
    later("within 2 days { severity warn }");
    assert_eq!(run(folder, 0, &[])[0]["outcome"], "current");
    assert_eq!(outcomes(), "outcome\npublished\n");

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

/// A project in which rows come in files, and are published by day.
fn by_day() -> tempfile::TempDir {
    let model = "
source o { from csv 'in/*.csv'  key id  time day }
indicator n = count(*) of o
indicator ids = sum(o.id)
publish daily { indicators n, ids  by day  to 'out/'  format csv  partitioned by day  lookback 1 day }
source told { from csv 'out/'  partition by day date  time day }
";
    let project = project(model);
    std::fs::create_dir(project.path().join("in")).unwrap();
    project
}

fn day_file(folder: &Path, name: &str, rows: &[(u32, u32)]) {
    let lines: String = rows.iter().map(|(id, day)| format!("{id},2026-01-{day:02}\n")).collect();
    std::fs::write(folder.join("in").join(name), format!("id,day\n{lines}")).unwrap();
}

fn is_all_published(folder: &Path) -> bool {
    let told = sql(folder, "SELECT day, n, ids FROM told ORDER BY 1");
    told == sql(folder, "SELECT day, count(*) AS n, sum(id) AS ids FROM o GROUP BY 1 ORDER BY 1")
}

#[test]
fn what_is_new_beside_a_backfill_is_left_to_the_next_run() {
    let project = by_day();
    let folder = project.path();
    day_file(folder, "1.csv", &[(1, 1), (2, 2), (3, 3)]);
    run(folder, 0, &[]);
    assert!(is_all_published(folder));

    // The files of the run before are all replaced by those of backfills, and the newest day is one of theirs.
    day_file(folder, "2.csv", &[(4, 3), (5, 4), (6, 10), (7, 20)]);
    for day in ["2026-01-20", "2026-01-01", "2026-01-02"] {
        run(folder, 0, &["--from", day, "--to", day]);
        assert!(!is_all_published(folder));
    }
    let report = run(folder, 0, &[]).remove(0);
    assert_eq!((&report["outcome"], report["late"].as_array().unwrap().len()), (&"published".into(), 0));
    assert!(is_all_published(folder));
    assert_eq!(run(folder, 0, &[])[0]["outcome"], "current");

    // Where a folder begins with a backfill, all the rest is new.
    std::fs::remove_dir_all(folder.join("out")).unwrap();
    run(folder, 0, &["--from", "2026-01-10"]);
    assert_eq!(run(folder, 0, &[])[0]["outcome"], "published");
    assert!(is_all_published(folder));
}

#[test]
fn rows_that_come_later_than_was_said_are_told_of() {
    let project = by_day();
    let folder = project.path();
    day_file(folder, "1.csv", &[(1, 1), (2, 2), (3, 10)]);
    run(folder, 0, &[]);
    day_file(folder, "2.csv", &[(4, 2), (5, 5), (6, 9), (7, 11)]);
    let output = bell(folder, &["run", "-F", "json"]);
    let (reports, told): (serde_json::Value, _) =
        (serde_json::from_slice(&output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(reports[0]["late"], serde_json::json!(["2026-01-02", "2026-01-05"]));
    let expected = "public.daily was published without rows that came late: new files have rows of 2026-01-02; 2026-01-05; \
        `bell run public.daily --from 2026-01-02` takes them in\n";
    assert!(output.status.success() && told == expected, "{told}");
    assert_eq!(sql(folder, "SELECT late FROM bell.runs ORDER BY late"), "late\n0\n2\n");
    assert!(!is_all_published(folder));
    run(folder, 0, &["public.daily", "--from", "2026-01-02", "--to", "2026-01-05"]);
    assert!(is_all_published(folder));
    assert_eq!(run(folder, 0, &[])[0]["outcome"], "current");

    // What a backfill has taken in is not late any more.
    day_file(folder, "3.csv", &[(8, 1), (9, 2), (10, 12)]);
    run(folder, 0, &["--from", "2026-01-01", "--to", "2026-01-01"]);
    let report = run(folder, 0, &[]).remove(0);
    assert_eq!(report["late"], serde_json::json!(["2026-01-02"]));

    // Rows of no period are in no range.
    std::fs::write(folder.join("in/4.csv"), "id,day\n11,\n12,2026-01-13\n").unwrap();
    let report = run(folder, 0, &[]).remove(0);
    assert_eq!((&report["periods"], report["late"].as_array().unwrap().len()), (&serde_json::Value::Null, 0));
    assert!(is_all_published(folder));
}

#[test]
fn a_chain_of_publications_runs_where_none_of_it_has_run() {
    let model = "
publish best { indicators top  by month  to 'out/best/'  format csv }
source sums { from query ( select month, sum(told) as told from months group by month )  time month }
indicator top = max(sums.told)
rollup kept { indicators told  by month  to 'out/kept/' }
publish by_month { indicators told  by month  to 'out/by_month/' }
source months { from parquet 'out/by_month/'  time month  columns { told decimal(20, 3) } }
source told_days { from parquet './out/days'  partition by day date  time day }
indicator told = sum(told_days.sales)
expect told_days.sales > 0
source o { from csv 'o.csv'  key id  time at_time  columns { x decimal(9, 2) } }
dimension region = o.region
indicator sales = sum(o.x)
publish days { indicators sales  by day, region  to 'out/days/'  partitioned by day }
";
    let project = project(model);
    let folder = project.path();
    let output = bell(folder, &["check"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && told.matches("warning[B0361]").count() == 2, "{told}");

    // Nothing is no answer, where nothing is known.
    for question in [
        "SELECT MEASURE(told) FROM indicators",
        "SELECT count(*) FROM told_days",
        "SELECT MEASURE(top) FROM indicators",
    ] {
        let output = bell(folder, &["sql", question]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && output.stdout.is_empty() && told.contains("error[B0360]"), "{told}");
    }
    assert_eq!(sql(folder, "SELECT MEASURE(sales) AS sales FROM indicators"), "sales\n15.50\n");
    let fresh =
        sql(folder, "SELECT source, newest, files FROM bell.freshness WHERE source IN ('o', 'told_days') ORDER BY 1");
    assert_eq!(fresh, "source,newest,files\no,2026-03-01T00:00:00,1\ntold_days,NULL,0\n");
    assert!(refused(folder, 1, &["best"]).contains("`bell run public.by_month` writes them"));

    // As files would have been looked into: names that are not there are found at once.
    std::fs::write(folder.join("model.bell"), model.replace("told_days.sales", "told_days.sold")).unwrap();
    let told = String::from_utf8(bell(folder, &["check"]).stdout).unwrap();
    assert!(told.contains("source `told_days` has no column `sold`"), "{told}");
    std::fs::write(folder.join("model.bell"), model).unwrap();

    let planned = String::from_utf8(bell(folder, &["run", "--dry-run"]).stdout).unwrap();
    assert!(planned.contains("public.by_month\n  reads told_days: what is published before\n"), "{planned}");
    let reports = run(folder, 0, &[]);
    let names: Vec<&str> = reports.iter().map(|report| report["publication"].as_str().unwrap()).collect();
    assert_eq!(names, ["public.days", "public.kept/told_days", "public.by_month", "public.best"]);
    assert_eq!(bell(folder, &["check"]).stdout, b"1 file: no errors\n");
    let month = "SELECT CAST(metric_time__month AS date) AS month, CAST(MEASURE(top) AS double) AS top FROM indicators GROUP BY 1 ORDER BY 1";
    let by_hand = "SELECT CAST(date_trunc('month', at_time) AS date) AS month, CAST(sum(x) AS double) AS top FROM o GROUP BY 1 ORDER BY 1";
    assert_eq!(sql(folder, month), sql(folder, by_hand));

    // Where it does not come to the first one, the others are told why.
    std::fs::remove_dir_all(folder.join("out")).unwrap();
    std::fs::write(folder.join("model.bell"), format!("{model}expect o.x > 1000")).unwrap();
    let told = refused(folder, 1, &[]);
    assert!(told.contains("`o.x > 1000`") && told.contains("`public.days` has written none"), "{told}");

    // One that has run and found nothing is empty, which is another thing.
    let none = model.replace("by day, region  to", "by day, region  where region = 'nowhere'  to");
    std::fs::write(folder.join("model.bell"), none).unwrap();
    assert_eq!(run(folder, 0, &[]).len(), 4);
    assert_eq!(sql(folder, "SELECT count(*) AS rows FROM told_days"), "rows\n0\n");
    assert_eq!(bell(folder, &["check"]).stdout, b"1 file: no errors\n");

    // What is made of itself has nothing to begin with.
    let circle = "
source o { from parquet 'out/o/'  time month }
indicator n = sum(o.n)
publish p { indicators n  by month  to 'out/o/' }";
    std::fs::write(folder.join("model.bell"), circle).unwrap();
    assert!(refused(folder, 1, &[]).contains("error[B0350]"));
}

#[test]
fn what_was_published_is_told_of_where_what_reads_it_no_longer_fits() {
    let model = "
source o { from csv 'o.csv'  key id  time at_time  columns { x decimal(9, 2) } }
indicator sales = sum(o.x)
publish days { indicators sales  by day  to 'out/days/' }
";
    let project = project(model);
    let folder = project.path();
    run(folder, 0, &[]);
    let model = format!(
        "{model}source told_days {{ from parquet 'out/days/'  time day }}
indicator told = sum(told_days.sales)
publish sums {{ indicators told  to 'out/sums/' }}\n"
    );
    // It is there under another name as soon as the first of both has run.
    let renamed = model.replace("indicator sales", "indicator sold").replace("indicators sales", "indicators sold");
    std::fs::write(folder.join("model.bell"), renamed).unwrap();
    let output = bell(folder, &["run", "-F", "json"]);
    let reports: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((reports.as_array().unwrap().len(), &reports[0]["outcome"]), (1, &"published".into()));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && told.contains("source `told_days` has no column `sales`"), "{told}");
}

#[test]
fn a_dry_run_says_which_files_and_which_periods() {
    let model = "
source o { from csv 'in/*.csv'  key id  time at_time }
dimension region = o.region
indicator sales = sum(o.x)
publish parts { indicators sales  by month, region  to 'out/parts/'  partitioned by month  lookback 1 month }
publish whole { indicators sales  by month  to 'out/whole/' }
rollup cells { indicators orders  by day  to 'out/cells/' }
indicator orders = count(*) of o
";
    let project = project(model);
    let folder = project.path();
    std::fs::create_dir(folder.join("in")).unwrap();
    std::fs::rename(folder.join("o.csv"), folder.join("in/1.csv")).unwrap();
    let told = |arguments: &[&str]| {
        let output = bell(folder, &[&["run", "--dry-run"], arguments].concat());
        String::from_utf8(output.stdout)
            .unwrap()
            .split_once("\n\n")
            .map(|(_, told)| told.to_string())
            .unwrap_or_default()
    };
    let all = "public.cells/o\n  reads o: in/1.csv\n  writes all to out/cells/o/\n
public.parts\n  reads o: in/1.csv\n  writes all to out/parts/\n
public.whole\n  reads o: in/1.csv\n  writes all to out/whole/\n";
    assert_eq!(told(&[]), all);
    run(folder, 0, &[]);
    assert_eq!(told(&["parts", "cells"]), "");
    std::fs::write(folder.join("in/2.csv"), "id,region,x,at_time\n9,east,7,2026-03-01\n").unwrap();
    let new = "public.cells/o\n  reads o: in/2.csv\n  writes what is not in the file that stays to out/cells/o/\n
public.parts\n  reads o: in/1.csv; in/2.csv\n  writes month 2026-02-01 and later to out/parts/\n  \
        replaces month = 2026-02-01; month = 2026-03-01\n";
    assert_eq!(told(&["parts", "cells"]), new);
    let range = ["parts", "--from", "2026-01", "--to", "2026-01"];
    let anew = "public.parts\n  reads o: in/1.csv; in/2.csv\n  writes month 2026-01 to out/parts/\n  \
        replaces month = 2026-01-01\n";
    assert_eq!(told(&range), anew);
    let report = run(folder, 0, &[&["--dry-run"], &range[..]].concat()).remove(0);
    let periods = serde_json::json!({"column": "month", "from": "2026-01", "to": "2026-01"});
    assert_eq!((&report["periods"], &report["replaces"]), (&periods, &serde_json::json!([{"month": "2026-01-01"}])));
    assert_eq!(report["kept"], 2);
}

#[test]
fn what_moved_and_what_was_lost_is_in_the_table() {
    let model = "
source o { from csv 'o.csv'  key id  time at_time }
indicator sales = sum(o.x)
publish parts { indicators sales  by month  to 'out/parts/'  partitioned by month  final after 1 day }
publish months { indicators sales  by month  to 'out/months/' }
";
    let project = project(model);
    let folder = project.path();
    run(folder, 0, &[]);
    std::fs::write(folder.join("o.csv"), "id,region,x,at_time\n1,east,9.5,2026-01-01\n3,east,4.5,2026-02-01\n")
        .unwrap();
    let lost = folder.join("out/parts").join(manifest(folder, "parts")["files"][0]["path"].as_str().unwrap());
    std::fs::remove_file(lost).unwrap();
    let output = bell(folder, &["run", "--log", "text"]);
    let table = String::from_utf8(output.stdout).unwrap();
    let columns: Vec<&str> = table.lines().nth(1).unwrap().split('|').map(str::trim).collect();
    assert_eq!(columns[6..11], ["kept", "restated", "held", "lost", "reopened"], "{table}");
    let cells = |line: usize| -> Vec<&str> { table.lines().nth(line).unwrap().split('|').map(str::trim).collect() };
    assert_eq!((cells(3)[1], &cells(3)[6..11]), ("public.parts", &["2", "", "2", "1", "1"][..]), "{table}");
    assert_eq!((cells(4)[1], &cells(4)[7..11]), ("public.months", &["3", "", "", ""][..]), "{table}");
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains(", held: 2, files lost: 1, of final periods: 1"), "{log}");
    assert!(log.contains(", values restated: 3"), "{log}");
    assert!(!String::from_utf8(bell(folder, &["run"]).stdout).unwrap().contains("restated"));
}

#[test]
fn lines_of_json_stand_alone() {
    let model = "
source o { from csv 'o.csv'  key id  time at_time }
indicator sales = sum(o.x)
publish parts { indicators sales  by month  to 'out/parts/' }
expect o.x > 3
";
    let project = project(model);
    let log = bell(project.path(), &["run", "--log", "json"]).stderr;
    let lines: Vec<serde_json::Value> =
        String::from_utf8(log).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.last().unwrap()[0]["code"], "B0385");
}
