//! What parses, what does not, and what is said then.

use super::*;
use crate::source::SourceSet;

fn parsed(text: &str) -> (SourceSet, Parsed) {
    let mut sources = SourceSet::default();
    let id = sources.add("test.bell", text);
    let parsed = parse(sources.file(id));
    (sources, parsed)
}

#[test]
fn the_examples_of_the_language_parse() {
    for name in ["sources", "dimensions", "indicators", "goals", "lifecycle"] {
        let path = format!("{}/tests/scripts/syntax/{name}.bell", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let (sources, parsed) = parsed(&text);
        let shown: Vec<String> =
            parsed.diagnostics.iter().map(|d| crate::diagnostic::render::to_text(&sources, d, false)).collect();
        assert!(shown.is_empty(), "{name}:\n{}", shown.join("\n"));
    }
}
