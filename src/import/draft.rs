//! A project in the making: items as text, until the checker accepts all that are left.
//!
//! A foreign model may use a function that DataFusion does not have, or ask for something that Bell refuses. Only the
//! checker knows. So the text is checked, and what is refused is left as a comment with the reason; then what depends
//! on it is found, and so on until nothing is refused.

use std::path::{Path, PathBuf};

use datafusion::prelude::SessionContext;

use crate::diagnostic::{Diagnostic, Severity, codes};
use crate::engine::Project;
use crate::error::{Error, Result};
use crate::source::SourceSet;
use crate::syntax::format;

/// A file.
#[derive(Debug, Clone, Default)]
pub(super) struct File {
    /// Its name, without the ending.
    pub(super) name: String,
    /// Comment lines at its head.
    pub(super) head: Vec<String>,
    /// Its items.
    pub(super) items: Vec<Item>,
}

/// An item.
#[derive(Debug, Clone, Default)]
pub(super) struct Item {
    /// `///` lines, and comments, before it.
    pub(super) before: Vec<String>,
    /// Its keyword and name, by which it is found again.
    pub(super) start: String,
    /// Its first line: `source x {`, `dimension y =`.
    pub(super) head: String,
    /// Its further lines; of a dimension its definitions.
    pub(super) lines: Vec<Line>,
    /// What ends it: `}` or nothing.
    pub(super) end: &'static str,
    /// Why it is left out, if it is.
    pub(super) refused: Option<String>,
    /// The entries of the report that it is about.
    pub(super) entries: Vec<usize>,
}

/// A line of an item.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) text: String,
    /// Whether the item is still whole without it.
    pub(super) optional: bool,
    pub(super) refused: Option<String>,
}

impl Line {
    pub(super) fn clause(text: impl Into<String>) -> Line {
        Line { text: text.into(), optional: false, refused: None }
    }

    pub(super) fn optional(text: impl Into<String>) -> Line {
        Line { text: text.into(), optional: true, refused: None }
    }
}

/// What was refused: an item, with the reason.
#[derive(Debug, Clone)]
pub(super) struct Refused {
    /// The entries of the report that it is about.
    pub(super) entries: Vec<usize>,
    /// Whether the whole item is gone, or only a line of it.
    pub(super) whole: bool,
    pub(super) reason: String,
}

/// More rounds than any model needs: each takes something away.
const ROUNDS: usize = 100;

/// Writes the files, without what the checker refuses; gives what that is.
pub(super) async fn write(
    folder: &Path,
    mut files: Vec<File>,
    ctx: &SessionContext,
) -> Result<(Vec<PathBuf>, Vec<Refused>)> {
    // Locations are seen from the folder, so it must be there before anything is looked at.
    std::fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
    let mut refused = Vec::new();
    for _ in 0..ROUNDS {
        let texts: Vec<String> = files.iter().map(text).collect();
        let mut sources = SourceSet::rooted(folder);
        for (file, text) in files.iter().zip(&texts) {
            sources.add(&file.name, text);
        }
        let project = Project::of(sources, ctx).await;
        let wrong: Vec<&Diagnostic> = project.diagnostics.iter().filter(|diagnostic| is_wrong(diagnostic)).collect();
        if wrong.is_empty() {
            return Ok((save(folder, &files, &texts)?, refused));
        }
        let before = refused.len();
        for diagnostic in &wrong {
            refused.extend(refuse(&mut files, &texts, diagnostic));
        }
        if refused.len() == before {
            return Err(Error::Diagnostics(project.diagnostics));
        }
    }
    Err(Error::Data("the imported project cannot be made to check".to_string()))
}

/// An item that Bell only reads is not there either, although that is no error.
fn is_wrong(diagnostic: &Diagnostic) -> bool {
    diagnostic.severity() == Severity::Error || diagnostic.code == codes::NOT_YET_ITEM
}

