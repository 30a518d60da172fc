//! Where tests let a run die: before each thing that it leaves in a store.

/// A step that leaves something behind. In builds for tests, the environment variable `BELL_DIE_BEFORE_STEP` ends the
/// process, without any clearing up, before the step of that number.
#[cfg(debug_assertions)]
pub fn step() {
    use std::sync::atomic::{AtomicU64, Ordering};
    static STEPS: AtomicU64 = AtomicU64::new(0);
    let number = STEPS.fetch_add(1, Ordering::SeqCst) + 1;
    let wanted = std::env::var("BELL_DIE_BEFORE_STEP").ok().and_then(|text| text.parse::<u64>().ok());
    if wanted == Some(number) {
        std::process::abort();
    }
}

/// A step that leaves something behind.
#[cfg(not(debug_assertions))]
pub fn step() {}
