//! Texts that are given as files.

use std::path::Path;

use bellwether::Error;
use bellwether::source::SourceSet;

use super::Failure;

/// The path that means stdin.
pub const STDIN: &str = "-";

/// The text of a file, or of stdin.
pub fn read_text(path: &Path) -> Result<String, Failure> {
    let text = if path == Path::new(STDIN) {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    text.map_err(|error| Failure::new(Error::io(path, error), SourceSet::default()))
}
