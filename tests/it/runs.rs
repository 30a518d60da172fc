//! `bell run` from outside: what is written, what readers see, and who has to wait.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const MODEL: &str = "
source o { from csv 'o.csv'  key id  time at_time  columns { region varchar } }
dimension region = o.region
indicator sales  = sum(o.x) { unit CNY }
indicator orders = count(*) of o
indicator share  = sales / sales at (all month)
publish pack    { indicators sales, orders, share  by month, region  to 'out/pack/'  partitioned by month, region }
publish total   { indicators orders  to 'out/total/'  format csv }
publish monthly \"按月\" { indicators orders, sales  by month  where region = 'east'  to 'out/monthly'  format json }
";

const ROWS: &str = "id,region,x,at_time
1,east,1.5,2026-01-01
2,华/东 %x#1,2,2026-01-31
3,,3,2026-02-01
4,east,4,2026-02-28
5,east,5,2026-03-01
";

pub fn project(model: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("model.bell"), model).unwrap();
    std::fs::write(folder.path().join("o.csv"), ROWS).unwrap();
    folder
}

pub fn bell(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bell")).args(arguments).current_dir(folder).output().unwrap()
}

/// Writes a file in one step: a server that looks at it at that moment sees the old one or the new one.
pub fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    let written = path.with_extension("written");
    std::fs::write(&written, text).unwrap();
    std::fs::rename(written, path).unwrap();
}

/// The first report of a run in which all goes well.
pub fn first_report(folder: &Path) -> Value {
    run(folder, 0, &[])[0].clone()
}

