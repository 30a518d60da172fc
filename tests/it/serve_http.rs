//! `bell serve` over HTTP: the same answers as everywhere, in every form; who may ask; what is refused.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use datafusion::arrow::ipc::reader::StreamReader;
use serde_json::{Value, json};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::runs::write;
use super::serve::{Server, project, verifier};

/// What came back.
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
    /// Whether the whole body came.
    whole: bool,
}

impl Response {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", self.text()))
    }
}

/// A request, on a connection of its own.
pub fn request(port: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    exchange(stream, method, path, headers, body)
}

fn exchange(
    mut stream: impl Read + Write,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Response {
    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head += "Host: localhost\r\n";
    }
    headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    // Who is refused for the head alone may have hung up.
    let _ = stream.write_all(body);
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    let end = all.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or_else(|| panic!("no head in {all:?}"));
    let head = String::from_utf8_lossy(&all[..end]).to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let (body, whole) = match head.contains("transfer-encoding: chunked") {
        true => unchunked(&all[end + 4..]),
        false => (all[end + 4..].to_vec(), true),
    };
    Response { status, head, body, whole }
}

/// The chunks' contents, and whether the last one came.
fn unchunked(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        let Some(chunk) = rest.get(end + 2..end + 2 + length) else { break };
        if length == 0 {
            return (body, true);
        }
        body.extend(chunk);
        rest = rest.get(end + 4 + length..).unwrap_or_default();
    }
    (body, false)
}

pub fn get(server: &Server, path: &str) -> Response {
    request(server.http, "GET", path, &[], b"")
}

fn post(server: &Server, path: &str, body: &Value) -> Response {
    request(server.http, "POST", path, &[("content-type", "application/json")], body.to_string().as_bytes())
}

/// What `bell` prints.
fn bell(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_bell")).arg("-p").arg(folder).args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn answers_are_those_of_the_command_line_in_every_form() {
    let folder = project();
    let server = Server::start(folder.path(), &[]);
    let question = json!({ "indicators": ["sales", "n"], "by": ["region"], "order": ["-sales"] });
    let asked = ["query", "sales", "n", "--by", "region", "--order", "-sales", "-F"];
    for (form, kind) in [("json", "application/json"), ("ndjson", "application/x-ndjson"), ("csv", "text/csv")] {
        let expected = bell(folder.path(), &[asked.as_slice(), &[form]].concat());
        let by_header = request(server.http, "POST", "/v1/query", &[("accept", kind)], question.to_string().as_bytes());
        assert_eq!((by_header.status, by_header.text()), (200, expected.clone()), "{form}");
        assert!(by_header.head.contains(&format!("content-type: {kind}")), "{}", by_header.head);
        assert_eq!(post(&server, &format!("/v1/query?format={form}"), &question).text(), expected);
    }
    let arrow = post(&server, "/v1/query?format=arrow", &question).body;
    let batch = StreamReader::try_new(arrow.as_slice(), None).unwrap().next().unwrap().unwrap();
    assert_eq!((batch.num_rows(), batch.num_columns()), (2, 3));
    let parquet = post(&server, "/v1/query?format=parquet", &question).body;
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
    // SQL, posted in both ways and by its address.
    let sql = "SELECT region, MEASURE(sales) AS sales FROM shop.indicators GROUP BY region ORDER BY 1";
    let expected = bell(folder.path(), &["sql", "-F", "json", sql]);
    let plain = request(server.http, "POST", "/v1/sql", &[("content-type", "text/plain")], sql.as_bytes());
    assert_eq!(plain.text(), expected);
    assert_eq!(post(&server, "/v1/sql", &json!({ "sql": sql })).text(), expected);
    assert_eq!(get(&server, &format!("/v1/sql?q={}", sql.replace(' ', "+"))).text(), expected);
    // Analyses, posted and by their addresses.
    let expected =
        bell(folder.path(), &["why", "sales", "--from", "2026-01", "--to", "2026-02", "--by", "region", "-F", "json"]);
    let change = json!({ "indicator": "sales", "base": "2026-01", "current": "2026-02", "by": ["region"] });
    assert_eq!(post(&server, "/v1/why", &change).text(), expected);
    assert_eq!(get(&server, "/v1/why?indicator=sales&base=2026-01&current=2026-02&by=region").text(), expected);
    let asked = server.event("asked");
    assert!(asked["entrance"] == "http" && asked["user"] == "anonymous" && asked.get("text").is_none(), "{asked}");
}

