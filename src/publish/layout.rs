//! How a publication's files are laid out: what stays of the run before must be one table with what is new.

use datafusion::common::DFSchema;

use crate::catalog::publication::{FileFormat, Publication};
use crate::store::manifest::{Column, Manifest};

/// What the publication says otherwise by now of how rows are written. The definition does not have it.
pub(super) fn changed_layout(publication: &Publication, before: &Manifest) -> Option<String> {
    let (was, is) = (before.format.as_str(), publication.format.name());
    if was != is {
        return Some(format!("the format was {was} and is {is}"));
    }
    let divided = |names: &[String]| match names.is_empty() {
        true => "not partitioned".to_string(),
        false => format!("partitioned by {}", names.join(", ")),
    };
    let now: Vec<String> = publication.partitions.iter().map(|at| publication.by[*at].0.clone()).collect();
    (before.partitions != now).then(|| format!("they were {}, and are {}", divided(&before.partitions), divided(&now)))
}

/// Why the partitions of before and of now have other names, or values that may be written otherwise.
pub(super) fn changed_partitions(publication: &Publication, before: &Manifest, now: &DFSchema) -> Option<String> {
    let names = publication.partitions.iter().map(|at| &publication.by[*at].0);
    if !names.eq(&before.partitions) {
        return changed_layout(publication, before);
    }
    before.columns.iter().filter(|column| before.partitions.contains(&column.name)).find_map(
        |Column { name, data_type }| {
            let field = now.field_with_unqualified_name(name).ok()?;
            changed_type(name, data_type, &field.data_type().to_string())
        },
    )
}

/// A column that is another one than in the files of the run before, or another layout: files of both cannot be read as one
/// table. The types of sources may change without the definition, and those of formulas with it.
pub(super) fn changed_columns(publication: &Publication, before: &Manifest, now: &DFSchema) -> Option<String> {
    let layout = changed_layout(publication, before);
    if layout.is_some() || publication.format == FileFormat::Json {
        return layout;
    }
    let inside = |name: &str| !before.partitions.iter().any(|partition| partition == name);
    let then: Vec<&Column> = before.columns.iter().filter(|column| inside(&column.name)).collect();
    let now: Vec<_> = now.fields().iter().filter(|field| inside(field.name())).collect();
    if let Some(new) = now.iter().find(|field| !then.iter().any(|column| column.name == *field.name())) {
        return Some(format!("`{}` is new", new.name()));
    }
    let changed = then.iter().find_map(|Column { name, data_type: was }| {
        let Some(field) = now.iter().find(|field| field.name() == name) else {
            return Some(format!("`{name}` is gone"));
        };
        let typed = publication.format == FileFormat::Parquet;
        changed_type(name, was, &field.data_type().to_string()).filter(|_| typed)
    });
    changed.or_else(|| {
        let was: Vec<&str> = then.iter().map(|column| column.name.as_str()).collect();
        let is: Vec<&str> = now.iter().map(|field| field.name().as_str()).collect();
        let (differs, was, is) = (was != is, was.join(", "), is.join(", "));
        // Rows of CSV are read by position.
        let differs = differs && publication.format == FileFormat::Csv;
        differs.then(|| format!("the columns were in the order {was} and are in the order {is}"))
    })
}

fn changed_type(name: &str, was: &str, is: &str) -> Option<String> {
    (plain(was) != plain(is)).then(|| format!("`{name}` was {was} and is {is}"))
}

/// Texts are written alike, in whatever form they are held in memory.
fn plain(data_type: &str) -> &str {
    let is_text = |text: &str| matches!(text, "Utf8" | "Utf8View" | "LargeUtf8");
    let values = data_type.strip_prefix("Dictionary(").and_then(|rest| rest.strip_suffix(')'));
    let values = values.and_then(|pair| pair.split_once(", ")).map_or(data_type, |(_, values)| values);
    if is_text(values) { "Utf8" } else { data_type }
}
