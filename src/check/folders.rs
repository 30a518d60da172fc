//! Folders that are written to: is each a folder, and one of its own?

use std::path::Path;

use super::Failure;
use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;
use crate::syntax::ast::Text;

/// The folder that something is written to.
pub(super) fn written_to(to: &Option<Text>, missing: impl FnOnce() -> Diagnostic) -> Result<&Text, Failure> {
    let to = to.as_ref().ok_or_else(missing)?;
    match refused(to.text.trim()) {
        Some((message, help)) => Err(bad(message, to.span).help(help).into()),
        None => Ok(to),
    }
}

/// What is wrong with a folder, and what to write instead.
fn refused(text: &str) -> Option<(String, String)> {
    let such = || "write such as `to 'out/monthly/'`".to_string();
    if text.is_empty() || text.contains(['*', '[']) {
        return Some(("files are written to one folder".to_string(), such()));
    }
    if ["http://", "https://"].iter().any(|web| text.starts_with(web)) {
        let help = "use a path, or a file:, s3:, gs: or az: URL";
        return Some(("plain web servers cannot be published to".to_string(), help.to_string()));
    }
    if let Some((scheme, rest)) = text.split_once(':').filter(|(scheme, _)| SCHEMES.contains(scheme))
        && !rest.starts_with("//")
    {
        let help = format!("write `{scheme}://{}`", rest.trim_start_matches('/'));
        return Some((format!("`{text}` is no URL, and would be a folder of that name"), help));
    }
    if let Some(rest) = text.strip_prefix('~') {
        let message = "`~` is not replaced by anything, and would be a folder of that name";
        return Some((message.to_string(), format!("write `${{HOME}}{rest}`, which is from the environment")));
    }
    let place = place(text);
    if place.is_empty() || place.split('/').all(|part| part == "..") {
        let message = match place.is_empty() && !text.starts_with('/') {
            true => "this is the project's own folder",
            false => "the project itself lies in this folder",
        };
        return Some((format!("{message}, and what is written needs a folder of its own"), such()));
    }
    is_file(text).map(|(stem, format)| {
        let help = format!("write `to '{stem}/'  format {format}`: runs name the files in it themselves");
        (format!("`{text}` names a file, and files are written to a folder"), help)
    })
}

/// Where a colon without two slashes is meant to be a URL. (`C:\out` is not.)
const SCHEMES: [&str; 11] = ["s3", "s3a", "gs", "gcs", "az", "azure", "adl", "abfs", "abfss", "http", "https"];

/// The name and the format of a file, if it has the name of one: `orders.csv`, but not `orders.csv/`.
fn is_file(text: &str) -> Option<(&str, &'static str)> {
    let ending = Path::new(text).extension().filter(|_| !text.ends_with('/'))?.to_str()?;
    let format = match ending.to_ascii_lowercase().as_str() {
        "parquet" => "parquet",
        "csv" | "tsv" | "txt" | "xlsx" => "csv",
        "json" | "ndjson" | "jsonl" => "json",
        _ => return None,
    };
    Some((text.strip_suffix(ending)?.strip_suffix('.')?, format))
}

/// How two folders that are written to are in each other's way.
pub(super) fn clash(one: &str, other: &str) -> Option<&'static str> {
    let (one, other) = (place(one), place(other));
    let within = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
    match () {
        () if one == other => Some("go to one folder"),
        () if within(&one, &other) || within(&other, &one) => Some("go to folders of which one lies in the other"),
        () => None,
    }
}

/// The text of a folder, however it is written. What a path means that leads through links is for runs to find.
pub(crate) fn place(text: &str) -> String {
    let text = text.trim().trim_end_matches('/');
    if text.contains("://") {
        return text.to_string();
    }
    let mut parts: Vec<&str> = Vec::new();
    for (at, part) in text.split('/').enumerate() {
        match part {
            "" if at > 0 => {}
            "." => {}
            ".." if parts.last().is_some_and(|last| !["", ".."].contains(last)) => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

fn bad(message: impl Into<String>, span: Span) -> Diagnostic {
    Diagnostic::new(codes::BAD_PUBLICATION, message).at(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_the_same_however_they_are_written() {
        assert_eq!(place("./out//x/../daily/"), "out/daily");
        assert_eq!(place("/srv/out/"), "/srv/out");
        assert_eq!((place("a/.."), place("../../b/..")), (String::new(), "../..".to_string()));
        assert_eq!(place("s3://lake/a//b/"), "s3://lake/a//b");
        assert_eq!(clash("out/a", "./out/a/"), clash("s3://a/b", "s3://a/b/"));
        assert!(clash("out/a", "out").is_some() && clash("out", "out/a").is_some());
        assert!(clash("out/a", "out/ab").is_none());
    }
}
