//! Runs over time: which periods are computed anew, which values of closed periods moved and why, and what stays as it is
//! once it is final.

use std::path::Path;

use super::runs::{bell, first_report as run, sql, write};

const MODEL: &str = "
source o { from csv 'o/*.csv'  key id  time day  columns { x decimal(10, 2)  region varchar } }
source regions { from csv 'regions.csv'  key id }
dimension region = o.region
indicator sales  = sum(o.x)
indicator orders = count(*) of o
publish monthly { indicators sales, orders  by month, region  to 'out/'  partitioned by month CLAUSES }
";

fn project(clauses: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("o")).unwrap();
    write(folder.path(), "model.bell", &MODEL.replace("CLAUSES", clauses));
    write(folder.path(), "regions.csv", "id\neast\n");
    write(folder.path(), "o/1.csv", "id,region,x,day\n1,east,1.50,2025-01-01\n2,west,2,2025-01-31\n");
    write(folder.path(), "o/2.csv", "id,region,x,day\n3,,3,2025-02-01\n4,east,4,2025-02-28\n");
    folder
}

/// What a reader of the folder finds.
fn published(folder: &Path) -> String {
    let model = std::fs::read_to_string(folder.join("model.bell")).unwrap();
    if !model.contains("source pack") {
        write(folder, "model.bell", &(model + "\nsource pack { from parquet 'out/'  partition by month date }\n"));
    }
    sql(folder, "SELECT month, region, sales, orders FROM pack ORDER BY 1, 2")
}

const RESTATED: &str =
    "SELECT keys, indicator, was, \"is\", change, held, because FROM bell.restatements ORDER BY at, keys, indicator";

#[test]
fn values_of_closed_periods_that_move_are_recorded_with_their_cause() {
    let folder = project("");
    let folder = folder.path();
    assert_eq!(run(folder)["restated"], 0);
    // Nothing moves where nothing has changed, though all is computed.
    assert_eq!(run(folder)["restated"], 0);
    assert_eq!(sql(folder, RESTATED).lines().count(), 1);
    // Rows that come late move what was said, and a row of a new group appears where nothing was.
    write(folder, "o/3.csv", "id,region,x,day\n5,east,10,2025-01-15\n6,south,1,2025-02-02\n");
    assert_eq!(run(folder)["restated"], 4);
    assert_eq!(
        sql(folder, RESTATED),
        "keys,indicator,was,is,change,held,because\n\
         \"month = 2025-01-01, region = east\",orders,1,2,1.0,false,o: 3.csv is new\n\
         \"month = 2025-01-01, region = east\",sales,1.50,11.50,10.0,false,o: 3.csv is new\n\
         \"month = 2025-02-01, region = south\",orders,NULL,1,NULL,false,o: 3.csv is new\n\
         \"month = 2025-02-01, region = south\",sales,NULL,1.00,NULL,false,o: 3.csv is new\n"
    );
    // A definition, too.
    let model = std::fs::read_to_string(folder.join("model.bell")).unwrap();
    write(folder, "model.bell", &model.replace("sum(o.x)", "sum(2 * o.x)"));
    assert_eq!(run(folder)["restated"], 5);
    let last = sql(folder, "SELECT DISTINCT because FROM bell.restatements WHERE because LIKE 'the definition%'");
    assert!(last.contains("the definition has changed from "), "{last}");
    // Each run is remembered.
    let runs = sql(
        folder,
        "SELECT kind, outcome, restated, files_read FROM bell.runs WHERE name = 'public.monthly' ORDER BY at, run",
    );
    assert_eq!(runs.lines().filter(|line| line.starts_with("publication,published,")).count(), 4, "{runs}");
}

#[test]
fn periods_that_have_only_begun_may_change() {
    let folder = project("");
    let folder = folder.path();
    write(folder, "o/3.csv", "id,region,x,day\n5,east,10,2999-01-15\n");
    run(folder);
    write(folder, "o/3.csv", "id,region,x,day\n5,east,11,2999-01-15\n");
    assert_eq!(run(folder)["restated"], 0);
}