/// The rows of an answer.
pub fn sql(folder: &Path, text: &str) -> String {
    let output = bell(folder, &["sql", "-F", "csv", "--null", "NULL", text]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The reports of a run that ends with this code.
pub fn run(folder: &Path, code: i32, arguments: &[&str]) -> Vec<Value> {
    let output = bell(folder, &[&["run", "-F", "json"], arguments].concat());
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

/// What is printed on stderr by a run that ends with this code.
pub fn refused(folder: &Path, code: i32, arguments: &[&str]) -> String {
    let output = bell(folder, &[&["run"], arguments].concat());
    let printed = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{printed}");
    printed
}

pub fn manifest(folder: &Path, name: &str) -> Value {
    let path = folder.join("out").join(name).join("_bell/manifest.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// All files below a folder, relative to it.
fn files_below(folder: &Path) -> BTreeSet<String> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { walk(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    walk(folder, &mut found);
    let relative = |path: &PathBuf| path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
    found.iter().map(relative).collect()
}

/// The files that a manifest names.
fn named(manifest: &Value) -> BTreeSet<String> {
    manifest["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap().to_string()).collect()
}

fn rows(folder: &Path, sql: &str) -> String {
    let output = bell(folder, &["sql", "-F", "csv", "--null", "NULL", sql]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A project over what another one has published.
fn reader(folder: &Path, sources: &[&str]) -> tempfile::TempDir {
    let reader = tempfile::tempdir().unwrap();
    let out = format!("{}/out", folder.display());
    let model: String = sources.iter().map(|source| format!("source {}\n", source.replace("OUT", &out))).collect();
    std::fs::write(reader.path().join("model.bell"), model).unwrap();
    reader
}

const PACK: &str = "pack { from parquet 'OUT/pack/'  partition by month date, region varchar }";
const TOTAL: &str = "total { from csv 'OUT/total/' }";
const MONTHLY: &str = "monthly { from json 'OUT/monthly'  columns { month date  sales double } }";

#[test]
fn what_is_published_is_what_is_asked() {
    let project = project(MODEL);
    let folder = project.path();
    let reports = run(folder, 0, &[]);
    assert_eq!(reports.len(), 3);
    assert_eq!((&reports[0]["rows"], &reports[0]["files"]), (&Value::from(5), &Value::from(5)));
    assert_eq!(reports[0]["inputs"][0]["source"], "o");
    assert_eq!(reports[0]["inputs"][0]["files"][0]["size"], ROWS.len());
    let reader = reader(folder, &[PACK, TOTAL, MONTHLY]);
    let reader = reader.path();
    let asked = rows(
        folder,
        "SELECT metric_time__month AS month, region, sales, orders, share FROM indicators GROUP BY 1, 2 ORDER BY 1, 2",
    );
    let read = rows(reader, "SELECT month, region, sales, orders, share FROM pack ORDER BY 1, 2");
    assert_eq!(read, asked);
    assert!(read.contains("2026-01-01,华/东 %x#1,2") && read.contains("2026-02-01,NULL,3"), "{read}");
    assert_eq!(rows(reader, "SELECT * FROM total"), "orders\n5\n");
    let monthly = "month,orders,sales\n2026-01-01,1,1.5\n2026-02-01,1,4.0\n2026-03-01,1,5.0\n";
    assert_eq!(rows(reader, "SELECT * FROM monthly ORDER BY month"), monthly);
}

#[test]
fn the_files_of_the_run_before_stay_until_the_next() {
    let project = project(MODEL);
    let folder = project.path();
    run(folder, 0, &["total"]);
    let first = named(&manifest(folder, "total"));
    run(folder, 0, &["total"]);
    let second = named(&manifest(folder, "total"));
    assert!(first.is_disjoint(&second));
    let there = files_below(&folder.join("out/total"));
    assert!(first.is_subset(&there) && second.is_subset(&there));
    let reports = run(folder, 0, &["total"]);
    assert_eq!(reports[0]["cleaned"], 1);
    let there = files_below(&folder.join("out/total"));
    assert!(first.is_disjoint(&there) && second.is_subset(&there));
}

#[test]
fn a_range_replaces_its_partitions_only() {
    let project = project(MODEL);
    let folder = project.path();
    run(folder, 0, &["pack"]);
    let reader = reader(folder, &[PACK]);
    let reader = reader.path();
    let before = rows(reader, "SELECT * FROM pack ORDER BY 1, 2, 3, 4, 5");
    let first = manifest(folder, "pack");
    // February loses its row without a region, and March has another amount, which is not asked for.
    let changed = ROWS.replace("3,,3,2026-02-01\n", "").replace("5,east,5", "5,east,50");
    std::fs::write(folder.join("o.csv"), changed).unwrap();
    let reports = run(folder, 0, &["pack", "--from", "2026-02", "--to", "2026-02"]);
    assert_eq!((&reports[0]["files"], &reports[0]["kept"]), (&Value::from(1), &Value::from(3)));
    let second = manifest(folder, "pack");
    let february = |path: &String| path.contains("month=2026-02-01");
    let others = |all: &Value| named(all).into_iter().filter(|path| !february(path)).collect::<BTreeSet<_>>();
    assert_eq!(others(&first), others(&second));
    assert!(named(&first).iter().filter(|path| february(path)).all(|path| !named(&second).contains(path)));
    assert_eq!(second["runs"].as_array().unwrap().len(), 2);
    assert_eq!(second["runs"][1]["from"], "2026-02");
    let after = rows(reader, "SELECT month, orders FROM pack ORDER BY 1");
    assert_eq!(after.lines().filter(|line| line.starts_with("2026-02")).count(), 1);
    // The share of all months was computed over all months, not over the one that was asked for.
    let share = rows(reader, "SELECT share FROM pack WHERE month = date '2026-02-01'");
    assert_eq!(share.lines().nth(1).unwrap().parse::<f64>().unwrap(), 4.0 / 55.5);
    assert!(before.contains("2026-03-01"));
}

#[test]
fn a_range_that_cannot_be_replaced_is_refused() {
    let project = project(MODEL);
    let folder = project.path();
    let printed = refused(folder, 1, &["total", "--from", "2026-02"]);
    assert!(printed.contains("[B0509]") && printed.contains("not partitioned by time"), "{printed}");
    let printed = refused(folder, 1, &["pack", "--from", "2026-02-03"]);
    assert!(printed.contains("cuts a partition"), "{printed}");
    run(folder, 0, &["pack"]);
    let before = manifest(folder, "pack");
    std::fs::write(folder.join("model.bell"), MODEL.replace("sum(o.x)", "sum(o.x * 2)")).unwrap();
    let printed = refused(folder, 1, &["pack", "--from", "2026-02"]);
    assert!(printed.contains("the definition of `public.pack` has changed"), "{printed}");
    assert_eq!(manifest(folder, "pack"), before);
    run(folder, 0, &["pack"]);
    assert_ne!(manifest(folder, "pack")["definition"], before["definition"]);
}

#[test]
fn a_definition_is_what_the_values_depend_on() {
    let project = project(MODEL);
    let folder = project.path();
    let hash = |model: &str| {
        std::fs::write(folder.join("model.bell"), model).unwrap();
        run(folder, 0, &["monthly", "--dry-run"])[0]["definition"].as_str().unwrap().to_string()
    };
    let first = hash(MODEL);
    let alike = [
        MODEL.replace("indicator sales  = sum(o.x)", "/// All of it.\nindicator sales \"Sales\" = sum( o.x )"),
        MODEL.replace("sales / sales at (all month)", "sales"),
        MODEL.replace("\"按月\"", ""),
    ];
    alike.iter().for_each(|model| assert_eq!(hash(model), first, "{model}"));
    let others = [
        MODEL.replace("sum(o.x)", "max(o.x)"),
        MODEL.replace("key id", "key id  where id > 1"),
        MODEL.replace("where region = 'east'", "where region = 'west'"),
        MODEL.replace("unit CNY", "fill 0"),
        MODEL.to_string() + "calendar { week starts sunday }",
    ];
    others.iter().for_each(|model| assert_ne!(hash(model), first, "{model}"));
}

#[test]
fn a_dry_run_leaves_no_trace() {
    let project = project(MODEL);
    let folder = project.path();
    let reports = run(folder, 0, &["--dry-run"]);
    assert!(reports.iter().all(|report| report["outcome"] == "planned"));
    assert!(!folder.join("out").exists());
}

#[test]
fn exit_codes_tell_what_became_of_all() {
    let broken = MODEL.to_string() + "publish odd { indicators sales at_nothing  to 'out/odd/' }";
    let project = project(&broken);
    let folder = project.path();
    refused(folder, 1, &[]);
    // A folder that holds something else is refused; the others are published.
    std::fs::write(folder.join("model.bell"), MODEL).unwrap();
    std::fs::create_dir_all(folder.join("out/total")).unwrap();
    std::fs::write(folder.join("out/total/mine.txt"), "mine").unwrap();
    let printed = refused(folder, 3, &[]);
    assert!(printed.contains("there is `mine.txt`; a publication needs a folder of its own"), "{printed}");
    assert_eq!(refused(folder, 1, &["total"]), printed);
    assert_eq!(std::fs::read_to_string(folder.join("out/total/mine.txt")).unwrap(), "mine");
    assert!(refused(folder, 1, &["packs"]).contains("did you mean `pack`?"));
    assert!(refused(folder, 1, &["--only", "x*"]).contains("no publication fits"));
    refused(folder, 2, &["--jobs", "many"]);
    assert_eq!(run(folder, 0, &["--only", "pa*,public.mon*"]).len(), 2);
}

#[test]
fn a_second_run_waits_or_is_told_who_writes() {
    let project = project(MODEL);
    let folder = project.path();
    run(folder, 0, &["total"]);
    let before = manifest(folder, "total");
    let lock = std::fs::File::options().write(true).open(folder.join("out/total/_bell/lock")).unwrap();
    lock.lock().unwrap();
    let printed = refused(folder, 1, &["total"]);
    assert!(printed.contains("is writing there; --wait SECONDS") && printed.contains("(process "), "{printed}");
    assert_eq!(manifest(folder, "total"), before);
    let waiting = std::thread::spawn({
        let folder = folder.to_path_buf();
        move || refused(&folder, 0, &["total", "--wait", "60", "--log", "json"])
    });
    std::thread::sleep(std::time::Duration::from_millis(700));
    drop(lock);
    let printed = waiting.join().unwrap();
    let events: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["waiting", "cleaned", "computing", "ended"]);
    assert_ne!(manifest(folder, "total")["run"], before["run"]);
}

#[test]
fn several_publications_run_side_by_side() {
    let project = project(MODEL);
    let reports = run(project.path(), 0, &["--jobs", "3"]);
    let names: Vec<&str> = reports.iter().map(|report| report["publication"].as_str().unwrap()).collect();
    assert_eq!(names, ["public.pack", "public.total", "public.monthly"]);
}

#[test]
fn what_does_not_fit_into_memory_goes_to_disk() {
    let project = project(MODEL);
    let folder = project.path();
    let sql = "SELECT count(*) AS n, min(k) AS least FROM (SELECT value % 1000003 AS k, count(*) FROM generate_series(1, 1500000) GROUP BY 1)";
    let asked = |limit: &[&str]| bell(folder, &[&["sql", "-F", "csv", sql], limit].concat());
    let free = asked(&[]);
    assert_eq!(String::from_utf8(free.stdout.clone()).unwrap(), "n,least\n1000003,0\n");
    assert_eq!(asked(&["--memory-limit", "25MB"]).stdout, free.stdout);
    let starved = asked(&["--memory-limit", "10KB"]);
    assert_eq!(starved.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&starved.stderr).contains("at least 1MB is needed"), "{starved:?}");
    // Sets of values cannot be kept in files.
    let sets = "SELECT count(DISTINCT value), median(value) FROM generate_series(1, 3000000)";
    let short = bell(folder, &["sql", sets, "--memory-limit", "2MB"]);
    assert_eq!(short.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&short.stderr).contains("memory"), "{short:?}");
}

#[test]
fn a_folder_is_read_as_what_it_holds() {
    let project = project(MODEL);
    let folder = project.path();
    run(folder, 0, &[]);
    let refused = |source: &str| {
        let reader = reader(folder, &[source]);
        let output = bell(reader.path(), &["sql", "SELECT 1"]);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let printed = refused("total { from parquet 'OUT/total/' }");
    assert!(printed.contains("publication `public.total` is written as csv"), "{printed}");
    let printed = refused("pack { from parquet 'OUT/pack/'  partition by month date }");
    assert!(printed.contains("the folder `region=…` is not declared as a partition"), "{printed}");
    // Readers that list find nothing, rather than a part.
    let printed = refused("pack { from parquet 'OUT/pack/**/*.parquet' }");
    assert!(printed.contains("no file matches"), "{printed}");
    let lost = folder.join("out/pack").join(named(&manifest(folder, "pack")).first().unwrap());
    std::fs::remove_file(lost).unwrap();
    let printed = refused(PACK);
    assert!(printed.contains("files that its manifest names are missing"), "{printed}");
}

/// The page's blocks of a kind.
fn printed(kind: &str) -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manual/runs.md");
    let page = std::fs::read_to_string(page).unwrap();
    let blocks = page.split("\n```").filter_map(|block| block.strip_prefix(kind)?.strip_prefix('\n'));
    blocks.map(str::to_string).collect()
}

/// What a shell says of a command, with `bell` on its path.
fn shell(folder: &Path, command: &str) -> Output {
    let bell = Path::new(env!("CARGO_BIN_EXE_bell")).parent().unwrap();
    let path = format!("{}:{}", bell.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    let shell = shell.args(["-ec", command]).current_dir(folder).env("PATH", path).env("RETAIL", folder);
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        println!("skipped: the example of {program}, because it is not installed");
    }
    found
}

/// Enough of Airflow to run a task as it does: the run of the night after 5 January.
const AIRFLOW: &str = r"
import re, subprocess
class DAG:
    def __init__(self, name, schedule, **options): assert isinstance(schedule, CronDataIntervalTimetable)
    def __enter__(self): return self
    def __exit__(self, *error): pass
class CronDataIntervalTimetable:
    def __init__(self, cron, timezone): pass
class Start:
    def in_timezone(self, name): return self
    def to_date_string(self): return '2026-01-05'
class BashOperator:
    def __init__(self, task_id, bash_command):
        value = lambda found: eval(found[1], {'data_interval_start': Start()})
        subprocess.run(['bash', '-c', re.sub(r'{{ (.*?) }}', value, bash_command)], check=True)
";

#[test]
fn the_examples_of_the_manual_work_as_printed() {
    let csv = printed("csv orders.csv").remove(0);
    let project = tempfile::tempdir().unwrap();
    let folder = project.path();
    std::fs::write(folder.join("model.bell"), printed("bell").remove(0)).unwrap();
    std::fs::write(folder.join("orders.csv"), csv + "\n").unwrap();
    let line = printed("cron").remove(0);
    let command = line.splitn(6, ' ').nth(5).unwrap().replace("/srv/retail", &folder.display().to_string());
    shell(folder, &command);
    assert!(std::fs::read_to_string(folder.join("last-run.txt")).unwrap().contains("published"));
    let first = manifest(folder, "daily");
    if has("python3") {
        let paths = shell(folder, printed("sh").iter().find(|block| block.starts_with("python3")).unwrap()).stdout;
        let monthly = named(&manifest(folder, "monthly"));
        assert_eq!(String::from_utf8(paths).unwrap().trim(), monthly.first().unwrap());
    }
    if has("make") {
        std::fs::write(folder.join("Makefile"), printed("make").remove(0) + "\n").unwrap();
        shell(folder, "make publish");
        shell(folder, "make backfill FROM=2026-02 TO=2026-02");
        assert_eq!(manifest(folder, "daily")["runs"].as_array().unwrap().len(), 2);
    }
    if has("python3") {
        let operators = folder.join("airflow/providers/standard/operators");
        std::fs::create_dir_all(&operators).unwrap();
        std::fs::write(folder.join("airflow/sdk.py"), AIRFLOW).unwrap();
        std::fs::write(operators.join("bash.py"), "from airflow.sdk import BashOperator").unwrap();
        std::fs::write(folder.join("dag.py"), printed("python").remove(0)).unwrap();
        shell(folder, "python3 dag.py");
    }
    let last = manifest(folder, "daily");
    assert_eq!(named(&first).len(), named(&last).len());
    assert_ne!(first["run"], last["run"]);
}

/// The data files of a published folder, by their names below it.
fn data_files(folder: &Path) -> Vec<PathBuf> {
    let manifest = std::fs::read(folder.join("_bell/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let files = manifest["files"].as_array().unwrap().iter();
    files.map(|file| folder.join(file["path"].as_str().unwrap())).collect()
}

#[test]
fn files_that_are_lost_are_made_anew() {
    let model = "
source o { from csv 'o.csv'  key id  time at_time  columns { region varchar } }
indicator orders = count(*) of o
publish daily { indicators orders  by day  to 'out/'  format csv  partitioned by day  lookback 1 day }
source out { from csv 'out/'  partition by day date }
indicator told = sum(out.orders)
";
    let (before, after) = model.split_once("source out").unwrap();
    let folder = project(before);
    let folder = folder.path();
    run(folder, 0, &[]);
    assert_eq!(run(folder, 0, &[])[0]["outcome"], "current");
    let told = || sql(folder, "SELECT MEASURE(told) AS v FROM indicators");
    for damage in ["remove", "cut off"] {
        let file = data_files(&folder.join("out")).remove(0);
        match damage {
            "remove" => std::fs::remove_file(file).unwrap(),
            _ => std::fs::write(file, "or").unwrap(),
        }
        // What stays beside a part would lack it.
        let refused = bell(folder, &["run", "--from", "2026-03-01"]);
        let stderr = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(1) && stderr.contains("is gone or cut off: _bell/data/"), "{stderr}");
        let planned = &run(folder, 0, &["--dry-run"])[0];
        assert_eq!((planned["outcome"].as_str(), planned["lost"].as_u64()), (Some("planned"), Some(1)));
        let healed = &run(folder, 0, &[])[0];
        assert_eq!((healed["outcome"].as_str(), healed["rows"].as_u64()), (Some("published"), Some(5)), "{damage}");
        // Nobody knows what was said in it, so that nothing is said to have moved.
        assert_eq!(healed["restated"], 0);
        std::fs::write(folder.join("model.bell"), format!("{before}source out{after}")).unwrap();
        assert_eq!(told(), "v\n5\n");
        std::fs::write(folder.join("model.bell"), before).unwrap();
    }
}

#[test]
fn a_text_that_reads_as_null_is_no_partition() {
    let folder = project(
        "
source o { from csv 'o.csv'  key id }
dimension region = o.region
indicator n = count(*) of o
publish by_region { indicators n  by region  to 'out/'  partitioned by region }
",
    );
    std::fs::write(folder.path().join("o.csv"), "id,region\n1,__HIVE_DEFAULT_PARTITION__\n2,\n").unwrap();
    let refused = bell(folder.path(), &["run"]);
    let stderr = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(stderr.contains("leave `region` out of `partitioned by`"), "{stderr}");
}

/// Files of two types cannot be read as one table.
#[test]
fn files_that_stay_have_the_types_of_the_new_ones() {
    let model = "
source o { from csv 'o.csv'  key id  time at_time }
indicator sales = sum(o.x)
publish parts { indicators sales  by month  to 'parts/'  partitioned by month  lookback 1 month }
publish ended { indicators sales  by month  to 'ended/'  partitioned by month  final after 1 day }
";
    let folder = project(model);
    let folder = folder.path();
    write(folder, "o.csv", "id,x,at_time\n1,10,2026-01-05\n2,20,2026-02-05\n");
    run(folder, 0, &[]);
    // The definition is the same; the numbers are none of integers any more.
    write(folder, "o.csv", "id,x,at_time\n1,10,2026-01-05\n2,20,2026-02-05\n3,1.5,2026-03-05\n");
    let refused = bell(folder, &["run", "parts", "--from", "2026-03"]);
    let stderr = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        stderr.contains("`sales` was Int64 and is Float64") && stderr.contains("without --from and --to"),
        "{stderr}"
    );
    let reports = run(folder, 3, &[]);
    assert_eq!((reports[0]["outcome"].as_str(), reports[0]["rows"].as_u64()), (Some("published"), Some(3)));
    let refused = reports[1]["error"].as_str().unwrap();
    assert!(refused.contains("`sales` was Int64 and is Float64"), "{refused}");
    let reader = "source p { from parquet 'parts/'  partition by month date }\nindicator told = sum(p.sales)\n";
    write(folder, "model.bell", &format!("{model}{reader}"));
    assert_eq!(sql(folder, "SELECT MEASURE(told) AS v FROM indicators"), "v\n31.5\n");
    // As the error says.
    write(folder, "model.bell", &model.replace("sum(o.x)", "cast(sum(o.x) as bigint)"));
    run(folder, 0, &["ended"]);
    // Another column is another table, too.
    let more = model
        .replace("sum(o.x)", "cast(sum(o.x) as bigint)")
        .replace("sales  by month  to 'ended/'", "sales, n  by month  to 'ended/'");
    write(folder, "model.bell", &format!("{more}indicator n = count(*) of o\n"));
    assert!(run(folder, 1, &["ended"])[0]["error"].as_str().unwrap().contains("`n` is new"));
}
