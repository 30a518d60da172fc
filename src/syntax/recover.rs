//! Broken items to one diagnostic each, in words: what stands where it does not fit, and what could.

use super::ast::Name;
use super::cursor::{self, Failure, Rule};
use super::exprs;
use super::scan::{self, Kind, Piece};
use crate::diagnostic::{Diagnostic, codes, nearest};
use crate::source::{SourceFile, Span};
use pest::error::{ErrorVariant, InputLocation};

/// The words that items begin with.
const ITEMS: [&str; 26] = [
    "alert",
    "bands",
    "calendar",
    "cohort",
    "dimension",
    "expect",
    "funnel",
    "hierarchy",
    "indicator",
    "package",
    "policy",
    "process",
    "publish",
    "rollup",
    "scenario",
    "scorecard",
    "segment",
    "source",
    "target",
    "template",
    "test",
    "tree",
    "use",
    "view",
    "metric",
    "table",
];

/// What is wrong with a stretch of a file that is no item.
pub(super) fn junk(file: &SourceFile, span: Span) -> Diagnostic {
    let text = &file.text[span.range()];
    if let Some(refused) = unclosed(file, span) {
        return refused;
    }
    if let Some(refused) = unknown_item(file, span) {
        return refused;
    }
    match cursor::read(Rule::one_item, file, text, span.start as usize) {
        Err(failure) => explain(file, span, &failure),
        Ok(_) => Diagnostic::new(codes::SYNTAX, "this is not Bell").at(span),
    }
}

/// The name that a broken item would have declared, so that what depends on it can be silent.
pub(super) fn declared_name(file: &SourceFile, span: Span) -> Option<Name> {
    let mut words = significant(&file.text[span.range()]);
    // An expectation declares nothing: what follows its word is what it is about.
    words.next().filter(|first| first.kind == Kind::Word && !first.text.eq_ignore_ascii_case("expect"))?;
    let name = words.next().filter(|second| matches!(second.kind, Kind::Word | Kind::Quoted))?;
    let start = span.start as usize + name.start;
    Some(Name {
        text: name.text.trim_matches('"').to_string(),
        span: Span::new(file.id, start, start + name.text.len()),
    })
}

/// What the grammar's failure on the text of `span` means.
pub(super) fn explain(file: &SourceFile, span: Span, failure: &Failure) -> Diagnostic {
    let (InputLocation::Pos(at) | InputLocation::Span((at, _))) = failure.location;
    let at = after_space(file, span, span.start as usize + at);
    let place = if at >= span.end as usize { Span::new(file.id, at, at) } else { exprs::word_at(file, at) };
    let found = &file.text[place.range()];
    let expected = match &failure.variant {
        ErrorVariant::ParsingError { positives, .. } => expectations(positives),
        ErrorVariant::CustomError { .. } => vec![],
    };
    if is_operator(found) && follows_expression(file, span, failure) {
        return Diagnostic::new(codes::SYNTAX, format!("an operand is missing next to `{found}`")).at(place);
    }
    if found.eq_ignore_ascii_case("case") {
        return Diagnostic::new(codes::SYNTAX, "the `case` has no `end`").at(place);
    }
    let what =
        if found.is_empty() { "the item ends too early".to_string() } else { format!("`{found}` does not fit here") };
    let mut refused = Diagnostic::new(codes::SYNTAX, what).at(place);
    if !expected.is_empty() {
        refused = refused.note(format!("expected {}", listed(&expected)));
    }
    let known = expected.iter().filter_map(|text| text.strip_prefix('`')?.strip_suffix('`'));
    match nearest(found, known) {
        Some(near) if found.len() > 1 => refused.help(format!("did you mean `{near}`?")),
        _ => refused,
    }
}

fn after_space(file: &SourceFile, span: Span, at: usize) -> usize {
    let first = significant(&file.text[at..span.end as usize]).next();
    first.map_or(span.end as usize, |piece| at + piece.start)
}

fn significant(text: &str) -> impl Iterator<Item = Piece<'_>> {
    scan::pieces(text).filter(|piece| !matches!(piece.kind, Kind::Space | Kind::Comment))
}

/// Where an item could end, an expression was complete; levels of a hierarchy are names.
fn follows_expression(file: &SourceFile, span: Span, failure: &Failure) -> bool {
    let first = significant(&file.text[span.range()]).next();
    let ends = |rules: &[Rule]| rules.iter().any(|rule| matches!(rule, Rule::item_end | Rule::EOI | Rule::close));
    !first.is_some_and(|word| word.text.eq_ignore_ascii_case("hierarchy"))
        && matches!(&failure.variant, ErrorVariant::ParsingError { positives, .. } if ends(positives))
}

fn is_operator(text: &str) -> bool {
    matches!(text, "+" | "-" | "*" | "/" | "%" | "<" | ">" | "|" | "and" | "or" | "=" | "!")
}

