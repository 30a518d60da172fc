//! What a store is asked again, when the answer was cut off.

use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use datafusion::object_store::path::Path;
use datafusion::object_store::{Error, ListResult, ObjectMeta, ObjectStore, ObjectStoreExt, Result, UpdateVersion};
use futures::TryStreamExt;

/// The first pause; each one is twice as long as the one before.
const PAUSE: Duration = Duration::from_millis(100);
/// How often something is asked in all.
const ATTEMPTS: u32 = 6;

/// Asks again what can be asked twice without harm. The client of the store does so itself where a request fails, and where the
/// body of a file breaks off; this is for the bodies of other answers, such as listings.
///
/// # Errors
/// The last attempt's; what is no accident (there is no such thing, no right to see it) is not tried again.
pub async fn again<T>(ask: impl AsyncFn() -> Result<T>) -> Result<T> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match ask().await {
            Err(Error::Generic { .. }) if attempt < ATTEMPTS => pause(attempt).await,
            outcome => return outcome,
        }
    }
}

/// Everything below a path. Of its own, since a future over an asynchronous closure is not known to be `Send`.
///
/// # Errors
/// As [`again`].
pub async fn list(store: &dyn ObjectStore, below: &Path) -> Result<Vec<ObjectMeta>> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match store.list(Some(below)).try_collect().await {
            Err(Error::Generic { .. }) if attempt < ATTEMPTS => pause(attempt).await,
            outcome => return outcome,
        }
    }
}

/// The folders and objects in a folder, without those further below. Of its own, as [`list`].
///
/// # Errors
/// As [`again`].
pub async fn list_level(store: &dyn ObjectStore, below: &Path) -> Result<ListResult> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match store.list_with_delimiter(Some(below)).await {
            Err(Error::Generic { .. }) if attempt < ATTEMPTS => pause(attempt).await,
            outcome => return outcome,
        }
    }
}

/// An object.
#[derive(Debug)]
pub struct Found {
    /// What is in it.
    pub bytes: Bytes,
    /// Its version.
    pub version: UpdateVersion,
    /// When it was last changed, by the store's clock.
    pub modified: DateTime<Utc>,
}

/// An object, all of it.
///
/// # Errors
/// As [`again`].
pub async fn get(store: &dyn ObjectStore, path: &Path) -> Result<Found> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        match get_once(store, path).await {
            Err(Error::Generic { .. }) if attempt < ATTEMPTS => pause(attempt).await,
            outcome => return outcome,
        }
    }
}

async fn get_once(store: &dyn ObjectStore, path: &Path) -> Result<Found> {
    let found = store.get(path).await?;
    let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
    let modified = found.meta.last_modified;
    Ok(Found { bytes: found.bytes().await?, version, modified })
}

async fn pause(attempt: u32) {
    tokio::time::sleep(PAUSE * 2u32.pow(attempt - 1)).await;
}
