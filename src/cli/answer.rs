//! Runs one question: plans it, streams its rows to the output, measures both.

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bellwether::engine::Question;
use bellwether::{Engine, Error, Result};
use clap::Args;
use datafusion::arrow::array::RecordBatch;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::common::spawn_buffered;
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream, execute_stream};
use datafusion::prelude::DataFrame;
use futures::StreamExt;

use super::output::{Digits, Output, OutputArgs};
use super::progress::Progress;
use super::{Common, Failure, project};

/// The options of every command that measures.
#[derive(Debug, Clone, Args)]
pub struct TimingArgs {
    /// Write planning and running times to stderr
    #[arg(long)]
    pub timing: bool,
    /// Run so many times, show the rows once and the least and the median time on stderr
    #[arg(long, value_name = "N", default_value = "1")]
    pub repeat: NonZeroUsize,
}

impl TimingArgs {
    /// Neither times nor repetitions.
    pub const NONE: TimingArgs = TimingArgs { timing: false, repeat: NonZeroUsize::MIN };
}

/// How many digits of its numbers people want to see: those of an analysis come from divisions and logarithms.
fn digits(question: &Question) -> Digits {
    match question {
        Question::Sql { .. } | Question::Request(_) => Digits::All,
        Question::Function(_) => Digits::Six,
    }
}

/// The frame of a question; unlike its plan alone, statements such as `SET` take effect.
async fn frame(question: &Question, engine: &Engine) -> Result<DataFrame> {
    match question {
        Question::Sql { statement, .. } => engine.sql(statement).await,
        other => other.plan(engine).await.map(|(state, plan)| DataFrame::new(state, plan)),
    }
}

/// An error that this question gave.
fn failed(question: &Question, error: Error, engine: &Engine) -> Failure {
    Failure::new(error, question.sources(engine))
}

/// Opens the project, answers one question, and puts the answer in its place.
pub async fn answer_once(
    question: Question,
    common: &Common,
    output: &OutputArgs,
    timing: &TimingArgs,
) -> Result<ExitCode, Failure> {
    let mut output = Output::new(output)?;
    let engine = project::open(common).await?;
    answer(&engine, &question, &mut output, timing).await?;
    output.commit()?;
    Ok(ExitCode::SUCCESS)
}

/// Answers a question on `output`, which stays open.
pub async fn answer(
    engine: &Engine,
    question: &Question,
    output: &mut Output,
    timing: &TimingArgs,
) -> Result<(), Failure> {
    answer_watched(engine, question, output, timing, &mut |_| {}).await
}

/// Sees the rows that are written.
pub type Watch<'w> = dyn FnMut(&RecordBatch) + Send + 'w;

/// The same, showing the rows to `watch` as well.
pub async fn answer_watched(
    engine: &Engine,
    question: &Question,
    output: &mut Output,
    timing: &TimingArgs,
    watch: &mut Watch<'_>,
) -> Result<(), Failure> {
    let (first, repeatable) = shown(engine, question, output, watch).await?;
    let mut runs = vec![first];
    if repeatable {
        for _ in 1..timing.repeat.get() {
            runs.push(unshown(engine, question).await?);
        }
    }
    if timing.timing || timing.repeat.get() > 1 {
        eprintln!("{}", report(&runs));
    }
    Ok(())
}

/// What one run took.
#[derive(Debug, Clone, Copy)]
struct Run {
    planning: Duration,
    /// Until the last row, without the time that writing took.
    running: Duration,
    rows: usize,
}

/// Runs and writes the rows; also says whether running again is harmless.
async fn shown(
    engine: &Engine,
    question: &Question,
    output: &mut Output,
    watch: &mut Watch<'_>,
) -> Result<(Run, bool), Failure> {
    let progress = Progress::start();
    let mut started = Started::new(engine, question, &progress).await?;
    let schema = started.stream.schema();
    // Statements such as SET give no columns: there is nothing to write, not even a header.
    let mut writer = match schema.fields().is_empty() {
        true => None,
        false => Some(output.start(&schema, digits(question))?),
    };
    while let Some(batch) = started.next().await? {
        watch(&batch);
        if let Some(writer) = &mut writer {
            progress.aside(|| writer.write(&batch)).map_err(|error| output.failed(&error))?;
        }
    }
    drop(progress);
    if let Some(writer) = &mut writer {
        writer.finish().map_err(|error| output.failed(&error))?;
    }
    Ok((started.run, writer.is_some() && started.only_reads))
}

