//! Diagnostics for machines: one JSON object each.

use serde_json::{Value, json};

use super::{Diagnostic, Label, Severity};
use crate::source::SourceSet;

/// One diagnostic as `{code, severity, message, file, line, column, end_line, end_column, label, secondary, notes, help}`.
pub fn to_json(sources: &SourceSet, diagnostic: &Diagnostic) -> Value {
    let severity = match diagnostic.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let mut object = json!({ "code": diagnostic.code.id(), "severity": severity, "message": diagnostic.message });
    if let Some(label) = &diagnostic.primary {
        merge(&mut object, place(sources, label));
    }
    let secondary: Vec<Value> = diagnostic.secondary.iter().map(|label| place(sources, label)).collect();
    merge(&mut object, json!({ "secondary": secondary, "notes": diagnostic.notes, "help": diagnostic.help }));
    object
}

fn place(sources: &SourceSet, label: &Label) -> Value {
    let file = sources.file(label.span.file);
    let (line, column) = file.line_column(label.span.start);
    let (end_line, end_column) = file.line_column(label.span.end);
    json!({
        "file": file.name, "line": line, "column": column, "end_line": end_line, "end_column": end_column,
        "label": label.text,
    })
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}
