//! The manual's Bell is Bell: every block of it, and of the README, is read without a diagnostic.

use std::path::Path;

use bellwether::diagnostic::render;
use bellwether::source::SourceSet;
use bellwether::syntax;

#[test]
fn bell_in_the_manual_is_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chapters = std::fs::read_dir(root.join("src/manual")).unwrap().map(|entry| entry.unwrap().path());
    let mut sources = SourceSet::default();
    for path in chapters.chain([root.join("README.md")]) {
        if path.extension().is_some_and(|ending| ending == "md") {
            let page = std::fs::read_to_string(&path).unwrap();
            for (line, block) in blocks(&page) {
                sources.add(&format!("{}, block at line {line}", path.display()), &block);
            }
        }
    }
    assert!(sources.files().len() > 15, "the blocks were not found");
    let found = sources.files().iter().flat_map(|file| syntax::parse(file).diagnostics);
    let text: String = found.map(|diagnostic| render::to_text(&sources, &diagnostic, false)).collect();
    assert!(text.is_empty(), "{text}");
}

/// The text of each block that is fenced as Bell, with the line of its fence.
fn blocks(page: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        if line == "```bell" {
            let body: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            blocks.push((at + 1, body.join("\n")));
        }
    }
    blocks
}
