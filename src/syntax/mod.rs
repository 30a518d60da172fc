//! Text to tree; knows nothing of meaning.

pub mod ast;

use crate::source::{SourceFile, Span};
use datafusion::sql::sqlparser::tokenizer;

/// The bytes that a place of sqlparser's covers.
pub fn span_of(file: &SourceFile, span: tokenizer::Span) -> Option<Span> {
    if span.start.line == 0 {
        return None;
    }
    let start = file.offset(span.start.line as usize, span.start.column as usize);
    let end = file.offset(span.end.line as usize, span.end.column as usize);
    Some(Span { file: file.id, start, end })
}
