//! The binary from outside: what stands on stdout and stderr, exit codes, files.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A project with one source and two indicators.
fn project() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("orders.csv", "id,region,amount\n1,华东,10.50\n2,华东,2.25\n3,华北,4.00\n");
    write(
        "shop.bell",
        "package shop\n\nsource orders {\n  from csv 'orders.csv'\n  key id\n  columns { amount decimal(18,2) }\n}\n\n\
         dimension region \"区域\" = orders.region\n\n\
         indicator gmv \"成交总额\" = sum(orders.amount) { unit CNY }\nindicator orders_count = count(*) of orders\n",
    );
    folder
}

/// `bell` in a folder, with a text on stdin.
fn bell_fed(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = spawn(folder, arguments);
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn bell(folder: &Path, arguments: &[&str]) -> Output {
    bell_fed(folder, arguments, "")
}

fn spawn(folder: &Path, arguments: &[&str]) -> std::process::Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bell"));
    command.args(arguments).current_dir(folder).env("XDG_STATE_HOME", folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn stdout(output: &Output) -> &str {
    assert!(output.status.success(), "{}", stderr(output));
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

const ROWS: &str = "SELECT * FROM (VALUES (1, '华东', CAST(1.50 AS DECIMAL(10,2)), DATE '2026-01-31'), \
                    (2, NULL, NULL, NULL)) AS t (n, region, amount, day) ORDER BY n";

#[test]
fn without_a_terminal_rows_are_csv() {
    let project = project();
    let expected = "n,region,amount,day\n1,华东,1.50,2026-01-31\n2,,,\n";
    assert_eq!(stdout(&bell(project.path(), &["sql", ROWS])), expected);
}

#[test]
fn json_keeps_column_order_and_exact_values() {
    let project = project();
    let text = stdout(&bell(project.path(), &["sql", ROWS, "--format", "json"])).to_string();
    let expected = r#"[{"n":1,"region":"华东","amount":"1.50","day":"2026-01-31"},{"n":2,"region":null,"amount":null,"day":null}]"#;
    assert_eq!(text.trim_end(), expected);
    let lines = bell(project.path(), &["sql", ROWS, "--format", "ndjson"]);
    assert_eq!(format!("[{}]", stdout(&lines).trim_end().replace('\n', ",")), expected);
}

#[test]
fn a_table_is_aligned_by_width() {
    let project = project();
    let expected = "\
+---+--------+--------+------------+
| n | region | amount | day        |
+---+--------+--------+------------+
| 1 | 华东   |   1.50 | 2026-01-31 |
| 2 | NULL   |   NULL | NULL       |
+---+--------+--------+------------+
";
    assert_eq!(stdout(&bell(project.path(), &["sql", ROWS, "--format", "table"])), expected);
}

#[test]
fn the_ending_of_a_file_tells_its_format() {
    let project = project();
    for (name, beginning) in [("a.parquet", "PAR1"), ("a.arrow", "ARROW1"), ("a.json", "[{"), ("a.csv", "n,region")] {
        let output = bell(project.path(), &["sql", ROWS, "-o", name]);
        assert_eq!(stdout(&output), "");
        let bytes = std::fs::read(project.path().join(name)).unwrap();
        assert!(bytes.starts_with(beginning.as_bytes()), "{name}");
    }
    assert_eq!(code(&bell(project.path(), &["sql", ROWS, "-o", "a.xyz"])), 2);
}

#[test]
fn a_failed_query_leaves_an_old_file_alone() {
    let project = project();
    let path = project.path().join("out.csv");
    std::fs::write(&path, "old").unwrap();
    let before = std::fs::read_dir(project.path()).unwrap().count();
    let failing = "SELECT 10 / (CAST(value AS INT) - 9000) FROM generate_series(1, 9000)";
    let output = bell(project.path(), &["sql", failing, "-o", "out.csv"]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).to_lowercase().contains("divide by zero"), "{}", stderr(&output));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(std::fs::read_dir(project.path()).unwrap().count(), before);
}

#[test]
fn a_file_holds_one_result() {
    let project = project();
    let output = bell(project.path(), &["sql", "SELECT 1; SELECT 2", "-o", "out.csv"]);
    assert_eq!(code(&output), 2);
    assert!(!project.path().join("out.csv").exists());
}

#[test]
fn columns_of_one_name_are_refused_where_readers_go_by_name() {
    let project = project();
    let twins = "SELECT a.n, b.n FROM (SELECT 1 AS n) a CROSS JOIN (SELECT 2 AS n) b";
    assert_eq!(stdout(&bell(project.path(), &["sql", twins])), "n,n\n1,2\n");
    let output = bell(project.path(), &["sql", twins, "--format", "json"]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("two columns are called \"n\""));
}

#[test]
fn wrong_usage_is_told_apart_from_a_wrong_question() {
    let project = project();
    for arguments in
        [&["nonsense"][..], &["sql", "SELECT 1", "--format", "xml"], &["query"], &["explain-code", "B9999"]]
    {
        assert_eq!(code(&bell(project.path(), arguments)), 2, "{arguments:?}");
    }
    assert_eq!(code(&bell(project.path(), &["sql", "SELECT * FROM nowhere"])), 1);
}

#[test]
fn errors_come_without_wrappers_and_as_json() {
    let project = project();
    let output = bell(project.path(), &["sql", "SELECT * FROM nowhere"]);
    assert!(stderr(&output).contains("nowhere") && !stderr(&output).contains("Error during planning"));
    let output = bell(project.path(), &["sql", "SELECT * FROM nowhere", "--error-format", "json"]);
    let list: Value = serde_json::from_str(stderr(&output)).unwrap();
    assert_eq!(list[0]["severity"], "error");
    assert!(list[0]["message"].as_str().unwrap().contains("nowhere"));
}

#[test]
fn a_script_runs_until_its_first_error() {
    let project = project();
    std::fs::write(
        project.path().join("script.sql"),
        "SELECT ';' AS a; -- one;\nSELECT 2 AS b;\nSELECT nowhere; SELECT 3",
    )
    .unwrap();
    let output = bell(project.path(), &["sql", "-f", "script.sql"]);
    assert_eq!(code(&output), 1);
    assert_eq!(std::str::from_utf8(&output.stdout).unwrap(), "a\n;\nb\n2\n");
}

#[test]
fn statements_come_through_a_pipe() {
    let project = project();
    let input = "SELECT 1 AS a;\n\\format json\nSELECT\n  'x;y' AS b; SELECT 2\n AS c";
    let output = bell_fed(project.path(), &["sql"], input);
    assert_eq!(stdout(&output), "a\n1\n[{\"b\":\"x;y\"}]\n[{\"c\":2}]\n");
    let output = bell_fed(project.path(), &["sql"], "SELECT 1 AS a; SELECT nowhere; SELECT 2 AS b;");
    assert_eq!((code(&output), output.stdout.as_slice()), (1, "a\n1\n".as_bytes()));
}

#[test]
fn views_live_as_long_as_the_session() {
    let project = project();
    let input = "CREATE VIEW v AS SELECT 1 AS a;\nSELECT * FROM v;\n\\q\nSELECT 2;";
    assert_eq!(stdout(&bell_fed(project.path(), &["sql"], input)), "a\n1\n");
}

#[test]
fn times_are_on_stderr() {
    let project = project();
    let output = bell(project.path(), &["sql", "SELECT 1 AS a", "--timing", "--repeat", "3"]);
    assert_eq!(stdout(&output), "a\n1\n");
    assert!(stderr(&output).starts_with("planning min ") && stderr(&output).contains(", 3 runs"));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let project = project();
    let mut child = spawn(project.path(), &["sql", "SELECT * FROM generate_series(1, 5000000)"]);
    let mut some = [0; 100];
    child.stdout.take().unwrap().read_exact(&mut some).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), stderr(&output)), (0, ""));
}