#[test]
fn what_there_is_is_told() {
    let folder = project();
    let server = Server::start(folder.path(), &[]);
    assert_eq!((get(&server, "/health").text(), get(&server, "/ready").text()), ("ok\n".into(), "ready\n".into()));
    let list = get(&server, "/v1/indicators?search=SALE").json();
    assert_eq!((list.as_array().unwrap().len(), &list[0]["name"]), (1, &json!("sales")));
    let one = get(&server, "/v1/indicators/shop.sales").json();
    assert_eq!((&one["definition"], &one["dimensions"][0]["label"]), (&json!("sum(o.x)"), &json!("区域")));
    let unknown = get(&server, "/v1/indicators/saless");
    assert!(unknown.status == 404 && unknown.text().contains("did you mean `sales`?"), "{}", unknown.text());
    post(&server, "/v1/sql", &json!({ "sql": "SELECT nothing FROM shop.o" }));
    let counts = get(&server, "/metrics").text();
    for line in
        ["bell_questions_total{entrance=\"http\",outcome=\"42703\"} 1", "bell_callers{entrance=\"http\"} ", "# EOF"]
    {
        assert!(counts.contains(line), "{counts}");
    }
    // Every address of the document is there.
    let document = get(&server, "/v1/openapi.json").json();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 12, "{paths:?}");
    for (path, ways) in paths {
        for way in ways.as_object().unwrap().keys() {
            let answered = request(server.http, &way.to_uppercase(), &path.replace("{name}", "sales"), &[], b"{}");
            assert!(![404, 405].contains(&answered.status), "{way} {path}: {}", answered.status);
        }
    }
    // Every reference in it leads somewhere.
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
}

#[test]
fn what_cannot_be_answered_is_refused_with_a_reason() {
    let folder = project();
    let server = Server::start(folder.path(), &["--max-rows", "100", "--time-limit", "2s"]);
    let refused = |status: u16, response: &Response, words: &str| {
        let error = &response.json()["error"];
        assert!(response.status == status && response.text().contains(words), "{} {error}", response.status);
        error.clone()
    };
    let error = refused(400, &post(&server, "/v1/sql", &json!({ "sql": "SELECT regon FROM shop.o" })), "did you mean");
    assert_eq!((&error["sqlstate"], &error["diagnostics"][0]["column"]), (&json!("42703"), &json!(8)));
    refused(400, &post(&server, "/v1/query", &json!({ "indicators": ["saless"] })), "did you mean `sales`");
    refused(400, &post(&server, "/v1/query", &json!({ "indicator": ["sales"] })), "unknown field");
    refused(400, &post(&server, "/v1/sql", &json!({ "sql": "SELECT 1; SELECT 2" })), "2 statements");
    refused(
        400,
        &post(&server, "/v1/sql", &json!({ "sql": "SELECT a.id, b.id FROM shop.o a JOIN shop.o b ON a.id = b.id" })),
        "two columns",
    );
    refused(403, &post(&server, "/v1/sql", &json!({ "sql": "CREATE TABLE t (a int)" })), "only answers questions");
    refused(
        413,
        &post(&server, "/v1/sql", &json!({ "sql": "SELECT * FROM generate_series(1, 1000)" })),
        "more than 100",
    );
    let long = "SELECT count(*) FROM generate_series(1, 10000000000) a WHERE a.value % 3 = 1";
    refused(504, &post(&server, "/v1/sql", &json!({ "sql": long })), "longer than 2 s");
    refused(400, &get(&server, "/v1/status?indicators=sales"), "did you mean `indicator`?");
    refused(400, &get(&server, "/v1/why"), "needs `indicator`");
    let error = refused(400, &get(&server, "/v1/status?indicator=sales&at=latest"), "has no target");
    assert_eq!(error["diagnostics"][0]["file"], "<indicator>");
    refused(400, &get(&server, "/v1/sql?q=SELECT+1&format=xml"), "no format");
    refused(404, &get(&server, "/v2/query"), "openapi");
    refused(405, &get(&server, "/v1/query"), "another way");
    refused(406, &request(server.http, "GET", "/v1/sql?q=SELECT+1", &[("accept", "image/png")], b""), "text/csv");
    // Too large, too deep, another's name.
    let large = request(server.http, "POST", "/v1/sql", &[], &vec![b' '; 2 << 20]);
    assert_eq!(large.status, 413);
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    refused(400, &request(server.http, "POST", "/v1/query", &[], deep.as_bytes()), "cannot be read");
    let nested = format!("SELECT {}1{}", "(".repeat(20_000), ")".repeat(20_000));
    refused(400, &post(&server, "/v1/sql", &json!({ "sql": nested })), "nested too deeply");
    refused(421, &request(server.http, "GET", "/v1/indicators", &[("host", "evil.example")], b""), "localhost");
    assert_eq!(post(&server, "/v1/sql", &json!({ "sql": "SELECT 1 AS a" })).text(), "[{\"a\":1}]\n");
}

