//! The text of a project: its `.bell` files, and places in them.
//!
//! This is the only reader of model files. Everything later speaks of places as [`Span`]s, which name a
//! file by [`FileId`] and a range of bytes in it. SQL questions are added as files too
//! ([`SourceSet::add`]), so that an error in a question is shown exactly like one in a model.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};

/// A file in a [`SourceSet`], by its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u32);

/// A range of bytes in a file, half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// The first byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The range `start..end` of `file`.
    pub fn new(file: FileId, start: usize, end: usize) -> Self {
        Span { file, start: start as u32, end: end as u32 }
    }

    /// The smallest span that holds both; `other` must be in the same file.
    pub fn to(self, other: Span) -> Self {
        Span { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// The range as indices.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A file's name and text, with an index of its lines.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Its place in the set.
    pub id: FileId,
    /// How it is shown: the path as the user gave it, or `<sql>`.
    pub name: String,
    /// Where it lies, if it is a real file; relative locations in it are relative to the project's root.
    pub path: Option<PathBuf>,
    /// Its text.
    pub text: String,
    line_starts: Vec<u32>,
}

impl SourceFile {
    fn new(id: FileId, name: String, path: Option<PathBuf>, text: String) -> Self {
        let line_starts = std::iter::once(0)
            .chain(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at as u32 + 1))
            .collect();
        SourceFile { id, name, path, text, line_starts }
    }

    /// Line and column of a byte, both from 1; the column counts characters.
    pub fn line_column(&self, at: u32) -> (usize, usize) {
        let line = self.line_starts.partition_point(|start| *start <= at) - 1;
        let start = self.line_starts[line] as usize;
        let column = self.text[start..at as usize].chars().count();
        (line + 1, column + 1)
    }

    /// The byte at a line and column (both from 1, the column in characters), clamped to the text.
    pub fn offset(&self, line: usize, column: usize) -> u32 {
        let Some(start) = self.line_starts.get(line.saturating_sub(1)) else { return self.text.len() as u32 };
        let rest = &self.text[*start as usize..];
        let within = rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at);
        *start + within as u32
    }
}

/// The files of a project, and the questions asked of it.
#[derive(Debug, Clone, Default)]
pub struct SourceSet {
    /// The project's folder.
    pub root: PathBuf,
    /// Shared, because every question is asked beside all of them.
    files: Vec<Arc<SourceFile>>,
}

impl SourceSet {
    /// Reads every `.bell` file below `root` (or the one file that `root` is), in order of path.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder or a file cannot be read or is not UTF-8.
    pub fn load(root: &Path) -> Result<Self> {
        let paths = SourceSet::paths(root)?;
        let folder = if root.is_file() { root.parent().unwrap_or(Path::new(".")) } else { root };
        let mut set = SourceSet { root: folder.to_path_buf(), files: Vec::new() };
        for path in paths {
            let text = std::fs::read_to_string(&path).map_err(|e| Error::io(&path, e))?;
            set.push(path.display().to_string(), Some(path), text);
        }
        Ok(set)
    }

    /// Every `.bell` file below `root` (or the one file that `root` is), in order.
    ///
    /// # Errors
    /// [`Error::Io`] if a folder cannot be read.
    pub fn paths(root: &Path) -> Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        collect_bell_files(root, &mut paths)?;
        paths.sort();
        Ok(paths)
    }

    /// A project without files yet, in a folder that need not be there yet.
    pub fn rooted(root: &Path) -> Self {
        SourceSet { root: root.to_path_buf(), files: Vec::new() }
    }

    /// Adds a text that is no file of the project: a question, or a model in a test.
    pub fn add(&mut self, name: &str, text: &str) -> FileId {
        self.push(name.to_string(), None, text.to_string())
    }

    /// The file that [`SourceSet::add`] would add, without adding it.
    pub fn beside(&self, name: &str, text: &str) -> SourceFile {
        SourceFile::new(FileId(self.files.len() as u32), name.to_string(), None, text.to_string())
    }

    fn push(&mut self, name: String, path: Option<PathBuf>, text: String) -> FileId {
        let id = FileId(self.files.len() as u32);
        self.files.push(Arc::new(SourceFile::new(id, name, path, text)));
        id
    }

    /// The file of that id.
    pub fn file(&self, id: FileId) -> &SourceFile {
        &self.files[id.0 as usize]
    }

    /// All files, in order.
    pub fn files(&self) -> &[Arc<SourceFile>] {
        &self.files
    }

    /// The text that a span covers.
    pub fn text(&self, span: Span) -> &str {
        &self.file(span.file).text[span.range()]
    }
}

fn collect_bell_files(path: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_file() {
        found.push(path.to_path_buf());
        return Ok(());
    }
    for entry in std::fs::read_dir(path).map_err(|e| Error::io(path, e))? {
        let child = entry.map_err(|e| Error::io(path, e))?.path();
        let hidden = child.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.'));
        if child.is_dir() && !hidden {
            collect_bell_files(&child, found)?;
        } else if child.extension().is_some_and(|e| e == "bell") {
            found.push(child);
        }
    }
    Ok(())
}
