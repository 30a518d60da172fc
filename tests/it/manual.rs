//! The manual's Bell is Bell: every block of it, and of the README, is read without a diagnostic. The answers of its
//! chapter on evaluation contexts are those of the engine.

use std::path::Path;

use bellwether::diagnostic::render;
use bellwether::source::SourceSet;
use bellwether::{Engine, syntax};
use datafusion::arrow::util::display::FormatOptions;
use datafusion::arrow::util::pretty::pretty_format_batches_with_options;

#[test]
fn bell_in_the_manual_is_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chapters = std::fs::read_dir(root.join("src/manual")).unwrap().map(|entry| entry.unwrap().path());
    let mut sources = SourceSet::default();
    for path in chapters.chain([root.join("README.md")]) {
        if path.extension().is_some_and(|ending| ending == "md") {
            let page = std::fs::read_to_string(&path).unwrap();
            for (line, block) in blocks(&page, "bell") {
                sources.add(&format!("{}, block at line {line}", path.display()), &block);
            }
        }
    }
    assert!(sources.files().len() > 15, "the blocks were not found");
    let found = sources.files().iter().flat_map(|file| syntax::parse(file).diagnostics);
    let text: String = found.map(|diagnostic| render::to_text(&sources, &diagnostic, false)).collect();
    assert!(text.is_empty(), "{text}");
}

/// The questions of the chapter that are asked of its seven orders: a golden script has them, so that they are run and
/// read beside the comments that count them by hand.
#[test]
fn examples_of_contexts_are_in_their_script() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = root.join("tests/scripts/measure/70-contexts-of-the-manual.script");
    let script = std::fs::read_to_string(script).unwrap().replace("[plain] > ", "").replace("\n> ", "\n");
    let examples: Vec<_> = examples().into_iter().filter(|example| !example.question.contains("retail.")).collect();
    assert!(examples.len() > 12, "the examples were not found");
    for Example { question, answer } in examples {
        assert!(script.contains(&format!("{question}\n{answer}\n")), "not in the script:\n{question}\n{answer}");
    }
}

/// The others are asked of `examples/retail`.
#[tokio::test]
async fn examples_of_contexts_in_retail_are_answered_so() {
    let engine = Engine::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/retail")).await.unwrap();
    let examples: Vec<_> = examples().into_iter().filter(|example| example.question.contains("retail.")).collect();
    assert!(examples.len() > 3, "the examples were not found");
    for Example { question, answer } in examples {
        let rows = engine.sql(&question).await.unwrap().collect().await.unwrap();
        let options = FormatOptions::new().with_null("NULL");
        let given = pretty_format_batches_with_options(&rows, &options).unwrap().to_string();
        assert_eq!(given, answer, "{question}");
    }
}

/// A question in the chapter on evaluation contexts that is followed by its answer.
struct Example {
    question: String,
    answer: String,
}

fn examples() -> Vec<Example> {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manual/contexts.md")).unwrap();
    let (questions, answers) = (blocks(&page, "sql"), blocks(&page, "text"));
    let answered = |(line, question): (usize, String)| {
        let next = line + question.lines().count() + 3;
        let (_, answer) = answers.iter().find(|(at, _)| *at == next)?;
        Some(Example { question, answer: answer.clone() })
    };
    questions.into_iter().filter_map(answered).collect()
}

/// The text of each block that is fenced as that language, with the line of its fence.
fn blocks(page: &str, language: &str) -> Vec<(usize, String)> {
    let fence = format!("```{language}");
    let mut blocks = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        if line == fence {
            let body: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            blocks.push((at + 1, body.join("\n")));
        }
    }
    blocks
}
