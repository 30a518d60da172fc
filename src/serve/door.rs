//! A door: an address where callers come in, until the server stops.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::session::Shared;
use super::{Entrance, Event};

/// How long the door stays shut when the machine has no more sockets.
const PAUSE: Duration = Duration::from_millis(50);

/// How many who find no place are heard all the same, to be told so, or to stop a question.
const OUTSIDE: usize = 64;
/// After how long without a word it is asked whether a caller is still there.
const QUIET: Duration = Duration::from_secs(60);

/// What is small is sent at once; and a caller whose machine has gone is noticed.
fn prepare(socket: &TcpStream) {
    let _ = socket.set_nodelay(true);
    let _ = SockRef::from(socket).set_tcp_keepalive(&TcpKeepalive::new().with_time(QUIET).with_interval(QUIET / 4));
}

/// Tells that somebody has gone.
struct Left {
    shared: Arc<Shared>,
    entrance: Entrance,
    peer: SocketAddr,
}

impl Drop for Left {
    fn drop(&mut self) {
        (self.shared.watch)(&Event::Left { entrance: self.entrance, peer: self.peer });
    }
}

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
    let outside = Arc::new(Semaphore::new(OUTSIDE));
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
        prepare(&socket);
        let place = Arc::clone(&places).try_acquire_owned().ok();
        let waits = Arc::clone(&outside).try_acquire_owned().ok().filter(|_| place.is_none());
        if place.is_none() && waits.is_none() {
            continue;
        }
        match place {
            Some(_) => (shared.watch)(&Event::Connected { entrance, peer }),
            None => (shared.watch)(&Event::TurnedAway { entrance, peer, user: None, reason: "too many connections" }),
        }
        let caller = Caller { socket, peer, place, stopped: stopped.clone() };
        let counted = caller.place.is_some();
        let (attended, shared) = (attend(caller), Arc::clone(&shared));
        tasks.spawn(async move {
            let _waits = waits;
            // Also of one that ends by a mistake of ours.
            let _left = counted.then(|| Left { shared, entrance, peer });
            attended.await;
        });
    }
    while tasks.join_next().await.is_some() {}
}
