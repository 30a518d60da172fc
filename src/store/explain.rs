//! Which file (and row) broke a query.

use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use super::listing::list;
use super::pinned::Pins;
use super::reach::Reach;
use super::table::FileTable;
use super::{SourceSpec, StoreError, of_session};
use crate::diagnostic::codes;

/// Finds the file of a source that made a query fail, by reading its files one by one. Files are looked into when they
/// are opened, so this is about damage deeper down: a broken page, a value that a declared type cannot hold, a file that
/// changed since. `None`: every file of this source can be read, so the error has another cause.
pub async fn explain_read_error(
    spec: &SourceSpec,
    ctx: &SessionContext,
    error: &DataFusionError,
) -> Option<StoreError> {
    if let DataFusionError::External(inner) = error.find_root()
        && let Some(known) = inner.downcast_ref::<StoreError>()
    {
        return Some(known.clone());
    }
    if let Some(replaced) = replaced(spec, ctx).await {
        return Some(replaced);
    }
    let table = match FileTable::open(spec, &Reach::All, ctx).await {
        Ok(table) => table,
        Err(error) => return Some(error),
    };
    for (file, alone) in table.one_by_one() {
        if let Err(error) = read_all(alone, file, spec, ctx).await {
            return Some(error);
        }
    }
    None
}

/// A file of which the session reads a version that is no longer there.
async fn replaced(spec: &SourceSpec, ctx: &SessionContext) -> Option<StoreError> {
    let (location, files) = list(spec, &Reach::All, ctx).await.ok()?;
    let pins = of_session::<Pins>(ctx);
    let file = files.iter().find(|file| pins.is_replaced(&location.store_url, &file.meta))?;
    let error = StoreError::new(codes::FILE_UNREADABLE, "the file was replaced while it was read");
    Some(error.in_file(&file.shown).help("ask again: the project is then opened with the new file"))
}

/// Reads a table to its end and counts its rows.
async fn read_all(table: FileTable, file: &str, spec: &SourceSpec, ctx: &SessionContext) -> Result<u64, StoreError> {
    let mut rows = 0;
    let failed = |error: DataFusionError, rows: u64| match error.find_root() {
        DataFusionError::ObjectStore(_) => StoreError::from_reading(file, &error),
        root => StoreError::new(codes::FILE_UNREADABLE, root.strip_backtrace()).in_file(file).at_row(rows + 1),
    };
    let frame = table.into_provider(spec).and_then(|table| ctx.read_table(table)).map_err(|e| failed(e, 0))?;
    let mut stream = frame.execute_stream().await.map_err(|e| failed(e, 0))?;
    while let Some(batch) = stream.next().await {
        rows += batch.map_err(|error| failed(error, rows))?.num_rows() as u64;
    }
    Ok(rows)
}
