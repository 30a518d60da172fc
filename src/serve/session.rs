//! One caller's session: settings and eyes of its own, one question at a time, which has limits and can be stopped.
//!
//! Questions are planned and run by threads of their own, so that those that listen are always free: a cancellation is
//! heard while a question computes.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::error::ArrowError;
use datafusion::common::ParamValues;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::{Stream, StreamExt};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::failed::Failed;
use super::introspection;
use super::kept::{KeptPlan, Key};
use super::live::{Live, Over, Roles};
use super::metrics::Metrics;
use super::people::People;
use super::presence::{Awaited, Presence};
use super::record::Record;
use super::tls::Tls;
use super::users::Mark;
use super::{Entrance, Watch};
use crate::engine::{Engine, Question};
use crate::error::Result;

/// Who asks.
#[derive(Debug, Clone)]
pub struct User {
    /// The name that they gave.
    pub name: String,
    /// What they see.
    pub roles: Roles,
    /// The line of the users' file by which they were let in.
    pub(super) mark: Option<Mark>,
}

impl User {
    /// Somebody who need not be in a file of users.
    pub fn new(name: impl Into<String>, roles: Roles) -> User {
        User { name: name.into(), roles, mark: None }
    }
}

/// What one question may take.
#[derive(Debug, Clone, Copy, Default)]
pub struct QuestionLimits {
    /// The time until its last row is there.
    pub time: Option<Duration>,
    /// The rows of its answer; an answer with more is refused, not cut.
    pub rows: Option<usize>,
}

/// What all sessions of a server share.
pub struct Shared {
    /// The project.
    pub live: Live,
    /// Where questions run.
    pub compute: Handle,
    /// For every question.
    pub limits: QuestionLimits,
    /// Who may connect; everybody, as whom they like, if it is not said.
    pub people: Option<People>,
    /// How many callers a door takes at once.
    pub connections: usize,
    /// The server's certificate, if answers are encrypted.
    pub tls: Option<Tls>,
    /// Whether who does not encrypt is turned away.
    pub tls_needed: bool,
    /// Who is told.
    pub watch: Arc<Watch>,
    pub(super) metrics: Arc<Metrics>,
}

/// One caller's session.
pub struct Session {
    shared: Arc<Shared>,
    presence: Arc<Presence>,
    entrance: Entrance,
    inner: Mutex<Inner>,
}

struct Inner {
    over: Over,
    /// What was set, to be set again over the next edition.
    settings: Vec<(String, String)>,
    /// The same as the caller began.
    at_first: Vec<(String, String)>,
    /// `statement_timeout`.
    time: Option<Duration>,
}

/// A statement that can be run.
#[derive(Clone)]
pub struct Planned {
    /// The edition that it was planned over.
    pub number: u64,
    /// What was asked.
    pub question: Arc<Question>,
    /// What it comes to.
    pub plan: LogicalPlan,
    /// The same, if it is kept for the next time.
    kept: Option<Arc<KeptPlan>>,
    engine: Arc<Engine>,
    state: Arc<SessionState>,
}

impl Session {
    /// A session over the present edition.
    ///
    /// # Errors
    /// What DataFusion says of it.
    pub fn open(shared: &Arc<Shared>, user: User, entrance: Entrance) -> Result<Session> {
        let over = shared.live.over_the_present(&user.roles)?;
        let inner = Inner { over, settings: vec![], at_first: vec![], time: None };
        let presence = Presence::new(user, shared.metrics.session(entrance));
        if let Some(people) = &shared.people {
            people.enter(&presence);
        }
        Ok(Session { shared: Arc::clone(shared), presence, entrance, inner: Mutex::new(inner) })
    }

    /// Who asks.
    pub fn user(&self) -> &User {
        &self.presence.user
    }

    /// The engine over the present edition, with what this session has set.
    ///
    /// # Errors
    /// What DataFusion says of a new session.
    pub fn engine(&self) -> Result<(u64, Arc<Engine>)> {
        let mut inner = self.inner();
        self.renew(&mut inner)?;
        Ok((inner.over.number, Arc::clone(&inner.over.engine)))
    }

