//! Ctrl-C: the first one cancels what is running, one with nothing running (or a second one) ends the program.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use super::failure::Failure;

/// The exit code of a cancelled program, as shells use it.
pub const EXIT_CODE: u8 = 130;

static RUNNING: AtomicBool = AtomicBool::new(false);
static CANCEL: Notify = Notify::const_new();

/// Starts to listen; needed once. A thread of its own listens: the others may all be busy computing.
pub fn listen() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    std::thread::Builder::new().name("ctrl-c".to_string()).spawn(move || runtime.block_on(presses())).map(drop)
}

async fn presses() {
    while tokio::signal::ctrl_c().await.is_ok() {
        // Taking the mark away here makes a second Ctrl-C end what does not react to the first.
        if !RUNNING.swap(false, Ordering::SeqCst) {
            std::process::exit(i32::from(EXIT_CODE));
        }
        CANCEL.notify_waiters();
    }
}

/// Waits for Ctrl-C; a second one ends the program.
#[cfg(feature = "serve")]
pub async fn pressed() {
    let cancelled = CANCEL.notified();
    RUNNING.store(true, Ordering::SeqCst);
    cancelled.await;
}

/// Runs `work` until it is done or Ctrl-C drops it, and with it the query's stream.
pub async fn cancellable<F: Future>(work: F) -> Result<F::Output, Failure> {
    let cancelled = CANCEL.notified();
    RUNNING.store(true, Ordering::SeqCst);
    let outcome = tokio::select! {
        output = work => Ok(output),
        () = cancelled => Err(Failure::Interrupted),
    };
    RUNNING.store(false, Ordering::SeqCst);
    outcome
}
