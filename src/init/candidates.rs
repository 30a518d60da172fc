//! Which files are one source: a file, numbered parts of one table, or a folder of Hive-style partitions.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use datafusion::arrow::compute::kernels::cast_utils::Parser;
use datafusion::arrow::datatypes::{DataType, Date32Type};

use crate::error::{Error, Result};
use crate::store::{CsvOptions, Format, SourceSpec};

/// Files that look like one source.
#[derive(Debug)]
pub(super) struct Candidate {
    /// How to open it.
    pub spec: SourceSpec,
    /// The locations as they are written: relative to the project where they lie below it.
    pub written: Vec<String>,
}

/// The sources that the texts name, in order of name; each has a name of its own.
pub(super) fn candidates(dir: &Path, from: &[String]) -> Result<Vec<Candidate>> {
    let mut groups: BTreeMap<(PathBuf, String), Vec<PathBuf>> = BTreeMap::new();
    let mut found = Vec::new();
    for text in from {
        if text.contains("://") {
            found.push(remote(text)?);
            continue;
        }
        let paths = expand(text)?;
        if paths.is_empty() {
            return Err(Error::Data(format!("{text}: no file matches")));
        }
        for path in paths {
            collect(&path, &mut groups, &mut found, dir)?;
        }
    }
    for ((_, stem), mut files) in groups {
        files.sort();
        files.dedup();
        found.push(candidate(&stem, files, vec![], dir));
    }
    found.sort_by(|a, b| a.spec.name.cmp(&b.spec.name));
    rename_twins(&mut found);
    Ok(found)
}

fn expand(text: &str) -> Result<Vec<PathBuf>> {
    if Path::new(text).exists() {
        return Ok(vec![PathBuf::from(text)]);
    }
    let paths = glob::glob(text).map_err(|error| Error::Data(format!("{text}: this is not a glob: {error}")))?;
    Ok(paths.flatten().collect())
}

fn remote(text: &str) -> Result<Candidate> {
    let path = text.split('?').next().unwrap_or(text).trim_end_matches('/');
    let format = format_of(Path::new(path))
        .ok_or_else(|| Error::Data(format!("{}: the ending does not tell the format", crate::store::redact(path))))?;
    let stem = path.rsplit('/').find(|part| !part.contains(['*', '?'])).unwrap_or("source");
    let spec = SourceSpec {
        name: identifier(&stem_of(Path::new(stem))),
        format,
        locations: vec![text.to_string()],
        partitions: vec![],
        types: vec![],
    };
    Ok(Candidate { written: vec![text.to_string()], spec })
}

/// A file joins the other parts of its table; a folder is one partitioned source, or holds sources.
fn collect(
    path: &Path,
    groups: &mut BTreeMap<(PathBuf, String), Vec<PathBuf>>,
    found: &mut Vec<Candidate>,
    dir: &Path,
) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if name.starts_with(['.', '_']) {
        return Ok(());
    }
    if path.is_file() {
        if format_of(path).is_some() {
            let key = (path.parent().unwrap_or(Path::new("")).to_path_buf(), group_stem(path));
            groups.entry(key).or_default().push(path.to_path_buf());
        }
        return Ok(());
    }
    if let Some((partitions, file)) = hive(path) {
        let mut one = candidate(&name, vec![path.to_path_buf()], partitions, dir);
        if let Some(format) = format_of(&file) {
            one.spec.format = format;
            found.push(one);
        }
        return Ok(());
    }
    let entries = std::fs::read_dir(path).map_err(|e| Error::io(path, e))?;
    for entry in entries.flatten() {
        collect(&entry.path(), groups, found, dir)?;
    }
    Ok(())
}

/// The partitions of a folder of `key=value` folders, and one of its files.
fn hive(folder: &Path) -> Option<(Vec<(String, DataType)>, PathBuf)> {
    let mut values: Vec<(String, Vec<String>)> = Vec::new();
    let mut level = folder.to_path_buf();
    loop {
        let children: Vec<PathBuf> = std::fs::read_dir(&level).ok()?.flatten().map(|entry| entry.path()).collect();
        let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let pairs: Vec<(String, String)> = children
            .iter()
            .filter(|path| path.is_dir())
            .filter_map(|path| name(path).split_once('=').map(|(key, value)| (key.to_string(), value.to_string())))
            .collect();
        let Some((key, first)) = pairs.first().cloned() else {
            let file = children.into_iter().find(|path| path.is_file() && format_of(path).is_some())?;
            return if values.is_empty() { None } else { Some((typed(values), file)) };
        };
        level = level.join(format!("{key}={first}"));
        values.push((key, pairs.into_iter().map(|(_, value)| value).collect()));
    }
}

