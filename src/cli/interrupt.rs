//! Ctrl-C: the first one cancels what is running, one with nothing running (or a second one) ends the program.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use super::failure::Failure;

/// The exit code of a cancelled program, as shells use it.
pub const EXIT_CODE: u8 = 130;

static RUNNING: AtomicBool = AtomicBool::new(false);
static CANCEL: Notify = Notify::const_new();

/// Starts to listen; needed once.
pub fn listen() {
    tokio::spawn(async {
        while tokio::signal::ctrl_c().await.is_ok() {
            // Taking the mark away here makes a second Ctrl-C end a query that does not react to the first.
            if !RUNNING.swap(false, Ordering::SeqCst) {
                std::process::exit(i32::from(EXIT_CODE));
            }
            CANCEL.notify_waiters();
        }
    });
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
