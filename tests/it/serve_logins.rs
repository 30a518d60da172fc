//! Logins of `bell serve`: by password, never told; with the roles of who is there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pgwire::api::auth::sasl::scram::gen_salted_password;
use ring::{digest, hmac};
use std::process::Command;

use super::runs::write;
use super::serve::{Client, Server, fields, project, verifier};

const POLICIES: &str = "
policy east on o to role east where region = '华东'
";

/// A server for ann (role east), bob (everything) and carl (no role).
fn server(folder: &std::path::Path) -> Server {
    let model = std::fs::read_to_string(folder.join("model.bell")).unwrap();
    write(folder, "model.bell", &(model + POLICIES));
    let users =
        format!("# who\nann {} east\nbob {} *\ncarl {}\n", verifier("geheim"), verifier("secret"), verifier("密码"));
    write(folder, "users", &users);
    Server::start(folder, &["--users", folder.join("users").to_str().unwrap()])
}

/// The messages of a login, by hand: the first as it is, the last made of the server's answer.
fn last(password: &str, bare: &str, server_first: &str) -> String {
    let of = |name: &str| server_first.split(',').find_map(|part| part.strip_prefix(name)).unwrap();
    let salt = STANDARD.decode(of("s=")).unwrap();
    let salted = gen_salted_password(password, &salt, of("i=").parse().unwrap());
    let sign = |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec();
    let client_key = sign(&salted, b"Client Key");
    let stored = digest::digest(&digest::SHA256, &client_key);
    let without_proof = format!("c=biws,r={}", of("r="));
    let signature = sign(stored.as_ref(), format!("{bare},{server_first},{without_proof}").as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
    format!("{without_proof},p={}", STANDARD.encode(proof))
}

const BARE: &str = "n=,r=rOprNGfwEbeRWgbNEkqO";

/// Logs in; the last message is told, to be replayed.
fn log_in(server: &Server, name: &str, password: &str) -> Result<(Client, String), String> {
    let mut client = Client::begin(server.port, name);
    let first = format!("n,,{BARE}");
    let mut body = b"SCRAM-SHA-256\0".to_vec();
    body.extend((first.len() as u32).to_be_bytes());
    body.extend(first.as_bytes());
    assert!(matches!(client.message(), Some((b'R', body)) if body.starts_with(&[0, 0, 0, 10])));
    client.send(b'p', &body);
    let Some((b'R', answer)) = client.message() else { return Err("no challenge".to_string()) };
    let last = last(password, BARE, std::str::from_utf8(&answer[4..]).unwrap());
    client.send(b'p', last.as_bytes());
    client.until_ready()?;
    Ok((client, last))
}

const ALL: &str = "SELECT MEASURE(sales) FROM indicators";

#[test]
fn who_is_there_sees_what_their_roles_do() {
    let folder = project();
    let server = server(folder.path());
    let (mut ann, _) = log_in(&server, "ann", "geheim").unwrap();
    assert_eq!(ann.ask(ALL).unwrap(), "4.50");
    assert_eq!(ann.ask("SELECT MEASURE(sales) AT (ALL) FROM indicators WHERE region = '华南'").unwrap(), "4.50");
    assert_eq!(ann.prepared("SELECT count(*) FROM o WHERE region = $1", &["华南"]).unwrap(), "0");
    assert_eq!(log_in(&server, "bob", "secret").unwrap().0.ask(ALL).unwrap(), "6.50");
    let refused = log_in(&server, "carl", "密码").unwrap().0.ask(ALL).unwrap_err();
    assert!(refused.starts_with("42501") && refused.contains("you may see no rows of `o`"), "{refused}");
    assert!(
        ann.ask("SELECT * FROM bell.diagnostics").unwrap_err().starts_with("42P01"),
        "it may quote what others wrote"
    );
    // Another edition is seen with the same eyes.
    let model = std::fs::read_to_string(folder.path().join("model.bell")).unwrap();
    write(folder.path(), "model.bell", &(model + "indicator largest = max(o.x)\n"));
    assert!(server.event("read")["served"] == true);
    assert_eq!(ann.ask("SELECT MEASURE(largest), MEASURE(sales) FROM indicators").unwrap(), "3.00|4.50");
}

#[test]
fn without_the_password_nobody_enters() {
    let folder = project();
    let server = server(folder.path());
    let wrong = |name: &str, password: &str| log_in(&server, name, password).err().unwrap();
    assert!(wrong("ann", "Geheim").starts_with("28P01"), "a wrong password");
    // A name that nobody has fails in the same words, at the same step.
    assert_eq!(wrong("ann", "x").replace("ann", "…"), wrong("dora", "x").replace("dora", "…"));
    // What was right once is not again: the server's part of the nonce is another.
    let (_, recorded) = log_in(&server, "ann", "geheim").unwrap();
    let mut replay = Client::begin(server.port, "ann");
    replay.message().unwrap();
    let first = format!("n,,{BARE}");
    replay.send(b'p', &[b"SCRAM-SHA-256\0".as_slice(), &(first.len() as u32).to_be_bytes(), first.as_bytes()].concat());
    replay.message().unwrap();
    replay.send(b'p', recorded.as_bytes());
    assert!(replay.until_ready().unwrap_err().starts_with("28P01"), "a replay");
    // Nor is a question heard before, or a password in plain text.
    let mut early = Client::begin(server.port, "bob");
    early.message().unwrap();
    early.send(b'Q', b"SELECT 1\0");
    early.send(b'p', b"secret\0");
    assert!(!matches!(early.message(), Some((b'D' | b'Z', _))));
}

#[test]
fn psql_logs_in() {
    if Command::new("psql").arg("--version").output().is_err() {
        println!("skipped: there is no psql here");
        return;
    }
    let folder = project();
    let server = server(folder.path());
    let psql = |password: &str| {
        let arguments =
            ["-X", "-h", "127.0.0.1", "-p", &server.port.to_string(), "-U", "carl", "-d", "shop", "-Atc", "SELECT 1"];
        let output = Command::new("psql").env("PGPASSWORD", password).args(arguments).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert!(psql("密码").0);
    let (entered, said) = psql("secret");
    assert!(!entered && said.contains("password authentication failed"), "{said}");
}

#[test]
fn what_is_said_before_a_login_is_short() {
    let folder = project();
    let server = server(folder.path());
    let huge = (512_u32 << 20).to_be_bytes();
    let heads: [(bool, &[u8], &str); 5] = [
        (false, &[&huge[..], &196_608_u32.to_be_bytes()].concat(), "invalid length of startup packet"),
        (false, b"GET / HTTP/1.1\r\n\r\n", "invalid length of startup packet"),
        (true, &[b"p", &huge[..]].concat(), "invalid message length"),
        (true, &[b"Q", &huge[..]].concat(), "expected password response"),
        (true, &[b"p", &10_001_u32.to_be_bytes()[..]].concat(), "invalid message length"),
    ];
    for (begun, head, wanted) in heads {
        let mut client = match begun {
            true => Client::begin(server.port, "ann"),
            false => Client::silent(server.port),
        };
        if begun {
            assert!(matches!(client.message(), Some((b'R', _))));
        }
        client.raw(head).unwrap();
        let Some((b'E', body)) = client.message() else { panic!("{wanted}: nothing is said") };
        let said = fields(&body);
        assert!(said.starts_with("08P01") && said.contains(wanted), "{said}");
        assert!(body.windows(6).any(|six| six == b"SFATAL"), "{said}");
        assert!(client.message().is_none(), "{wanted}: it goes on");
        // Nobody reads the rest: it cannot all be sent.
        let rest = vec![0; 1 << 20];
        assert!((0..512).any(|_| client.raw(&rest).is_err()), "{wanted}: it is taken");
    }
    assert!(log_in(&server, "ann", "geheim").is_ok());
}

/// Asks over HTTP with a token.
fn with_token(server: &Server, token: &str) -> u16 {
    let headers = [("authorization", format!("Bearer {token}"))];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    super::serve_http::request(server.http, "GET", "/v1/sql?q=SELECT+1", &headers, b"").status
}

#[test]
fn who_is_taken_out_of_the_file_is_sent_away() {
    let folder = project();
    let (token, hash) = super::serve_http::token();
    let (ann, bob) = (format!("ann {} *\n", verifier("geheim")), format!("bob {} *\n", verifier("secret")));
    let bot = format!("bot {hash} *\n");
    write(folder.path(), "users", &[ann.as_str(), &bob, &bot].concat());
    let file = folder.path().join("users");
    let server = Server::start(folder.path(), &["--users", file.to_str().unwrap()]);
    let (mut ann_there, mut bob_there) =
        (log_in(&server, "ann", "geheim").unwrap().0, log_in(&server, "bob", "secret").unwrap().0);
    assert_eq!(with_token(&server, &token), 200);
    // Something of hers runs.
    ann_there.send(b'Q', b"SELECT count(*) FROM generate_series(1, 100000000000) a WHERE a.value % 3 = 1\0");
    // What cannot be read changes nothing.
    write(folder.path(), "users", "bob\n");
    let told = server.event("users_unread");
    assert!(told["error"].as_str().unwrap().starts_with("line 1: "), "{told}");
    std::fs::remove_file(&file).unwrap();
    server.event("users_unread");
    assert!(log_in(&server, "ann", "geheim").is_ok() && with_token(&server, &token) == 200);
    write(folder.path(), "users", &bob);
    let told = server.event("users");
    assert!(told["ended"].as_u64().unwrap() >= 1, "{told}");
    // Her question ends, and so does the connection.
    let ended = std::iter::from_fn(|| ann_there.message()).filter(|(kind, _)| *kind == b'E');
    let said: Vec<String> = ended.map(|(_, body)| fields(&body)).collect();
    assert!(said.iter().any(|said| said.starts_with("57P01")), "{said:?}");
    assert!(log_in(&server, "ann", "geheim").err().unwrap().starts_with("28P01"));
    assert_eq!(with_token(&server, &token), 401);
    assert_eq!(bob_there.ask("SELECT 1").unwrap(), "1");
    // Other roles are another login; who comes back is let in.
    write(folder.path(), "users", &(ann + &bob.replace('*', "east")));
    assert_eq!(server.event("users")["ended"], 1);
    assert!(bob_there.message().is_some_and(|(_, body)| fields(&body).starts_with("57P01")));
    assert!(log_in(&server, "ann", "geheim").is_ok());
}
