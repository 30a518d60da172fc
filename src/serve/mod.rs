//! `bell serve`: a project for analysts' own tools, over the PostgreSQL wire and HTTP.
//!
//! One process serves one project. Every entrance asks through a [`session::Session`], which asks the same [`Engine`] as
//! everything else; what differs is how questions come in and how rows go out.
//!
//! [`Engine`]: crate::engine::Engine

mod described;
mod diagnostics;
mod door;
pub mod failed;
#[cfg(feature = "flight")]
mod flight;
mod functions;
mod http;
mod introspection;
mod kept;
pub mod live;
#[cfg(feature = "mcp")]
pub mod mcp;
mod metrics;
mod page;
pub mod people;
mod pg;
mod presence;
mod read_only;
mod record;
pub mod session;
pub mod tls;
pub mod users;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::engine::Limits;
use crate::error::{Error, Result};
use live::Live;
use metrics::Metrics;
use people::People;
use session::{QuestionLimits, Shared};
use tls::Tls;

/// What is served, where, and to how many.
#[derive(Debug, Clone)]
pub struct Options {
    /// The project's folder.
    pub folder: PathBuf,
    /// Where the PostgreSQL wire is spoken; port 0 takes a free one.
    pub pg: Option<SocketAddr>,
    /// Where HTTP is; port 0 takes a free one.
    pub http: Option<SocketAddr>,
    /// Where Arrow Flight SQL is spoken; port 0 takes a free one.
    pub flight: Option<SocketAddr>,
    /// How many callers may be connected at once, at each of these.
    pub connections: usize,
    /// Whether only callers are let in who encrypt, where there is a certificate.
    pub tls_needed: bool,
    /// The memory of all questions together.
    pub memory: Limits,
    /// What one question may take.
    pub questions: QuestionLimits,
    /// How old listings of data files may become.
    pub refresh: Duration,
    /// How long questions may still run once the server is told to stop.
    pub grace: Duration,
}

/// The door that a caller came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Entrance {
    /// The PostgreSQL wire.
    Pg,
    /// HTTP.
    Http,
    /// Arrow Flight SQL.
    Flight,
    /// The Model Context Protocol.
    Mcp,
}

/// What happens while serving. Texts of questions may hold values: whoever keeps them decides.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event<'e> {
    /// Callers can connect.
    Listening {
        /// How.
        entrance: Entrance,
        /// Where.
        address: SocketAddr,
    },
    /// Somebody connected.
    Connected {
        /// How.
        entrance: Entrance,
        /// From where.
        peer: SocketAddr,
    },
    /// Somebody has gone.
    Left {
        /// How they had come.
        entrance: Entrance,
        /// From where.
        peer: SocketAddr,
    },
    /// Somebody was not let in.
    TurnedAway {
        /// How.
        entrance: Entrance,
        /// From where.
        peer: SocketAddr,
        /// The name that they gave, if they gave one.
        user: Option<&'e str>,
        /// Why.
        reason: &'e str,
    },
    /// A question has ended.
    Asked {
        /// Who asked.
        user: &'e str,
        /// Their roles; `None` for who sees everything.
        roles: Option<&'e [String]>,
        /// How.
        entrance: Entrance,
        /// The question.
        text: &'e str,
        /// How long it took.
        seconds: f64,
        /// The rows that were sent.
        rows: u64,
        /// `ok`, or PostgreSQL's code for what went wrong.
        outcome: &'e str,
    },
    /// The texts were read again.
    Read {
        /// Whether they are served now; if not, the last right ones still are.
        served: bool,
        /// What is wrong with them.
        diagnostics: &'e [String],
    },
    /// The texts could not be read.
    Unread {
        /// Why.
        #[serde(serialize_with = "as_text")]
        error: &'e Error,
    },
    /// The file of users was read again.
    Users {
        /// How many sessions of those were ended whom it names no longer, or with another password or other roles.
        ended: usize,
    },
    /// The file of users cannot be read any more; those that it named before may still connect.
    UsersUnread {
        /// Why.
        error: &'e str,
    },
    /// No more callers are let in.
    Stopping,
}

fn as_text<S: serde::Serializer>(error: &&Error, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(&error.to_string())
}

