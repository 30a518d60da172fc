//! Location texts: paths, globs and URLs, and the object store that each lies in.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::object_store::ObjectStore;
use datafusion::object_store::path::Path;
use datafusion::prelude::SessionContext;
use glob::Pattern;
use url::Url;

use super::StoreError;
use super::pinned::pinned;
use crate::diagnostic::codes;

/// Where files lie: in a store, below a path, perhaps filtered by a glob.
#[derive(Debug)]
pub(super) struct Location {
    /// The key of the store in the session's runtime.
    pub store_url: ObjectStoreUrl,
    /// The store.
    pub store: Arc<dyn ObjectStore>,
    /// The file, or the folder that holds the files.
    pub path: Path,
    /// Which files below `path`, matched against the rest of their path.
    pub glob: Option<Pattern>,
    /// The declared text up to the glob, without secrets; file names are shown below it.
    pub shown: String,
    /// The text ends in `/`: it can only be a folder.
    pub folder: bool,
}

/// Replaces `${VAR}` by what `lookup` knows of it.
///
/// # Errors
/// A [`StoreError`] that names a variable without a value, or an unclosed `${`.
pub fn replace_variables(text: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<String, StoreError> {
    let mut result = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let after = &rest[start + 2..];
        let end = after.find('}').ok_or_else(|| bad(text, "`${` is not closed by `}`"))?;
        let name = &after[..end];
        let value = lookup(name).ok_or_else(|| {
            StoreError::new(codes::VARIABLE_MISSING, format!("the environment variable `{name}` is not set"))
                .in_file(text)
                .help(format!("set it: {name}=… bell …"))
        })?;
        result.push_str(&rest[..start]);
        result.push_str(&value);
        rest = &after[end + 1..];
    }
    Ok(result + rest)
}

/// Finds the store of a location, and registers it in the session where it is not yet known.
pub(super) fn locate(text: &str, ctx: &SessionContext) -> Result<Location, StoreError> {
    match url_of(text) {
        Some(url) if url.scheme() == "file" => {
            let path = url.to_file_path().map_err(|()| bad(text, "this is not the URL of a local file"))?;
            locate_path(&path.to_string_lossy(), text, ctx)
        }
        Some(url) => locate_url(&url, text, ctx),
        None => locate_path(text, text, ctx),
    }
}

/// Whether a text names a store, and is no path.
pub(super) fn is_url(text: &str) -> bool {
    url_of(text).is_some()
}

/// A Windows path (`C:\x`) also parses as a URL, with a scheme of one letter.
fn url_of(text: &str) -> Option<Url> {
    if !text.contains("://") && !text.starts_with("file:") {
        return None;
    }
    Url::parse(text).ok().filter(|url| url.scheme().len() > 1)
}

fn locate_path(path: &str, shown: &str, ctx: &SessionContext) -> Result<Location, StoreError> {
    // A file whose name really holds `[` or `*` is meant literally.
    let (base, pattern) = if FilePath::new(path).exists() { (path, None) } else { split_glob(path, "*?[") };
    let base_path = PathBuf::from(if base.is_empty() { "." } else { base });
    let path_error = |_| StoreError::new(codes::FILE_MISSING, "there is no such file or folder").in_file(shown);
    let store_url = ObjectStoreUrl::local_filesystem();
    let store = ctx.runtime_env().object_store(&store_url).map_err(|e| bad(shown, &e.strip_backtrace()))?;
    Ok(Location {
        store: pinned(ctx, &store_url, store),
        store_url,
        path: Path::from_filesystem_path(&base_path).map_err(path_error)?,
        glob: pattern.map(|p| compile(p, shown)).transpose()?,
        shown: shown.strip_suffix(pattern.unwrap_or_default()).unwrap_or(shown).trim_end_matches('/').to_string(),
        folder: base.ends_with('/'),
    })
}

fn locate_url(url: &Url, text: &str, ctx: &SessionContext) -> Result<Location, StoreError> {
    let decoded = percent_encoding::percent_decode_str(url.path())
        .decode_utf8()
        .map_err(|_| bad(text, "the URL's path is not UTF-8"))?;
    // `?` begins the query of a URL, so it is no wildcard here.
    let (base, pattern) = split_glob(&decoded, "*[");
    let key = store_key(url);
    let store_url = ObjectStoreUrl::parse(&key).map_err(|e| bad(text, &e.strip_backtrace()))?;
    let known = ctx.runtime_env().object_store(&store_url).ok();
    let store = match known {
        Some(store) => store,
        None => {
            let store = remote::connect(url, text)?;
            ctx.runtime_env().register_object_store(store_url.as_ref(), Arc::clone(&store));
            store
        }
    };
    let store = pinned(ctx, &store_url, store);
    let clean = text.split('?').next().unwrap_or(text);
    Ok(Location {
        store_url,
        store,
        path: Path::parse(base.trim_matches('/')).map_err(|e| bad(text, &e.to_string()))?,
        glob: pattern.map(|p| compile(p, text)).transpose()?,
        shown: clean.strip_suffix(pattern.unwrap_or_default()).unwrap_or(clean).trim_end_matches('/').to_string(),
        folder: base.ends_with('/'),
    })
}

