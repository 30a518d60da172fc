//! What holds of the code as a whole: the order of its folders, the length of its files, its table of codes.

use std::path::{Path, PathBuf};

use bellwether::diagnostic::codes::TABLE;

use super::scripts::scripts_in;

/// The folders (and files) of `src/` in reading order, each may import from those before it. `check` takes the tables that `store` found, so it stands before it; `plan` is pure and stands before both fronts.
const ORDER: &[&str] = &[
    "source",
    "error",
    "diagnostic",
    "syntax",
    "catalog",
    "check",
    "audit",
    "goal",
    "plan",
    "analysis",
    "store",
    "engine",
    "advise",
    "quality",
    "alert",
    "publish",
    "serve",
    "import",
    "init",
    "cli",
];

/// Imports that go up all the same, with the reason.
const EXCEPTIONS: &[(&str, &str)] = &[
    // An error carries the diagnostics that it is about.
    ("error", "diagnostic"),
    // Places are read from files, which may fail.
    ("source", "error"),
];

/// Lines of a file, as far as they are not its tests.
const LONGEST_FILE: usize = 600;

/// Codes that no model can bring about yet, with the reason.
const NOT_YET: &[&str] = &[];

#[test]
fn every_code_is_triggered() {
    let scripts: Vec<(String, String)> = scripts_in("diagnostics")
        .iter()
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(path).unwrap()))
        .collect();
    let shown = |id: &str| scripts.iter().any(|(name, text)| name.starts_with(id) && text.contains(&format!("[{id}]")));
    let missing: Vec<&str> =
        TABLE.iter().map(|entry| entry.id).filter(|id| shown(id) == NOT_YET.contains(id)).collect();
    assert!(missing.is_empty(), "no script (or, if it is listed as not yet possible, one) shows {missing:?}");
    let known = |name: &str| TABLE.iter().any(|entry| name.starts_with(entry.id));
    let stray: Vec<&String> = scripts.iter().map(|(name, _)| name).filter(|name| !known(name)).collect();
    assert!(stray.is_empty(), "scripts named by no code: {stray:?}");
}

#[test]
fn every_code_is_explained() {
    for entry in TABLE {
        assert!(entry.explanation.trim().len() > entry.summary.len(), "{} is hardly explained", entry.id);
        assert!(!entry.summary.is_empty() && !entry.summary.ends_with('.'), "{}: {}", entry.id, entry.summary);
    }
    let mut ids: Vec<&str> = TABLE.iter().map(|entry| entry.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), TABLE.len(), "a code is declared twice");
}

#[test]
fn folders_import_only_from_earlier_ones() {
    let mut wrong = Vec::new();
    for (at, folder) in ORDER.iter().enumerate() {
        for path in files_of(folder) {
            let text = production(&std::fs::read_to_string(&path).unwrap());
            for later in &ORDER[at + 1..] {
                if imports(&text, later) && !EXCEPTIONS.contains(&(folder, later)) {
                    wrong.push(format!("{} imports {later}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_folder_has_its_place() {
    let known = ["lib", "main", "manual"];
    for entry in std::fs::read_dir(src()).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        assert!(
            ORDER.contains(&name.as_str()) || known.contains(&name.as_str()),
            "src/{name} has no place in the order"
        );
    }
}

#[test]
fn the_grammar_is_named_in_one_folder() {
    for path in rust_files(&src()) {
        let text = std::fs::read_to_string(&path).unwrap();
        let named = text.match_indices("Rule::").any(|(at, _)| !text[..at].ends_with(|c: char| c.is_alphanumeric()));
        assert!(!named || path.starts_with(src().join("syntax")), "{}", path.display());
    }
}

#[test]
fn files_are_short() {
    for path in rust_files(&src()) {
        let lines = production(&std::fs::read_to_string(&path).unwrap()).lines().count();
        assert!(lines <= LONGEST_FILE, "{} has {lines} lines", path.display());
    }
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// `src/name.rs`, or all files below `src/name/`.
fn files_of(name: &str) -> Vec<PathBuf> {
    let file = src().join(format!("{name}.rs"));
    if file.is_file() { vec![file] } else { rust_files(&src().join(name)) }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|end| end == "rs")
            && path.file_stem().is_some_and(|stem| stem != "tests")
        {
            found.push(path);
        }
    }
    assert!(!found.is_empty(), "{} has no files", folder.display());
    found
}

/// The text before the tests of its own.
fn production(text: &str) -> String {
    text.split("#[cfg(test)]").next().unwrap_or_default().to_string()
}

/// Whether `crate::folder` (in the binary: `bellwether::folder`) is named in code, not only in comments.
fn imports(text: &str, folder: &str) -> bool {
    let names = [format!("crate::{folder}::"), format!("bellwether::{folder}::")];
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.into_iter().any(|line| names.iter().any(|name| line.contains(name)))
}
