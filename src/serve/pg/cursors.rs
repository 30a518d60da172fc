//! Cursors: `DECLARE c CURSOR FOR question`, `FETCH n FROM c`, `MOVE`, `CLOSE c`. They go forward.
//!
//! A cursor is an answer that waits: its question runs only as far as rows are fetched.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::ParamValues;
use datafusion::sql::sqlparser::tokenizer::Token;
use futures::{Stream, StreamExt, stream};
use pgwire::api::portal::Format;
use pgwire::api::results::{QueryResponse, Response, Tag};
use pgwire::error::PgWireResult;

use super::errors::{error, user};
use super::statement::plain;
use super::{rows, values};
use crate::serve::failed::Failed;
use crate::serve::session::{Answer, Planned, Session};

/// What a cursor is asked to do.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fetch {
    /// Its name.
    pub(super) name: String,
    /// How many rows; all that are left, if it is not said.
    pub(super) count: Option<usize>,
    /// Rows are passed over, not sent.
    pub(super) passes: bool,
}

/// How a cursor is declared.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Declared {
    /// Its name.
    pub(super) name: String,
    /// Its values come in binary, however they are fetched.
    pub(super) binary: bool,
    /// It outlives the transaction.
    pub(super) holds: bool,
}

/// Reads `DECLARE`, and at which token its question begins.
///
/// # Errors
/// What cursors do not do here.
pub(super) fn declared(tokens: &[&Token], words: &[&str]) -> PgWireResult<Option<(Declared, usize)>> {
    let Some(at) = words.iter().position(|word| *word == "for") else { return Ok(None) };
    let [_, name, options @ ..] = &words[..at] else { return Ok(None) };
    if !options.contains(&"cursor") || name.is_empty() {
        return Ok(None);
    }
    if options.contains(&"scroll") && !options.contains(&"no") {
        return Err(user("0A000", "cursors go forward only here: leave out SCROLL"));
    }
    let declared = Declared {
        name: name_of(tokens[1]),
        binary: options.contains(&"binary"),
        holds: options.windows(2).any(|two| two == ["with", "hold"]),
    };
    Ok((at + 1 < words.len()).then_some((declared, at + 1)))
}

/// Reads `FETCH` and `MOVE`.
///
/// # Errors
/// Ways that are not forward.
pub(super) fn fetch(tokens: &[&Token], words: &[&str]) -> PgWireResult<Fetch> {
    let wrong = || user("42601", "write FETCH n FROM cursor");
    let (Some(last), [verb, way @ .., _]) = (tokens.last(), words) else { return Err(wrong()) };
    let way = way.strip_suffix(&["from"]).or(way.strip_suffix(&["in"])).unwrap_or(way);
    let count = |text: &str| text.parse::<usize>().map_err(|_| wrong());
    let count = match way {
        [] | ["next"] | ["forward"] => Some(1),
        ["all"] | ["forward", "all"] => None,
        ["forward", number] => Some(count(number)?),
        ["prior" | "first" | "last" | "absolute" | "relative" | "backward" | "-", ..] => {
            return Err(user("0A000", "cursors go forward only here"));
        }
        [number] => Some(count(number)?),
        _ => return Err(wrong()),
    };
    if count == Some(0) {
        return Err(user("0A000", "cursors go forward only here: fetch one row at least"));
    }
    Ok(Fetch { name: name_of(last), count, passes: *verb == "move" })
}

/// The name in `CLOSE`; `None` for all.
pub(super) fn closed(tokens: &[&Token]) -> Option<String> {
    let name = tokens.last()?;
    let all = name.to_string().eq_ignore_ascii_case("all");
    (!all).then(|| name_of(name))
}

/// A name as it is meant: in small letters, if it has no quotes.
pub(super) fn name_of(token: &Token) -> String {
    match token {
        Token::Word(word) if word.quote_style.is_none() => word.value.to_ascii_lowercase(),
        other => plain(other),
    }
}

/// A connection's cursors by name.
#[derive(Default)]
pub(super) struct Cursors {
    open: Mutex<HashMap<String, Cursor>>,
    count: AtomicU64,
}

struct Cursor {
    schema: SchemaRef,
    binary: bool,
    holds: bool,
    /// Counts up.
    number: u64,
    /// Rows that were computed and not yet fetched.
    ahead: Option<RecordBatch>,
    /// The others; `None` once there are no more.
    answer: Option<Answer>,
}

