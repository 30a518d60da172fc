//! Diagnostics for people: the text with carets, as compilers print them.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Diagnostic, Label, Severity};
use crate::source::{FileId, SourceSet};

/// The diagnostic as text, ending in a newline; `colour` adds terminal colours.
pub fn to_text(sources: &SourceSet, diagnostic: &Diagnostic, colour: bool) -> String {
    let level = match diagnostic.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.id()));
    for file in files_of(diagnostic) {
        group = group.element(snippet(sources, diagnostic, file));
    }
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(note.as_str()));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[group]) + "\n"
}

/// The files that have labels, the primary one first.
fn files_of(diagnostic: &Diagnostic) -> Vec<FileId> {
    let mut files = Vec::new();
    for label in diagnostic.primary.iter().chain(&diagnostic.secondary) {
        if !files.contains(&label.span.file) {
            files.push(label.span.file);
        }
    }
    files
}

fn snippet<'a>(
    sources: &'a SourceSet,
    diagnostic: &'a Diagnostic,
    id: FileId,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let file = sources.file(id);
    let annotate = |kind: AnnotationKind, label: &'a Label| {
        let annotation = kind.span(label.span.range());
        if label.text.is_empty() { annotation } else { annotation.label(label.text.as_str()) }
    };
    let primary = diagnostic.primary.iter().map(|label| (AnnotationKind::Primary, label));
    let secondary = diagnostic.secondary.iter().map(|label| (AnnotationKind::Context, label));
    Snippet::source(file.text.as_str()).path(file.name.as_str()).annotations(
        primary.chain(secondary).filter(|(_, label)| label.span.file == id).map(|(kind, label)| annotate(kind, label)),
    )
}
