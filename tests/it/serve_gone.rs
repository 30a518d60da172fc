//! Callers of `bell serve` who go without a word: nothing of theirs goes on, and nothing is left of them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::serve::{Server, project};
use super::serve_flight::adbc;
use super::serve_http::request;

/// It would take hours, and sends nothing until its end.
const LONG: &str = "SELECT count(*) AS n FROM generate_series(1, 1000000000000) a WHERE a.value % 3 = 1";
/// More than sockets hold, and all of it in memory before the first row is sent.
const LARGE: &str = "SELECT value, repeat('x', 1000) AS x FROM generate_series(1, 100000) ORDER BY value DESC";

/// The sum of a metric over its labels.
fn metric(server: &Server, name: &str) -> f64 {
    let text = request(server.http, "GET", "/metrics", &[], b"").text();
    let lines = text.lines().filter(|line| line.starts_with(name) && line[name.len()..].starts_with([' ', '{']));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

/// Waits until a metric is so.
fn until(server: &Server, name: &str, wanted: impl Fn(f64) -> bool) {
    let since = Instant::now();
    while !wanted(metric(server, name)) {
        assert!(since.elapsed() < Duration::from_secs(120), "{name} stays {}", metric(server, name));
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// As if nobody had been there.
fn nothing_is_left(server: &Server) {
    for name in ["bell_questions_running", "bell_sessions", "bell_memory_reserved_bytes"] {
        until(server, name, |value| value == 0.0);
    }
}

fn posted(server: &Server, sql: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
    let head = "POST /v1/sql HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length:";
    write!(stream, "{head} {}\r\n\r\n{sql}", sql.len()).unwrap();
    stream
}

/// Asks something long.
type Begin<'s> = Box<dyn Fn() -> TcpStream + 's>;

#[test]
fn who_goes_while_a_question_computes_is_noticed() {
    let folder = project();
    let server = Server::start(folder.path(), &[]);
    let over_the_wire = |ahead: &[&str]| {
        let mut client = server.connect();
        for sql in [&[LONG], ahead].concat() {
            client.send(b'Q', &[sql.as_bytes(), b"\0"].concat());
        }
        client
    };
    let leave: [(&str, Begin<'_>, Option<Shutdown>); 4] = [
        ("gone", Box::new(|| over_the_wire(&[]).into_stream()), None),
        ("says no more", Box::new(|| over_the_wire(&[]).into_stream()), Some(Shutdown::Write)),
        // What they have said ahead is not what is waited for.
        ("gone after another question", Box::new(|| over_the_wire(&["SELECT 1"]).into_stream()), Some(Shutdown::Write)),
        ("gone from HTTP", Box::new(|| posted(&server, LONG)), None),
    ];
    for (how, begin, half) in leave {
        let stream = begin();
        until(&server, "bell_questions_running", |running| running == 1.0);
        println!("{how}");
        let _half = match half {
            Some(half) => stream.shutdown(half).map(|()| Some(stream)).unwrap(),
            None => {
                drop(stream);
                None
            }
        };
        nothing_is_left(&server);
        assert_eq!(server.event("asked")["outcome"], "57014", "{how}");
    }
}

#[test]
fn who_is_killed_in_the_middle_of_an_answer_leaves_nothing() {
    let folder = project();
    let server = Server::start(folder.path(), &[]);
    let mut wire = server.connect();
    wire.send(b'Q', &[LARGE.as_bytes(), b"\0"].concat());
    assert!(wire.message().is_some_and(|(kind, _)| kind == b'T') && wire.message().is_some());
    // A portal that waits for its caller, and a cursor.
    let mut waiting = server.connect();
    waiting.ask(&format!("BEGIN; DECLARE c CURSOR FOR {LARGE}; FETCH 1 FROM c")).unwrap();
    let mut http = posted(&server, LARGE);
    http.read_exact(&mut [0; 1000]).unwrap();
    assert!(metric(&server, "bell_memory_reserved_bytes") > 0.0);
    assert_eq!((metric(&server, "bell_questions_running"), metric(&server, "bell_sessions")), (3.0, 3.0));
    drop((wire, waiting, http));
    nothing_is_left(&server);
}

/// Asks over Flight SQL, tells when the first rows have come, and then waits to be killed.
const FLIGHT: &str = r#"
import sys, time
import adbc_driver_flightsql.dbapi as flight
with flight.connect(f"grpc://127.0.0.1:{sys.argv[1]}").cursor() as cursor:
    cursor.execute(sys.argv[2])
    cursor.fetch_record_batch().read_next_batch()
    print("begun", flush=True)
    time.sleep(3600)
"#;

#[test]
fn who_is_killed_over_flight_leaves_nothing() {
    let Some(client) = adbc() else { return };
    let folder = project();
    let server = Server::start(folder.path(), &[]);
    let ask = |sql: &str| {
        let mut python = Command::new(client.join("bin/python"));
        let port = server.flight.to_string();
        python.args(["-c", FLIGHT, &port, sql]).stdout(Stdio::piped()).spawn().unwrap()
    };
    let killed = |mut child: Child| {
        child.kill().unwrap();
        child.wait().unwrap();
        nothing_is_left(&server);
    };
    let long = ask(LONG);
    until(&server, "bell_questions_running", |running| running == 1.0);
    killed(long);
    let mut large = ask(LARGE);
    let mut said = String::new();
    BufReader::new(large.stdout.take().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, "begun\n");
    killed(large);
}