impl Cursors {
    /// Opens one.
    pub(super) fn open(
        &self,
        declared: &Declared,
        session: &Arc<Session>,
        planned: &Planned,
        values: Option<&ParamValues>,
        text: &Arc<str>,
    ) -> PgWireResult<Response> {
        if self.all().contains_key(&declared.name) {
            return Err(user("42P03", format!("cursor \"{}\" already exists", declared.name)));
        }
        let answer = session.run(planned, values).map_err(|failed| error(&failed, text))?;
        let cursor = Cursor {
            schema: Arc::clone(&answer.schema),
            binary: declared.binary,
            holds: declared.holds,
            number: self.count.fetch_add(1, Ordering::Relaxed),
            ahead: None,
            answer: Some(answer),
        };
        self.all().insert(declared.name.clone(), cursor);
        Ok(Response::Execution(Tag::new("DECLARE CURSOR")))
    }

    /// The columns of a cursor's rows.
    pub(super) fn schema(&self, name: &str) -> PgWireResult<SchemaRef> {
        self.all().get(name).map(|cursor| Arc::clone(&cursor.schema)).ok_or_else(|| unknown(name))
    }

    /// The next rows of one.
    pub(super) async fn fetch(&self, fetch: &Fetch, format: &Format) -> PgWireResult<Response> {
        let mut cursor = self.all().remove(&fetch.name).ok_or_else(|| unknown(&fetch.name))?;
        let format = if cursor.binary { &Format::UnifiedBinary } else { format };
        let fields = Arc::new(values::fields(&cursor.schema, format)?);
        // Its question stands in another text than this one: errors have no place in it.
        let text = Arc::<str>::from("");
        // All of them are sent as they come; what is counted is waited for.
        let batches = match fetch.count {
            None if !fetch.passes => cursor.rest().boxed(),
            count => {
                let taken = cursor.take(count).await.map_err(|failed| error(&failed, &text))?;
                stream::iter(taken.into_iter().map(Ok)).boxed()
            }
        };
        self.all().insert(fetch.name.clone(), cursor);
        if fetch.passes {
            let passed = batches.map(|batch| batch.map_or(0, |batch: RecordBatch| batch.num_rows()));
            let passed = passed.fold(0, |sum, rows| async move { sum + rows }).await;
            return Ok(Response::Execution(Tag::new("MOVE").with_rows(passed)));
        }
        let mut response = QueryResponse::new(Arc::clone(&fields), rows::rows(batches, fields, text));
        response.set_command_tag("FETCH");
        Ok(Response::Query(response))
    }

    /// Closes one.
    pub(super) fn close(&self, name: Option<&str>) -> PgWireResult<Response> {
        match name {
            None => self.all().clear(),
            Some(name) => _ = self.all().remove(name).ok_or_else(|| unknown(name))?,
        }
        Ok(Response::Execution(Tag::new("CLOSE CURSOR")))
    }

    /// The number of the cursor that is opened next.
    pub(super) fn next(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Closes all but these, told by whether they outlive transactions, and by their numbers.
    pub(super) fn keep(&self, these: impl Fn(bool, u64) -> bool) {
        self.all().retain(|_, cursor| these(cursor.holds, cursor.number));
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Cursor>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cursor {
    /// So many rows; fewer if there are no more.
    async fn take(&mut self, count: Option<usize>) -> Result<Vec<RecordBatch>, Failed> {
        let (mut left, mut taken) = (count.unwrap_or(usize::MAX), Vec::new());
        while left > 0 {
            let Some(batch) = self.next().await? else { break };
            let part = batch.slice(0, left.min(batch.num_rows()));
            let rest = batch.num_rows() - part.num_rows();
            self.ahead = (rest > 0).then(|| batch.slice(part.num_rows(), rest));
            left -= part.num_rows();
            taken.push(part);
        }
        Ok(taken)
    }

    async fn next(&mut self) -> Result<Option<RecordBatch>, Failed> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(Some(ahead));
        }
        let Some(answer) = &mut self.answer else { return Ok(None) };
        let next = answer.next().await.transpose();
        if !matches!(next, Ok(Some(_))) {
            self.answer = None;
        }
        next
    }

    /// All that is left.
    fn rest(&mut self) -> impl Stream<Item = Result<RecordBatch, Failed>> + Send + use<> {
        let ahead = stream::iter(self.ahead.take().map(Ok));
        ahead.chain(stream::iter(self.answer.take()).flatten())
    }
}

fn unknown(name: &str) -> pgwire::error::PgWireError {
    user("34000", format!("cursor \"{name}\" does not exist"))
}
