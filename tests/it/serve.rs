//! `bell serve` from outside: a client of our own that speaks the wire, and psql and psycopg where they can be had.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::runs::write;

const MODEL: &str = "
package shop
source o { from csv 'o.csv'  key id  time day  columns { x decimal(10, 2) } }
dimension region \"区域\" = o.region
indicator sales = sum(o.x)
indicator n     = count(*) of o
";

pub fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "model.bell", MODEL);
    write(
        folder.path(),
        "o.csv",
        "id,region,x,day\n1,华东,1.50,2026-01-01\n2,华南,2,2026-01-31\n3,华东,3,2026-02-01\n",
    );
    folder
}

/// A server that ends with the test.
pub struct Server {
    child: Child,
    /// Where it speaks the PostgreSQL wire.
    pub port: u16,
    /// Where it speaks HTTP.
    pub http: u16,
    /// Where it speaks Arrow Flight SQL.
    pub flight: u16,
    /// What it says.
    log: std::sync::mpsc::Receiver<String>,
}

impl Server {
    pub fn start(folder: &Path, options: &[&str]) -> Server {
        Server::start_with(folder, options, &[])
    }

    /// The same with variables of its environment.
    pub fn start_with(folder: &Path, options: &[&str], environment: &[(&str, String)]) -> Server {
        let mut child = Command::new(env!("CARGO_BIN_EXE_bell"))
            .args(["serve", "--pg", "127.0.0.1:0", "--http", "127.0.0.1:0", "--flight", "127.0.0.1:0"])
            .args(["--log", "json", "-p"])
            .arg(folder)
            .args(options)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (said, log) = std::sync::mpsc::channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| _ = said.send(line)));
        // It says where it listens before anything else.
        let [port, http, flight] = ["pg", "http", "flight"].map(|entrance| {
            let said = log.recv_timeout(Duration::from_secs(60)).unwrap();
            let said: serde_json::Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"));
            assert_eq!(said["entrance"], entrance);
            said["address"].as_str().and_then(|address| address.rsplit(':').next()).unwrap().parse().unwrap()
        });
        Server { child, port, http, flight, log }
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.port).unwrap()
    }

    /// Waits for an event of that kind.
    pub fn event(&self, kind: &str) -> serde_json::Value {
        loop {
            let line = self.log.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| panic!("no event {kind}"));
            let event: serde_json::Value = serde_json::from_str(&line).unwrap();
            if event["event"] == kind {
                return event;
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The wire, as far as the tests need it.
pub struct Client {
    stream: TcpStream,
    key: (i32, i32),
    /// How the transaction stands, in the wire's words.
    pub status: u8,
}

pub type Message = (u8, Vec<u8>);

impl Client {
    /// Somebody who has said a name.
    pub fn begin(port: u16, name: &str) -> Client {
        let mut client = Client::silent(port);
        client.raw(&startup(&[("user", name), ("database", "shop")])).unwrap();
        client
    }

    /// Somebody who has not said anything.
    pub fn silent(port: u16) -> Client {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        Client { stream, key: (0, 0), status: 0 }
    }

    /// Somebody who connects with settings, as drivers do it: those outlast `DISCARD ALL`.
    pub fn with_options(port: u16, options: &str) -> Client {
        let mut client = Client::silent(port);
        client.raw(&startup(&[("user", "ann"), ("database", "shop"), ("options", options)])).unwrap();
        client.until_ready().unwrap();
        client
    }

    fn connect(port: u16) -> Result<Client, String> {
        let mut client = Client::begin(port, "ann");
        for (kind, body) in client.until_ready()? {
            if kind == b'K' {
                let number = |at: usize| i32::from_be_bytes(body[at..at + 4].try_into().unwrap());
                client.key = (number(0), number(4));
            }
        }
        Ok(client)
    }

    pub fn message(&mut self) -> Option<Message> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head).ok()?;
        let mut body = vec![0; u32::from_be_bytes(head[1..].try_into().unwrap()) as usize - 4];
        self.stream.read_exact(&mut body).ok()?;
        Some((head[0], body))
    }

    /// Everything up to the next `ReadyForQuery`; the error, if there is one.
    pub fn until_ready(&mut self) -> Result<Vec<Message>, String> {
        let (mut all, mut error) = (Vec::new(), None);
        loop {
            match self.message() {
                Some((b'Z', status)) => {
                    self.status = status[0];
                    break;
                }
                Some((b'E', body)) => error = Some(fields(&body)),
                Some(message) => all.push(message),
                None => return Err(error.unwrap_or("hung up".to_string())),
            }
        }
        error.map_or(Ok(all), Err)
    }

    /// The socket itself.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)
    }

    pub fn send(&mut self, kind: u8, body: &[u8]) {
        let mut message = vec![kind];
        message.extend((body.len() as u32 + 4).to_be_bytes());
        message.extend(body);
        self.stream.write_all(&message).unwrap();
    }

    /// The rows of a statement, by columns with `|`, by rows with `;`.
    pub fn ask(&mut self, sql: &str) -> Result<String, String> {
        self.send(b'Q', &[sql.as_bytes(), b"\0"].concat());
        Ok(shown(&self.until_ready()?))
    }

    /// The same by a prepared statement with parameters as texts.
    pub fn prepared(&mut self, sql: &str, parameters: &[&str]) -> Result<String, String> {
        self.send(b'P', &[b"\0", sql.as_bytes(), b"\0\0\0"].concat());
        let mut bind = b"\0\0\0\0".to_vec();
        bind.extend((parameters.len() as u16).to_be_bytes());
        for parameter in parameters {
            bind.extend((parameter.len() as u32).to_be_bytes());
            bind.extend(parameter.as_bytes());
        }
        bind.extend(b"\0\0");
        self.send(b'B', &bind);
        self.send(b'E', b"\0\0\0\0\0");
        self.send(b'S', b"");
        Ok(shown(&self.until_ready()?))
    }
}

