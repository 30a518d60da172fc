//! [`Pinned`]: a store of which every file of a source is read in the version that was listed.
//!
//! A query opens a file many times: for its footer, for each stretch of columns. Were the file replaced in between, pieces of two
//! versions could make rows that never were. So each read asks for the version that was listed (`If-Match`), and
//! fails if there is another.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::object_store::path::Path;
use datafusion::object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use datafusion::prelude::SessionContext;
use futures::stream::BoxStream;

use super::of_session;

/// The versions in which the sources of a session are read.
#[derive(Debug, Default)]
pub(super) struct Pins {
    versions: RwLock<HashMap<(String, Path), Version>>,
    wrapped: Mutex<HashSet<String>>,
}

/// What tells a version of a file from another.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Version {
    Tag(String),
    /// Where the store has no tags.
    Time(DateTime<Utc>),
}

impl Version {
    fn of(meta: &ObjectMeta) -> Version {
        meta.e_tag.clone().map_or(Version::Time(meta.last_modified), Version::Tag)
    }
}

impl Pins {
    /// From now on files are read in these versions.
    pub fn pin<'m>(&self, store: &ObjectStoreUrl, files: impl Iterator<Item = &'m ObjectMeta>) {
        let mut versions = self.versions.write().unwrap_or_else(PoisonError::into_inner);
        for meta in files {
            versions.insert((store.as_str().to_string(), meta.location.clone()), Version::of(meta));
        }
    }

    /// Whether a file is read in another version than the present one.
    pub fn is_replaced(&self, store: &ObjectStoreUrl, now: &ObjectMeta) -> bool {
        let pinned = self.version(store.as_str(), &now.location);
        pinned.is_some_and(|version| version != Version::of(now))
    }

    /// Whether this is the version in which a file is read.
    pub fn is_read(&self, store: &str, found: &ObjectMeta) -> bool {
        self.version(store, &found.location) == Some(Version::of(found))
    }

    fn version(&self, store: &str, path: &Path) -> Option<Version> {
        let versions = self.versions.read().unwrap_or_else(PoisonError::into_inner);
        versions.get(&(store.to_string(), path.clone())).cloned()
    }
}

/// The store under that key, from now on with pinned versions, whoever of the session reads it.
pub(super) fn pinned(ctx: &SessionContext, url: &ObjectStoreUrl, store: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
    let pins = of_session::<Pins>(ctx);
    if !pins.wrapped.lock().unwrap_or_else(PoisonError::into_inner).insert(url.as_str().to_string()) {
        return store;
    }
    let place = if url.as_str().starts_with("file:") { Place::Disk } else { Place::Elsewhere };
    let store = Arc::new(Pinned { inner: store, url: url.as_str().to_string(), place, pins });
    ctx.runtime_env().register_object_store(url.as_ref(), Arc::clone(&store) as Arc<dyn ObjectStore>);
    store
}

#[derive(Debug)]
struct Pinned {
    inner: Arc<dyn ObjectStore>,
    url: String,
    place: Place,
    pins: Arc<Pins>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A file is opened once for many ranges, and looked at after.
    Disk,
    /// Each range is a request with a condition.
    Elsewhere,
}

impl std::fmt::Display for Pinned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}

impl Pinned {
    async fn require_unchanged(&self, location: &Path) -> Result<()> {
        let Some(version) = self.pins.version(&self.url, location) else { return Ok(()) };
        match Version::of(&self.inner.head(location).await?) == version {
            true => Ok(()),
            false => Err(Error::Precondition { path: location.to_string(), source: "the file was replaced".into() }),
        }
    }
}

#[async_trait]
impl ObjectStore for Pinned {
    async fn get_opts(&self, location: &Path, mut options: GetOptions) -> Result<GetResult> {
        // Who asks for the present version must see it.
        let free = options.head || options.if_match.is_some() || options.if_unmodified_since.is_some();
        match self.pins.version(&self.url, location).filter(|_| !free) {
            Some(Version::Tag(tag)) => options.if_match = Some(tag),
            Some(Version::Time(time)) => options.if_unmodified_since = Some(time),
            None => {}
        }
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        if self.place == Place::Elsewhere {
            let fetch = |range| self.get_range(location, range);
            return datafusion::object_store::coalesce_ranges(
                ranges,
                fetch,
                datafusion::object_store::OBJECT_STORE_COALESCE_DEFAULT,
            )
            .await;
        }
        let read = self.inner.get_ranges(location, ranges).await;
        self.require_unchanged(location).await?;
        read
    }

    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