fn typed(levels: Vec<(String, Vec<String>)>) -> Vec<(String, DataType)> {
    let is_number = |value: &String| !value.starts_with('0') && value.parse::<i64>().is_ok();
    let data_type = |values: &[String]| match () {
        () if values.iter().all(|value| value.len() == 10 && Date32Type::parse(value).is_some()) => DataType::Date32,
        () if values.iter().all(is_number) => DataType::Int64,
        () => DataType::Utf8,
    };
    levels.into_iter().map(|(key, values)| (key, data_type(&values))).collect()
}

fn candidate(stem: &str, files: Vec<PathBuf>, partitions: Vec<(String, DataType)>, dir: &Path) -> Candidate {
    let format = files.first().and_then(|file| format_of(file)).unwrap_or(Format::Parquet);
    let locations = files.iter().map(|file| file.to_string_lossy().into_owned()).collect();
    let written = files.iter().map(|file| relative(file, dir)).collect();
    let spec = SourceSpec { name: identifier(stem), format, locations, partitions, types: vec![] };
    Candidate { spec, written }
}

/// Relative to the project where the file lies below it, so that the project can be moved as a whole.
fn relative(file: &Path, dir: &Path) -> String {
    let absolute = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let (file, dir) = (absolute(file), absolute(dir));
    let mut text = file.strip_prefix(&dir).unwrap_or(&file).to_string_lossy().into_owned();
    if file.is_dir() {
        text.push('/');
    }
    text
}

fn format_of(path: &Path) -> Option<Format> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    let plain = [".gz", ".bz2", ".xz", ".zst"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
    match plain.rsplit_once('.')?.1 {
        "parquet" | "parq" | "pq" => Some(Format::Parquet),
        "csv" => Some(Format::Csv(CsvOptions::default())),
        "tsv" | "tab" => Some(Format::Csv(CsvOptions { delimiter: b'\t', ..CsvOptions::default() })),
        "json" | "ndjson" | "jsonl" => Some(Format::Json { compression: None }),
        "arrow" | "ipc" | "feather" => Some(Format::Arrow),
        _ => None,
    }
}

fn stem_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    name.split('.').next().unwrap_or_default().to_string()
}

/// The stem without the number of a part: `orders_2024`, `orders-00001` and `orders` are one table; `part-0` is one
/// with its folder's name.
fn group_stem(path: &Path) -> String {
    let stem = stem_of(path);
    let trimmed = stem.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-' || c == '_');
    match trimmed {
        "" | "part" | "data" | "file" if trimmed != stem => {
            path.parent().map(stem_of).filter(|name| !name.is_empty()).unwrap_or(stem)
        }
        "" => stem,
        _ => trimmed.to_string(),
    }
}

/// A name that needs no quotes: lower case, letters (of any script), digits and underscores.
pub(super) fn identifier(text: &str) -> String {
    let mut name = String::new();
    for c in text.trim().to_lowercase().chars() {
        match c.is_alphanumeric() {
            true => name.push(c),
            false if !name.is_empty() && !name.ends_with('_') => name.push('_'),
            false => {}
        }
    }
    let name = name.trim_end_matches('_');
    match name.chars().next() {
        Some(first) if first.is_alphabetic() => name.to_string(),
        Some(_) => format!("t_{name}"),
        None => "unnamed".to_string(),
    }
}

fn rename_twins(found: &mut [Candidate]) {
    let mut seen = HashSet::new();
    for candidate in found {
        let base = candidate.spec.name.clone();
        let mut number = 2;
        while !seen.insert(candidate.spec.name.clone()) {
            candidate.spec.name = format!("{base}_{number}");
            number += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(identifier("Order Lines (2024)"), "order_lines_2024");
        assert_eq!(identifier("2024"), "t_2024");
        assert_eq!(identifier("订单 明细"), "订单_明细");
        assert_eq!(group_stem(Path::new("d/orders_2024-01.csv.gz")), "orders");
        assert_eq!(group_stem(Path::new("d/orders/part-0001.parquet")), "orders");
        assert_eq!(group_stem(Path::new("d/data.csv")), "data");
    }
}
