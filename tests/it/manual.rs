//! The manual's Bell is Bell, and its answers are what is answered: of the README, every block of Bell is read without a
//! diagnostic, too.
//!
//! A block of SQL that a block of text follows is asked, and prints this text; so does a block of shell that calls `bell`.
//! The project is the page's own, if it has blocks of CSV (fenced `csv orders.csv`): these files, and all of its Bell;
//! otherwise it is `examples/retail`. A line that is a `bell run` is run. The `WHY.md` of an example asks the example. `UPDATE_SCRIPTS=1` writes what is printed into the pages, to be read critically.

use std::path::{Path, PathBuf};

use bellwether::diagnostic::render;
use bellwether::source::SourceSet;
use bellwether::syntax;

#[test]
fn bell_in_the_manual_is_read() {
    let mut sources = SourceSet::default();
    for path in chapters().into_iter().chain([root().join("README.md")]) {
        let page = std::fs::read_to_string(&path).unwrap();
        for block in blocks(&page).into_iter().filter(|block| block.kind == "bell") {
            sources.add(&format!("{}, block at line {}", path.display(), block.from), &block.text);
        }
    }
    assert!(sources.files().len() > 15, "the blocks were not found");
    let found = sources.files().iter().flat_map(|file| syntax::parse(file).diagnostics);
    let text: String = found.map(|diagnostic| render::to_text(&sources, &diagnostic, false)).collect();
    assert!(text.is_empty(), "{text}");
}

/// The page whose Bell is quoted from the example.
const QUOTING: &str = "src/manual/quick_calculations.md";

#[test]
fn quoted_bell_is_in_the_example() {
    let sources = SourceSet::load(&root().join("examples/retail")).unwrap();
    let known: Vec<&str> = sources.files().iter().flat_map(|file| file.text.lines().map(str::trim)).collect();
    let page = std::fs::read_to_string(root().join(QUOTING)).unwrap();
    for block in blocks(&page).iter().filter(|block| block.kind == "bell") {
        let line = block.text.lines().map(str::trim).find(|line| !known.contains(line));
        assert!(line.is_none(), "the example has no {line:?}");
    }
}

#[cfg(feature = "cli")]
#[test]
fn answers_in_the_manual_are_given() {
    let mut asked = 0;
    let mut differences = String::new();
    for (path, project) in chapters().into_iter().map(|path| (path, root().join("examples/retail"))).chain(stories()) {
        let page = std::fs::read_to_string(&path).unwrap();
        let given = with_answers(&page, project, &mut asked);
        if given != page && std::env::var_os("UPDATE_SCRIPTS").is_some() {
            std::fs::write(&path, given).unwrap();
        } else if given != page {
            let at = given.lines().zip(page.lines()).take_while(|(a, b)| a == b).count();
            let rest = |text: &str| text.lines().skip(at).take(20).collect::<Vec<_>>().join("\n");
            differences += &format!("{}:{} is\n{}\nnot\n{}\n", path.display(), at + 1, rest(&given), rest(&page));
        }
    }
    assert!(differences.is_empty(), "{differences}");
    assert!(asked > 10, "the questions were not found");
}

/// The `WHY.md` of examples, with the examples' folders.
#[cfg(feature = "cli")]
fn stories() -> impl Iterator<Item = (PathBuf, PathBuf)> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(root().join("examples"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|folder| folder.join("WHY.md").is_file())
        .collect();
    found.sort();
    assert_eq!(found.len(), 3, "the stories were not found");
    found.into_iter().map(|folder| (folder.join("WHY.md"), folder))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn chapters() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join("src/manual")).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    found.sort();
    found
}

/// A fenced block.
struct Block {
    /// What stands behind the fence.
    kind: String,
    text: String,
    /// The lines of its fences, from 1.
    from: usize,
    to: usize,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let Some(kind) = line.strip_prefix("```") else { continue };
        let body: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
        let (from, to) = (at + 1, at + 2 + body.len());
        blocks.push(Block { kind: kind.to_string(), text: body.join("\n"), from, to });
    }
    blocks
}

/// The page with the answers to its questions.
#[cfg(feature = "cli")]
fn with_answers(page: &str, project: PathBuf, asked: &mut usize) -> String {
    let blocks = blocks(page);
    let is_question = |block: &Block| block.kind == "sql" || block.kind == "sh" && block.text.starts_with("bell ");
    let follows = |pair: &&[Block]| is_question(&pair[0]) && pair[1].kind == "text" && pair[1].from == pair[0].to + 2;
    let pairs: Vec<&[Block]> = blocks.windows(2).filter(follows).collect();
    if pairs.is_empty() {
        return page.to_string();
    }
    let own = own_project(&blocks);
    let project = own.as_ref().map_or(project, |own| own.path().to_path_buf());
    let mut answers = Vec::new();
    for (at, block) in blocks.iter().enumerate() {
        let given = pairs.iter().find(|pair| pair[0].from == block.from);
        match given {
            Some(pair) => answers.push((&pair[1], answer(&project, block))),
            // What a run stores, later questions see.
            None if own.is_some() && is_run(&blocks[at]) => _ = answer(&project, block),
            None => {}
        }
    }
    *asked += answers.len();
    let mut lines: Vec<String> = page.lines().map(str::to_string).collect();
    for (place, answer) in answers.into_iter().rev() {
        lines.splice(place.from..place.to - 1, answer);
    }
    lines.join("\n") + "\n"
}

/// A single run, whose report has times and so is not shown.
#[cfg(feature = "cli")]
fn is_run(block: &Block) -> bool {
    block.kind == "sh" && block.text.starts_with("bell run") && block.text.lines().count() == 1
}

/// The project that a page shows, if it shows its data.
#[cfg(feature = "cli")]
fn own_project(blocks: &[Block]) -> Option<tempfile::TempDir> {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text.to_string() + "\n").unwrap();
    };
    let mut model = String::new();
    let mut data = 0;
    for block in blocks {
        match block.kind.split_once(' ') {
            Some(("csv", name)) => {
                write(name, &block.text);
                data += 1;
            }
            _ if block.kind == "bell" => model += &format!("{}\n\n", block.text),
            _ => {}
        }
    }
    write("model.bell", &model);
    (data > 0).then_some(folder)
}

/// The lines that `bell` prints.
#[cfg(feature = "cli")]
fn answer(project: &Path, question: &Block) -> Vec<String> {
    let bell = env!("CARGO_BIN_EXE_bell");
    let mut command = match question.text.strip_prefix("bell ").filter(|_| question.kind == "sh") {
        Some(arguments) => {
            let mut shell = std::process::Command::new("sh");
            // Alerts are lines of JSON, whatever reads them, plans are text, and advice is Bell.
            let own_format = ["advise", "alerts", "explain"].iter().any(|command| arguments.starts_with(command));
            let format = if own_format { "" } else { " --format table" };
            shell.args(["-c", &format!("'{bell}' {arguments}{format}")]);
            shell
        }
        None => {
            let mut command = std::process::Command::new(bell);
            command.args(["sql", "--format", "table", &question.text]);
            command
        }
    };
    let output = command.current_dir(project).output().unwrap();
    let printed = if output.status.success() { output.stdout } else { output.stderr };
    String::from_utf8(printed).unwrap().trim_end().lines().map(|line| line.trim_end().to_string()).collect()
}
