//! A door: an address where callers come in, until the server stops.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::session::Shared;
use super::{Entrance, Event};

/// How long the door stays shut when the machine has no more sockets.
const PAUSE: Duration = Duration::from_millis(50);

/// Somebody who has come in.
pub(super) struct Caller {
    pub(super) socket: TcpStream,
    pub(super) peer: SocketAddr,
    /// One of the door's places; `None` if there was none left.
    pub(super) place: Option<OwnedSemaphorePermit>,
    /// Becomes true when the server stops.
    pub(super) stopped: watch::Receiver<bool>,
}

/// Lets callers in until the server stops; then waits for those that are attended to.
pub(super) async fn open<F>(
    entrance: Entrance,
    listener: TcpListener,
    shared: Arc<Shared>,
    mut stopped: watch::Receiver<bool>,
    attend: impl Fn(Caller) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(shared.connections));
    let mut tasks = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.changed() => break,
            Some(_) = tasks.join_next(), if !tasks.is_empty() => continue,
        };
        let Ok((socket, peer)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        // What is small is sent at once.
        let _ = socket.set_nodelay(true);
        let place = Arc::clone(&places).try_acquire_owned().ok();
        match place {
            Some(_) => (shared.watch)(&Event::Connected { entrance, peer }),
            None => (shared.watch)(&Event::TurnedAway { entrance, peer, reason: "too many connections" }),
        }
        let caller = Caller { socket, peer, place, stopped: stopped.clone() };
        let (attended, shared) = (attend(caller), Arc::clone(&shared));
        tasks.spawn(async move {
            attended.await;
            (shared.watch)(&Event::Left { entrance, peer });
        });
    }
    while tasks.join_next().await.is_some() {}
}