/// Whatever the query computes: this one is in a loop that never pauses.
#[cfg(unix)]
#[test]
fn ctrl_c_cancels() {
    use std::time::Duration;
    let project = project();
    let endless =
        "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b WHERE a.value < b.value";
    let mut child = spawn(project.path(), &["sql", endless, "-o", "out.csv"]);
    std::thread::sleep(Duration::from_secs(2));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ended = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        child.try_wait().unwrap().is_some()
    });
    if !ended {
        child.kill().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output)), (Some(130), "cancelled\n"));
    assert!(!project.path().join("out.csv").exists());
}

#[test]
fn the_project_is_found_upwards() {
    let project = project();
    let below = project.path().join("sub/folder");
    std::fs::create_dir_all(&below).unwrap();
    assert_eq!(stdout(&bell(&below, &["sql", "SELECT sum(amount) AS s FROM shop.orders"])), "s\n16.75\n");
}

#[test]
fn check_says_what_is_wrong_on_stdout() {
    let project = project();
    assert!(stdout(&bell(project.path(), &["check"])).contains("no errors"));
    std::fs::write(project.path().join("bad.bell"), "package shop\n\nindicator a = sum(orders.nothing)\n").unwrap();
    let output = bell(project.path(), &["check", "--format", "json"]);
    assert_eq!(code(&output), 1);
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&list[0]["line"], list.as_array().unwrap().len()), (&json!(3), 1));
    assert!(list[0]["file"].as_str().unwrap().ends_with("bad.bell"));
    let output = bell(project.path(), &["check"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("2 files: 1 error, 0 warnings"));
}

