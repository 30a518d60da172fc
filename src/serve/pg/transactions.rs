//! Transactions. Nothing is written here, so that what one holds are settings and cursors, and whether it has failed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{Sink, SinkExt};
use pgwire::api::results::{Response, Tag};
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::response::TransactionStatus;

use super::Connection;
use super::errors::user;
use super::settings::Values;
use super::statement::Statement;

/// The transaction of a connection, and what it is told of it.
#[derive(Default)]
pub(super) struct Transactions {
    open: Mutex<Option<Open>>,
    warnings: Mutex<Vec<ErrorInfo>>,
}

/// A transaction, or what a message does without one: that ends with the message.
struct Open {
    /// `BEGIN` was said.
    said: bool,
    failed: bool,
    before: Values,
    /// What stays set if it ends well.
    kept: Values,
    /// The next cursor would have had this number.
    cursors: u64,
    savepoints: Vec<Savepoint>,
}

struct Savepoint {
    name: String,
    now: Values,
    kept: Values,
    cursors: u64,
}

impl Transactions {
    /// How it stands, in the wire's words.
    pub(super) fn status(&self) -> TransactionStatus {
        match &*self.open() {
            Some(open) if open.said && open.failed => TransactionStatus::Error,
            Some(open) if open.said => TransactionStatus::Transaction,
            _ => TransactionStatus::Idle,
        }
    }