#[test]
fn an_answer_that_fails_half_way_is_never_taken_for_whole() {
    let folder = project();
    let server = Server::start(folder.path(), &[]);
    let sql = "SELECT 1 / (a.value - 90000) AS x FROM generate_series(1, 100000) a";
    for form in ["json", "ndjson", "csv", "arrow"] {
        let response = post(&server, &format!("/v1/sql?format={form}"), &json!({ "sql": sql }));
        assert!(response.status == 200 && !response.whole && !response.body.is_empty(), "{form}: {}", response.status);
    }
    assert_eq!(server.event("asked")["outcome"], "22000");
}

const POLICIES: &str = "
policy east on o to role east where region = '华东'
";

/// A token, and the verifier of it.
pub fn token() -> (String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_bell")).arg("token").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (said.trim().rsplit(' ').next().unwrap().to_string(), String::from_utf8(output.stdout).unwrap().trim().to_string())
}

#[test]
fn who_asks_sees_what_their_roles_do() {
    let folder = project();
    let model = std::fs::read_to_string(folder.path().join("model.bell")).unwrap();
    write(folder.path(), "model.bell", &(model + POLICIES));
    let ((token, hash), (nobodys, _)) = (token(), token());
    let users = format!(
        "ann {} east\nann {hash} east\nbob {} *\ncarl {}\n",
        verifier("geheim"),
        verifier("secret"),
        verifier("x")
    );
    write(folder.path(), "users", &users);
    let server = Server::start(folder.path(), &["--users", folder.path().join("users").to_str().unwrap()]);
    let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
    let ask = |who: &str, body: &Value| {
        let headers = [("authorization", who), ("content-type", "application/json")];
        request(server.http, "POST", "/v1/sql", &headers, body.to_string().as_bytes())
    };
    let all = json!({ "sql": "SELECT MEASURE(sales) AS s, MEASURE(sales) AT (ALL) AS a FROM shop.indicators WHERE region = '华东'" });
    for (who, sales) in
        [(format!("Bearer {token}"), "4.50"), (basic("ann:geheim"), "4.50"), (basic("bob:secret"), "6.50")]
    {
        // Twice: the second time they are known.
        for _ in 0..2 {
            let answer = ask(&who, &all).json();
            assert_eq!((&answer[0]["s"], &answer[0]["a"]), (&json!("4.50"), &json!(sales)), "{who}");
        }
    }
    for attempt in [
        "SELECT * FROM shop.o WHERE region <> '华东'",
        "SELECT count(*) AS n FROM shop.o WHERE x = 2 HAVING count(*) > 0",
    ] {
        assert_eq!(ask(&basic("ann:geheim"), &json!({ "sql": attempt })).text(), "[]\n", "{attempt}");
    }
    let none = ask(&basic("carl:x"), &all);
    assert!(none.status == 403 && none.text().contains("you may see no rows"), "{}", none.text());
    let mut refusals = Vec::new();
    for wrong in [
        basic("ann:Geheim"),
        basic("dora:geheim"),
        basic("ann"),
        format!("Bearer {nobodys}"),
        format!("Bearer {hash}"),
        "Digest x".into(),
    ] {
        let refused = ask(&wrong, &all);
        assert!(
            refused.status == 401 && refused.head.contains("www-authenticate: basic"),
            "{wrong}: {}",
            refused.status
        );
        refusals.push(refused.text());
    }
    refusals.dedup();
    assert_eq!(refusals.len(), 1, "all are refused in the same words");
    for path in ["/", "/v1/indicators", "/i/sales", "/sql", "/v1/status"] {
        assert_eq!(get(&server, path).status, 401, "{path}");
    }
    // What tells nothing is open.
    for path in ["/health", "/ready", "/metrics", "/v1/openapi.json", "/style.css"] {
        assert_eq!(get(&server, path).status, 200, "{path}");
    }
    let page =
        request(server.http, "GET", "/i/sales?by=region", &[("authorization", &basic("ann:geheim"))], b"").text();
    assert!(page.contains("华东") && !page.contains("华南"), "{page}");
}

/// A certificate for this machine and its key, in a folder.
fn certificate(folder: &Path) -> [String; 2] {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_string()]).unwrap();
    write(folder, "cert.pem", &made.cert.pem());
    write(folder, "key.pem", &made.signing_key.serialize_pem());
    ["cert.pem", "key.pem"].map(|name| folder.join(name).display().to_string())
}