#[test]
fn fmt_lays_out_and_checks() {
    let project = project();
    let path = project.path().join("shop.bell");
    std::fs::write(&path, "indicator   gmv=sum( orders.amount )  -- all\n").unwrap();
    assert_eq!(code(&bell(project.path(), &["fmt", "--check"])), 1);
    assert!(stdout(&bell(project.path(), &["fmt"])).contains("shop.bell"));
    let formatted = std::fs::read_to_string(&path).unwrap();
    assert!(formatted.starts_with("indicator gmv = sum(orders.amount)") && formatted.contains("-- all"));
    assert_eq!(stdout(&bell(project.path(), &["fmt", "--check"])), "");
    assert_eq!(stdout(&bell_fed(project.path(), &["fmt", "-"], &formatted)), formatted);
    let broken = bell_fed(project.path(), &["fmt", "-"], "indicator = 1\n");
    assert_eq!((code(&broken), broken.stdout.len()), (1, 0));
    assert!(stderr(&broken).contains("<stdin>:1:"), "{}", stderr(&broken));
}

#[test]
fn init_writes_a_project_once() {
    let project = project();
    let output = bell(project.path(), &["init", "new", "--from", "orders.csv"]);
    assert!(stdout(&output).starts_with("wrote "), "{}", stdout(&output));
    assert!(stdout(&bell(project.path(), &["check", "-p", "new"])).contains("no errors"));
    assert_eq!(code(&bell(project.path(), &["init", "new", "--from", "orders.csv"])), 1);
    assert_eq!(code(&bell(project.path(), &["init", "other", "--from", "nothing*.csv"])), 1);
    assert_eq!(code(&bell(project.path(), &["init", "other"])), 2);
}