/// The session's registry knows stores by scheme and host. A URL with credentials of its own needs a store of its own,
/// or two signed URLs of one host would share one signature.
fn store_key(url: &Url) -> String {
    if url.query().is_none() && url.username().is_empty() && url.password().is_none() {
        return url[..url::Position::BeforePath].to_string();
    }
    let mut hasher = std::hash::DefaultHasher::new();
    std::hash::Hash::hash(&(url.query(), &url[..url::Position::BeforePath]), &mut hasher);
    let digest = std::hash::Hasher::finish(&hasher);
    // A container before an `@` (abfss://container@account…) is no secret, but harmless to hash as well.
    format!("{}://{}.{digest:x}", url.scheme(), url.host_str().unwrap_or_default())
}

/// Cuts before the first segment that holds one of the wildcard characters.
fn split_glob<'a>(text: &'a str, wildcards: &str) -> (&'a str, Option<&'a str>) {
    match text.find(|c| wildcards.contains(c)) {
        None => (text, None),
        Some(at) => {
            let cut = text[..at].rfind('/').map_or(0, |slash| slash + 1);
            (&text[..cut], Some(&text[cut..]))
        }
    }
}

fn compile(pattern: &str, text: &str) -> Result<Pattern, StoreError> {
    Pattern::new(pattern).map_err(|e| bad(text, &format!("this is not a glob: {e}")))
}

fn bad(text: &str, reason: &str) -> StoreError {
    StoreError::new(codes::BAD_LOCATION, reason).in_file(text)
}

#[cfg(feature = "cloud")]
mod remote {
    //! Object stores over the network, with credentials from the usual environment variables.

    use datafusion::object_store::aws::AmazonS3Builder;
    use datafusion::object_store::azure::MicrosoftAzureBuilder;
    use datafusion::object_store::gcp::GoogleCloudStorageBuilder;
    use datafusion::object_store::http::HttpBuilder;
    use datafusion::object_store::{ClientOptions, Error};

    use super::*;

    pub(super) fn connect(url: &Url, text: &str) -> Result<Arc<dyn ObjectStore>, StoreError> {
        let scheme = url.scheme();
        let store: Result<Arc<dyn ObjectStore>, Error> = match scheme {
            "s3" | "s3a" => AmazonS3Builder::from_env().with_url(url.as_str()).build().map(share),
            "gs" | "gcs" => GoogleCloudStorageBuilder::from_env().with_url(url.as_str()).build().map(share),
            "az" | "azure" | "adl" | "abfs" | "abfss" => {
                MicrosoftAzureBuilder::from_env().with_url(url.as_str()).build().map(share)
            }
            "http" | "https" => {
                let options = ClientOptions::new().with_allow_http(scheme == "http");
                HttpBuilder::new().with_url(base_of(url)).with_client_options(options).build().map(share)
            }
            _ => {
                let reason = format!("`{scheme}:` is not a kind of location that Bellwether knows");
                return Err(bad(text, &reason).help("use a path, or a file:, s3:, gs:, az:, http: or https: URL"));
            }
        };
        store.map_err(|error| bad(text, &error.to_string()))
    }

    fn share(store: impl ObjectStore) -> Arc<dyn ObjectStore> {
        Arc::new(store)
    }

    /// The URL without its path; a query (a signature) stays, and is sent with every request.
    fn base_of(url: &Url) -> String {
        let mut base = url.clone();
        base.set_path("/");
        base.to_string()
    }
}

#[cfg(not(feature = "cloud"))]
mod remote {
    //! Built without remote stores: only what the embedding program registered itself can be reached.

    use super::*;

    pub(super) fn connect(url: &Url, text: &str) -> Result<Arc<dyn ObjectStore>, StoreError> {
        let reason = format!("this build reads no `{}:` locations", url.scheme());
        Err(bad(text, &reason).help("build with the cargo feature `cloud`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_replaced() {
        let lookup = |name: &str| (name == "LAKE").then(|| "s3://lake".to_string());
        assert_eq!(replace_variables("${LAKE}/orders/", lookup).unwrap(), "s3://lake/orders/");
        assert_eq!(replace_variables("$x {y}", lookup).unwrap(), "$x {y}");
        let error = replace_variables("${POND}/orders/", lookup).unwrap_err();
        assert_eq!(error.to_string(), "${POND}/orders/: the environment variable `POND` is not set");
        assert!(replace_variables("${POND", lookup).is_err());
    }

    #[test]
    fn globs_are_cut_at_a_segment() {
        assert_eq!(split_glob("a/b*/c.parquet", "*"), ("a/", Some("b*/c.parquet")));
        assert_eq!(split_glob("a/b/", "*"), ("a/b/", None));
    }

    #[test]
    fn signed_urls_have_stores_of_their_own() {
        let key = |text: &str| store_key(&Url::parse(text).unwrap());
        assert_eq!(key("s3://lake/a"), "s3://lake");
        assert_ne!(key("https://h/a?sig=1"), key("https://h/a?sig=2"));
        assert!(!key("https://u:secret@h/a").contains("secret"));
    }

    #[tokio::test]
    async fn unknown_schemes_are_refused() {
        let error = locate("ftp://host/a.csv", &SessionContext::new()).unwrap_err();
        assert_eq!(error.code, codes::BAD_LOCATION);
    }
}
