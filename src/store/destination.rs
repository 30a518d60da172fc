//! [`Destination`]: a folder that is written to.

use std::path::{Component, Path as FilePath, PathBuf};
use std::sync::Arc;

use datafusion::object_store::ObjectStore;
use datafusion::object_store::path::Path;
use datafusion::prelude::SessionContext;

use super::location::{Location, is_url, locate};
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
    /// As it was found: a path or a URL, with everything that is needed to reach it.
    text: String,
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
        let replaced = replace_variables(text, |name| std::env::var(name).ok())?;
        if let Some(path) = local_path(&replaced, root)?.filter(|path| !path.exists()) {
            if missing == Missing::Leave {
                return Ok(None);
            }
            std::fs::create_dir_all(path).map_err(|error| {
                StoreError::new(codes::FILE_UNREADABLE, format!("the folder cannot be made: {error}")).in_file(text)
            })?;
        }
        Destination::at(text, root, ctx).map(Some)
    }

    /// A folder wherever it is said to be, whether or not it is there.
    ///
    /// # Errors
    /// A [`StoreError`], if the location is none.
    pub fn at(text: &str, root: &FilePath, ctx: &SessionContext) -> Result<Destination, StoreError> {
        let text = replace_variables(text, |name| std::env::var(name).ok())?;
        let local = local_path(&text, root)?;
        let located = match &local {
            Some(path) => located_below(path, ctx)?,
            None => locate(&format!("{}/", text.trim_end_matches('/')), ctx)?,
        };
        let shown = super::redact(text.split('?').next().unwrap_or(&text).trim_end_matches('/'));
        Ok(Destination { store: located.store, folder: located.path, shown, local, text })
    }

    /// A folder of a store in memory, for tests.
    #[cfg(test)]
    pub fn remote(store: Arc<dyn ObjectStore>, folder: &str) -> Destination {
        let (folder, text) = (Path::from(folder), format!("x:{folder}"));
        Destination { store, folder, shown: text.clone(), local: None, text }
    }

    /// A path below the folder; its parts are separated by `/`, and are encoded as they need be already.
    pub fn below(&self, path: &str) -> Path {
        path.split('/').fold(self.folder.clone(), |folder, part| match Path::parse(part) {
            Ok(parsed) => Path::from_iter(folder.parts().chain(parsed.parts())),
            Err(_) => folder.join(part),
        })
    }

    /// The location of a file below the folder, as a source names it.
    pub fn location(&self, path: &str) -> String {
        if let Some(folder) = &self.local {
            return folder.join(path).display().to_string();
        }
        let (folder, query) = self.text.split_once('?').map_or((self.text.as_str(), None), |(a, b)| (a, Some(b)));
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        // In the names of objects values are encoded already; a URL is decoded once when it is read.
        format!("{}/{}{query}", folder.trim_end_matches('/'), path.replace('%', "%25"))
    }

    /// What a store's error about a path below the folder means.
    pub fn failed(&self, path: &str, error: &datafusion::object_store::Error) -> StoreError {
        StoreError::from_store(&format!("{}/{path}", self.shown), error)
    }
}

/// A folder on this machine. One that is not there yet is found from the nearest one that is.
fn located_below(path: &FilePath, ctx: &SessionContext) -> Result<Location, StoreError> {
    let there = path.ancestors().find(|path| path.exists()).unwrap_or(path);
    let mut located = locate(&format!("{}/", there.display()), ctx)?;
    for part in path.strip_prefix(there).into_iter().flat_map(FilePath::components) {
        if let Component::Normal(part) = part {
            located.path = located.path.join(part.to_string_lossy().as_ref());
        }
    }
    Ok(located)
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

#[cfg(test)]
mod tests {
    use datafusion::object_store::memory::InMemory;
    use datafusion::object_store::path::PathPart;

    use super::*;

    #[test]
    fn the_location_of_a_file_leads_to_it() {
        let ctx = SessionContext::new();
        let lake = url::Url::parse("s3://lake").unwrap();
        ctx.register_object_store(&lake, Arc::new(InMemory::new()));
        let folder = Destination::at("s3://lake/输出/a b/", FilePath::new("/"), &ctx).unwrap();
        for value in ["华东", "a/b", "50%", "%2F", "x#y?z", "[a]*", "k=v", ".."] {
            let path = format!("_bell/data/{}", PathPart::from(format!("region={value}").as_str()).as_ref());
            let located = locate(&folder.location(&path), &ctx).unwrap();
            assert_eq!((located.path, located.glob.is_none()), (folder.below(&path), true), "{value}");
        }
    }
}
