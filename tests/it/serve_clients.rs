//! `bell serve` and the programs that people have: what their drivers and BI tools send is answered.
//!
//! `clients/*.sql` holds statements as those tools send them, so that they are tried everywhere. The drivers themselves are
//! tried where they can be had: they are installed from their registries, or it is said that they are not there.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::runs::write;
use super::serve::{Client, Server};

const MODEL: &str = "
package shop \"商店\"

/// One row an order.
source orders \"订单\" {
  from csv 'orders.csv'
  key  order_id
  time ordered_at
  join store = stores on store_id
  columns {
    amount  \"金额\" decimal(12, 2)
    weight double
    channel \"渠道\"
  }
}
/// One row a line of an order.
source lines { from csv 'lines.csv'  key (order_id, line_no)  join order = orders on order_id }
source stores { from csv 'stores.csv'  key store_id }

/// Where it was sold.
dimension region \"区域\" = orders.store.region
dimension channel = orders.channel
indicator gmv           \"成交额\" = sum(orders.amount) { grain month by region }
indicator orders_placed \"订单数\" = count(*) of orders
/// What an order is worth.
indicator aov \"客单价\" = gmv / orders_placed
";

const ORDERS: &str = "order_id,store_id,channel,day,ordered_at,amount,weight,paid,note
1,1,线上,2026-01-05,2026-01-05 09:30:00,100.50,1.5,true,急
2,1,线下,2026-01-31,2026-01-31 23:59:59,50.00,NaN,false,
3,2,线上,2026-02-01,2026-02-01 00:00:00,20.25,-0.25,true,\"a, \"\"b\"\"\"
4,2,线上,2026-02-28,2026-02-28 12:00:00,,2,,c;d
";

fn shop() -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "model.bell", MODEL);
    write(folder.path(), "orders.csv", ORDERS);
    write(folder.path(), "lines.csv", "order_id,line_no,quantity\n1,1,2\n1,2,1\n3,1,5\n");
    write(folder.path(), "stores.csv", "store_id,region\n1,华东\n2,华南\n");
    let server = Server::start(folder.path(), &[]);
    (folder, server)
}

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/clients")
}

