//! Bell's lexical pieces, for what a grammar is the wrong tool for: finding comments, layout, unclosed quotes and
//! brackets.

use pest::unicode::{XID_CONTINUE, XID_START};

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Spaces, tabs and line ends.
    Space,
    /// `-- …`, `// …` or `/* … */`.
    Comment,
    /// A name or keyword.
    Word,
    /// Digits with what belongs to the number.
    Number,
    /// `'…'` or `"…"`.
    Quoted,
    /// A quote, or a `/*`, that is not closed; the piece goes on to the end of the line (of the text).
    Unclosed,
    /// One character of anything else.
    Sign,
}

/// A piece of text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'t> {
    /// What it is.
    pub kind: Kind,
    /// Its text.
    pub text: &'t str,
    /// Where it begins.
    pub start: usize,
}

/// The pieces of a text, none left out.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = &text[at..];
        let (kind, length) = measure(rest)?;
        let piece = Piece { kind, text: &rest[..length], start: at };
        at += length;
        Some(piece)
    })
}

/// How many bytes of the text are a word; 0 if it does not begin with one.
pub(super) fn word_length(text: &str) -> usize {
    if text.starts_with(is_name_start) { prefix(text, is_name_part) } else { 0 }
}

/// Whether a name can begin with the character.
pub(super) fn is_name_start(c: char) -> bool {
    c == '_' || c.is_ascii_alphabetic() || !c.is_ascii() && XID_START(c)
}

fn is_name_part(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric() || !c.is_ascii() && XID_CONTINUE(c)
}

/// How deep brackets, `case`s and comments of a text nest at most within an item; for refusing what would overflow the
/// stack of a recursive reader. Unbalanced text may be said to nest deeper than it does, never less deep.
pub(super) fn depth(text: &str) -> (usize, usize) {
    let (mut depth, mut deepest, mut place) = (0usize, 0, 0);
    let mut last = '\n';
    for piece in pieces(text) {
        let inner = match piece.kind {
            Kind::Word if last == '\n' => {
                depth = 0;
                0
            }
            Kind::Word if piece.text.eq_ignore_ascii_case("case") && last != '.' => 1,
            Kind::Sign if matches!(piece.text, "(" | "[" | "{" | "<") => 1,
            Kind::Comment | Kind::Unclosed => piece.text.matches("/*").count(),
            _ => 0,
        };
        if depth + inner > deepest {
            (deepest, place) = (depth + inner, piece.start);
        }
        depth += if matches!(piece.kind, Kind::Word | Kind::Sign) { inner } else { 0 };
        if matches!(piece.text, ")" | "]" | "}" | ">") || piece.text.eq_ignore_ascii_case("end") {
            depth = depth.saturating_sub(1);
        }
        last = piece.text.chars().next_back().unwrap_or(last);
    }
    (deepest, place)
}

fn measure(rest: &str) -> Option<(Kind, usize)> {
    let first = rest.chars().next()?;
    Some(match first {
        c if is_space(c) => (Kind::Space, prefix(rest, is_space)),
        '\'' | '"' => quoted(rest, first),
        '0'..='9' => (Kind::Number, number(rest)),
        _ if rest.starts_with("--") || rest.starts_with("//") => {
            (Kind::Comment, prefix(rest, |c| c != '\n' && c != '\r'))
        }
        _ if rest.starts_with("/*") => block_comment(rest),
        c if is_name_start(c) => (Kind::Word, prefix(rest, is_name_part)),
        c => (Kind::Sign, c.len_utf8()),
    })
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

fn prefix(text: &str, accept: impl Fn(char) -> bool) -> usize {
    text.find(|c| !accept(c)).unwrap_or(text.len())
}

fn quoted(rest: &str, quote: char) -> (Kind, usize) {
    let mut at = 1;
    loop {
        match rest[at..].find([quote, '\n']) {
            Some(next) if rest[at + next..].starts_with('\n') => return (Kind::Unclosed, at + next),
            Some(next) if rest[at + next + 1..].starts_with(quote) => at += next + 2,
            Some(next) => return (Kind::Quoted, at + next + 1),
            None => return (Kind::Unclosed, rest.len()),
        }
    }
}

fn number(rest: &str) -> usize {
    let digits = |text: &str| prefix(text, |c| c.is_ascii_digit() || c == '_');
    let mut length = digits(rest);
    if rest[length..].starts_with('.') {
        length += 1 + digits(&rest[length + 1..]);
    }
    if rest[length..].starts_with(['e', 'E']) {
        let sign = 1 + usize::from(rest[length + 1..].starts_with(['+', '-']));
        let exponent = digits(&rest[length + sign..]);
        length += if exponent > 0 { sign + exponent } else { 0 };
    }
    length
}

/// Comments nest, as in SQL.
fn block_comment(rest: &str) -> (Kind, usize) {
    let (mut depth, mut at) = (0usize, 0);
    while let Some(next) = rest[at..].find(['/', '*']) {
        at += next;
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return (Kind::Comment, at);
            }
        } else {
            at += 1;
        }
    }
    (Kind::Unclosed, rest.len())
}
