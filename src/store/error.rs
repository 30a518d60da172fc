//! [`StoreError`]: which file is not as declared, and why; with secrets struck out.

use std::sync::LazyLock;

use datafusion::error::DataFusionError;
use datafusion::object_store;
use regex::Regex;

use crate::diagnostic::{Code, Diagnostic, codes};

/// Why a source cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError {
    /// Which kind of mistake.
    pub code: Code,
    /// The file, or the location as declared.
    pub file: Option<String>,
    /// The line of a text file, or the number of the row in another file, from 1.
    pub row: Option<u64>,
    /// One sentence without a full stop.
    pub reason: String,
    /// What to do.
    pub help: Option<String>,
}

impl StoreError {
    /// An error without a place. Secrets in `reason` are struck out here, so no caller can forget it.
    pub fn new(code: Code, reason: impl AsRef<str>) -> Self {
        StoreError { code, file: None, row: None, reason: redact(reason.as_ref()), help: None }
    }

    /// Names the file.
    pub fn in_file(mut self, file: impl AsRef<str>) -> Self {
        self.file.get_or_insert_with(|| redact(file.as_ref()));
        self
    }

    /// Names the row.
    pub fn at_row(mut self, row: u64) -> Self {
        self.row = Some(row);
        self
    }

    /// Says what to do.
    pub fn help(mut self, text: impl AsRef<str>) -> Self {
        self.help = Some(redact(text.as_ref()));
        self
    }

    /// What an object store said about a file.
    pub(super) fn from_store(file: &str, error: &object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => {
                StoreError::new(codes::FILE_MISSING, "there is no such file or folder").in_file(file)
            }
            other => StoreError::new(codes::FILE_UNREADABLE, root_cause(other)).in_file(file),
        }
    }

    /// What DataFusion said while it read a file.
    pub(super) fn from_reading(file: &str, error: &DataFusionError) -> Self {
        match error.find_root() {
            DataFusionError::ObjectStore(inner) => StoreError::from_store(file, inner),
            root => StoreError::new(codes::FILE_UNREADABLE, reason(&root.strip_backtrace())).in_file(file),
        }
    }

    /// As a diagnostic about the named source; the caller adds the place of its `from` clause.
    pub fn into_diagnostic(self, source: &str) -> Diagnostic {
        self.into_diagnostic_of("source", source)
    }

    /// As a diagnostic about an item of that kind and name.
    pub fn into_diagnostic_of(self, kind: &str, name: &str) -> Diagnostic {
        let diagnostic = Diagnostic::new(self.code, format!("{kind} `{name}`: {self}"));
        match self.help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
    }
}

/// The first line of a message, without the layers that it names before it comes to its point.
fn reason(message: &str) -> String {
    let layers = ["Internal error: ", "Parquet error: ", "Arrow error: ", "ParquetError: ", "Execution error: "];
    let mut rest = message.lines().next().unwrap_or(message);
    while let Some(shorter) = layers.iter().find_map(|layer| rest.strip_prefix(layer)) {
        rest = shorter;
    }
    rest.to_string()
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.file, self.row) {
            (Some(file), Some(row)) => write!(f, "{file}, row {row}: {}", self.reason),
            (Some(file), None) => write!(f, "{file}: {}", self.reason),
            (None, _) => f.write_str(&self.reason),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<StoreError> for DataFusionError {
    fn from(error: StoreError) -> Self {
        DataFusionError::External(Box::new(error))
    }
}

/// The text with what could be a secret replaced by `***`: user-info and queries of URLs, and the values of environment
/// variables whose names tell that they hold one.
pub fn redact(text: &str) -> String {
    static USER_INFO: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"([a-zA-Z][a-zA-Z0-9+.-]*://)[^/@\s]+@").ok());
    static QUERY: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r#"([a-zA-Z][a-zA-Z0-9+.-]*://[^\s?"'`]*)\?[^\s"'`)]+"#).ok());
    let mut clean = text.to_string();
    for (_, value) in std::env::vars().filter(|(name, value)| holds_secret(name) && value.len() >= 6) {
        clean = clean.replace(&value, "***");
    }
    for (pattern, with) in [(&USER_INFO, "${1}***@"), (&QUERY, "${1}?***")] {
        if let Some(pattern) = pattern.as_ref() {
            clean = pattern.replace_all(&clean, with).into_owned();
        }
    }
    clean
}

fn holds_secret(variable: &str) -> bool {
    let name = variable.to_ascii_uppercase();
    ["SECRET", "PASSWORD", "TOKEN", "CREDENTIAL", "ACCESS_KEY", "ACCOUNT_KEY", "SAS", "SIGNATURE"]
        .iter()
        .any(|word| name.contains(word))
}

/// The innermost message: object stores wrap theirs several times, each repeating the URL.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut current = error;
    while let Some(inner) = current.source() {
        current = inner;
    }
    current.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_struck_out() {
        assert_eq!(redact("GET https://me:pw@host/a.csv failed"), "GET https://***@host/a.csv failed");
        assert_eq!(redact("(https://h/a.parquet?X-Sig=abc&x=1) 403"), "(https://h/a.parquet?***) 403");
        assert_eq!(redact("s3://lake/orders/*.parquet"), "s3://lake/orders/*.parquet");
        let error = StoreError::new(codes::FILE_UNREADABLE, "x").in_file("http://u:p@h/f?sig=1");
        assert_eq!(error.to_string(), "http://***@h/f?***: x");
    }

    #[test]
    fn names_that_hold_secrets() {
        assert!(holds_secret("AWS_SECRET_ACCESS_KEY") && holds_secret("azure_storage_account_key"));
        assert!(!holds_secret("HOME") && !holds_secret("AWS_REGION"));
    }
}
