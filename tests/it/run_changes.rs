//! Runs over files that are no longer what they were: lost, or of other columns, types, formats and partitions than those
//! that are written now.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::runs::{bell, first_report, refused, run, sql, write};

/// A project over `o/*.csv`, of which the first file is there.
fn project(model: &str, rows: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("o")).unwrap();
    write(folder.path(), "model.bell", model);
    write(folder.path(), "o/1.csv", rows);
    folder
}

/// The published files below `out/` whose path holds a text.
fn published(folder: &Path, part: &str) -> Vec<PathBuf> {
    let manifest = std::fs::read(folder.join("out/_bell/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let files = manifest["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap());
    files.filter(|path| path.contains(part)).map(|path| folder.join("out").join(path)).collect()
}

/// What a question about the published folder finds, read with this clause of a source.
fn told(folder: &Path, source: &str, question: &str) -> String {
    let model = std::fs::read_to_string(folder.join("model.bell")).unwrap();
    write(folder, "model.bell", &format!("{model}\nsource told {{ {source} }}\n"));
    let rows = sql(folder, question);
    write(folder, "model.bell", &model);
    rows
}

/// The numbers of a report by their names.
fn counts<const N: usize>(report: &Value, names: [&str; N]) -> [u64; N] {
    names.map(|name| report[name].as_u64().unwrap_or_else(|| panic!("{name}: {report}")))
}

const REGIONS: &str = "
source o { from csv 'o/*.csv'  key id  time day  columns { x bigint } }
dimension region = o.region
indicator sales = sum(o.x)
publish p { indicators sales  by month, region  to 'out/'  partitioned by month, region  final after 10 days  lookback 3 days }
";

/// One of several files of a final period is lost: the others of it stay, and that one is made anew.
#[test]
fn a_lost_file_of_a_final_period_is_made_anew() {
    let rows = "id,region,x,day\n1,east,10,2025-01-05\n2,west,20,2025-01-06\n3,east,2,2025-02-06\n";
    for range in [&[][..], &["--from", "2025-01", "--to", "2025-01"]] {
        let folder = project(REGIONS, rows);
        let folder = folder.path();
        run(folder, 0, &[]);
        let east = published(folder, "month=2025-01-01/region=east").remove(0);
        std::fs::remove_file(east).unwrap();
        // What is still there is held as it is, and a region that was never there does not come in.
        let more = format!("{rows}4,west,5,2025-01-07\n5,south,7,2025-01-07\n6,east,1,2025-01-08\n");
        write(folder, "o/1.csv", &more);
        let planned = &run(folder, 0, &[&["--dry-run"], range].concat())[0];
        assert_eq!(counts(planned, ["lost", "reopened", "kept"]), [1, 1, 2]);
        let report = &run(folder, 0, range)[0];
        let expected = [1, 1, 1, 1, 2, 0, 2];
        assert_eq!(counts(report, ["lost", "reopened", "rows", "files", "kept", "restated", "held"]), expected);
        let source = "from parquet 'out/'  partition by month date, region varchar";
        let found = told(folder, source, "SELECT month, region, sales FROM told ORDER BY 1, 2");
        assert_eq!(found, "month,region,sales\n2025-01-01,east,11\n2025-01-01,west,20\n2025-02-01,east,2\n");
        // From then on it is held like the others.
        write(folder, "o/1.csv", rows);
        assert_eq!(counts(&first_report(folder), ["lost", "reopened", "rows", "kept", "held"]), [0, 0, 0, 3, 1]);
    }
}

const ORDERED: &str = "
source o { from csv 'o/*.csv'  key id  time day  columns { x bigint } }
indicator sales = sum(o.x)
indicator n = count(*) of o
publish p { indicators n, sales  by month  to 'out/'  format csv  partitioned by month  CLAUSE }
";

/// Rows of CSV are read by position, so that files of two orders are no table.
#[test]
fn columns_of_csv_keep_their_order_where_files_stay() {
    let rows = "id,x,day\n1,10,2025-01-05\n2,20,2025-02-05\n";
    let other = |model: &str| model.replace("indicators n, sales", "indicators sales, n");
    let question = "SELECT month, n, sales FROM told ORDER BY 1";
    let source = "from csv 'out/'  partition by month date";
    let all = "month,n,sales\n2025-01-01,1,10\n2025-02-01,1,20\n2025-03-01,1,7\n";

    let model = ORDERED.replace("CLAUSE", "final after 10 days");
    let folder = project(&model, rows);
    let folder = folder.path();
    run(folder, 0, &[]);
    write(folder, "model.bell", &other(&model));
    write(folder, "o/2.csv", "id,x,day\n3,7,2025-03-05\n");
    let told_why = refused(folder, 1, &[]);
    assert!(told_why.contains("B0509") && told_why.contains("in the order n, sales and are"), "{told_why}");
    assert!(told_why.contains("let it be what it was, or take `final after` out for one run"), "{told_why}");
    // As the error says, either way.
    write(folder, "model.bell", &model);
    assert_eq!(counts(&first_report(folder), ["rows", "kept"]), [1, 2]);
    assert_eq!(told(folder, source, question), all);
    write(folder, "model.bell", &other(&model).replace("final after 10 days", ""));
    assert_eq!(counts(&first_report(folder), ["rows", "kept", "restated"]), [3, 0, 0]);
    write(folder, "model.bell", &other(&model));
    assert_eq!(counts(&first_report(folder), ["rows", "kept", "held"]), [0, 3, 0]);
    assert_eq!(told(folder, source, question), all);

    // Without final periods, a range is refused, and what computes the latest periods only computes all.
    let model = ORDERED.replace("CLAUSE", "lookback 1 day");
    let folder = project(&model, rows);
    let folder = folder.path();
    run(folder, 0, &[]);
    write(folder, "model.bell", &other(&model));
    write(folder, "o/2.csv", "id,x,day\n3,7,2025-03-05\n");
    let told_why = refused(folder, 1, &["--from", "2025-03"]);
    assert!(told_why.contains("B0509") && told_why.contains("without --from and --to"), "{told_why}");
    // March is what is new.
    assert_eq!(counts(&first_report(folder), ["rows", "kept", "restated"]), [3, 0, 2]);
    assert_eq!(told(folder, source, question), all);
}

/// Columns with the type and the value that they have first and then, and whether that is another value.
const RETYPED: [(&str, &str, &str, &str, bool); 12] = [
    ("double", "50.5", "bigint", "50", true),
    ("double", "50.0", "bigint", "50", false),
    ("bigint", "50", "double", "50.25", true),
    ("bigint", "50", "double", "50.0", false),
    ("decimal(10, 2)", "50.50", "bigint", "50", true),
    ("decimal(10, 2)", "50.00", "bigint", "50", false),
    ("decimal(10, 2)", "50.55", "decimal(10, 1)", "50.6", true),
    ("bigint", "9007199254740993", "decimal(20, 0)", "9007199254740992", true),
    ("varchar", "050", "bigint", "50", true),
    ("varchar", "50", "bigint", "50", false),
    ("date", "2025-01-02", "timestamp", "2025-01-02T00:00:01", true),
    ("date", "2025-01-02", "timestamp", "2025-01-02T00:00:00", false),
];

/// The model and the rows with these columns, before or after.
fn retyped(format: &str, after: bool) -> (String, String) {
    let column = |at: usize| format!("c{at:02}");
    let of = |(was, old, is, new, _): (&'static str, &'static str, &'static str, &'static str, bool)| match after {
        true => (is, new),
        false => (was, old),
    };
    let each = |one: &dyn Fn(usize, (&str, &str)) -> String, between: &str| {
        let all = RETYPED.iter().enumerate().map(|(at, case)| one(at, of(*case)));
        all.collect::<Vec<_>>().join(between)
    };
    let types = each(&|at, (kind, _)| format!("{} {kind}", column(at)), "  ");
    let indicators = each(&|at, _| format!("indicator m{at:02} = max(o.{})\n", column(at)), "");
    let names = each(&|at, _| format!("m{at:02}"), ", ");
    let model = format!(
        "source o {{ from csv 'o/*.csv'  key id  time day  columns {{ {types} }} }}\n{indicators}\
         publish p {{ indicators {names}  by month  to 'out/'  format {format} }}\n"
    );
    let rows =
        format!("id,day,{}\n1,2025-01-05,{}\n", each(&|at, _| column(at), ","), each(&|_, (_, v)| v.to_string(), ","));
    (model, rows)
}

/// What of two types is the same number, text or time has not moved, and what is not has.
#[test]
fn values_of_two_types_are_compared_in_one_that_loses_nothing() {
    for format in ["parquet", "csv", "json"] {
        let (model, rows) = retyped(format, false);
        let folder = project(&model, &rows);
        let folder = folder.path();
        run(folder, 0, &[]);
        let (model, rows) = retyped(format, true);
        write(folder, "model.bell", &model);
        write(folder, "o/1.csv", &rows);
        let report = first_report(folder);
        assert!(report["uncompared"].is_null(), "{format}: {report}");
        let moved = sql(folder, "SELECT indicator, was, \"is\" FROM bell.restatements ORDER BY 1");
        let cases = RETYPED.iter().enumerate().filter(|(_, case)| case.4);
        let expected = cases.map(|(at, (_, was, _, is, _))| format!("m{at:02},{was},{is}\n")).collect::<String>();
        assert_eq!(moved, format!("indicator,was,is\n{expected}"), "{format}");
        assert_eq!(counts(&first_report(folder), ["restated"]), [0], "{format}");
    }
}

const LAID_OUT: &str = "
source o { from csv 'o/*.csv'  key id  time day  columns { x bigint } }
dimension region = o.region
indicator sales = sum(o.x)
publish p { indicators sales  by month, region  to 'out/'  CLAUSES }
";

/// Layouts, and how a source reads them.
const LAYOUTS: [(&str, &str); 7] = [
    ("partitioned by month  lookback 3 days", "from parquet 'out/'  partition by month date"),
    ("format csv  partitioned by month  lookback 3 days", "from csv 'out/'  partition by month date"),
    (
        "format csv  partitioned by month, region  lookback 3 days",
        "from csv 'out/'  partition by month date, region varchar",
    ),
    ("format json", "from json 'out/'  columns { month date  region varchar }"),
    ("format json  partitioned by region, month", "from json 'out/'  partition by region varchar, month date"),
    ("partitioned by region, month", "from parquet 'out/'  partition by region varchar, month date"),
    ("partitioned by month  lookback 3 days", "from parquet 'out/'  partition by month date"),
];

/// The layout is no part of the definition: another one is written whole, and what moved is found in the old one.
#[test]
fn another_layout_is_written_whole_and_compared() {
    let model = |clauses: &str| LAID_OUT.replace("CLAUSES", clauses);
    let folder =
        project(&model(LAYOUTS[0].0), "id,region,x,day\n1,a/b =,10,2025-01-05\n2,,20,2025-01-06\n3,c,2,2025-02-06\n");
    let folder = folder.path();
    run(folder, 0, &[]);
    for (at, pair) in LAYOUTS.windows(2).enumerate() {
        let (_, (clauses, source)) = (pair[0], pair[1]);
        write(folder, "model.bell", &model(clauses));
        write(folder, &format!("o/{}.csv", at + 2), &format!("id,region,x,day\n{},a/b =,1,2025-01-07\n", at + 9));
        if clauses.contains("partitioned") {
            let why = refused(folder, 1, &["--from", "2025-01", "--to", "2025-01"]);
            assert!(why.contains("B0509") && why.contains("run all of it, without --from and --to"), "{why}");
        }
        let report = first_report(folder);
        assert!(report["uncompared"].is_null(), "{clauses}: {report}");
        assert_eq!(counts(&report, ["rows", "kept", "restated"]), [3, 0, 1], "{clauses}");
        let moved = sql(folder, "SELECT keys, was, \"is\" FROM bell.restatements ORDER BY at, \"is\"");
        let (was, is) = (10 + at, 11 + at);
        assert!(moved.ends_with(&format!("\"month = 2025-01-01, region = a/b =\",{was},{is}\n")), "{clauses}: {moved}");
        let found = told(folder, source, "SELECT month, region, sales FROM told ORDER BY 1, 2");
        let expected = format!("month,region,sales\n2025-01-01,a/b =,{is}\n2025-01-01,NULL,20\n2025-02-01,c,2\n");
        assert_eq!(found, expected, "{clauses}");
    }
    // Also where nothing else has changed.
    write(folder, "model.bell", &model(LAYOUTS[1].0));
    let report = first_report(folder);
    assert_eq!((report["outcome"].as_str(), report["restated"].as_u64()), (Some("published"), Some(0)));
    assert_eq!(first_report(folder)["outcome"], "current");
}

/// Files of two layouts are no table, so that final periods keep theirs.
#[test]
fn another_layout_is_refused_beside_final_periods() {
    let model = |clauses: &str| LAID_OUT.replace("CLAUSES", clauses);
    let folder = project(&model("partitioned by month  final after 1 day"), "id,region,x,day\n1,a,10,2025-01-05\n");
    let folder = folder.path();
    run(folder, 0, &[]);
    for (clauses, expected) in [
        ("partitioned by month  final after 1 day  format csv", "the format was parquet and is csv"),
        (
            "partitioned by month, region  final after 1 day",
            "they were partitioned by month, and are partitioned by month, region",
        ),
    ] {
        write(folder, "model.bell", &model(clauses));
        let why = refused(folder, 1, &[]);
        assert!(why.contains("B0509") && why.contains(expected), "{why}");
        assert!(why.contains("let it be what it was, or take `final after` out for one run"), "{why}");
    }
    write(folder, "model.bell", &model("partitioned by month, region  format csv"));
    assert_eq!(counts(&first_report(folder), ["rows", "restated"]), [1, 0]);
}

/// Text has no types, so that files of two may stand beside each other; each is read as what it was.
#[test]
fn text_of_final_periods_is_compared_in_the_type_it_was_written_in() {
    for format in ["csv", "json"] {
        let clauses = format!("partitioned by month  final after 10 days  format {format}");
        let model = |kind: &str| LAID_OUT.replace("CLAUSES", &clauses).replace("bigint", kind);
        let rows = "id,region,x,day\n1,a,10.5,2025-01-05\n2,a,20.0,2025-02-05\n";
        let folder = project(&model("double"), rows);
        let folder = folder.path();
        run(folder, 0, &[]);
        write(folder, "model.bell", &model("bigint"));
        write(folder, "o/1.csv", "id,region,x,day\n1,a,10,2025-01-05\n2,a,20,2025-02-05\n3,a,7,2025-03-05\n");
        // March was never published.
        for expected in [[1, 1, 1], [0, 0, 1], [0, 0, 1]] {
            let report = first_report(folder);
            assert!(report["uncompared"].is_null(), "{format}: {report}");
            assert_eq!(counts(&report, ["rows", "restated", "held"]), expected, "{format}");
        }
        let moved = sql(folder, "SELECT DISTINCT was, \"is\", held FROM bell.restatements ORDER BY 1");
        assert_eq!(moved, "was,is,held\n10.5,10,true\nNULL,7,false\n", "{format}");
    }
}

/// What cannot be compared is said, and nothing is said to have moved.
#[test]
fn what_cannot_be_compared_is_said() {
    let model = |by: &str| LAID_OUT.replace("CLAUSES", "").replace("by month, region", by);
    let folder = project(&model("by month"), "id,region,x,day\n1,a,10,2025-01-05\n2,b,20,2025-01-05\n");
    let folder = folder.path();
    run(folder, 0, &[]);
    for (by, expected) in [("by month, region", "it was not by `region`"), ("by month", "`region` is gone")] {
        write(folder, "model.bell", &model(by));
        let output = bell(folder, &["run", "-F", "json"]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains("what moved is not known: ") && stderr.contains(expected), "{stderr}");
        let report: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((report[0]["outcome"].as_str(), report[0]["restated"].as_u64()), (Some("published"), Some(0)));
        assert!(report[0]["uncompared"].as_str().unwrap().contains(expected));
    }
    // Nobody knows which of the new rows were in what is lost.
    write(folder, "model.bell", &LAID_OUT.replace("CLAUSES", "partitioned by month, region"));
    run(folder, 0, &[]);
    std::fs::remove_file(published(folder, "region=a").remove(0)).unwrap();
    write(folder, "model.bell", &LAID_OUT.replace("CLAUSES", "partitioned by month"));
    let report = first_report(folder);
    assert_eq!(counts(&report, ["lost", "rows", "restated"]), [1, 2, 0]);
    assert!(report["uncompared"].as_str().unwrap().contains("files were lost"), "{report}");
}
