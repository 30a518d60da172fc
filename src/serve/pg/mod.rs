//! The PostgreSQL wire, version 3: simple and extended protocol, cursors, `COPY … TO STDOUT`, cancellation.

mod conversation;
mod copy;
mod cursors;
mod errors;
mod extended;
mod line;
mod login;
mod parameters;
mod rows;
mod sending;
mod settings;
mod simple;
mod startup;
mod statement;
mod transactions;
pub(super) mod values;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use async_trait::async_trait;
use bytes::Bytes;
use pgwire::api::cancel::CancelHandler;
use pgwire::messages::cancel::CancelRequest;
use pgwire::messages::startup::SecretKey;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use self::cursors::Cursors;
use self::settings::Settings;
use self::transactions::Transactions;
use super::Entrance;
use super::door::{self, Caller};
use super::session::{Session, Shared};

/// Lets callers in until the server stops; then waits for those that are in the middle of a question.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>, stopped: watch::Receiver<bool>) {
    let callers = Arc::new(Callers::default());
    let tls = shared.tls.as_ref().map(|tls| tls.acceptor(&["postgresql"]));
    let attend = |caller: Caller| {
        // One that found no place is still heard if it only wants to stop a question.
        let connection = Arc::new(Connection {
            shared: Arc::clone(&shared),
            callers: Arc::clone(&callers),
            settings: Settings::default(),
            cursors: Arc::default(),
            transactions: Transactions::default(),
            session: OnceLock::new(),
            login: Mutex::default(),
            place: caller.place,
        });
        attend(caller.socket, tls.clone(), connection, caller.stopped)
    };
    door::open(Entrance::Pg, listener, Arc::clone(&shared), stopped, attend).await;
}

/// One caller, until they leave or, when the server stops, nothing of theirs runs any more.
async fn attend(
    socket: TcpStream,
    tls: Option<TlsAcceptor>,
    connection: Arc<Connection>,
    mut stopped: watch::Receiver<bool>,
) {
    let conversation = conversation::converse(socket, tls, &connection);
    tokio::pin!(conversation);
    let stopping = async {
        let _ = stopped.wait_for(|stopped| *stopped).await;
        while connection.session.get().is_some_and(|session| session.is_busy()) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        _ = &mut conversation => {}
        () = stopping => {}
    }
    if let Some(session) = connection.session.get() {
        session.cancel();
    }
}

/// A caller.
pub(super) struct Connection {
    shared: Arc<Shared>,
    callers: Arc<Callers>,
    settings: Settings,
    cursors: Arc<Cursors>,
    transactions: Transactions,
    session: OnceLock<Arc<Session>>,
    login: Mutex<login::Login>,
    /// One of the server's places; `None` if there was none left.
    place: Option<tokio::sync::OwnedSemaphorePermit>,
}

/// The sessions by what their callers cancel them with.
#[derive(Default)]
struct Callers {
    known: Mutex<HashMap<(i32, Bytes), Weak<Session>>>,
}

impl Callers {
    fn add(&self, pid: i32, secret: &SecretKey, session: &Arc<Session>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, session| session.strong_count() > 0);
        known.insert((pid, secret.to_bytes()), Arc::downgrade(session));
    }

    fn find(&self, pid: i32, secret: &SecretKey) -> Option<Arc<Session>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // A key says the same in four bytes and in the longer form of newer protocols.
        known.get(&(pid, secret.to_bytes())).and_then(Weak::upgrade)
    }
}

#[async_trait]
impl CancelHandler for Connection {
    async fn on_cancel_request(&self, request: CancelRequest) {
        if let Some(session) = self.callers.find(request.pid, &request.secret_key) {
            session.cancel();
        }
    }
}