#[test]
fn check_proves_keys_only_when_asked_to_read_data() {
    let project = project();
    std::fs::write(project.path().join("orders.csv"), "id,region,amount\n1,华东,10.50\n1,华北,4.00\n").unwrap();
    assert!(stdout(&bell(project.path(), &["check"])).contains("no errors"));
    let output = bell(project.path(), &["check", "--data"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(code(&output), 1, "{text}{}", stderr(&output));
    assert!(text.contains("orders.key (id)") && text.contains("shop.bell:3:"), "{text}");
}

#[test]
fn every_code_has_its_page() {
    let project = project();
    assert!(stdout(&bell(project.path(), &["explain-code", "b0001"])).starts_with("B0001: "));
    assert!(stdout(&bell(project.path(), &["explain-code"])).lines().any(|line| line.starts_with("B0001  ")));
}

#[test]
fn indicators_are_asked_by_name() {
    let project = project();
    let rows = "region,gmv,orders_count\n华东,12.75,2\n华北,4.00,1\n";
    let output = bell(project.path(), &["query", "gmv", "orders_count", "--by", "region", "--order", "-gmv"]);
    assert_eq!(stdout(&output), rows);
    let request = r#"{"indicators": ["gmv", "orders_count"], "by": ["region"], "order": ["-gmv"]}"#;
    assert_eq!(stdout(&bell_fed(project.path(), &["query", "--request", "-"], request)), rows);
    let output = bell_fed(project.path(), &["query", "--request", "-"], r#"{"indicator": "gmv"}"#);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("unknown field `indicator`"));
}

#[test]
fn conditions_limit_what_is_asked() {
    let project = project();
    let output = bell(project.path(), &["query", "gmv", "--where", "region = '华北'"]);
    assert_eq!(stdout(&output), "gmv\n4.00\n");
    let output = bell(project.path(), &["query", "--distinct", "--by", "region", "--order", "region"]);
    assert_eq!(stdout(&output), "region\n华东\n华北\n");
    let output = bell(project.path(), &["query", "gmw"]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("gmv"), "{}", stderr(&output));
}

#[test]
fn a_request_is_refused_where_it_is_wrong() {
    let project = project();
    let output = bell(project.path(), &["query", "gmv", "--by", "region,regoin"]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains(" --> <by>:1:1\n"), "{}", stderr(&output));
    assert!(stderr(&output).contains("did you mean `region`?"), "{}", stderr(&output));
    let output = bell(project.path(), &["query", "gmv", "--by", "region", "--where", "true", "--where", "1 = regoin"]);
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains(" --> <where>:1:5\n"), "{}", stderr(&output));
}

#[test]
fn a_misspelt_column_in_sql_is_named() {
    let project = project();
    for (wrong, right) in [("MEASURE(gvm)", "gmv"), ("regoin", "region")] {
        let question = format!("SELECT {wrong} FROM shop.indicators GROUP BY region");
        let output = bell(project.path(), &["sql", &question]);
        assert_eq!(code(&output), 1);
        assert!(stderr(&output).contains(&format!("did you mean `{right}`?")), "{}", stderr(&output));
    }
}

#[test]
fn what_is_declared_can_be_listed() {
    let project = project();
    for (kind, name) in
        [("indicators", "gmv"), ("dimensions", "region"), ("sources", "orders"), ("views", "indicators")]
    {
        assert!(stdout(&bell(project.path(), &["list", kind])).contains(name), "{kind}");
    }
    assert!(stdout(&bell(project.path(), &["show", "gmv"])).contains("成交总额"));
    assert_eq!(code(&bell(project.path(), &["show", "nothing"])), 1);
}

#[test]
fn every_stage_can_be_printed() {
    let project = project();
    let question = "SELECT region, MEASURE(gmv) FROM shop.indicators GROUP BY region";
    for stage in ["ast", "catalog", "plan", "optimized", "physical"] {
        assert!(!stdout(&bell(project.path(), &["explain", question, "--stage", stage])).is_empty(), "{stage}");
    }
}

/// A project with a target that is met in January and missed in February.
fn project_with_target() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("o.csv", "day,x\n2025-01-05,120\n2025-02-05,50\n");
    write(
        "model.bell",
        "source o { from csv 'o.csv'  time day }\n\nindicator x = sum(o.x) { owner 'a@example.com' }\n\n\
         target x { at least 100  every month }\n\nscorecard all { perspective p 100% { x 100% } }\n",
    );
    folder
}

#[test]
fn a_missed_target_is_told_by_the_exit_code() {
    let project = project_with_target();
    let status = |arguments: &[&str]| bell(project.path(), &[&["status"], arguments].concat());
    let met = status(&["--at", "2025-01"]);
    assert_eq!(
        stdout(&met),
        "indicator,period,value,direction,target,target_to,attainment,due,pace,landing,score,status,reason,owner\n\
         x,2025-01,120.0,at least,100.0,,1.2,100.0,,,1.2,green,,a@example.com\n"
    );
    assert_eq!(code(&status(&["--at", "2025-02"])), 3);
    assert_eq!(code(&status(&["x", "--at", "2025-02", "--fail-on", "never"])), 0);
    assert_eq!(code(&status(&["x", "--at", "2025-01", "--fail-on", "green,red"])), 3);
    // Nothing can be said of a day.
    assert_eq!(code(&status(&["--at", "2025-02-05"])), 0);
    let never = status(&["--at", "2025-02", "--fail-on", "purple"]);
    let message = "nothing is ever `purple` (--fail-on); the statuses here are amber, green, grey, red";
    assert_eq!((code(&never), stderr(&never).contains(message)), (2, true), "{}", stderr(&never));
    let wrong = status(&["y"]);
    assert_eq!((code(&wrong), stderr(&wrong).contains("there is no indicator or dimension `y`")), (1, true));
}

/// Without `--fail-on` the exit code tells of the worst that there is, whatever it is called.
#[test]
fn the_worst_status_fails_in_any_language() {
    let project = project_with_target();
    let path = project.path().join("model.bell");
    let model = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, model.replace("every month }", "every month  bands { 绿 at 100%  黄 at 90%  红 at 0% } }"))
        .unwrap();
    let code_at = |at| code(&bell(project.path(), &["status", "--at", at]));
    assert_eq!([code_at("2025-01"), code_at("2025-02")], [0, 3]);
}

