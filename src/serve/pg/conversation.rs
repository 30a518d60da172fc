//! One caller's conversation: messages are read, answered, and bounded until it is known who speaks.
//!
//! `pgwire` has such a loop, too. It hangs up without a word on what it cannot read, and takes a gigabyte from strangers.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::SinkExt;
use pgwire::api::{ClientInfo, NoopHandler, PgWireConnectionState};
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use pgwire::tokio::server::{MaybeTls, PgWireMessageServerCodec, negotiate_tls, process_error, process_message};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_util::codec::{Decoder, Framed};

use super::Connection;
use super::errors::fatal;
use super::extended::Prepared;
use super::line::Line;

/// How long a caller may take to log in.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a message may be before the login is over: as PostgreSQL has it for the first, which is the longest.
const LONGEST: i32 = 10_000;
/// How much is read at once.
const PIECE: usize = 8192;

type Socket = Framed<MaybeTls, PgWireMessageServerCodec<Prepared>>;

/// Talks with a caller until they leave, or say what cannot be understood.
///
/// # Errors
/// If what is sent does not arrive.
pub(super) async fn converse(
    socket: TcpStream,
    tls: Option<TlsAcceptor>,
    connection: &Arc<Connection>,
) -> io::Result<()> {
    let line = Line::of(&socket)?;
    let late = sleep(PATIENCE);
    tokio::pin!(late);
    let negotiated = tokio::select! {
        () = &mut late => return Ok(()),
        negotiated = negotiate_tls(socket, tls) => negotiated?,
    };
    let Some(mut socket) = negotiated else { return Ok(()) };
    // Whoever stands between the two could have put it there, to be heard as if it came encrypted.
    if socket.is_secure() && !socket.read_buffer().is_empty() {
        return hang_up(&mut socket, fatal("08P01", "received unencrypted data after the request to encrypt")).await;
    }
    loop {
        let message = tokio::select! {
            biased;
            () = sent_away(connection) => {
                return hang_up(&mut socket, fatal("57P01", "you may not connect any more, or as somebody else")).await;
            }
            () = &mut late, if is_stranger(&socket) => return Ok(()),
            message = next(&mut socket) => message,
        };
        let message = match message {
            Ok(None | Some(PgWireFrontendMessage::Terminate(_))) => return Ok(()),
            Ok(Some(message)) => message,
            // It is not known where the next one begins.
            Err(error) => return hang_up(&mut socket, error).await,
        };
        let is_last = matches!(message, PgWireFrontendMessage::CancelRequest(_));
        let waits_for_sync = message.is_extended_query();
        // Logins and cancellations are brief, and callers hang up on the latter.
        let is_known = !is_stranger(&socket);
        let answered = tokio::select! {
            answered = answer(message, &mut socket, connection) => answered,
            () = line.cut(), if is_known => return Ok(()),
        };
        match answered.map_err(ErrorInfo::from) {
            Ok(()) if is_last => return Ok(()),
            Ok(()) => {}
            Err(info) if info.is_fatal() || is_stranger(&socket) => return hang_up(&mut socket, wrapped(info)).await,
            Err(info) => {
                if let Err(error) = connection.fail_transaction() {
                    return hang_up(&mut socket, error).await;
                }
                socket.set_transaction_status(connection.transactions.status());
                process_error(&mut socket, wrapped(info), waits_for_sync).await?;
            }
        }
    }
}

async fn answer(message: PgWireFrontendMessage, socket: &mut Socket, connection: &Arc<Connection>) -> PgWireResult<()> {
    let it = || Arc::clone(connection);
    process_message(message, socket, it(), it(), it(), Arc::new(NoopHandler), it()).await
}

/// Ends once whoever is there is not to be there any more.
async fn sent_away(connection: &Connection) {
    match connection.session.get() {
        Some(session) => session.sent_away().await,
        None => std::future::pending().await,
    }
}

/// Whether it is not known yet who speaks.
fn is_stranger(socket: &Socket) -> bool {
    use PgWireConnectionState::{AuthenticationInProgress, AwaitingSslRequest, AwaitingStartup};
    matches!(socket.state(), AwaitingSslRequest | AwaitingStartup | AuthenticationInProgress)
}

/// The next message; `None` once the caller has gone. What has come of one is kept if this is dropped.
async fn next(socket: &mut Socket) -> PgWireResult<Option<PgWireFrontendMessage>> {
    loop {
        allow(socket.state(), socket.read_buffer())?;
        let mut buffer = std::mem::take(socket.read_buffer_mut());
        let decoded = socket.codec_mut().decode(&mut buffer);
        *socket.read_buffer_mut() = buffer;
        if let Some(message) = decoded? {
            return Ok(Some(message));
        }
        let mut piece = [0; PIECE];
        let read = socket.get_mut().read(&mut piece).await?;
        if read == 0 {
            return Ok(None);
        }
        socket.read_buffer_mut().extend_from_slice(&piece[..read]);
    }
}

/// Whether a message may go on as it begins: nothing is kept of one that is too long.
fn allow(state: PgWireConnectionState, begun: &[u8]) -> PgWireResult<()> {
    use PgWireConnectionState::{AuthenticationInProgress, AwaitingSslRequest, AwaitingStartup};
    let wrong = |message: &str| Err(fatal("08P01", message));
    let length = |head: &[u8]| head.first_chunk::<4>().map(|length| i32::from_be_bytes(*length));
    if matches!(state, AwaitingSslRequest | AwaitingStartup) {
        return match length(begun) {
            Some(length) if !(8..=LONGEST).contains(&length) => wrong("invalid length of startup packet"),
            _ => Ok(()),
        };
    }
    let Some((kind, head)) = begun.split_first() else { return Ok(()) };
    let logs_in = matches!(state, AuthenticationInProgress);
    match length(head) {
        _ if logs_in && !matches!(kind, b'p' | b'X') => wrong("expected password response"),
        Some(length) if length < 4 || logs_in && length > LONGEST => wrong("invalid message length"),
        _ => Ok(()),
    }
}

/// Says why, and ends the conversation.
async fn hang_up(socket: &mut Socket, error: PgWireError) -> io::Result<()> {
    let mut info = ErrorInfo::from(error);
    info.severity = "FATAL".to_string();
    socket.send(PgWireBackendMessage::ErrorResponse(info.into())).await?;
    socket.close().await
}

fn wrapped(info: ErrorInfo) -> PgWireError {
    PgWireError::UserError(Box::new(info))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_brief() {
        use PgWireConnectionState::{AuthenticationInProgress, AwaitingStartup, ReadyForQuery};
        let head = |kind: &str, length: u32| [kind.as_bytes(), &length.to_be_bytes()].concat();
        let table = [
            (AwaitingStartup, head("", 10_000), true),
            (AwaitingStartup, head("", 10_001), false),
            (AwaitingStartup, head("", 7), false),
            (AwaitingStartup, head("", u32::MAX), false),
            (AwaitingStartup, vec![0x20, 0, 0], true),
            (AuthenticationInProgress, head("p", 10_000), true),
            (AuthenticationInProgress, head("p", 512 << 20), false),
            (AuthenticationInProgress, b"Q".to_vec(), false),
            (ReadyForQuery, head("Q", 1 << 20), true),
            (ReadyForQuery, head("Q", 3), false),
            (ReadyForQuery, vec![], true),
        ];
        for (state, begun, allowed) in table {
            assert_eq!(allow(state, &begun).is_ok(), allowed, "{state:?} {begun:?}");
        }
    }
}
