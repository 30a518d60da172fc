//! Text to tree; knows nothing of meaning.
//!
//! The grammar (`grammar/*.pest`) reads files, items and clauses, and finds where expressions begin and end; SQL's own
//! parser, under [`dialect::BellDialect`], makes the trees of expressions. A broken item gives one diagnostic and leaves
//! the others of its file as they are.
//!
//! Invariant: the grammar's `Rule` is named nowhere outside this folder.

pub mod ast;
pub mod dialect;
pub mod goals;
pub mod outputs;
pub mod policies;
pub mod statements;

mod alerts;
mod cursor;
mod events;
mod exprs;
mod format;
mod goal_items;
mod items;
mod later;
mod modifier;
mod names;
mod processes;
mod recover;
mod scan;
mod show;

pub use exprs::span_of;
pub use format::format;
pub use names::quoted;
pub use show::show;

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, codes};
use crate::source::{SourceFile, Span};
use cursor::Rule;
use items::Declared;

/// How deep brackets may nest in a file; deeper text would exhaust the stack of a recursive reader.
const DEPTH: usize = 60;

/// A file's tree, and what is wrong in the file.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// The items that could be read.
    pub file: ast::File,
    /// One diagnostic for each broken item.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a `.bell` file. It never fails: what is broken is left out of the tree and reported.
///
/// ```
/// use bellwether::{source::SourceSet, syntax};
///
/// let mut sources = SourceSet::default();
/// let id = sources.add("model.bell", "indicator gmv = sum(orders.amount)\nindicator = 1\nindicator aov = gmv / buyers");
/// let parsed = syntax::parse(sources.file(id));
/// assert_eq!(parsed.file.items.len(), 2);
/// assert_eq!(parsed.diagnostics.len(), 1);
/// ```
pub fn parse(file: &SourceFile) -> Parsed {
    let mut tree = ast::File { file: file.id, package: None, items: vec![], broken: vec![] };
    let mut diagnostics = Vec::new();
    match too_deep(file) {
        Some(refused) => diagnostics.push(refused),
        None => read_items(file, &mut tree, &mut diagnostics),
    }
    Parsed { file: tree, diagnostics }
}

/// Reads all files of a project, on as many threads as there are processors.
pub fn parse_all(files: &[Arc<SourceFile>]) -> Vec<Parsed> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = files.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let mut shares = files.chunks(share);
        let own = shares.next().unwrap_or_default();
        let others: Vec<_> =
            shares.map(|files| scope.spawn(move || files.iter().map(|file| parse(file)).collect::<Vec<_>>())).collect();
        let mut parsed: Vec<Parsed> = own.iter().map(|file| parse(file)).collect();
        for other in others {
            parsed.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        parsed
    })
}

/// Reads a text that is one expression, such as a `--where`.
///
/// # Errors
/// What is wrong with it, and where.
pub fn parse_expression(file: &SourceFile) -> Result<ast::Expr, Diagnostic> {
    too_deep(file).map_or(Ok(()), Err)?;
    exprs::expression(file, whole(file))
}

/// Reads paths with commas between them, such as a `--by`.
///
/// # Errors
/// What is wrong with it, and where.
pub fn parse_paths(file: &SourceFile) -> Result<Vec<ast::Path>, Diagnostic> {
    let node = cursor::read(Rule::one_path_list, file, &file.text, 0);
    node.map(|node| node.paths()).map_err(|failure| recover::explain(file, whole(file), &failure))
}

/// Reads a question: `gmv, aov by region where channel = 'online'`.
///
/// # Errors
/// What is wrong with it, and where.
pub fn parse_question(file: &SourceFile) -> Result<ast::Question, Diagnostic> {
    too_deep(file).map_or(Ok(()), Err)?;
    // A question is no file: a line may begin with any word. Line ends of one byte keep all places.
    let text = file.text.replace('\n', "\r");
    let node = cursor::read(Rule::one_question, file, &text, 0)
        .map_err(|failure| recover::explain(file, whole(file), &failure))?;
    items::question(&node.must(Rule::question))
}

fn whole(file: &SourceFile) -> Span {
    Span::new(file.id, 0, file.text.len())
}

fn too_deep(file: &SourceFile) -> Option<Diagnostic> {
    let (depth, at) = scan::depth(&file.text);
    (depth > DEPTH).then(|| {
        Diagnostic::new(codes::TOO_DEEP, format!("brackets nest more than {DEPTH} deep"))
            .at(exprs::word_at(file, at))
            .help("give parts of the expression names of their own")
    })
}

fn read_items(file: &SourceFile, tree: &mut ast::File, diagnostics: &mut Vec<Diagnostic>) {
    let node = match cursor::read(Rule::file, file, &file.text, 0) {
        Ok(node) => node,
        Err(failure) => return diagnostics.push(recover::explain(file, whole(file), &failure)),
    };
    for piece in node.children() {
        let read = match piece.rule() {
            Rule::item => items::item(&piece).map_err(|refused| (piece.span(), refused)),
            Rule::junk => Err((piece.span(), recover::junk(file, piece.span()))),
            _ => continue,
        };
        match read {
            Ok(Declared::Item(item)) => tree.items.push(item),
            Ok(Declared::Package(package)) => set_package(tree, package, diagnostics),
            Err((span, refused)) => {
                tree.broken.extend(recover::declared_name(file, span));
                diagnostics.push(refused);
            }
        }
    }
}

fn set_package(tree: &mut ast::File, package: ast::Package, diagnostics: &mut Vec<Diagnostic>) {
    match &tree.package {
        None => tree.package = Some(package),
        Some(first) => diagnostics.push(
            Diagnostic::new(codes::TWO_PACKAGES, format!("a second package, `{}`, in one file", package.name.text))
                .at(package.name.span)
                .also(first.name.span, "the first")
                .help("move its items to a file of their own"),
        ),
    }
}

#[cfg(test)]
mod tests;