/// What a password is checked with, as the command makes it.
pub fn verifier(password: &str) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_bell"))
        .arg("password")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim().to_string()
}

fn startup(parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = 196_608_u32.to_be_bytes().to_vec();
    for (name, value) in parameters {
        body.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
    }
    body.push(0);
    [(body.len() as u32 + 4).to_be_bytes().to_vec(), body].concat()
}

/// An error as `code position: message`.
pub fn fields(body: &[u8]) -> String {
    let parts = body.split(|byte| *byte == 0).filter(|part| !part.is_empty());
    let told: Vec<(u8, String)> =
        parts.map(|part| (part[0], String::from_utf8_lossy(&part[1..]).into_owned())).collect();
    let of = |kind: u8| told.iter().find(|(known, _)| *known == kind).map_or("", |(_, text)| text);
    format!("{} {}: {} ({})", of(b'C'), of(b'P'), of(b'M'), of(b'H'))
}

fn shown(messages: &[Message]) -> String {
    let row = |body: &Vec<u8>| {
        let (mut at, mut values) = (2, Vec::new());
        while at < body.len() {
            let length = i32::from_be_bytes(body[at..at + 4].try_into().unwrap());
            at += 4;
            let value = (length >= 0).then(|| String::from_utf8_lossy(&body[at..at + length as usize]).into_owned());
            at += length.max(0) as usize;
            values.push(value.unwrap_or_else(|| "NULL".to_string()));
        }
        values.join("|")
    };
    let rows: Vec<String> = messages.iter().filter(|(kind, _)| *kind == b'D').map(|(_, body)| row(body)).collect();
    let copied = messages.iter().filter(|(kind, _)| *kind == b'd');
    let copied: String = copied.map(|(_, body)| String::from_utf8_lossy(body).into_owned()).collect();
    rows.join(";") + &copied
}

const BY_REGION: &str = "SELECT region, sales, sales AT (ALL region) FROM indicators GROUP BY region ORDER BY 1";

#[test]
fn questions_are_answered_over_the_wire() {
    let folder = project();
    let server = Server::start(folder.path(), &[]);
    let mut client = server.connect();
    assert_eq!(client.ask(BY_REGION).unwrap(), "华东|4.50|6.50;华南|2.00|6.50");
    // Several at once, and talk in between.
    assert_eq!(client.ask("BEGIN; SELECT 1; SHOW search_path; COMMIT").unwrap(), "1;shop");
    assert_eq!(client.ask(" ; ").unwrap(), "");
    let copied = client.ask(&format!("COPY ({BY_REGION}) TO STDOUT WITH (FORMAT csv, HEADER)")).unwrap();
    assert_eq!(copied, "region,sales,sales\n华东,4.50,6.50\n华南,2.00,6.50\n".replace("sales,sales", &header(&copied)));
    // Settings are a connection's own.
    client.ask("SET bell.bi_compat = true").unwrap();
    assert_eq!(client.ask("SELECT SUM(sales) FROM indicators").unwrap(), "6.50");
    assert!(server.connect().ask("SELECT SUM(sales) FROM indicators").unwrap_err().starts_with("42803"));
    let asked = server.event("asked");
    assert!(asked["outcome"] == "ok" && asked["user"] == "ann" && asked.get("text").is_none(), "{asked}");
}

