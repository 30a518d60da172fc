//! The YAML of a dbt project: what people write, before dbt makes a manifest of it.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::manifest::{Manifest, Measure, MeasureInput, Metric, SemanticModel, TypeParams};
use crate::error::{Error, Result};

/// Reads a manifest: a JSON file, a YAML file, or a folder whose YAML files together are one.
///
/// # Errors
/// [`Error::Io`] if it cannot be read, [`Error::Data`] if it is no manifest.
pub fn read(path: &Path) -> Result<Manifest> {
    let mut manifest = Manifest::default();
    for file in files(path)? {
        let text = std::fs::read_to_string(&file).map_err(|error| Error::io(&file, error))?;
        let wrong = |error: String| Error::Data(format!("{}: {error}", file.display()));
        if file.extension().is_some_and(|ending| ending == "json") {
            let read: Manifest = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
            merge(&mut manifest, read);
            continue;
        }
        for document in serde_norway::Deserializer::from_str(&text) {
            let document = Value::deserialize(document).map_err(|error| wrong(error.to_string()))?;
            merge(&mut manifest, part_of(document).map_err(|error| wrong(error.to_string()))?);
        }
    }
    if manifest.semantic_models.is_empty() {
        return Err(Error::Data(format!("{}: there are no semantic models in it", path.display())));
    }
    complete(&mut manifest);
    Ok(manifest)
}

fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut found = Vec::new();
    let mut folders = vec![path.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|error| Error::io(&folder, error))? {
            let path = entry.map_err(|error| Error::io(&folder, error))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A document in dbt's form (`metrics: [ … ]`) or in that of dbt-semantic-interfaces (`metric: …`).
fn part_of(document: Value) -> Result<Manifest, serde_json::Error> {
    let Value::Object(mut fields) = document else { return Ok(Manifest::default()) };
    for (one, several) in
        [("semantic_model", "semantic_models"), ("metric", "metrics"), ("saved_query", "saved_queries")]
    {
        if let Some(value) = fields.remove(one) {
            fields.insert(several.to_string(), Value::Array(vec![value]));
        }
    }
    serde_json::from_value(Value::Object(fields))
}

fn merge(manifest: &mut Manifest, mut more: Manifest) {
    manifest.semantic_models.append(&mut more.semantic_models);
    manifest.metrics.append(&mut more.metrics);
    manifest.saved_queries.append(&mut more.saved_queries);
    manifest.project_configuration.time_spines.append(&mut more.project_configuration.time_spines);
}

/// What dbt adds when it makes a manifest: metrics of measures that ask for one.
fn complete(manifest: &mut Manifest) {
    let measures: Vec<&Measure> =
        manifest.semantic_models.iter().flat_map(|model: &SemanticModel| &model.measures).collect();
    let known = |name: &str| manifest.metrics.iter().any(|metric| metric.name == name);
    let made: Vec<Metric> = measures
        .into_iter()
        .filter(|measure| measure.create_metric && !known(&measure.name))
        .map(|measure| Metric {
            name: measure.name.clone(),
            description: measure.description.clone(),
            label: measure.label.clone(),
            kind: "simple".to_string(),
            type_params: TypeParams {
                measure: Some(MeasureInput { name: measure.name.clone(), ..MeasureInput::default() }),
                ..TypeParams::default()
            },
            ..Metric::default()
        })
        .collect();
    manifest.metrics.extend(made);
}
