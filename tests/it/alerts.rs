//! `bell alerts` from outside: a receiver on this machine, a state file, and what happens when something fails in between.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

const MODEL: &str = "
source o { from csv 'o.csv'  key id  time day }
dimension shop = o.shop
indicator sales = sum(o.x) { good up  owner \"sales@x\"  grain day }
alert low { when sales < 10 by shop  notify webhook '${HOOK}'  severity high }
";

/// Three of the four shops are low on the first of January.
const ROWS: &str = "id,shop,x,day\n1,a,1,2026-01-01\n2,b,2,2026-01-01\n3,c,30,2026-01-01\n4,d,4,2026-01-01\n";

/// A request that arrived: its key and body.
struct Posted {
    key: String,
    body: Value,
}

/// Answers each request with the next of these statuses, 200 after the last.
fn receiver(statuses: &'static [&'static str]) -> (String, Receiver<Posted>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/events", listener.local_addr().unwrap());
    let (send, posted) = channel();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut key, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let lower = line.to_lowercase();
                if lower.starts_with("idempotency-key:") {
                    key = line[16..].trim().to_string();
                } else if let Some(value) = lower.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                } else if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let body = serde_json::from_slice(&body).unwrap();
            let status = statuses.get(number).copied().unwrap_or("200 OK");
            // Without a status the connection is dropped, as by a crash.
            if !status.is_empty() {
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).unwrap();
            }
            send.send(Posted { key, body }).unwrap();
        }
    });
    (address, posted)
}

fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("model.bell"), MODEL).unwrap();
    std::fs::write(folder.path().join("o.csv"), ROWS).unwrap();
    folder
}

fn bell(folder: &Path, address: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bell"));
    command.args(["alerts", "--as-of", "2026-01-01"]).args(arguments);
    command.current_dir(folder).env("HOOK", address).output().unwrap()
}

fn printed(output: &Output) -> Vec<String> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["key"].as_str().unwrap().to_string()).collect()
}

fn keys(posted: &Receiver<Posted>) -> Vec<String> {
    posted.try_iter().map(|posted| posted.key).collect()
}

const ALL: [&str; 3] = ["public.low|2026-01-01|shop=a", "public.low|2026-01-01|shop=b", "public.low|2026-01-01|shop=d"];

#[test]
fn without_a_state_everything_is_printed_and_nothing_posted() {
    let folder = project();
    let (address, posted) = receiver(&[]);
    for _ in 0..2 {
        let output = bell(folder.path(), &address, &[]);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(printed(&output), ALL);
    }
    assert_eq!(keys(&posted), Vec::<String>::new());
}

#[test]
fn an_event_is_told_once() {
    let folder = project();
    let (address, posted) = receiver(&[]);
    let first = bell(folder.path(), &address, &["--state", "state"]);
    assert!(first.status.success(), "{first:?}");
    assert_eq!(printed(&first), ALL);
    let arrived: Vec<Posted> = posted.try_iter().collect();
    assert_eq!(arrived.iter().map(|it| it.key.as_str()).collect::<Vec<_>>(), ALL);
    assert_eq!(arrived[0].body["slice"]["shop"], "a");
    assert_eq!(arrived[0].body["value"], 1.0);
    assert_eq!(arrived[0].body["limit"], 10.0);
    assert_eq!(arrived[0].body["owner"], "sales@x");
    assert_eq!(arrived[0].body["webhooks"][0], "${HOOK}");
    let second = bell(folder.path(), &address, &["--state", "state"]);
    assert_eq!((second.status.code(), printed(&second)), (Some(0), vec![]));
    assert_eq!(keys(&posted), Vec::<String>::new());
}

#[test]
fn what_fails_is_tried_again_at_once_and_later() {
    let folder = project();
    // The first event arrives at the third try; the second is refused for good; the connection of the third breaks off.
    let (address, posted) = receiver(&["503 Busy", "", "200 OK", "404 Not Found", "", ""]);
    let first = bell(folder.path(), &address, &["--state", "state", "--attempts", "3"]);
    assert_eq!(keys(&posted), [ALL[0], ALL[0], ALL[0], ALL[1], ALL[2], ALL[2], ALL[2]]);
    let stderr = String::from_utf8(first.stderr.clone()).unwrap();
    assert_eq!(first.status.code(), Some(1));
    assert!(stderr.contains("shop=b could not be posted to ${HOOK}: it answered 404"), "{stderr}");
    assert!(!stderr.contains("shop=d"), "{stderr}");
    let second = bell(folder.path(), &address, &["--state", "state"]);
    assert_eq!(second.status.code(), Some(0), "{second:?}");
    assert_eq!(keys(&posted), [ALL[1]]);
    assert_eq!(printed(&second), Vec::<String>::new());
}

#[test]
fn a_state_cut_in_the_middle_loses_nothing_and_repeats_only_what_was_cut() {
    let folder = project();
    let (address, posted) = receiver(&[]);
    let state = folder.path().join("state");
    bell(folder.path(), &address, &["--state", "state"]);
    assert_eq!(keys(&posted), ALL);
    let whole = std::fs::read_to_string(&state).unwrap();
    // As if the machine had failed while it wrote that the second event was posted.
    let line = whole.lines().find(|line| line.contains("\"sent\"") && line.contains("shop=b") && line.contains("HOOK"));
    let at = whole.find(line.unwrap()).unwrap();
    std::fs::write(&state, &whole[..at + 20]).unwrap();
    let again = bell(folder.path(), &address, &["--state", "state"]);
    assert!(again.status.success(), "{again:?}");
    assert_eq!(keys(&posted), ALL[1..]);
    assert_eq!(printed(&again), ALL[2..]);
    // Events that are written down are told even if they hold no more.
    let event = whole.lines().take(3).map(|line| format!("{line}\n")).collect::<String>();
    std::fs::write(&state, event).unwrap();
    std::fs::write(folder.path().join("o.csv"), ROWS.replace(",1,2026", ",99,2026")).unwrap();
    bell(folder.path(), &address, &["--state", "state"]);
    assert_eq!(keys(&posted), ALL);
}

#[test]
fn an_address_that_cannot_be_read_is_said() {
    let folder = project();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bell"));
    command.args(["alerts", "--as-of", "2026-01-01", "--state", "state"]).current_dir(folder.path());
    let output = command.env_remove("HOOK").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("the environment variable `HOOK` is not set"), "{stderr}");
}