#[test]
fn final_periods_stay_what_they_are() {
    let folder = project(" final after 10 days");
    let folder = folder.path();
    run(folder);
    write(folder, "o/3.csv", "id,region,x,day\n5,east,10,2025-01-15\n6,east,1,2025-03-02\n7,east,1,2999-01-02\n");
    let report = run(folder);
    // A period that was never published is, however old it is: where nothing was, there are two values.
    assert_eq!((report["restated"].as_u64(), report["held"].as_u64()), (Some(2), Some(2)));
    let expected = "month,region,sales,orders\n2025-01-01,east,1.50,1\n2025-01-01,west,2.00,1\n\
                    2025-02-01,east,4.00,1\n2025-02-01,NULL,3.00,1\n2025-03-01,east,1.00,1\n2999-01-01,east,1.00,1\n";
    assert_eq!(published(folder), expected);
    let held = sql(folder, "SELECT indicator, was, \"is\", held FROM bell.restatements WHERE held ORDER BY 1");
    assert_eq!(held, "indicator,was,is,held\norders,1,2,true\nsales,1.50,11.50,true\n");
    // What is not final may change.
    write(folder, "o/3.csv", "id,region,x,day\n5,east,10,2025-01-15\n6,east,1,2025-03-02\n7,east,5,2999-01-02\n");
    run(folder);
    assert_eq!(published(folder), expected.replace("2999-01-01,east,1.00", "2999-01-01,east,5.00"));
}

#[test]
fn with_a_lookback_only_the_latest_periods_are_computed() {
    let folder = project(" lookback 1 month");
    let folder = folder.path();
    write(folder, "o/3.csv", "id,region,x,day\n5,east,10,2025-03-15\n");
    let first = run(folder);
    assert_eq!(first["files"], 3);
    let again = run(folder);
    assert_eq!((again["outcome"].as_str(), again["kept"].as_u64()), (Some("current"), Some(3)));
    // The month before the newest one is computed anew, January stays.
    write(folder, "o/4.csv", "id,region,x,day\n6,east,1,2025-02-20\n7,east,1,2025-04-01\n");
    let added = run(folder);
    assert_eq!((added["files"].as_u64(), added["kept"].as_u64()), (Some(3), Some(1)));
    let all = "month,region,sales,orders\n2025-01-01,east,1.50,1\n2025-01-01,west,2.00,1\n2025-02-01,east,5.00,2\n\
               2025-02-01,NULL,3.00,1\n2025-03-01,east,10.00,1\n2025-04-01,east,1.00,1\n";
    assert_eq!(published(folder), all);
    // A file that is another one may change anything.
    write(folder, "o/1.csv", "id,region,x,day\n1,east,100,2025-01-01\n2,west,2,2025-01-31\n");
    let changed = run(folder);
    assert_eq!((changed["files"].as_u64(), changed["kept"].as_u64()), (Some(4), Some(0)));
    assert_eq!(published(folder), all.replace("east,1.50", "east,100.00"));
}

#[test]
fn a_failure_is_remembered_until_a_run_has_published() {
    let folder = project("");
    let folder = folder.path();
    let model = std::fs::read_to_string(folder.join("model.bell")).unwrap();
    write(folder, "model.bell", &model.replace("sum(o.x)", "sum(cast(o.region as int))"));
    let output = bell(folder, &["run"]);
    assert_eq!(output.status.code(), Some(1));
    let failed = sql(folder, "SELECT outcome, error FROM bell.runs");
    assert!(failed.contains("failed,") && failed.contains("east"), "{failed}");
    write(folder, "model.bell", &model);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    run(folder);
    let runs = sql(folder, "SELECT outcome FROM bell.runs");
    assert_eq!(runs, "outcome\npublished\n");
}

/// Every format is read back as it was written.
#[test]
fn nothing_moves_in_any_format_where_nothing_has_changed() {
    for format in ["parquet", "csv", "json"] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        std::fs::create_dir(folder.join("o")).unwrap();
        let model = "
source o { from csv 'o/*.csv'  key id  time at_time  columns { region varchar  x decimal(12, 3)  f double  b boolean  note varchar } }
dimension region = o.region
dimension note   = o.note
indicator sales = sum(o.x)
indicator mean  = avg(o.f)
indicator all_b = bool_and(o.b)
indicator last_note = max(o.note)
indicator last_time = max(o.at_time)
indicator rows  = count(*) of o
publish p { indicators sales, mean, all_b, last_note, last_time, rows  by month, region, note  to 'out/'  format FORMAT  partitioned by month, region }
publish empty { indicators rows  by month, note  where region = 'nowhere'  to 'none/'  format FORMAT }
";
        write(folder, "model.bell", &model.replace("FORMAT", format));
        let rows = "id,region,x,f,b,note,at_time\n1,华/东 %x#1,1.250,0.1,true,\"a,\"\"b\"\"\",2025-01-01T10:00:00\n\
                    2,,,,,,2025-01-31T23:59:59\n3,east,3,1e300,false,NULL,2025-02-01T00:00:00\n4,east,,,,7,\n";
        write(folder, "o/1.csv", rows);
        run(folder);
        for report in super::runs::run(folder, 0, &[]) {
            assert_eq!(
                (report["restated"].as_u64(), report["held"].as_u64()),
                (Some(0), Some(0)),
                "{format}: {report}"
            );
        }
        // A value that appears where a format leaves NULLs out is one that moved.
        write(folder, "o/1.csv", &rows.replace("2,,,,,,", "2,,5,,,,"));
        let moved = super::runs::run(folder, 0, &["p"]);
        assert_eq!(moved[0]["restated"], 1, "{format}: {}", sql(folder, RESTATED));
        let line = sql(folder, "SELECT indicator, was, \"is\" FROM bell.restatements");
        assert_eq!(line, "indicator,was,is\nsales,NULL,5.000\n", "{format}");
    }
}

