//! `bell serve`: the project for psql, BI tools and programs.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bellwether::Error;
use bellwether::serve::people::People;
use bellwether::serve::session::QuestionLimits;
use bellwether::serve::tls::Tls;
use bellwether::serve::users::Users;
use bellwether::serve::{Entrance, Event, Options, Server, Watch};
use bellwether::source::SourceSet;
use clap::{Args, ValueEnum};

use super::limits::{LimitArgs, time};
use super::{Common, Failure, interrupt, project};

/// Serve the project to psql, BI tools and programs.
#[derive(Debug, Args)]
pub struct Serve {
    /// Where the PostgreSQL wire is spoken; port 0 takes a free one, `none` none
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5432")]
    pg: Door,
    /// Where the page and the HTTP API are; port 0 takes a free one, `none` none
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    http: Door,
    /// Where Arrow Flight SQL is spoken, for bulk reads; port 0 takes a free one, `none` none
    #[cfg(feature = "flight")]
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8815")]
    flight: Door,
    /// How many callers may be connected at once, at each address
    #[arg(long, value_name = "N", default_value_t = 200)]
    max_connections: usize,
    #[command(flatten)]
    limits: LimitArgs,
    /// How long one question may take: 500ms, 30s, 5m [default: as long as it takes]
    #[arg(long, value_name = "TIME", value_parser = time)]
    time_limit: Option<Duration>,
    /// How many rows one answer may have; a larger one is refused, not cut [default: any]
    #[arg(long, value_name = "N")]
    max_rows: Option<usize>,
    /// How old what is known of the data files may become
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "60s")]
    refresh: Duration,
    /// How long questions may still run once the server is told to stop
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10s")]
    grace: Duration,
    /// How what happens is written to stderr; texts of questions are not
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log: LogFormat,
    /// Who may connect, a line each: a name, a verifier (of `bell password` or `bell token`), roles (`east,privacy`, or `*`
    /// for all); read again when it changes. Without it BELL_USERS holds such lines, or else everybody on this machine sees everything
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// The server's certificate as PEM, those that vouch for it after it: answers are encrypted
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's key as PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Listen on other addresses than this machine's without encryption, or, with a certificate, take callers who do not
    /// encrypt: only where something else encrypts
    #[arg(long)]
    allow_plain_text: bool,
    /// Append every question, with its text, and every login that failed, to a file: a line of JSON each
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,
}

/// An address, or `none`.
#[derive(Debug, Clone, Copy)]
struct Door(Option<SocketAddr>);

impl FromStr for Door {
    type Err = String;

    fn from_str(text: &str) -> Result<Door, String> {
        match text {
            "none" => Ok(Door(None)),
            _ => match text.parse() {
                Ok(address) => Ok(Door(Some(address))),
                Err(_) => Err("write an address with a port, as 127.0.0.1:5432 or [::1]:5432, or none".to_string()),
            },
        }
    }
}

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// For people
    Text,
    /// For programs: a line of JSON each
    Json,
}

impl Serve {
    /// Serves until Ctrl-C or SIGTERM.
    pub async fn run(&self, common: &Common) -> Result<ExitCode, Failure> {
        let people = self.people()?;
        self.refuse_open_doors(people.is_some())?;
        let folder = project::folder(common)?;
        let options = Options {
            folder: folder.clone(),
            pg: self.pg.0,
            http: self.http.0,
            flight: self.flight(),
            connections: self.max_connections,
            tls_needed: !self.allow_plain_text,
            memory: self.limits.limits(),
            questions: QuestionLimits { time: self.time_limit, rows: self.max_rows },
            refresh: self.refresh,
            grace: self.grace,
        };
        let (tls, watch) = (self.tls()?, self.watch()?);
        let server = interrupt::cancellable(Server::bind(options, people, tls, watch)).await?;
        let server = server.map_err(|error| Failure::new(error, project::texts(&folder)))?;
        server.run(stop()).await;
        Ok(ExitCode::SUCCESS)
    }

    fn flight(&self) -> Option<SocketAddr> {
        #[cfg(feature = "flight")]
        return self.flight.0;
        #[cfg(not(feature = "flight"))]
        None
    }