/// The names of the two measures, which DataFusion chooses.
fn header(copied: &str) -> String {
    copied.lines().next().unwrap().trim_start_matches("region,").to_string()
}

#[test]
fn parameters_are_exactly_what_was_sent() {
    let folder = project();
    let server = Server::start(folder.path(), &[]);
    let mut client = server.connect();
    let n = |client: &mut Client, condition: &str, parameters: &[&str]| {
        client.prepared(&format!("SELECT MEASURE(n) FROM indicators WHERE {condition}"), parameters)
    };
    assert_eq!(n(&mut client, "region = $1", &["华东"]).unwrap(), "2");
    assert_eq!(
        n(&mut client, "metric_time >= $1 AND metric_time < $2", &["2026-01-31", "2026-02-01 12:00:00"]).unwrap(),
        "2"
    );
    // A number is not rounded to the column that it is compared with.
    assert_eq!(client.prepared("SELECT count(*) FROM o WHERE x > $1", &["1.495"]).unwrap(), "3");
    assert_eq!(client.prepared("SELECT count(*) FROM o WHERE x = $1", &["1.5"]).unwrap(), "1");
    assert_eq!(client.prepared("SELECT count(*) FROM o WHERE id = $1", &["2"]).unwrap(), "1");
    assert!(client.prepared("SELECT count(*) FROM o WHERE id = $1", &["1.5"]).unwrap_err().starts_with("22P02"));
    assert!(client.prepared("SELECT count(*) FROM o WHERE day = $1", &["soon"]).unwrap_err().starts_with("22P02"));
    assert!(client.prepared("SELECT count(*) FROM o WHERE id = $1", &[]).unwrap_err().starts_with("08P01"));
    // The connection goes on after errors.
    assert_eq!(client.prepared("SELECT $1", &["x"]).unwrap(), "x");
}

#[test]
fn errors_have_codes_places_and_hints() {
    let folder = project();
    let server = Server::start(folder.path(), &["--max-rows", "2"]);
    let mut client = server.connect();
    let mut error = |sql: &str| client.ask(sql).unwrap_err();
    // The place is in the whole text, in characters.
    let told = error("SELECT '区域'; SELECT regon, MEASURE(sales) FROM indicators GROUP BY 1");
    assert!(
        told.starts_with("42703 21: there is no column `regon`") && told.contains("did you mean `region`"),
        "{told}"
    );
    assert!(error("SELECT * FROM nothing").starts_with("42P01 15:"), "a table");
    assert!(error("SELEC 1").starts_with("42601"), "a syntax error");
    assert!(error("SELECT sales FROM indicators").starts_with("42803"), "no group");
    for writes in [
        "CREATE TABLE t (a int)",
        "DROP TABLE o",
        "INSERT INTO o SELECT * FROM o",
        "COPY o TO '/tmp/o.csv'",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1",
    ] {
        let told = error(writes);
        assert!(told.starts_with("25006") || told.starts_with("42601"), "{writes}: {told}");
    }
    assert!(error("SET datafusion.execution.batch_size = 1").starts_with("42704"), "not for callers");
    assert!(error("SET client_encoding = 'latin1'").starts_with("22023"), "only UTF-8");
    let told = error("SELECT * FROM o");
    assert!(told.starts_with("54000") && told.contains("more than 2 rows"), "{told}");
}

#[test]
fn questions_can_be_stopped() {
    let folder = project();
    let server = Server::start(folder.path(), &["--time-limit", "60s"]);
    let long = "SELECT count(*) FROM generate_series(1, 1000000000) a WHERE a.value % 3 = 1";
    let mut client = server.connect();
    client.ask("SET statement_timeout = '200ms'").unwrap();
    let since = Instant::now();
    assert!(client.ask(long).unwrap_err().starts_with("57014"), "too long");
    assert!(since.elapsed() < Duration::from_secs(20));
    client.ask("RESET statement_timeout").unwrap();
    // By another connection, as psql does it at Ctrl-C. A wrong key stops nothing.
    client.send(b'Q', &[long.as_bytes(), b"\0"].concat());
    let cancel = |pid: i32, key: i32| {
        let body = [16_u32.to_be_bytes(), 80_877_102_u32.to_be_bytes(), pid.to_be_bytes(), key.to_be_bytes()].concat();
        TcpStream::connect(("127.0.0.1", server.port)).unwrap().write_all(&body).unwrap();
    };
    let (pid, key) = client.key;
    std::thread::sleep(Duration::from_millis(300));
    cancel(pid, key.wrapping_add(1));
    std::thread::sleep(Duration::from_millis(300));
    assert!(server.connect().ask("SELECT 1").is_ok(), "others are answered meanwhile");
    cancel(pid, key);
    assert!(client.until_ready().unwrap_err().starts_with("57014"), "cancelled");
    assert_eq!(client.ask("SELECT 1").unwrap(), "1");
}