/// In another order of the rows, sums of doubles have other last digits.
#[test]
fn the_last_digits_of_sums_of_doubles_do_not_move() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let model = "
source o { from csv 'o.csv'  key id  time day  columns { x double } }
indicator sales = sum(o.x)
indicator mean  = avg(o.x)
publish p { indicators sales, mean  by month  to 'out/'  format csv }
source told { from csv 'out/' }
";
    write(folder, "model.bell", model.split_once("source told").unwrap().0);
    let rows = ["1,0.1,2025-01-01\n", "2,0.2,2025-01-02\n", "3,0.3,2025-01-03\n"];
    let told = || {
        write(folder, "model.bell", model);
        let told = sql(folder, "SELECT sales FROM told");
        write(folder, "model.bell", model.split_once("source told").unwrap().0);
        told
    };
    write(folder, "o.csv", &format!("id,x,day\n{}", rows.concat()));
    run(folder);
    let first = told();
    write(folder, "o.csv", &format!("id,x,day\n{}{}{}", rows[2], rows[1], rows[0]));
    assert_eq!(run(folder)["restated"], 0, "{}", sql(folder, RESTATED));
    assert_ne!(told(), first, "this test needs sums that differ");
    // The eleventh digit is another value.
    write(folder, "o.csv", &format!("id,x,day\n{}{}3,0.30000000003,2025-01-03\n", rows[0], rows[1]));
    assert_eq!(run(folder)["restated"], 2);
    let infinite = format!("id,x,day\n{}{}3,Infinity,2025-01-03\n", rows[0], rows[1]);
    write(folder, "o.csv", &infinite);
    assert_eq!(run(folder)["restated"], 2);
    write(folder, "o.csv", &infinite.replace("Infinity", "-Infinity"));
    assert_eq!(run(folder)["restated"], 2);
}

/// What new rows may change in any period is computed in all of them.
#[test]
fn a_lookback_is_not_believed_where_values_look_further() {
    let later = "id,region,x,day\n6,east,1,2025-04-01\n";
    let shares = " lookback 1 month }\nindicator share = sales / sales at (all month)\n\
                  publish shares { indicators share  by month  to 'shares/'  partitioned by month  lookback 1 month";
    let folder = project(shares);
    let folder = folder.path();
    write(folder, "o/3.csv", "id,region,x,day\n5,east,2,2025-03-01\n");
    run(folder);
    write(folder, "o/4.csv", later);
    let reports = super::runs::run(folder, 0, &[]);
    assert_eq!(
        (reports[0]["files"].as_u64(), reports[0]["kept"].as_u64()),
        (Some(3), Some(1)),
        "the month before the newest published one, and what is newer"
    );
    assert_eq!((reports[1]["files"].as_u64(), reports[1]["kept"].as_u64()), (Some(4), Some(0)));
}

/// Rows of a source that others join to change those of any time.
#[test]
fn a_lookback_is_not_believed_where_others_join_to_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::create_dir(folder.join("o")).unwrap();
    let model = "
source o { from csv 'o/*.csv'  key id  time day  columns { region varchar } }
source items { from csv 'items.csv'  key id  time day  join o on order_id = o.id }
dimension region = items.o.region, o.region
indicator orders = count(*) of o
indicator sold   = count(*) of items
publish p { indicators orders, sold  by month, region  to 'out/'  partitioned by month  lookback 1 month }
";
    write(folder, "model.bell", model);
    write(folder, "items.csv", "id,order_id,day\n1,1,2025-01-05\n2,9,2025-01-06\n3,1,2025-06-01\n");
    write(folder, "o/1.csv", "id,region,day\n1,east,2025-01-01\n");
    run(folder);
    write(folder, "o/2.csv", "id,region,day\n9,west,2025-06-02\n");
    run(folder);
    let model = model.to_string() + "source pack { from parquet 'out/'  partition by month date }\n";
    write(folder, "model.bell", &model);
    let found = sql(folder, "SELECT region, sold FROM pack WHERE month = DATE '2025-01-01' ORDER BY 1");
    assert_eq!(found, "region,sold\neast,1\nwest,1\n");
}