    /// Addresses that other machines reach need users, and encryption.
    fn refuse_open_doors(&self, users: bool) -> Result<(), Failure> {
        let doors: Vec<SocketAddr> = [self.pg.0, self.http.0, self.flight()].into_iter().flatten().collect();
        if doors.is_empty() {
            return Err(Failure::Usage("nothing is served: give --pg, --http or --flight an address".to_string()));
        }
        let encrypted = self.tls_cert.is_some() || self.allow_plain_text;
        let Some(open) = doors.iter().find(|door| !(door.ip().is_loopback() || users && encrypted)) else {
            return Ok(());
        };
        let needed = match (users, encrypted) {
            (false, true) => "--users",
            (true, _) => "--tls-cert and --tls-key",
            (false, false) => "--users, --tls-cert and --tls-key",
        };
        Err(Failure::Usage(format!(
            "{open} is reached from other machines: that needs {needed}; or serve on 127.0.0.1, or, where something else encrypts, say --allow-plain-text"
        )))
    }

    fn tls(&self) -> Result<Option<Tls>, Failure> {
        let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) else { return Ok(None) };
        Tls::read(certificate, key).map(Some).map_err(|error| Failure::new(error, SourceSet::default()))
    }

    /// Who may connect; `None` if nobody was said.
    fn people(&self) -> Result<Option<People>, Failure> {
        let (people, from) = match (&self.users, std::env::var("BELL_USERS")) {
            (Some(path), _) => (People::open(path), path.display().to_string()),
            (None, Ok(text)) => (Users::read(&text).map(People::of), "BELL_USERS".to_string()),
            (None, Err(_)) => return Ok(None),
        };
        people.map(Some).map_err(|why| Failure::Usage(format!("{from}: {why}")))
    }

    /// Writes what happens to stderr, and questions to the audit file.
    fn watch(&self) -> Result<Arc<Watch>, Failure> {
        let audit = match &self.audit {
            Some(path) => {
                let file = OpenOptions::new().create(true).append(true).open(path);
                let file = file.map_err(|error| Failure::new(Error::io(path, error), SourceSet::default()))?;
                Some(Mutex::new(file))
            }
            None => None,
        };
        let format = self.log;
        Ok(Arc::new(move |event: &Event<'_>| {
            if let (Some(file), Event::Asked { .. } | Event::TurnedAway { .. }) = (&audit, event) {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                // A line is written in one piece; who cannot write it down still answers.
                if let Err(error) = file.write_all(line(event, true).as_bytes()) {
                    let _ = writeln!(std::io::stderr(), "bell: the audit file cannot be written: {error}");
                }
            }
            let said = match format {
                LogFormat::Json => line(event, false),
                LogFormat::Text => format!("bell: {}\n", in_words(event)),
            };
            // Whoever read it may have gone: that is no reason to stop serving.
            let _ = std::io::stderr().write_all(said.as_bytes());
        }))
    }
}

/// An event as a line of JSON, with the time; a question's text only where it is wanted.
fn line(event: &Event<'_>, with_text: bool) -> String {
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let mut object = serde_json::Map::new();
    object.insert("time".to_string(), now.into());
    if let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(event) {
        object.extend(fields.into_iter().filter(|(name, _)| with_text || name != "text"));
    }
    serde_json::Value::Object(object).to_string() + "\n"
}

fn in_words(event: &Event<'_>) -> String {
    match event {
        Event::Listening { entrance, address } => match entrance {
            Entrance::Http => format!("http on http://{address}/"),
            other => format!("{} on {address}", other.name()),
        },
        Event::Connected { peer, .. } => format!("{peer} connected"),
        Event::Left { peer, .. } => format!("{peer} left"),
        Event::TurnedAway { peer, reason, user: Some(user), .. } => {
            format!("{user:?} at {peer} was turned away: {reason}")
        }
        Event::TurnedAway { peer, reason, .. } => format!("{peer} was turned away: {reason}"),
        Event::Asked { user, seconds, rows, outcome, .. } => {
            format!("{user:?} asked: {outcome}, {rows} rows, {:.0} ms", seconds * 1000.0)
        }
        Event::Read { served, diagnostics } => {
            let what = if *served { "the project was read again" } else { "the last right project is still served" };
            [what.to_string()].into_iter().chain(diagnostics.iter().cloned()).collect::<Vec<_>>().join("\n")
        }
        Event::Unread { error } => format!("the project cannot be read: {error}"),
        Event::Users { ended } => format!("the users were read again; sessions of others that were ended: {ended}"),
        Event::UsersUnread { error } => format!("the users are those of before, since of the file: {error}"),
        Event::Stopping => "stopping".to_string(),
    }
}

/// Until Ctrl-C, or the signal by which services are told to stop.
async fn stop() {
    #[cfg(unix)]
    let told = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => _ = signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let told = std::future::pending();
    tokio::select! {
        () = interrupt::pressed() => {}
        () = told => {}
    }
}