/// An unclosed quote, comment or bracket, or one too many.
fn unclosed(file: &SourceFile, span: Span) -> Option<Diagnostic> {
    let base = span.start as usize;
    let place = |piece: &Piece| Span::new(file.id, base + piece.start, base + piece.start + piece.text.len());
    let mut open: Vec<Piece> = Vec::new();
    for piece in significant(&file.text[span.range()]) {
        match (piece.kind, piece.text) {
            (Kind::Unclosed, text) => return Some(unclosed_text(text, place(&piece))),
            (Kind::Sign, "(" | "[" | "{") => open.push(piece),
            (Kind::Sign, ")" | "]" | "}") => match open.pop() {
                Some(opening) if closing(opening.text) == piece.text => {}
                Some(opening) => return Some(mismatch(&opening, &piece, place(&opening), place(&piece))),
                None => {
                    let message = format!("`{}` closes nothing", piece.text);
                    return Some(Diagnostic::new(codes::BRACKET, message).at(place(&piece)));
                }
            },
            _ => {}
        }
    }
    let opening = open.pop()?;
    let message = format!("`{}` is not closed", opening.text);
    Some(Diagnostic::new(codes::BRACKET, message).at(place(&opening)).help(format!(
        "close it with `{}`; an item ends before the next line that begins with a word in column one",
        closing(opening.text)
    )))
}

fn unclosed_text(text: &str, place: Span) -> Diagnostic {
    if text.starts_with("/*") {
        return Diagnostic::new(codes::UNCLOSED_TEXT, "the comment is not closed").at(place).help("end it with `*/`");
    }
    let quote = &text[..1];
    Diagnostic::new(codes::UNCLOSED_TEXT, format!("the text is not closed by `{quote}` on its line"))
        .at(place)
        .help(format!("end it with `{quote}`; inside a text the quote is written twice"))
}

fn closing(opening: &str) -> &'static str {
    match opening {
        "(" => ")",
        "[" => "]",
        _ => "}",
    }
}

fn mismatch(opening: &Piece, found: &Piece, opened: Span, place: Span) -> Diagnostic {
    let message = format!("`{}` is closed by `{}`", opening.text, found.text);
    Diagnostic::new(codes::BRACKET, message).at(place).also(opened, "opened here")
}

/// An item that begins with a word that no item begins with.
fn unknown_item(file: &SourceFile, span: Span) -> Option<Diagnostic> {
    let first = significant(&file.text[span.range()]).next()?;
    let start = span.start as usize + first.start;
    let place = Span::new(file.id, start, start + first.text.len());
    let lower = first.text.to_ascii_lowercase();
    let refused = match first.kind {
        Kind::Word if ITEMS[..24].contains(&lower.as_str()) => return None,
        Kind::Word => Diagnostic::new(codes::UNKNOWN_ITEM, format!("no item begins with `{}`", first.text)),
        _ => Diagnostic::new(codes::UNKNOWN_ITEM, format!("an item begins with a word, not with `{}`", first.text)),
    };
    let help = match (lower.as_str(), nearest(&lower, ITEMS)) {
        ("metric" | "measure" | "kpi", _) | (_, Some("metric")) => "did you mean `indicator`?".to_string(),
        ("table" | "model", _) | (_, Some("table")) => "did you mean `source`?".to_string(),
        (_, Some(near)) => format!("did you mean `{near}`?"),
        _ => "items are source, dimension, hierarchy, segment, calendar, indicator, view and others; the further lines of \
              an item are indented"
            .to_string(),
    };
    Some(refused.at(place).help(help))
}

/// What could stand there, in words, each once.
fn expectations(rules: &[Rule]) -> Vec<String> {
    let mut words: Vec<String> = rules.iter().filter_map(in_words).collect();
    words.sort();
    words.dedup();
    words
}

fn in_words(rule: &Rule) -> Option<String> {
    let name = format!("{rule:?}");
    // A conversion is a kind of expression to whoever reads the message.
    if matches!(rule, Rule::kw_conversion | Rule::kw_conversions) {
        return None;
    }
    if let Some(keyword) = name.strip_prefix("kw_") {
        return Some(format!("`{keyword}`"));
    }
    Some(match rule {
        Rule::EOI | Rule::item_end => "the end of the item".into(),
        Rule::expr => "an expression".into(),
        Rule::name | Rule::path | Rule::calendar_grain | Rule::option | Rule::column | Rule::weight => "a name".into(),
        Rule::text | Rule::label_text => "a text".into(),
        Rule::unit => "a unit".into(),
        Rule::number | Rule::amount => "a number".into(),
        Rule::percent => "a percentage".into(),
        Rule::period => "a period such as `2026-01`".into(),
        Rule::data_type => "a type".into(),
        Rule::equals => "`=`".into(),
        Rule::open => "`{`".into(),
        Rule::open_round => "`(`".into(),
        Rule::close => "`}`".into(),
        Rule::close_round => "`)`".into(),
        _ => return None,
    })
}

fn listed(words: &[String]) -> String {
    match words {
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
        [] => String::new(),
    }
}
