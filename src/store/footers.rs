//! `Footers`: what is known of Parquet files, kept within a bound, also from one session to the next.
//!
//! DataFusion keeps footers by the path in a store, and takes one for the file's if size and time are the same. But two
//! stores have files of one path, and a file can be replaced by one of its size within a second (most stores tell no
//! finer times). So here they are kept by store and path, and used only for the version that is read: see `Pins`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use datafusion::common::{HashMap, Result, TableReference};
use datafusion::execution::cache::cache_manager::{
    CacheManagerConfig, CachedFileMetadataEntry, DEFAULT_METADATA_CACHE_LIMIT, FileMetadataCache,
};
use datafusion::execution::cache::default_cache::DefaultCache;
use datafusion::execution::cache::{Cache, CacheEntryInfo};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::object_store::path::{Path, PathPart};
use datafusion::prelude::SessionContext;

use super::pinned::Pins;
use super::{of_session, versions};

/// The footers that sessions know, those of all stores within one bound; the longest unused ones go first.
struct Footers(Arc<FileMetadataCache>);

impl Default for Footers {
    fn default() -> Footers {
        Footers(Arc::new(DefaultCache::new(DEFAULT_METADATA_CACHE_LIMIT)))
    }
}

/// A session shall know what another one does.
pub(super) fn share(from: &SessionContext, to: &SessionContext) {
    to.state_ref().write().config_mut().set_extension(of_session::<Footers>(from));
}

/// The footers of a store, in the versions that a session reads.
pub(super) fn of_store(ctx: &SessionContext, store: &ObjectStoreUrl) -> Arc<FileMetadataCache> {
    let all = Arc::clone(&of_session::<Footers>(ctx).0);
    Arc::new(OfStore { all, store: store.as_str().to_string(), pins: of_session::<Pins>(ctx) })
}

/// A state of the session in which DataFusion looks into files of a store.
///
/// # Errors
/// DataFusion's.
pub(super) fn state_with(ctx: &SessionContext, footers: &Arc<FileMetadataCache>) -> Result<SessionState> {
    let caches = CacheManagerConfig::default().with_file_metadata_cache(Some(Arc::clone(footers)));
    let runtime = RuntimeEnvBuilder::from_runtime_env(&ctx.runtime_env()).with_cache_manager(caches).build_arc()?;
    Ok(SessionStateBuilder::new_from_existing(ctx.state()).with_runtime_env(runtime).build())
}

/// The footers of one store.
struct OfStore {
    all: Arc<FileMetadataCache>,
    store: String,
    pins: Arc<Pins>,
}

impl fmt::Debug for OfStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OfStore")
    }
}

impl OfStore {
    fn key(&self, path: &Path) -> Path {
        std::iter::once(PathPart::from(self.store.as_str())).chain(path.parts()).collect()
    }
}

impl Cache<Path, CachedFileMetadataEntry> for OfStore {
    fn get(&self, path: &Path) -> Option<CachedFileMetadataEntry> {
        self.all.get(&self.key(path)).filter(|known| self.pins.is_read(&self.store, &known.meta))
    }

    fn put(&self, path: &Path, footer: CachedFileMetadataEntry) -> Option<CachedFileMetadataEntry> {
        // Without a tag, a file of that length may take its place within the second.
        if footer.meta.e_tag.is_none() && !versions::is_settled(&footer.meta) {
            return None;
        }
        self.all.put(&self.key(path), footer)
    }

    fn remove(&self, path: &Path) -> Option<CachedFileMetadataEntry> {
        self.all.remove(&self.key(path))
    }

    fn contains_key(&self, path: &Path) -> bool {
        self.get(path).is_some()
    }

    fn len(&self) -> usize {
        self.all.len()
    }

    fn clear(&self) {
        self.all.clear();
    }

    fn name(&self) -> String {
        format!("footers of {}", self.store)
    }

    fn cache_limit(&self) -> usize {
        self.all.cache_limit()
    }

    /// The bound is that of all sessions.
    fn update_cache_limit(&self, _: usize) {}

    fn cache_ttl(&self) -> Option<Duration> {
        None
    }

    fn update_cache_ttl(&self, _: Option<Duration>) {}

    fn drop_table_entries(&self, _: &TableReference) -> Result<()> {
        Ok(())
    }

    fn list_entries(&self) -> HashMap<Path, CacheEntryInfo<CachedFileMetadataEntry>> {
        self.all.list_entries()
    }
}
