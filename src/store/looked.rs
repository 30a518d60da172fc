//! `Looked`: what was found in text files, kept from one session to the next.
//!
//! The types of CSV and JSON are found in their values, so a file is read whole to be looked into. What is found holds for
//! the version that was read. A later session takes it over for files that are the same, and forgets all others, so that
//! no more is kept than for the files that there are.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::object_store::ObjectMeta;
use datafusion::object_store::path::Path;
use datafusion::prelude::SessionContext;

use super::{StoreError, of_session, versions};

/// Its store, how a file is looked into, and where it lies.
type Key = (String, Path);

type Known = Arc<Mutex<HashMap<Key, (ObjectMeta, Arc<dyn Any + Send + Sync>)>>>;

/// What a session knows, and what the one before knew.
#[derive(Default)]
pub(super) struct Looked {
    before: Known,
    now: Known,
}

impl Looked {
    /// A session shall begin with what another one knows.
    pub fn share(from: &SessionContext, to: &SessionContext) {
        let before = Arc::clone(&of_session::<Looked>(from).now);
        let looked = Arc::new(Looked { before, now: Known::default() });
        to.state_ref().write().config_mut().set_extension(looked);
    }

    /// What is found in a file of that version, which is looked into only if nobody has done so before. `how` names all
    /// that decides about what is found beside the file.
    ///
    /// # Errors
    /// What `look` says.
    pub async fn find<T: Send + Sync + 'static>(
        &self,
        (store, how): (&str, &str),
        file: &ObjectMeta,
        look: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<Arc<T>, StoreError> {
        let key = (format!("{store} {how}"), file.location.clone());
        if let Some(found) = [&self.now, &self.before].into_iter().find_map(|known| get(known, &key, file)) {
            put(&self.now, key, file, Arc::clone(&found));
            return Ok(found);
        }
        // Asked before it is read: what is written from now on has another time.
        let is_known = versions::by_content(store) && file.e_tag.is_some() || versions::is_settled(file);
        let found = Arc::new(look.await?);
        if is_known {
            put(&self.now, key, file, Arc::clone(&found));
        }
        Ok(found)
    }
}

fn get<T: Send + Sync + 'static>(known: &Known, key: &Key, file: &ObjectMeta) -> Option<Arc<T>> {
    let known = known.lock().unwrap_or_else(PoisonError::into_inner);
    let (_, found) = known.get(key).filter(|(version, _)| is_same(version, file))?;
    Arc::clone(found).downcast().ok()
}

fn put<T: Send + Sync + 'static>(known: &Known, key: Key, file: &ObjectMeta, found: Arc<T>) {
    known.lock().unwrap_or_else(PoisonError::into_inner).insert(key, (file.clone(), found));
}

fn is_same(known: &ObjectMeta, now: &ObjectMeta) -> bool {
    known.size == now.size && known.last_modified == now.last_modified && known.e_tag == now.e_tag
}
