//! A proxy that injects faults: refusals, dropped connections, truncated bodies, slow starts.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// What a proxy has seen and done.
#[derive(Default)]
pub struct Seen {
    /// How many requests came.
    pub requests: AtomicUsize,
    /// How many of them it spoiled.
    pub faults: AtomicUsize,
    /// The first lines of all requests, with their ranges.
    pub lines: Mutex<Vec<String>>,
}

/// A proxy to a server on this machine that spoils a part of what comes. It lives as long as the test program.
pub fn to(port: u16, faulty: f64, seed: u64) -> (String, Arc<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Seen::default());
    let shared = Arc::clone(&seen);
    let random = Arc::new(Mutex::new(SmallRng::seed_from_u64(seed)));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (seen, random) = (Arc::clone(&shared), Arc::clone(&random));
            std::thread::spawn(move || _ = pass(stream, port, faulty, &seen, &random));
        }
    });
    (address, seen)
}

/// The head of a request or an answer, up to its empty line.
pub fn head_of(reader: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    loop {
        let from = head.len();
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
        if head[from..].trim().is_empty() {
            return Some(head);
        }
    }
}

/// The value of a header.
pub fn header_of(head: &str, name: &str) -> Option<String> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_string())
}

fn body_of(reader: &mut impl Read, head: &str) -> Option<Vec<u8>> {
    let length = header_of(head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

/// One connection of a client: each request is a connection to the server.
fn pass(mut client: TcpStream, port: u16, faulty: f64, seen: &Seen, random: &Mutex<SmallRng>) -> std::io::Result<()> {
    let mut requests = BufReader::new(client.try_clone()?);
    while let Some(head) = head_of(&mut requests) {
        let Some(body) = body_of(&mut requests, &head) else { return Ok(()) };
        seen.requests.fetch_add(1, Ordering::SeqCst);
        let line = head.lines().next().unwrap_or_default().to_string();
        let range = header_of(&head, "range").unwrap_or_default();
        seen.lines.lock().unwrap().push(format!("{line} {range}"));
        let (spoiled, kind) = {
            let mut random = random.lock().unwrap();
            (random.random_bool(faulty), random.random_range(0..4))
        };
        if spoiled {
            seen.faults.fetch_add(1, Ordering::SeqCst);
        }
        match (spoiled, kind) {
            (true, 0) => {
                client.write_all(b"HTTP/1.1 503 Slow Down\r\ncontent-length: 0\r\n\r\n")?;
                continue;
            }
            // The connection is dropped before anything was done.
            (true, 1) => return Ok(()),
            (true, 2) => std::thread::sleep(Duration::from_millis(300)),
            _ => {}
        }
        let mut server = TcpStream::connect(("127.0.0.1", port))?;
        let closing = head.trim_end().to_string() + "\r\nconnection: close\r\n\r\n";
        let closing = closing.replace("connection: keep-alive\r\n", "");
        server.write_all(closing.as_bytes())?;
        server.write_all(&body)?;
        let mut answers = BufReader::new(server);
        let Some(answer) = head_of(&mut answers) else { return Ok(()) };
        // The client's connection stays, whatever becomes of the server's.
        let kept = answer.split_inclusive('\n').filter(|line| !line.to_lowercase().starts_with("connection:"));
        client.write_all(kept.collect::<String>().as_bytes())?;
        if line.starts_with("HEAD") {
            continue;
        }
        let mut body = Vec::new();
        match header_of(&answer, "content-length").and_then(|length| length.parse().ok()) {
            Some(length) => {
                body.resize(length, 0);
                answers.read_exact(&mut body)?;
            }
            None => _ = answers.read_to_end(&mut body)?,
        }
        if spoiled && kind == 3 {
            client.write_all(&body[..body.len() / 2])?;
            return Ok(());
        }
        client.write_all(&body)?;
        if header_of(&answer, "content-length").is_none() {
            return Ok(());
        }
    }
    Ok(())
}