/// Who is told of what happens; from any thread.
pub type Watch = dyn Fn(&Event<'_>) + Send + Sync;

/// A server whose addresses are taken and whose project is right; it answers once it [runs](Server::run).
pub struct Server {
    options: Options,
    shared: Arc<Shared>,
    doors: Vec<(Entrance, TcpListener)>,
    compute: Option<Runtime>,
}

impl Entrance {
    /// Its name in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Entrance::Pg => "pg",
            Entrance::Http => "http",
            Entrance::Flight => "flight",
            Entrance::Mcp => "mcp",
        }
    }
}

impl Server {
    /// Opens the project and takes the addresses. Without people everybody who reaches them sees everything; without a
    /// certificate nothing is encrypted.
    ///
    /// # Errors
    /// What is wrong with the project, or an address that cannot be had.
    pub async fn bind(options: Options, people: Option<People>, tls: Option<Tls>, watch: Arc<Watch>) -> Result<Server> {
        let (shared, compute) = open(&options, people, tls, watch).await?;
        // From now on it is dropped as a server is, also where an address cannot be had.
        let mut server = Server { options, shared, doors: Vec::new(), compute: Some(compute) };
        let options = &server.options;
        let addresses =
            [(Entrance::Pg, options.pg), (Entrance::Http, options.http), (Entrance::Flight, options.flight)];
        for (entrance, address) in addresses {
            if let Some(address) = address {
                server.doors.push((entrance, listen(address).await?));
            }
        }
        Ok(server)
    }

    /// Where an entrance is.
    pub fn address(&self, entrance: Entrance) -> Option<SocketAddr> {
        let (_, listener) = self.doors.iter().find(|(known, _)| *known == entrance)?;
        listener.local_addr().ok()
    }

    /// Serves until `stop` ends; then no caller is let in, questions have a while to end, and what still runs is stopped.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        let watch = Arc::clone(&self.shared.watch);
        let (stopping, stopped) = watch::channel(false);
        // Whoever is still attended to when this ends is hung up on.
        let mut doors = JoinSet::new();
        for (entrance, listener) in std::mem::take(&mut self.doors) {
            if let Ok(address) = listener.local_addr() {
                watch(&Event::Listening { entrance, address });
            }
            let (shared, stopped) = (Arc::clone(&self.shared), stopped.clone());
            let router = match entrance {
                Entrance::Pg => {
                    doors.spawn(pg::serve(listener, shared, stopped));
                    continue;
                }
                #[cfg(feature = "flight")]
                Entrance::Flight => flight::router(Arc::clone(&shared)),
                _ => http::router(Arc::clone(&shared), stopped.clone()),
            };
            doors.spawn(http::serve(entrance, listener, router, shared, stopped));
        }
        {
            let follow = self.shared.live.follow(self.options.refresh, watch.as_ref());
            let people = async {
                match &self.shared.people {
                    Some(people) => people.follow(watch.as_ref()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop => {}
                () = follow => {}
                () = people => {}
            }
        }
        watch(&Event::Stopping);
        let _ = stopping.send(true);
        let _ = tokio::time::timeout(self.options.grace, doors.join_all()).await;
        if let Some(compute) = self.compute.take() {
            compute.shutdown_background();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A runtime must not be dropped where others wait for it.
        if let Some(compute) = self.compute.take() {
            compute.shutdown_background();
        }
    }
}

/// What sessions share, and the threads on which questions run.
async fn open(
    options: &Options,
    people: Option<People>,
    tls: Option<Tls>,
    watch: Arc<Watch>,
) -> Result<(Arc<Shared>, Runtime)> {
    let live = Live::open(options.folder.clone(), &options.memory).await?;
    let compute = Builder::new_multi_thread().thread_name("compute").enable_all().build();
    let compute = compute.map_err(|error| Error::Data(format!("cannot start threads: {error}")))?;
    let metrics = Arc::new(Metrics::new());
    let watch = counted(&metrics, watch);
    let shared = Shared {
        live,
        compute: compute.handle().clone(),
        limits: options.questions,
        people,
        connections: options.connections,
        tls_needed: options.tls_needed && tls.is_some(),
        tls,
        watch,
        metrics,
    };
    Ok((Arc::new(shared), compute))
}

/// The same, counted.
fn counted(metrics: &Arc<Metrics>, watch: Arc<Watch>) -> Arc<Watch> {
    let metrics = Arc::clone(metrics);
    Arc::new(move |event| {
        metrics.saw(event);
        watch(event);
    })
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| Error::Data(format!("cannot listen on {address}: {error}")))
}