    /// The present edition, and how a question's plan is known there, if it is kept.
    fn over_the_present(&self, question: &Question) -> Result<(Over, Option<Key>)> {
        let mut inner = self.inner();
        self.renew(&mut inner)?;
        Ok((inner.over.clone(), Key::of(question, &inner.settings)))
    }

    /// Over to the present edition, with what was set.
    fn renew(&self, inner: &mut Inner) -> Result<()> {
        if self.shared.live.present().number != inner.over.number {
            let over = self.shared.live.over_the_present(&self.presence.user.roles)?;
            for (name, value) in &inner.settings {
                set_in(&over.engine, name, value)?;
            }
            inner.over = over;
        }
        Ok(())
    }

    /// Sets an option of the engine (`bell.…`, the default schema) for this session alone.
    ///
    /// # Errors
    /// If there is no such option, or it has no such value.
    pub fn set(&self, name: &str, value: &str) -> Result<()> {
        let mut inner = self.inner();
        self.renew(&mut inner)?;
        set_in(&inner.over.engine, name, value)?;
        inner.settings.retain(|(known, _)| known != name);
        inner.settings.push((name.to_string(), value.to_string()));
        Ok(())
    }

    /// The caller has begun: what is set now is what [`Session::reset`] goes back to.
    pub fn begin(&self) {
        let mut inner = self.inner();
        inner.at_first = inner.settings.clone();
    }

    /// Sets the options whose names begin so to what they were at first.
    ///
    /// # Errors
    /// What DataFusion says of a new session.
    pub fn reset(&self, names: &str) -> Result<()> {
        let mut inner = self.inner();
        let first = inner.at_first.iter().filter(|(name, _)| name.starts_with(names)).cloned().collect::<Vec<_>>();
        inner.settings.retain(|(name, _)| !name.starts_with(names));
        inner.settings.extend(first);
        // No edition has this number: the next use begins with an engine in which nothing is set.
        inner.over.number = 0;
        self.renew(&mut inner)
    }

    /// Sets the time that a question may take in this session; never more than the server grants.
    pub fn set_time(&self, time: Option<Duration>) {
        self.inner().time = time;
    }

    fn time(&self) -> Option<Duration> {
        [self.inner().time, self.shared.limits.time].into_iter().flatten().min()
    }

    /// Plans a question.
    ///
    /// # Errors
    /// What is wrong with it, or that it would write.
    pub async fn plan(self: &Arc<Self>, question: Question) -> Result<Planned, Failed> {
        let (session, question) = (Arc::clone(self), Arc::new(question));
        let record = self.record(&question);
        let (time, asked) = (self.time(), Arc::clone(&question));
        let running = self.shared.metrics.running(self.entrance);
        let work = self.shared.compute.spawn(async move {
            let _running = running;
            session.planned(asked).await
        });
        let stop = self.presence.runs(work.abort_handle());
        let planned = tokio::select! {
            planned = work => match planned {
                Ok(planned) => planned,
                Err(stopped) if stopped.is_cancelled() => Err(Failed::Cancelled),
                Err(panicked) => Err(Failed::Internal(panicked.to_string())),
            },
            () = stop.told.cancelled() => Err(Failed::Cancelled),
            time = passed(time) => {
                stop.stop();
                Err(Failed::TimedOut(time))
            }
        };
        match &planned {
            // It is told once it was run.
            Ok(_) => record.hand_on(),
            Err(failed) => record.end(0, Some(failed)),
        }
        planned
    }