    /// Tells what was odd about the statements before.
    pub(super) async fn warn<C>(&self, client: &mut C) -> PgWireResult<()>
    where
        C: Sink<PgWireBackendMessage> + Unpin,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let warnings = std::mem::take(&mut *self.warnings());
        for warning in warnings {
            client.feed(PgWireBackendMessage::NoticeResponse(warning.into())).await?;
        }
        Ok(())
    }

    fn odd(&self, code: &str, message: &str) {
        self.warnings().push(ErrorInfo::new("WARNING".to_string(), code.to_string(), message.to_string()));
    }

    fn warnings(&self) -> MutexGuard<'_, Vec<ErrorInfo>> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// A statement begins: whatever it sets is undone if its message, or the transaction that it is in, fails.
    pub(super) fn step(&self) {
        let mut open = self.transactions.open();
        open.get_or_insert_with(|| self.opened(false));
    }

    fn opened(&self, said: bool) -> Open {
        let now = self.settings.now();
        let (kept, cursors) = (Arc::clone(&now), self.cursors.next());
        Open { said, failed: false, before: now, kept, cursors, savepoints: vec![] }
    }

    /// `BEGIN`. What the message did before belongs to the transaction.
    pub(super) fn begin_transaction(&self) -> Response {
        match &mut *self.transactions.open() {
            Some(open) if open.said => self.transactions.odd("25001", "there is already a transaction in progress"),
            Some(open) => open.said = true,
            none => *none = Some(self.opened(true)),
        }
        Response::Execution(Tag::new("BEGIN"))
    }

    /// `COMMIT`, `ROLLBACK`. A transaction that has failed can only be undone.
    pub(super) fn end_transaction(&self, commits: bool, chains: bool) -> PgWireResult<Response> {
        let mut open = self.transactions.open();
        let said = open.as_ref().is_some_and(|open| open.said);
        if chains && !said {
            let word = if commits { "COMMIT" } else { "ROLLBACK" };
            return Err(user("25P01", format!("{word} AND CHAIN can only be used in transaction blocks")));
        }
        if !said {
            self.transactions.odd("25P01", "there is no transaction in progress");
        }
        let done = commits && !open.as_ref().is_some_and(|open| open.failed);
        if let Some(ended) = open.take() {
            self.close_transaction(&ended, done)?;
        }
        if chains {
            *open = Some(self.opened(true));
        }
        Ok(Response::Execution(Tag::new(if done { "COMMIT" } else { "ROLLBACK" })))
    }

    /// A message has been answered: what was done without `BEGIN` stays.
    pub(super) fn message_over(&self) -> PgWireResult<()> {
        let ended = self.transactions.open().take_if(|open| !open.said);
        ended.map_or(Ok(()), |ended| self.close_transaction(&ended, true))
    }

    /// Something went wrong: the transaction has failed; without one, what the message did is undone.
    pub(super) fn fail_transaction(&self) -> PgWireResult<()> {
        let mut open = self.transactions.open();
        if let Some(open) = &mut *open {
            open.failed = true;
        }
        let ended = open.take_if(|open| !open.said);
        ended.map_or(Ok(()), |ended| self.close_transaction(&ended, false))
    }

    fn close_transaction(&self, ended: &Open, done: bool) -> PgWireResult<()> {
        match done {
            true if ended.said => self.cursors.keep(|holds, _| holds),
            true => {}
            false => self.cursors.keep(|holds, number| number < ended.cursors && (holds || !ended.said)),
        }
        self.settings.back_to(self.session()?, if done { &ended.kept } else { &ended.before }).map_err(wrong)
    }

    /// `SAVEPOINT name`.
    pub(super) fn save(&self, name: &str) -> PgWireResult<Response> {
        self.within("SAVEPOINT", |open| {
            let (now, kept, cursors) = (self.settings.now(), Arc::clone(&open.kept), self.cursors.next());
            open.savepoints.push(Savepoint { name: name.to_string(), now, kept, cursors });
            Ok(Response::Execution(Tag::new("SAVEPOINT")))
        })
    }

    /// `RELEASE name`: with it go those that were made after it.
    pub(super) fn release(&self, name: &str) -> PgWireResult<Response> {
        self.within("RELEASE SAVEPOINT", |open| {
            let at = open.find(name)?;
            open.savepoints.truncate(at);
            Ok(Response::Execution(Tag::new("RELEASE")))
        })
    }

    /// `ROLLBACK TO name`, which is there to go back to again; the transaction goes on if it had failed.
    pub(super) fn roll_back_to(&self, name: &str) -> PgWireResult<Response> {
        self.within("ROLLBACK TO SAVEPOINT", |open| {
            let at = open.find(name)?;
            open.savepoints.truncate(at + 1);
            let point = &open.savepoints[at];
            self.cursors.keep(|_, number| number < point.cursors);
            self.settings.back_to(self.session()?, &point.now).map_err(wrong)?;
            (open.kept, open.failed) = (Arc::clone(&point.kept), false);
            Ok(Response::Execution(Tag::new("ROLLBACK")))
        })
    }

    fn within<T>(&self, what: &str, act: impl FnOnce(&mut Open) -> PgWireResult<T>) -> PgWireResult<T> {
        match &mut *self.transactions.open() {
            Some(open) if open.said => act(open),
            _ => Err(user("25P01", format!("{what} can only be used in transaction blocks"))),
        }
    }

    /// `SET`, until the connection ends or, if it is local, the transaction does.
    pub(super) fn set(&self, name: &str, value: &str, local: bool) -> PgWireResult<Response> {
        let mut open = self.transactions.open();
        if local && !open.as_ref().is_some_and(|open| open.said) {
            self.transactions.odd("25P01", "SET LOCAL can only be used in transaction blocks");
        } else {
            self.settings.set(self.session()?, name, value).map_err(wrong)?;
        }
        if let Some(open) = open.as_mut().filter(|_| !local) {
            open.keep(&self.settings.now(), |known| known == name);
        }
        Ok(Response::Execution(Tag::new("SET")))
    }

    /// `RESET name`; `all` for all.
    pub(super) fn reset(&self, name: &str) -> PgWireResult<Response> {
        self.settings.reset(self.session()?, name).map_err(wrong)?;
        if let Some(open) = &mut *self.transactions.open() {
            open.keep(&self.settings.now(), |known| name == "all" || known.starts_with(name));
        }
        Ok(Response::Execution(Tag::new("RESET")))
    }

    /// `DISCARD ALL`, by which pools hand a connection on to somebody else.
    pub(super) fn discard(&self) -> PgWireResult<Response> {
        if self.transactions.status() != TransactionStatus::Idle {
            return Err(user("25001", "DISCARD ALL cannot run inside a transaction block"));
        }
        self.cursors.close(None)?;
        self.reset("all")?;
        Ok(Response::Execution(Tag::new("DISCARD ALL")))
    }
}

impl Open {
    fn find(&self, name: &str) -> PgWireResult<usize> {
        let at = self.savepoints.iter().rposition(|point| point.name == name);
        at.ok_or_else(|| user("3B001", format!("savepoint \"{name}\" does not exist")))
    }

    /// What is set now under these names stays so.
    fn keep(&mut self, now: &Values, names: impl Fn(&str) -> bool) {
        let kept = Arc::make_mut(&mut self.kept);
        kept.retain(|name, _| !names(name));
        kept.extend(now.iter().filter(|(name, _)| names(name)).map(|(name, value)| (name.clone(), value.clone())));
    }
}

/// Whether a statement is heard: after an error, only the end of the transaction is.
///
/// # Errors
/// As PostgreSQL refuses it.
pub(super) fn allow(statement: &Statement, status: TransactionStatus) -> PgWireResult<()> {
    let ends = matches!(statement, Statement::End { .. } | Statement::RollbackTo(_));
    match status {
        TransactionStatus::Error if !ends => {
            Err(user("25P02", "current transaction is aborted, commands ignored until end of transaction block"))
        }
        _ => Ok(()),
    }
}

fn wrong(info: ErrorInfo) -> PgWireError {
    PgWireError::UserError(Box::new(info))
}