#[test]
fn edits_are_swapped_in_whole_and_broken_ones_are_not() {
    let folder = project();
    let server = Server::start(folder.path(), &["--refresh", "1s"]);
    let mut client = server.connect();
    client.ask("SET bell.bi_compat = true").unwrap();
    write(folder.path(), "model.bell", &format!("{MODEL}indicator broken = sum(o.nothing)"));
    let read = server.event("read");
    assert!(read["served"] == false && read["diagnostics"][0].as_str().unwrap().contains("nothing"), "{read}");
    assert_eq!(client.ask("SELECT MEASURE(n) FROM indicators").unwrap(), "3");
    let told = client.ask("SELECT severity, code, line FROM bell.diagnostics").unwrap();
    assert_eq!(told, "error|B0301|7");
    write(folder.path(), "model.bell", &format!("{MODEL}indicator largest = max(o.x)"));
    assert!(server.event("read")["served"] == true);
    // Settings outlast it.
    assert_eq!(client.ask("SELECT MAX(largest) FROM indicators").unwrap(), "3.00");
    assert_eq!(client.ask("SELECT count(*) FROM bell.diagnostics").unwrap(), "0");
    // Data, too: what is not older than a refresh is the present file.
    write(folder.path(), "o.csv", "id,region,x,day\n1,华东,7.25,2026-01-01\n");
    let since = Instant::now();
    while client.ask("SELECT MEASURE(sales) FROM indicators") != Ok("7.25".to_string()) {
        assert!(since.elapsed() < Duration::from_secs(30), "the new file is not seen");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn strangers_get_nowhere() {
    let folder = project();
    let server = Server::start(folder.path(), &["--max-connections", "2"]);
    let (mut first, _second) = (server.connect(), server.connect());
    assert!(Client::connect(server.port).err().unwrap().starts_with("53300"), "one too many");
    let nonsense: [&[u8]; 4] =
        [b"GET / HTTP/1.1\r\n\r\n", &[0xff; 64], &[0, 0, 0, 8, 0, 9, 0, 0], &[0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0]];
    for bytes in nonsense {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(90))).unwrap();
        stream.write_all(bytes).unwrap();
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.contains(&b'R'), "{answer:?}");
    }
    assert_eq!(first.ask("SELECT 1").unwrap(), "1");
    let elsewhere =
        Command::new(env!("CARGO_BIN_EXE_bell")).args(["serve", "--pg", "0.0.0.0:0", "-p"]).arg(folder.path()).output();
    let elsewhere = elsewhere.unwrap();
    assert!(elsewhere.status.code() == Some(2) && String::from_utf8_lossy(&elsewhere.stderr).contains("127.0.0.1"));
}