    async fn planned(&self, question: Arc<Question>) -> Result<Planned, Failed> {
        let (Over { number, engine, kept }, key) = self.over_the_present(&question).map_err(Failed::of)?;
        if let Some(known) = key.as_ref().and_then(|key| kept.get(key)) {
            let state = Arc::new(engine.context().state());
            return Ok(Planned { number, question, plan: known.plan.clone(), kept: Some(known), engine, state });
        }
        let about_the_server = match question.as_ref() {
            Question::Sql { statement, .. } => introspection::plan(&engine, statement).await,
            _ => None,
        };
        let (state, plan) = match about_the_server {
            Some(planned) => planned.map_err(Failed::of)?,
            None => question.plan(&engine).await.map_err(|error| Failed::asked(error, &question, &engine))?,
        };
        super::read_only::allow(&plan)?;
        // What was set meanwhile may be in the plan, but not in the key.
        let still = self.over_the_present(&question).map_err(Failed::of)?.1 == key;
        let kept = key.filter(|_| still).and_then(|key| kept.keep(key, &plan));
        Ok(Planned { number, question, plan, kept, engine, state: Arc::new(state) })
    }

    /// Runs a statement. The answer streams; dropping it stops the question.
    ///
    /// # Errors
    /// If parameters do not fit.
    pub fn run(self: &Arc<Self>, planned: &Planned, parameters: Option<&ParamValues>) -> Result<Answer, Failed> {
        let plan = match parameters {
            None => planned.plan.clone(),
            Some(values) => planned
                .plan
                .clone()
                .replace_params_with_values(values)
                .map_err(|error| Failed::asked(error.into(), &planned.question, &planned.engine))?,
        };
        let schema = Arc::clone(plan.schema().inner());
        let (sender, pieces) = channel(2);
        let asked = Asked {
            session: Arc::clone(self),
            question: Arc::clone(&planned.question),
            engine: Arc::clone(&planned.engine),
            state: Arc::clone(&planned.state),
            kept: planned.kept.clone().filter(|_| parameters.is_none()),
            plan,
            until: self.time().map(|time| (Instant::now() + time, time)),
            rows: self.shared.limits.rows,
        };
        let until = asked.until;
        let running = self.shared.metrics.running(self.entrance);
        let work = self.shared.compute.spawn(async move {
            let _running = running;
            asked.answer(sender).await;
        });
        let stop = self.presence.runs(work.abort_handle());
        let told = Box::pin(stop.told.clone().cancelled_owned());
        let late = until.map(|(until, time)| (Box::pin(sleep_until(until)), time));
        let record = Some(self.record(&planned.question));
        Ok(Answer { schema, pieces, stop, told, late, rows: 0, record })
    }

    /// Stops what runs in this session.
    pub fn cancel(&self) {
        self.presence.cancel();
    }

    /// Whether something runs, or its rows are still being sent.
    pub fn is_busy(&self) -> bool {
        self.presence.is_busy()
    }

    /// Ends once whoever asks may not do so any more.
    pub async fn sent_away(&self) {
        self.presence.sent_away().await;
    }