/// Asks what a tool asks, one statement after the other: each is answered, and with the same rows as what it gives.
fn tool(name: &str) {
    let (_folder, server) = shop();
    let mut client = Client::with_options(server.port, "-c bell.bi_compat=true");
    let text = std::fs::read_to_string(clients().join(name)).unwrap();
    let mut wrong = Vec::new();
    for statement in text.split("\n;\n") {
        let (asked, gives) = statement.split_once("\n--- gives\n").map_or((statement, None), |(a, b)| (a, Some(b)));
        assert!(asked.starts_with("-- "), "it is not said who asks this:\n{asked}");
        let answer = client.ask(asked);
        match gives.map(|gives| client.ask(gives).unwrap()) {
            None if answer.is_ok() => {}
            Some(gives) if answer.as_ref() == Ok(&gives) && !gives.is_empty() => {}
            gives => wrong.push(format!("{asked}\nis answered {answer:?}, not {gives:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn metabase_is_answered() {
    tool("metabase.sql");
}

#[test]
fn grafana_is_answered() {
    tool("grafana.sql");
}

#[test]
fn superset_is_answered() {
    tool("superset.sql");
}

#[test]
fn tableau_is_answered() {
    tool("tableau.sql");
}

#[test]
fn power_bi_is_answered() {
    tool("powerbi.sql");
}

#[test]
fn cursors_give_rows_piece_by_piece() {
    let (_folder, server) = shop();
    let mut client = server.connect();
    let told = client.ask(
        "BEGIN; DECLARE c CURSOR FOR SELECT value FROM generate_series(1, 5000) ORDER BY 1; FETCH 2 FROM c; FETCH c",
    );
    assert_eq!(told.unwrap(), "1;2;3");
    client.ask("MOVE FORWARD 4000 IN c").unwrap();
    assert_eq!(client.prepared("FETCH FORWARD 2 FROM c", &[]).unwrap(), "4004;4005");
    assert_eq!(client.ask("FETCH ALL FROM c").unwrap().split(';').count(), 995);
    assert_eq!(client.ask("FETCH 1 FROM c").unwrap(), "");
    client.ask("SAVEPOINT fetched").unwrap();
    let mut refused = |sql: &str| {
        let told = client.ask(sql).unwrap_err();
        client.ask("ROLLBACK TO fetched").unwrap();
        told
    };
    assert!(refused("DECLARE c CURSOR FOR SELECT 1").starts_with("42P03"));
    assert!(refused("FETCH BACKWARD 1 FROM c").starts_with("0A000"));
    let told = refused("DECLARE d CURSOR FOR SELECT regon FROM indicators");
    assert!(told.starts_with("42703 29:") && told.contains("region"), "{told}");
    // With parameters; one that outlives the transaction, and one that does not.
    client
        .prepared("DECLARE e CURSOR WITH HOLD FOR SELECT order_id FROM orders WHERE channel = $1", &["线下"])
        .unwrap();
    client.ask("COMMIT").unwrap();
    assert!(client.ask("FETCH 1 FROM c").unwrap_err().starts_with("34000"));
    assert_eq!(client.ask("FETCH 1 FROM e; CLOSE e").unwrap(), "2");
    assert!(client.ask("CLOSE e").unwrap_err().starts_with("34000"));
}

#[test]
fn what_only_clients_say_is_answered() {
    let (_folder, server) = shop();
    let mut client = server.connect();
    for said in [
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SET SESSION AUTHORIZATION DEFAULT",
        "SET ROLE NONE",
        "SET work_mem = '64MB'",
        "SET TIME ZONE 'Asia/Shanghai'",
        "SHOW ALL",
        "DISCARD ALL",
        "DEALLOCATE ALL",
        "UNLISTEN *",
        "CLOSE ALL",
        "SELECT pg_backend_pid(), inet_server_addr(), pg_is_in_recovery()",
    ] {
        client.ask(said).unwrap_or_else(|error| panic!("{said}: {error}"));
    }
    assert_eq!(
        client.ask("SELECT current_user, current_schema, 'a LIKE ''b'' ESCAPE ''/'''").unwrap().split('|').count(),
        3
    );
    assert_eq!(client.ask("SELECT 'x' LIKE 'y' ESCAPE '/', current_schema()").unwrap(), "f|shop");
    for name in ["shop.gmv", "gmv"] {
        let found = client.ask(&format!("SELECT relname FROM pg_class WHERE oid = '{name}'::regclass"));
        assert_eq!(found.unwrap(), "gmv");
    }
    assert_eq!(
        client.ask("SELECT (current_schemas(true))[1], (current_schemas(false))[1]").unwrap(),
        "pg_catalog|shop"
    );
    // What was set is what it was when the client connected.
    let told = client.ask(
        "SET search_path = bell; SET statement_timeout = 5000; DISCARD ALL; SHOW search_path; SHOW statement_timeout",
    );
    assert_eq!(told.unwrap(), "shop;0");
    // Numbers of relations are made of their names: they are the same for everybody, and after the project is read again.
    let number = "SELECT oid FROM pg_class WHERE relname = 'gmv'";
    let first = client.ask(number).unwrap();
    assert_eq!(server.connect().ask(number).unwrap(), first);
}

/// What a program prints, or why it cannot be tried.
fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let (told, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{told}{errors}");
    told.into_owned()
}

/// Compares what a program printed with what it should; its first line tells versions.
fn compare(printed: &str, file: &str) {
    let (versions, told) = printed.split_once('\n').unwrap();
    println!("{versions}");
    let path = clients().join(file);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, told).unwrap();
    }
    let wanted = std::fs::read_to_string(&path).unwrap();
    let differs = told.lines().zip(wanted.lines()).find(|(told, wanted)| told != wanted);
    assert!(told == wanted, "{versions}, at {differs:?}:\n{told}");
}

fn runs(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// Where clients are installed.
fn installed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients").join(name)
}

/// A Python that has the packages.
fn python() -> Option<PathBuf> {
    let has = |python: &Path| runs(Command::new(python).args(["-c", "import psycopg, sqlalchemy, pandas"]));
    let (own, ours) = (PathBuf::from("python3"), installed("python"));
    let python = ours.join("bin/python");
    if let Some(python) = [own, python.clone()].into_iter().find(|it| has(it)) {
        return Some(python);
    }
    let made = runs(Command::new("python3").args(["-m", "venv"]).arg(&ours));
    let packages = ["psycopg[binary]", "sqlalchemy>=2", "pandas"];
    let pip = || runs(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages));
    (made && pip() && has(&python)).then_some(python)
}

#[test]
fn python_is_answered() {
    let Some(python) = python() else {
        println!("skipped: psycopg, SQLAlchemy and pandas cannot be had");
        return;
    };
    let (_folder, server) = shop();
    let mut command = Command::new(python);
    command.arg(clients().join("python.py")).arg(server.port.to_string()).env("PYTHONIOENCODING", "utf-8");
    compare(&printed(&mut command), "python.out");
}

/// The folder of a Node package.
fn node() -> Option<PathBuf> {
    let folder = installed("node");
    let modules = folder.join("node_modules");
    let has = || runs(Command::new("node").args(["-e", "require('pg')"]).env("NODE_PATH", &modules));
    let install = || runs(Command::new("npm").args(["install", "--silent", "--prefix"]).arg(&folder).arg("pg@8"));
    std::fs::create_dir_all(&folder).ok()?;
    (has() || install() && has()).then_some(modules)
}

#[test]
fn node_is_answered() {
    let Some(modules) = node() else {
        println!("skipped: node-postgres cannot be had");
        return;
    };
    let (_folder, server) = shop();
    let mut command = Command::new("node");
    command.arg(clients().join("node.js")).arg(server.port.to_string()).env("NODE_PATH", modules);
    compare(&printed(&mut command), "node.out");
}

/// The JDBC driver: that of the system, or from Maven's registry.
fn jdbc() -> Option<PathBuf> {
    let (own, ours) = (PathBuf::from("/usr/share/java/postgresql.jar"), installed("java"));
    let jar = ours.join("postgresql-42.7.4.jar");
    let maven = || {
        let artifact = "-Dartifact=org.postgresql:postgresql:42.7.4";
        let folder = format!("-DoutputDirectory={}", ours.display());
        runs(Command::new("mvn").args(["--batch-mode", "--quiet", "dependency:copy", artifact, &folder]))
    };
    let java = runs(Command::new("java").arg("-version"));
    let jar = [own, jar.clone()].into_iter().find(|jar| jar.exists()).or_else(|| maven().then_some(jar));
    jar.filter(|jar| java && jar.exists())
}

#[test]
fn java_is_answered() {
    let Some(jar) = jdbc() else {
        println!("skipped: the JDBC driver of PostgreSQL cannot be had");
        return;
    };
    let (_folder, server) = shop();
    for mode in ["extended", "extendedForPrepared"] {
        let mut command = Command::new("java");
        command.args(["-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8", "-Duser.timezone=UTC", "-cp"]).arg(&jar);
        command.arg(clients().join("Jdbc.java")).args([&server.port.to_string(), mode]);
        compare(&printed(&mut command), "java.out");
    }
}