#[test]
fn what_is_encrypted_is_not_spoken_otherwise() {
    let folder = project();
    let [certificate, key] = certificate(folder.path());
    let server = Server::start(folder.path(), &["--tls-cert", &certificate, "--tls-key", &key]);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&certificate).unwrap()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
    let connect = || {
        let socket = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
        let session = ClientConnection::new(Arc::clone(&config), ServerName::try_from("localhost").unwrap()).unwrap();
        StreamOwned::new(session, socket)
    };
    let answer = exchange(connect(), "GET", "/v1/sql?q=SELECT+1+AS+a", &[], b"");
    assert_eq!(answer.text(), "[{\"a\":1}]\n");
    let mut plain = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
    plain.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut said = Vec::new();
    let _ = plain.read_to_end(&mut said);
    assert!(!said.starts_with(b"HTTP"), "{said:?}");
    // The wire does not let itself be talked down.
    let mut client = super::serve::Client::begin(server.port, "ann");
    let refused = client.until_ready().unwrap_err();
    assert!(refused.starts_with("28000") && refused.contains("sslmode=require"), "{refused}");
    if Command::new("psql").arg("--version").output().is_ok() {
        let target = format!(
            "host=localhost hostaddr=127.0.0.1 port={} user=ann dbname=shop sslmode=verify-full sslrootcert={certificate}",
            server.port
        );
        let output = Command::new("psql").args(["-X", "-Atc", "SELECT 1", &target]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n", "{}", String::from_utf8_lossy(&output.stderr));
    } else {
        println!("skipped: there is no psql here");
    }
    // Other machines reach nothing that is not encrypted, or open to everybody.
    let refused = |options: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_bell"))
            .args(["serve", "-p"])
            .arg(folder.path())
            .args(options)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{options:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refused(&["--http", "0.0.0.0:0"]).contains("--users, --tls-cert and --tls-key"));
    assert!(refused(&["--http", "0.0.0.0:0", "--tls-cert", &certificate, "--tls-key", &key]).contains("needs --users"));
    assert!(refused(&["--http", "none", "--pg", "none", "--flight", "none"]).contains("nothing is served"));
}

#[test]
fn assistants_ask_by_name_only() {
    let folder = project();
    let model = std::fs::read_to_string(folder.path().join("model.bell")).unwrap();
    write(folder.path(), "model.bell", &(model + POLICIES));
    let mut child = Command::new(env!("CARGO_BIN_EXE_bell"))
        .args(["mcp", "--role", "east", "-p"])
        .arg(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut to, mut from) = (child.stdin.take().unwrap(), std::io::BufReader::new(child.stdout.take().unwrap()));
    let mut number = 0;
    let mut call = |method: &str, parameters: Value| {
        number += 1;
        let message = json!({ "jsonrpc": "2.0", "id": number, "method": method, "params": parameters });
        writeln!(to, "{message}").unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut from, &mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(answer["id"], number, "{answer}");
        answer["result"].clone()
    };
    let begun = call(
        "initialize",
        json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } }),
    );
    assert!(begun["instructions"].as_str().unwrap().contains("indicators"), "{begun}");
    let tools = call("tools/list", json!({}));
    let names: Vec<&str> =
        tools["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["describe", "localise", "query", "search", "status", "why"]);
    for tool in tools["tools"].as_array().unwrap() {
        assert!(tool["inputSchema"]["properties"].as_object().is_some_and(|all| !all.is_empty()), "{tool}");
    }
    let mut tool = |name: &str, arguments: Value| {
        let result = call("tools/call", json!({ "name": name, "arguments": arguments }));
        (result["isError"] == true, result["structuredContent"].clone())
    };
    assert_eq!(tool("search", json!({ "text": "sal" })).1["indicators"][0]["name"], "sales");
    assert_eq!(tool("describe", json!({ "name": "sales" })).1["dimensions"][0]["name"], "region");
    let (_, rows) = tool("query", json!({ "indicators": ["sales"], "by": ["region"] }));
    assert_eq!(rows, json!({ "rows": [{ "region": "华东", "sales": "4.50" }], "complete": true }));
    let (wrong, why) = tool("query", json!({ "indicators": ["saless"] }));
    assert!(wrong && why["help"] == "did you mean `sales`?", "{why}");
    let (wrong, parts) =
        tool("why", json!({ "indicator": "sales", "base": "2026-01", "current": "2026-02", "by": ["region"] }));
    assert!(!wrong && parts["rows"][0]["current"] == 3.0, "{parts}");
    drop(to);
    assert!(child.wait().unwrap().success());
}