    fn record(&self, question: &Arc<Question>) -> Record {
        Record::new(&self.shared.watch, self.user(), self.entrance, question)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until a time has passed; for ever, if there is none.
async fn passed(time: Option<Duration>) -> Duration {
    match time {
        Some(time) => {
            tokio::time::sleep(time).await;
            time
        }
        None => std::future::pending().await,
    }
}

fn set_in(engine: &Engine, name: &str, value: &str) -> Result<()> {
    let state = engine.context().state_ref();
    state.write().config_mut().options_mut().set(name, value)?;
    Ok(())
}

/// Whether an error comes from computing with values that were read well, or from the machine: files need not be looked at
/// for it, which takes as long as reading them.
fn is_of_values(error: &DataFusionError) -> bool {
    match error.find_root() {
        DataFusionError::ArrowError(error, _) => {
            matches!(error.as_ref(), ArrowError::DivideByZero | ArrowError::ArithmeticOverflow(_))
        }
        DataFusionError::ResourcesExhausted(_) | DataFusionError::Plan(_) => true,
        _ => crate::diagnostic::carried_by(error).is_some(),
    }
}

/// A question that is being answered.
struct Asked {
    session: Arc<Session>,
    question: Arc<Question>,
    engine: Arc<Engine>,
    state: Arc<SessionState>,
    kept: Option<Arc<KeptPlan>>,
    plan: LogicalPlan,
    until: Option<(Instant, Duration)>,
    rows: Option<usize>,
}

enum Piece {
    Rows(RecordBatch),
    End(Result<(), Failed>),
}

impl Asked {
    async fn answer(self, sender: Sender<Piece>) {
        let outcome = self.send_all(&sender).await;
        let _ = sender.send(Piece::End(outcome)).await;
    }

    async fn send_all(&self, sender: &Sender<Piece>) -> Result<(), Failed> {
        let mut rows = self.in_time(self.started()).await??;
        let mut count = 0;
        while let Some(batch) = self.in_time(rows.next()).await? {
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => return Err(self.failed(error).await),
            };
            count += batch.num_rows();
            if let Some(most) = self.rows.filter(|most| count > *most) {
                return Err(Failed::TooManyRows(most));
            }
            // Nobody listens any more. Whoever does not take the rows does not keep them for ever.
            if self.in_time(sender.send(Piece::Rows(batch))).await?.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn started(&self) -> Result<SendableRecordBatchStream, Failed> {
        let plan = match self.physical_plan().await {
            Ok(plan) => plan,
            Err(error) => return Err(self.failed(error).await),
        };
        match execute_stream(plan, self.state.task_ctx()) {
            Ok(rows) => Ok(rows),
            Err(error) => Err(self.failed(error).await),
        }
    }

    async fn physical_plan(&self) -> datafusion::common::Result<Arc<dyn ExecutionPlan>> {
        match &self.kept {
            Some(kept) => {
                let optimized = kept.optimized(&self.state)?;
                self.state.query_planner().create_physical_plan(&optimized, self.state.as_ref()).await
            }
            None => self.state.create_physical_plan(&self.plan).await,
        }
    }

    /// What the error was about. If it came from reading, the files may be others than this edition knows.
    async fn failed(&self, error: DataFusionError) -> Failed {
        if is_of_values(&error) {
            return Failed::asked(error.into(), &self.question, &self.engine);
        }
        self.session.shared.live.read_again();
        Failed::asked(self.engine.explained(error).await, &self.question, &self.engine)
    }

    async fn in_time<F: Future>(&self, work: F) -> Result<F::Output, Failed> {
        match self.until {
            Some((until, time)) => timeout_at(until, work).await.map_err(|_| Failed::TimedOut(time)),
            None => Ok(work.await),
        }
    }
}

/// The rows of an answer, as they come.
pub struct Answer {
    /// Their columns.
    pub schema: SchemaRef,
    pieces: Receiver<Piece>,
    stop: Awaited,
    told: Pin<Box<WaitForCancellationFutureOwned>>,
    /// When it takes too long, though the work does not give way.
    late: Option<(Pin<Box<Sleep>>, Duration)>,
    rows: u64,
    record: Option<Record>,
}

impl Stream for Answer {
    type Item = Result<RecordBatch, Failed>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.record.is_none() {
            return Poll::Ready(None);
        }
        let outcome = match self.pieces.poll_recv(cx) {
            Poll::Ready(Some(Piece::Rows(batch))) => {
                self.rows += batch.num_rows() as u64;
                return Poll::Ready(Some(Ok(batch)));
            }
            Poll::Ready(Some(Piece::End(outcome))) => outcome,
            // The work ended without saying how: it was stopped, or there is a mistake in it.
            Poll::Ready(None) if self.stop.told.is_cancelled() => Err(Failed::Cancelled),
            Poll::Ready(None) => {
                Err(Failed::Internal("computing the answer failed; the log of the server tells why".into()))
            }
            Poll::Pending => std::task::ready!(self.stopped(cx)),
        };
        let rows = self.rows;
        if let Some(record) = self.record.take() {
            record.end(rows, outcome.as_ref().err());
        }
        self.stop.stop();
        Poll::Ready(outcome.err().map(Err))
    }
}

impl Answer {
    /// Whether it was stopped, or takes too long.
    fn stopped(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        if self.told.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(Failed::Cancelled));
        }
        let Some((late, time)) = &mut self.late else { return Poll::Pending };
        late.as_mut().poll(cx).map(|()| Err(Failed::TimedOut(*time)))
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(record) = self.record.take() {
            record.end(self.rows, Some(&Failed::Cancelled));
        }
    }
}
