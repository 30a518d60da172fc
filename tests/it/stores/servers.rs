//! Servers of the real kinds, on this machine only, each started by the test that needs it and ended with it.
//!
//! S3 is `moto` from PyPI, Azure is `azurite` from npm. They are installed once, into the folder for the tests' own files. Where that
//! cannot be done, or takes too long, the test says so and passes.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// An installation takes no longer, and a server starts within this.
const PATIENCE: Duration = Duration::from_secs(240);
const START: Duration = Duration::from_secs(60);

/// A server that ends with the test.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// `http://127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// An S3 server with a bucket `lake`; `None` after saying why there is none.
pub fn s3() -> Option<Server> {
    let server = told(moto());
    if let Some(server) = &server {
        let made = request(
            server.port,
            "PUT /lake HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        );
        assert!(made.starts_with("HTTP/1.1 200"), "{made}");
    }
    server
}

/// What programs need to know of the S3 server.
pub fn s3_environment(address: &str) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ENDPOINT", address.to_string()),
        ("AWS_ALLOW_HTTP", "true".to_string()),
        ("AWS_ACCESS_KEY_ID", "tester".to_string()),
        ("AWS_SECRET_ACCESS_KEY", "not-so-secret".to_string()),
        ("AWS_REGION", "us-east-1".to_string()),
    ]
}

/// An Azure server; `None` after saying why there is none.
pub fn azure() -> Option<Server> {
    told(azurite())
}

/// What programs need to know of the Azure server.
pub fn azure_environment(address: &str) -> Vec<(&'static str, String)> {
    vec![("AZURE_STORAGE_USE_EMULATOR", "true".to_string()), ("AZURITE_BLOB_STORAGE_URL", address.to_string())]
}

/// Makes the container `lake`, by a signed request; the keys of the emulator are known to all.
pub fn make_container(server: &Server) -> Option<()> {
    const SCRIPT: &str = "
const [port, key] = process.argv.slice(1), date = new Date().toUTCString(), version = '2021-08-06';
const text = 'PUT' + '\\n'.repeat(12) + `x-ms-date:${date}\\nx-ms-version:${version}\\n/devstoreaccount1/devstoreaccount1/lake\\nrestype:container`;
const hmac = require('crypto').createHmac('sha256', Buffer.from(key, 'base64')).update(text, 'utf8').digest('base64');
const headers = { 'x-ms-date': date, 'x-ms-version': version, 'content-length': 0, Authorization: `SharedKey devstoreaccount1:${hmac}` };
const to = { host: '127.0.0.1', port, method: 'PUT', path: '/devstoreaccount1/lake?restype=container', headers };
require('http').request(to, answer => process.exit(answer.statusCode === 201 ? 0 : answer.statusCode % 256)).end();
";
    let made = run(Command::new("node").args(["-e", SCRIPT, &server.port.to_string(), AZURE_KEY]));
    made.inspect_err(|reason| println!("skipped: this store, because {reason}")).ok()
}

/// The key of every emulator.
pub const AZURE_KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

fn told(server: Result<Server, String>) -> Option<Server> {
    server.inspect_err(|reason| println!("skipped: this store, because {reason}")).ok()
}

fn moto() -> Result<Server, String> {
    let folder = installed("moto", |folder| {
        let python = if cfg!(windows) { "python" } else { "python3" };
        run(Command::new(python).args(["-m", "venv"]).arg(folder))?;
        run(Command::new(folder.join("bin/pip")).args(["install", "-q", "moto[s3]==5.2.5", "flask", "flask-cors"]))
    })?;
    let port = free_port();
    let mut command = Command::new(folder.join("bin/moto_server"));
    command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
    started(command, port)
}

fn azurite() -> Result<Server, String> {
    let folder = installed("azurite", |folder| {
        let prefix = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"];
        run(Command::new("npm").args(prefix).arg(folder).arg("azurite@3"))
    })?;
    let port = free_port();
    let mut command = Command::new(folder.join("node_modules/.bin/azurite-blob"));
    command.args(["--silent", "--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck"]);
    command.args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()]);
    started(command, port)
}

/// The folder of something that is installed once, however many tests need it.
pub fn installed(name: &str, install: impl Fn(&Path) -> Result<(), String>) -> Result<PathBuf, String> {
    static ONE_BY_ONE: Mutex<()> = Mutex::new(());
    let _one = ONE_BY_ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let (done, failed) = (folder.join("installed"), folder.join(format!("failed-{}", std::process::id())));
    if done.exists() {
        return Ok(folder);
    }
    if failed.exists() {
        return Err(std::fs::read_to_string(failed).unwrap_or_default());
    }
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    if let Err(reason) = install(&folder) {
        let reason = format!("{name} cannot be installed: {reason}");
        let _ = std::fs::write(failed, &reason);
        return Err(reason);
    }
    std::fs::write(done, "").map_err(|error| error.to_string())?;
    Ok(folder)
}

pub fn run(command: &mut Command) -> Result<(), String> {
    let mut child = quiet(command).spawn().map_err(|error| error.to_string())?;
    let until = Instant::now() + PATIENCE;
    loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(format!("{command:?}: {status}")),
            None if Instant::now() > until => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("{command:?} takes too long"));
            }
            None => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

fn started(mut command: Command, port: u16) -> Result<Server, String> {
    let child = quiet(&mut command).spawn().map_err(|error| format!("it cannot be started: {error}"))?;
    let mut server = Server { child, port };
    let until = Instant::now() + START;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if let Ok(Some(status)) = server.child.try_wait() {
            return Err(format!("it ended at once: {status}"));
        }
        if Instant::now() > until {
            return Err("it does not listen".to_string());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(server)
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn request(port: u16, text: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// A server of the files in a folder, which knows ranges and conditions. It lives as long as the test program.
pub fn files(folder: PathBuf) -> String {
    files_with(folder, "etag: \"one\"\r\nlast-modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n")
}

/// The same, with these headers about versions.
pub fn files_with(folder: PathBuf, versions: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let folder = folder.clone();
            std::thread::spawn(move || serve(stream, &folder, versions));
        }
    });
    address
}

fn serve(mut stream: TcpStream, folder: &Path, versions: &str) {
    let mut reader = std::io::BufReader::new(stream.try_clone().unwrap());
    while let Some(head) = super::proxy::head_of(&mut reader) {
        let mut words = head.split_whitespace();
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default().to_string());
        let Ok(bytes) = std::fs::read(folder.join(path.trim_start_matches('/'))) else {
            let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
            continue;
        };
        let range = super::proxy::header_of(&head, "range").and_then(|range| {
            let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
            let from: usize = from.parse().ok()?;
            Some((from, to.parse::<usize>().map_or(bytes.len(), |to| to + 1).min(bytes.len())))
        });
        let (status, body) = match range {
            Some((from, to)) => {
                let status = format!("206 Partial Content\r\ncontent-range: bytes {from}-{}/{}", to - 1, bytes.len());
                (status, &bytes[from..to])
            }
            None => ("200 OK".to_string(), &bytes[..]),
        };
        let answer =
            format!("HTTP/1.1 {status}\r\naccept-ranges: bytes\r\n{versions}content-length: {}\r\n\r\n", body.len());
        let body = if method == "HEAD" { &[][..] } else { body };
        if stream.write_all(answer.as_bytes()).and_then(|()| stream.write_all(body)).is_err() {
            return;
        }
    }
}