/// Runs and drops the rows.
async fn unshown(engine: &Engine, question: &Question) -> Result<Run, Failure> {
    let progress = Progress::start();
    let mut started = Started::new(engine, question, &progress).await?;
    while started.next().await?.is_some() {}
    Ok(started.run)
}

/// A question that is running.
struct Started<'a> {
    engine: &'a Engine,
    question: &'a Question,
    stream: SendableRecordBatchStream,
    only_reads: bool,
    run: Run,
}

impl<'a> Started<'a> {
    async fn new(engine: &'a Engine, question: &'a Question, progress: &Progress) -> Result<Self, Failure> {
        let start = Instant::now();
        let failed = |error| failed(question, error, engine);
        let frame = frame(question, engine).await.map_err(failed)?;
        let plan = frame.create_physical_plan().await.map_err(|error| failed(error.into()))?;
        let planning = start.elapsed();
        progress.watch(plan.clone());
        let stream = stream(&frame, plan).map_err(failed)?;
        let running = start.elapsed() - planning;
        let only_reads = !matches!(frame.logical_plan(), LogicalPlan::Dml(_) | LogicalPlan::Copy(_));
        Ok(Started { engine, question, stream, only_reads, run: Run { planning, running, rows: 0 } })
    }

    async fn next(&mut self) -> Result<Option<RecordBatch>, Failure> {
        let start = Instant::now();
        let batch = self.stream.next().await.transpose();
        self.run.running += start.elapsed();
        match batch {
            Ok(batch) => {
                self.run.rows += batch.as_ref().map_or(0, |batch| batch.num_rows());
                Ok(batch)
            }
            Err(error) => Err(failed(self.question, self.engine.explained(error).await, self.engine)),
        }
    }
}

/// The rows, computed by a task of their own: so Ctrl-C is heard even while an operator computes for minutes without
/// a pause. Dropping the stream ends the task.
fn stream(frame: &DataFrame, plan: Arc<dyn ExecutionPlan>) -> Result<SendableRecordBatchStream> {
    Ok(spawn_buffered(execute_stream(plan, Arc::new(frame.task_ctx()))?, 2))
}

fn report(runs: &[Run]) -> String {
    let planning = summary(runs.iter().map(|run| run.planning).collect());
    let running = summary(runs.iter().map(|run| run.running).collect());
    let rows = runs.first().map_or(0, |run| run.rows);
    let times = if runs.len() > 1 { format!(", {} runs", runs.len()) } else { String::new() };
    format!("planning {planning}, running {running}, rows {rows}{times}")
}

/// The time, or the least and the median of several.
fn summary(mut times: Vec<Duration>) -> String {
    times.sort();
    let (Some(least), median) = (times.first(), times.get(times.len() / 2)) else { return String::new() };
    match (times.len(), median) {
        (2.., Some(median)) => format!("min {} median {}", milliseconds(*least), milliseconds(*median)),
        _ => milliseconds(*least),
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(planning: u64, running: u64) -> Run {
        let milliseconds = Duration::from_millis;
        Run { planning: milliseconds(planning), running: milliseconds(running), rows: 7 }
    }

    #[test]
    fn one_run_is_told_plainly() {
        assert_eq!(report(&[run(1, 20)]), "planning 1.0 ms, running 20.0 ms, rows 7");
    }

    #[test]
    fn several_runs_give_least_and_median() {
        let text = report(&[run(3, 30), run(1, 50), run(2, 40)]);
        assert_eq!(text, "planning min 1.0 ms median 2.0 ms, running min 30.0 ms median 40.0 ms, rows 7, 3 runs");
    }
}
