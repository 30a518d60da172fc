//! The line to a caller, looked at from beside while nobody reads from it.

use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// How often it is looked at what a caller has said ahead, which hides that nothing comes after it.
const LOOK: Duration = Duration::from_millis(100);

/// A second hold on a socket, which takes nothing out of it.
pub(super) struct Line(TcpStream);

impl Line {
    /// # Errors
    /// If the machine has no more sockets.
    pub(super) fn of(socket: &TcpStream) -> io::Result<Line> {
        let twin = SockRef::from(socket).try_clone()?;
        TcpStream::from_std(twin.into()).map(Line)
    }

    /// Ends once the caller sends nothing any more: they have gone, and hear nothing either.
    pub(super) async fn cut(&self) {
        loop {
            match self.0.ready(Interest::READABLE).await {
                Ok(ready) if !ready.is_read_closed() => {}
                _ => return,
            }
            let mut byte = [MaybeUninit::uninit()];
            let ahead = self.0.try_io(Interest::READABLE, || SockRef::from(&self.0).peek(&mut byte));
            match ahead {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(0) | Err(_) => return,
                Ok(_) => tokio::time::sleep(LOOK).await,
            }
        }
    }
}
