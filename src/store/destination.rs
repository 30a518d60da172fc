//! [`Destination`]: a folder that is written to.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use datafusion::object_store::ObjectStore;
use datafusion::object_store::path::Path;
use datafusion::prelude::SessionContext;

use super::location::{is_url, locate};
use super::{StoreError, replace_variables};
use crate::diagnostic::codes;

/// A folder that is written to.
#[derive(Debug, Clone)]
pub struct Destination {
    /// The store it lies in.
    pub store: Arc<dyn ObjectStore>,
    /// Its path there.
    pub folder: Path,
    /// As the user would write it, without secrets.
    pub shown: String,
    /// Where it is on this machine, if it is.
    pub local: Option<PathBuf>,
}

/// Whether a folder that is not there is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It is made.
    Make,
    /// It stays away.
    Leave,
}

impl Destination {
    /// Finds a folder; relative paths begin at `root`. `None`, if it is not there and stays away.
    ///
    /// # Errors
    /// A [`StoreError`], if the location is none, or the folder cannot be made.
    pub fn find(
        text: &str,
        root: &FilePath,
        missing: Missing,
        ctx: &SessionContext,
    ) -> Result<Option<Destination>, StoreError> {
        let text = replace_variables(text, |name| std::env::var(name).ok())?;
        let local = local_path(&text, root)?;
        let located = match &local {
            Some(path) => {
                if !path.exists() && missing == Missing::Leave {
                    return Ok(None);
                }
                let failed = |error: std::io::Error| {
                    StoreError::new(codes::FILE_UNREADABLE, format!("the folder cannot be made: {error}"))
                        .in_file(&text)
                };
                std::fs::create_dir_all(path).map_err(failed)?;
                locate(&format!("{}/", path.display()), ctx)?
            }
            None => locate(&format!("{}/", text.trim_end_matches('/')), ctx)?,
        };
        let shown = text.split('?').next().unwrap_or(&text).trim_end_matches('/');
        Ok(Some(Destination { store: located.store, folder: located.path, shown: super::redact(shown), local }))
    }

    /// A path below the folder; its parts are separated by `/`, and are encoded as they need be already.
    pub fn below(&self, path: &str) -> Path {
        path.split('/').fold(self.folder.clone(), |folder, part| match Path::parse(part) {
            Ok(parsed) => Path::from_iter(folder.parts().chain(parsed.parts())),
            Err(_) => folder.join(part),
        })
    }

    /// What a store's error about a path below the folder means.
    pub fn failed(&self, path: &str, error: &datafusion::object_store::Error) -> StoreError {
        StoreError::from_store(&format!("{}/{path}", self.shown), error)
    }
}

fn local_path(text: &str, root: &FilePath) -> Result<Option<PathBuf>, StoreError> {
    if !is_url(text) {
        return Ok(Some(root.join(text)));
    }
    match url::Url::parse(text) {
        Ok(url) if url.scheme() == "file" => url
            .to_file_path()
            .map(Some)
            .map_err(|()| StoreError::new(codes::BAD_LOCATION, "this is not the URL of a local folder").in_file(text)),
        _ => Ok(None),
    }
}
