//! Diagnostics for people: the text with carets, as compilers print them.

use std::sync::Arc;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Diagnostic, Label, Severity};
use crate::source::{SourceFile, SourceSet};

/// The diagnostic as text, ending in a newline; `colour` adds terminal colours. Places that are not in `sources` are
/// not shown.
pub fn to_text(sources: &SourceSet, diagnostic: &Diagnostic, colour: bool) -> String {
    let level = match diagnostic.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.id()));
    for file in files_of(sources, diagnostic) {
        group = group.element(snippet(file, diagnostic));
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
fn files_of<'a>(sources: &'a SourceSet, diagnostic: &Diagnostic) -> Vec<&'a SourceFile> {
    let mut files: Vec<&SourceFile> = Vec::new();
    for label in diagnostic.primary.iter().chain(&diagnostic.secondary) {
        let known = sources.files().get(label.span.file.0 as usize).map(Arc::as_ref);
        let known = known.filter(|file| is_in(label, file));
        files.extend(known.filter(|file| files.iter().all(|other| other.id != file.id)));
    }
    files
}

fn is_in(label: &Label, file: &SourceFile) -> bool {
    label.span.file == file.id && file.text.get(label.span.range()).is_some()
}

fn snippet<'a>(file: &'a SourceFile, diagnostic: &'a Diagnostic) -> Snippet<'a, Annotation<'a>> {
    let annotate = |kind: AnnotationKind, label: &'a Label| {
        let annotation = kind.span(label.span.range());
        if label.text.is_empty() { annotation } else { annotation.label(label.text.as_str()) }
    };
    let primary = diagnostic.primary.iter().map(|label| (AnnotationKind::Primary, label));
    let secondary = diagnostic.secondary.iter().map(|label| (AnnotationKind::Context, label));
    Snippet::source(file.text.as_str()).path(file.name.as_str()).annotations(
        primary.chain(secondary).filter(|(_, label)| is_in(label, file)).map(|(kind, label)| annotate(kind, label)),
    )
}