/// It is `red` wherever that stands, and that of the indicator's own package.
#[test]
fn the_worst_status_is_red_or_the_last_band_of_the_package() {
    let folder = tempfile::tempdir().unwrap();
    let package = |name: &str, bands: &str, x: u32| {
        let model = format!(
            "package {name}\nsource o {{ from csv 'o.csv'  time day }}\nindicator x = sum(o.x) {{ owner 'a@example.com' }}\n\
             bands {{ {bands} }}\ntarget x {{ at least {x}  every month }}\n"
        );
        std::fs::write(folder.path().join(format!("{name}.bell")), model).unwrap();
    };
    std::fs::write(folder.path().join("o.csv"), "day,x\n2025-01-10,15\n").unwrap();
    let status = |indicator: &str| bell(folder.path(), &["status", indicator, "--at", "2025-01"]);
    package("a", "red at 150%  green at 0%", 10);
    package("b", "great at 100%  good at 0%", 10);
    assert_eq!(code(&status("a.x")), 3, "{}", stdout(&status("a.x")));
    package("a", "red at 150%  green at 0%", 1_000);
    assert_eq!(code(&status("a.x")), 0, "{}", stdout(&status("a.x")));
    package("a", "good at 100%  worst at 0%", 10);
    let of_a = status("a.x");
    assert_eq!(code(&of_a), 0, "{}", stdout(&of_a));
    assert!(stdout(&of_a).contains("\na.x,2025-01,"), "{}", stdout(&of_a));
}

/// What goes wrong beside a result is for programs, too.
#[test]
fn problems_beside_a_result_are_one_array() {
    let folder = tempfile::tempdir().unwrap();
    let model = "source o { from csv 'o.csv'  key id  time day }\nindicator x = sum(o.x)\n\
                 expect o.x > 1\npublish p { indicators x by month  to 'out/p/' }\n";
    std::fs::write(folder.path().join("model.bell"), model).unwrap();
    std::fs::write(folder.path().join("o.csv"), "id,day,x\n1,2025-01-10,1\n").unwrap();
    for (command, field) in [("expect", None), ("run", Some("public.p"))] {
        let output = bell(folder.path(), &[command, "--error-format", "json"]);
        let found: serde_json::Value = serde_json::from_str(stderr(&output)).expect("one array");
        let first = &found.as_array().expect("an array")[0];
        assert!(first["message"].as_str().is_some_and(|message| message.contains("o.x > 1")), "{found}");
        assert_eq!((&first["severity"], first["publication"].as_str()), (&"error".into(), field), "{found}");
    }
}

#[test]
fn a_scorecard_shows_scores_and_changes() {
    let project = project_with_target();
    let shown = bell(project.path(), &["scorecard", "all", "--at", "2025-02", "-F", "json"]);
    let rows: Value = serde_json::from_str(stdout(&shown)).unwrap();
    assert_eq!((&rows[0]["score"], &rows[0]["status"]), (&json!(0.5), &json!("red")));
    assert_eq!(rows[1]["score_effect"], json!(-0.7));
}