#[test]
fn hostile_and_odd_messages_end_nothing() {
    let folder = project();
    let server = Server::start(folder.path(), &[]);
    let mut client = server.connect();
    // Numbers of parameters and rows that nobody has.
    assert!(client.prepared("SELECT $4000000000", &["1"]).unwrap_err().starts_with("54000"));
    assert!(client.ask(&"SELECT 1;".repeat(1001)).unwrap_err().starts_with("54000"));
    for most in [i32::MAX, -1, 0] {
        client.send(b'P', b"\0SELECT id FROM o ORDER BY 1\0\0\0");
        client.send(b'B', b"\0\0\0\0\0\0\0\0");
        client.send(b'E', &[b"\0".as_slice(), &most.to_be_bytes()].concat());
        client.send(b'S', b"");
        assert_eq!(shown(&client.until_ready().unwrap()), "1;2;3", "{most}");
    }
    // Two rows at a time.
    client.send(b'P', b"\0SELECT id FROM o ORDER BY 1\0\0\0");
    client.send(b'B', b"\0\0\0\0\0\0\0\0");
    for _ in 0..2 {
        client.send(b'E', &[b"\0".as_slice(), &2_i32.to_be_bytes()].concat());
    }
    client.send(b'S', b"");
    let messages = client.until_ready().unwrap();
    let kinds: String = messages.iter().map(|(kind, _)| *kind as char).collect();
    assert_eq!(kinds, "12DDsDC");
    // Each statement is done before the next begins.
    let told = client.ask("SET bell.bi_compat = true; SELECT MAX(n) FROM indicators");
    assert_eq!(told.unwrap(), "3");
    client.ask("DISCARD ALL").unwrap();
    assert!(client.ask("SELECT MAX(n) FROM indicators").is_err(), "what was set is forgotten");
    assert_eq!(client.ask("SELECT count(*) FROM o").unwrap(), "3", "but not what the client connected with");
    for (setting, code) in [("TimeZone = 'Mars'", "22023"), ("standard_conforming_strings = off", "22023")] {
        assert!(client.ask(&format!("SET {setting}")).unwrap_err().starts_with(code), "{setting}");
    }
    // Nothing and an empty text are two things in a copy, and an error ends it.
    client.send(b'Q', b"COPY (SELECT '' AS a, NULL AS b, 'x,\"y' AS c) TO STDOUT (FORMAT csv)\0");
    let copied = client.until_ready().unwrap();
    let lines: Vec<&Message> = copied.iter().filter(|(kind, _)| *kind == b'd').collect();
    assert_eq!(lines[0].1, b"\"\",,\"x,\"\"y\"\n");
    let broken = b"COPY (SELECT 1 / (a.value - 90000) FROM generate_series(1, 100000) a) TO STDOUT\0";
    client.send(b'Q', broken);
    assert!(client.until_ready().unwrap_err().starts_with("22"));
    assert_eq!(client.ask("SELECT 1").unwrap(), "1");
}

/// What psql sends for its commands is answered.
#[test]
fn psql_is_answered() {
    if Command::new("psql").arg("--version").output().is_err() {
        println!("skipped: there is no psql here");
        return;
    }
    let folder = project();
    write(folder.path(), "model.bell", &format!("{MODEL}policy east on o to role east where region = '华东'\n"));
    let server = Server::start(folder.path(), &[]);
    let psql = |command: &str| {
        let output = Command::new("psql")
            .args([
                "-X",
                "-h",
                "127.0.0.1",
                "-p",
                &server.port.to_string(),
                "-U",
                "ann",
                "-d",
                "shop",
                "-At",
                "-c",
                command,
            ])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{command}: {text}");
        text
    };
    assert_eq!(psql(BY_REGION), "华东|4.50|6.50\n华南|2.00|6.50\n");
    for (command, wanted) in [
        ("\\d", "shop|sales"),
        ("\\dv", "shop|indicators"),
        ("\\d indicators", "region|"),
        ("\\l", "datafusion"),
        ("\\dn", "shop|postgres"),
        ("\\dp", "shop|sales|view|||"),
        ("\\z o", "shop|o|view|||"),
        ("\\sv sales", "VIEW shop.sales AS\nindicator sales = sum(o.x)"),
        ("\\sv indicators", "indicator n = count(*)"),
        ("\\sv o", "source o {\n  key (id)\n  columns { id  region  x  day"),
        ("\\du", "east|Cannot login"),
        ("\\df", "bell|status|SETOF record|indicator text, "),
        ("SELECT pg_get_viewdef('sales'::regclass, true)", "sum(o.x)"),
        ("SELECT view_definition FROM information_schema.views WHERE table_name = 'sales'", "sum(o.x)"),
        ("SELECT definition FROM pg_views WHERE viewname = 'sales'", "sum(o.x)"),
    ] {
        let text = psql(command);
        assert!(text.contains(wanted), "{command}: {text}");
    }
}

#[test]
fn an_address_that_is_taken_is_told() {
    let folder = project();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut serve = Command::new(env!("CARGO_BIN_EXE_bell"));
    let refused = serve.args(["serve", "--pg", &address, "-p"]).arg(folder.path()).output().unwrap();
    let printed = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(printed.starts_with(&format!("error: cannot listen on {address}")), "{printed}");
}

#[cfg(unix)]
#[test]
fn a_server_that_is_told_to_stop_finishes_what_runs() {
    let folder = project();
    let mut server = Server::start(folder.path(), &[]);
    let mut client = server.connect();
    client.send(b'Q', b"SELECT count(*) FROM generate_series(1, 2000000) a WHERE a.value % 2 = 0\0");
    std::thread::sleep(Duration::from_millis(100));
    let told = Command::new("kill").args(["-TERM", &server.child.id().to_string()]).status().unwrap();
    assert!(told.success());
    assert_eq!(shown(&client.until_ready().unwrap()), "1000000");
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    assert!(TcpStream::connect(("127.0.0.1", server.port)).is_err());
}
