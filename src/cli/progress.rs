//! One line on the terminal for what takes more than a second: time, rows and bytes read so far.

use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use datafusion::physical_plan::ExecutionPlan;
use indicatif::{HumanBytes, HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// Shorter work shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// The line; it disappears when dropped.
pub struct Progress {
    line: ProgressBar,
    plan: Arc<OnceLock<Arc<dyn ExecutionPlan>>>,
}

impl Progress {
    /// Starts the clock. The line shows only if stderr is a terminal.
    pub fn start() -> Self {
        let plan = Arc::new(OnceLock::new());
        let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if std::io::stderr().is_terminal() {
            let watched = plan.clone();
            let style = ProgressStyle::default_spinner().with_key(
                "status",
                move |state: &ProgressState, out: &mut dyn Write| {
                    if state.elapsed() >= PATIENCE {
                        // A line that cannot be drawn is not worth an error.
                        let _ = out.write_str(&status(state.elapsed(), watched.get()));
                    }
                },
            );
            line.set_style(style.template("{status}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
            line.enable_steady_tick(Duration::from_millis(250));
        }
        Progress { line, plan }
    }

    /// From now on counts what this plan reads.
    pub fn watch(&self, plan: Arc<dyn ExecutionPlan>) {
        // A plan that is already watched stays: there is one for each line.
        let _ = self.plan.set(plan);
    }

    /// Does something that writes to the terminal, without the line in between.
    pub fn aside<T>(&self, work: impl FnOnce() -> T) -> T {
        self.line.suspend(work)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.line.finish_and_clear();
    }
}

/// One line on how far a plan has come.
pub fn status(elapsed: Duration, plan: Option<&Arc<dyn ExecutionPlan>>) -> String {
    let Some(plan) = plan else { return format!("{}: planning", HumanDuration(elapsed)) };
    let (rows, bytes) = read_so_far(plan.as_ref());
    let bytes = if bytes > 0 { format!(", {}", HumanBytes(bytes)) } else { String::new() };
    format!("{}: {} rows read{bytes}", HumanDuration(elapsed), HumanCount(rows))
}

/// Rows and bytes that the plan's leaves, the scans, have given.
fn read_so_far(plan: &dyn ExecutionPlan) -> (u64, u64) {
    let children = plan.children();
    if !children.is_empty() {
        let parts = children.into_iter().map(|child| read_so_far(child.as_ref()));
        return parts.fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
    }
    let Some(metrics) = plan.metrics() else { return (0, 0) };
    let bytes = metrics.sum_by_name("bytes_scanned").map_or(0, |value| value.as_usize());
    (metrics.output_rows().unwrap_or(0) as u64, bytes as u64)
}