fn save(folder: &Path, files: &[File], texts: &[String]) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for (file, text) in files.iter().zip(texts) {
        let path = folder.join(format!("{}.bell", file.name));
        std::fs::write(&path, text).map_err(|error| Error::io(&path, error))?;
        paths.push(path);
    }
    Ok(paths)
}

/// Leaves out what a diagnostic points at.
fn refuse(files: &mut [File], texts: &[String], diagnostic: &Diagnostic) -> Option<Refused> {
    let span = diagnostic.primary.as_ref()?.span;
    let at = span.file.0 as usize;
    let (file, text) = (files.get_mut(at)?, texts.get(at)?);
    let reason = format!("{}: {}", diagnostic.code, diagnostic.message);
    let before = &text[..text.floor_char_boundary(span.start as usize + 1)];
    let number = before.lines().count().saturating_sub(1);
    let lines: Vec<&str> = text.lines().collect();
    let head = (0..=number).rev().find(|line| is_head(lines[*line]))?;
    let item = file
        .items
        .iter_mut()
        .find(|item| item.refused.is_none() && lines[head].starts_with(&format!("{} ", item.start)))?;
    let (number, kept) = (number - head, item.lines.iter().filter(|line| line.refused.is_none()).count());
    // A dimension's first definition may stand beside its name.
    let wanted = lines[head..].iter().take(number + 1).rev().find_map(|written| {
        let position = item.lines.iter().position(|line| line.refused.is_none() && is_of(written, &line.text));
        position.filter(|at| item.lines[*at].optional)
    });
    let entries = item.entries.clone();
    match wanted {
        Some(line) if item.end == "}" || kept > 1 => {
            item.lines[line].refused = Some(reason.clone());
            Some(Refused { entries, whole: false, reason })
        }
        _ => {
            item.refused = Some(reason.clone());
            Some(Refused { entries, whole: true, reason })
        }
    }
}

fn is_head(line: &str) -> bool {
    line.starts_with(|c: char| c.is_alphabetic())
}

/// Whether a written line is (the beginning of) that line, whatever the layout did to its spaces.
fn is_of(written: &str, line: &str) -> bool {
    let squeezed = |text: &str| text.chars().filter(|c| !c.is_whitespace() && *c != ',').collect::<String>();
    let (written, line) = (squeezed(written), squeezed(line));
    !written.is_empty() && (line.starts_with(&written) || written.ends_with(&line))
}

fn text(file: &File) -> String {
    let mut out = String::new();
    for line in &file.head {
        out.push_str(&format!("-- {line}\n"));
    }
    for item in &file.items {
        out.push('\n');
        out.push_str(&item_text(item));
    }
    // What does not parse is laid out as it stands, and refused by the checker.
    format(&file.name, &out).unwrap_or(out)
}

fn item_text(item: &Item) -> String {
    let separator = if item.head.ends_with('=') { "," } else { "" };
    let kept: Vec<&Line> = item.lines.iter().filter(|line| line.refused.is_none()).collect();
    let mut body = format!("{}\n", item.head);
    if kept.len() == 1 && item.end.is_empty() {
        body = format!("{} {}\n", item.head, kept[0].text);
    } else {
        for (at, line) in kept.iter().enumerate() {
            let comma = if at + 1 < kept.len() { separator } else { "" };
            body.push_str(&format!("  {}{comma}\n", line.text));
        }
    }
    for line in &item.lines {
        if let Some(reason) = &line.refused {
            body.push_str(&format!("  -- not imported ({reason}): {}\n", line.text));
        }
    }
    if !item.end.is_empty() {
        body.push_str(&format!("{}\n", item.end));
    }
    let before: String = item.before.iter().map(|line| format!("{line}\n")).collect();
    match &item.refused {
        None => before + &body,
        Some(reason) => {
            let commented: String = body.lines().map(|line| format!("-- {line}\n")).collect();
            let before = before.replace("///", "--");
            format!("{before}-- not imported: {reason}\n{commented}")
        }
    }
}
