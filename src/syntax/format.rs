//! `bell fmt`: the same tokens and comments, laid out anew.
//!
//! Only white space changes. Items begin in column one; a block stays on one line if it was written so and fits, else
//! it has a clause on each line; lines that the author broke inside a clause stay broken, indented once more.

use std::collections::{HashMap, HashSet};

use super::cursor::{self, Node, Rule};
use super::scan::{self, Kind};
use crate::diagnostic::Diagnostic;
use crate::source::{SourceFile, SourceSet};

/// Lines are broken to fit, as far as blocks go.
const WIDTH: usize = 100;

/// The file laid out anew; `name` is how diagnostics call it.
///
/// # Errors
/// The diagnostics of the file, if it has syntax errors: what is not understood is not touched.
pub fn format(name: &str, text: &str) -> Result<String, Vec<Diagnostic>> {
    let mut sources = SourceSet::default();
    let id = sources.add(name, text);
    let file = sources.file(id);
    let parsed = super::parse(file);
    if !parsed.diagnostics.is_empty() {
        return Err(parsed.diagnostics);
    }
    let Ok(node) = cursor::read(Rule::file, file, &file.text, 0) else { return Ok(text.to_string()) };
    let plan = Plan::of(&node);
    let tokens = tokens(file, &plan);
    let formatted = Layout { plan: &plan, tokens: &tokens, out: String::with_capacity(text.len()) }.file();
    // A formatter that loses a token is worse than none.
    let same = words(text).eq(words(&formatted));
    debug_assert!(same, "formatting changed more than white space");
    Ok(if same { formatted } else { text.to_string() })
}

/// All pieces but white space; comments without the space at their ends.
fn words(text: &str) -> impl Iterator<Item = &str> {
    scan::pieces(text).filter(|piece| piece.kind != Kind::Space).map(|piece| piece.text.trim_end())
}

/// What the grammar knows and tokens do not: by byte of the file.
#[derive(Default)]
struct Plan {
    /// Items: first byte to one past the last.
    items: Vec<(usize, usize)>,
    /// The opening braces of blocks, and their closing ones.
    blocks: HashMap<usize, usize>,
    /// The closing braces of blocks.
    closes: HashSet<usize>,
    /// Where clauses begin, and the opening brace of their block.
    clauses: HashMap<usize, usize>,
    /// Leaves that are one token to us, such as `2026-01`: first byte to one past the last.
    leaves: HashMap<usize, usize>,
}

impl Plan {
    fn of(file: &Node) -> Plan {
        let mut plan = Plan::default();
        for item in file.children().filter(|node| node.rule() == Rule::item) {
            let span = item.span();
            plan.items.push((span.start as usize, span.end as usize));
            plan.visit(&item);
        }
        plan
    }

    fn visit(&mut self, node: &Node) {
        let mut open = None;
        for child in node.children() {
            let at = child.span().start as usize;
            match child.rule() {
                Rule::open => open = Some(at),
                Rule::close => {
                    self.blocks.extend(open.take().map(|open| (open, at)));
                    self.closes.insert(at);
                }
                Rule::period | Rule::percent | Rule::number | Rule::unit | Rule::data_type | Rule::query_text => {
                    self.leaves.insert(at, at + child.text().trim_end().len());
                }
                _ => {}
            }
            self.clauses.extend(open.filter(|open| *open != at).map(|open| (at, open)));
            self.visit(&child);
        }
    }
}

/// A token with the white space before it.
#[derive(Debug, Clone, Copy)]
struct Token<'t> {
    kind: Kind,
    text: &'t str,
    start: usize,
    /// Line ends before it.
    lines: usize,
    /// Whether white space stands before it.
    spaced: bool,
}

impl Token<'_> {
    fn is_line_comment(&self) -> bool {
        self.kind == Kind::Comment && !self.text.starts_with("/*")
    }

    /// A sign before it is binary: it ends an operand.
    fn ends_operand(&self) -> bool {
        const OPERATORS: [&str; 23] = [
            "and", "or", "not", "in", "between", "like", "ilike", "is", "then", "else", "when", "case", "where", "by",
            "per", "at", "shift", "select", "fill", "empty", "value", "interval", "escape",
        ];
        match self.kind {
            Kind::Number | Kind::Quoted => true,
            Kind::Word => !OPERATORS.iter().any(|word| self.text.eq_ignore_ascii_case(word)),
            _ => matches!(self.text, ")" | "]" | "}" | "*"),
        }
    }
}

/// Signs that are one operator together; the longer first.
const OPERATORS: [&str; 24] = [
    "!~~*", "->>", "#>>", "!~~", "~~*", "!~*", "<=>", "::", "->", "#>", "<=", ">=", "<>", "!=", "==", "||", "&&", "<<",
    ">>", "@>", "<@", "~*", "!~", "~~",
];

fn tokens<'t>(file: &'t SourceFile, plan: &Plan) -> Vec<Token<'t>> {
    let text = file.text.as_str();
    let mut tokens: Vec<Token> = Vec::new();
    let (mut lines, mut spaced, mut until) = (0, false, 0);
    for piece in scan::pieces(text).filter(|piece| piece.text != "\u{feff}") {
        if piece.start < until {
            continue;
        }
        if piece.kind == Kind::Space {
            (lines, spaced) = (lines + piece.text.matches('\n').count(), true);
            continue;
        }
        until = token_end(text, plan, &piece, tokens.last().filter(|_| !spaced));
        let kind = if plan.leaves.contains_key(&piece.start) || piece.text == "." && until > piece.start + 1 {
            Kind::Number
        } else {
            piece.kind
        };
        let token = &text[piece.start..until];
        let token = if kind == Kind::Comment { token.trim_end() } else { token };
        tokens.push(Token { kind, text: token, start: piece.start, lines, spaced });
        (lines, spaced) = (0, false);
    }
    tokens
}

/// Where the token that begins with a piece ends: operators, percentages and leaves are of several pieces.
fn token_end(text: &str, plan: &Plan, piece: &scan::Piece, touching: Option<&Token>) -> usize {
    let end = piece.start + piece.text.len();
    if let Some(leaf) = plan.leaves.get(&piece.start) {
        return (*leaf).max(piece.start + 1);
    }
    match piece.kind {
        Kind::Number if is_percentage(&text[end..]) => end + 1,
        Kind::Sign if piece.text == "." && !touching.is_some_and(Token::ends_operand) => {
            end + text[end..].bytes().take_while(u8::is_ascii_digit).count()
        }
        Kind::Sign => {
            let operator = OPERATORS.iter().find(|operator| text[piece.start..].starts_with(**operator));
            operator.map_or(end, |operator| piece.start + operator.len())
        }
        _ => end,
    }
}

/// As in the grammar: `%` right after a number, and no other side of a remainder after it.
fn is_percentage(rest: &str) -> bool {
    let Some(after) = rest.strip_prefix('%') else { return false };
    let next = scan::pieces(after).find(|piece| !matches!(piece.kind, Kind::Space | Kind::Comment));
    scan::word_length(after) == 0
        && !next.is_some_and(|piece| matches!(piece.kind, Kind::Number | Kind::Quoted) || piece.text == "(")
}

struct Layout<'p, 't> {
    plan: &'p Plan,
    tokens: &'p [Token<'t>],
    out: String,
}

impl Layout<'_, '_> {
    fn file(mut self) -> String {
        let mut at = 0;
        let mut items = self.plan.items.iter().peekable();
        while at < self.tokens.len() {
            self.start_line(at, 0);
            match items.peek() {
                Some((start, end)) if *start <= self.tokens[at].start => {
                    let after = self.tokens[at..].partition_point(|token| token.start < *end) + at;
                    self.line(at, after.max(at + 1), 0);
                    at = after.max(at + 1);
                    items.next();
                }
                _ => {
                    self.out.push_str(self.tokens[at].text);
                    at += 1;
                }
            }
        }
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out
    }

    /// A new line, and the empty one that was there; a comment that stood at the end of a line goes on there.
    fn start_line(&mut self, at: usize, indent: usize) {
        let token = &self.tokens[at];
        if self.out.is_empty() {
            return;
        }
        if token.kind == Kind::Comment && token.lines == 0 {
            self.out.push_str("  ");
            return;
        }
        let empty = token.lines > 1 && !self.out.ends_with('{');
        self.out.push_str(if empty { "\n\n" } else { "\n" });
        self.indent(indent);
    }

    fn indent(&mut self, indent: usize) {
        self.out.extend(std::iter::repeat_n("  ", indent));
    }

    /// The tokens of an item or a clause, from where the line already begins.
    fn line(&mut self, from: usize, to: usize, indent: usize) {
        let fits = self.fits(from, to);
        let mut at = from;
        while at < to {
            let token = self.tokens[at];
            if at > from {
                self.between(at, to, indent);
            }
            self.out.push_str(token.text);
            at += 1;
            if let Some(close) = self.plan.blocks.get(&token.start) {
                let close = self.tokens[at..].partition_point(|token| token.start < *close) + at;
                if !fits && close > at {
                    self.block(at, close, indent);
                    at = close + 1;
                }
            }
        }
    }

    /// What stands before a token of a line that is not the first.
    fn between(&mut self, at: usize, to: usize, indent: usize) {
        let token = &self.tokens[at];
        let after_comment = self.tokens[at - 1].is_line_comment();
        let begins_block = self.plan.blocks.contains_key(&token.start);
        if after_comment || token.lines > 0 && !begins_block {
            let only_comments = self.tokens[at..to].iter().all(|token| token.kind == Kind::Comment);
            self.start_line(at, if only_comments || begins_block { indent } else { indent + 1 });
        } else {
            let spaces = self.spaces(at);
            self.out.push_str(&"  "[..spaces]);
        }
    }

    /// The clauses between a block's braces, each on lines of its own, and the closing brace.
    fn block(&mut self, from: usize, close: usize, indent: usize) {
        let open = self.tokens[from - 1].start;
        let mut at = from;
        while at < close {
            let next = (at + 1..close).find(|next| self.begins_clause(*next, open));
            let end = next.unwrap_or(close);
            self.start_line(at, indent + 1);
            self.line(at, end, indent + 1);
            at = end;
        }
        self.out.push('\n');
        self.indent(indent);
        self.out.push_str(self.tokens[close].text);
    }

    fn begins_clause(&self, at: usize, open: usize) -> bool {
        self.plan.clauses.get(&self.tokens[at].start) == Some(&open)
    }

    /// Whether the tokens may stay on the line: nothing in a block was on a line of its own, and it is not too long.
    fn fits(&self, from: usize, to: usize) -> bool {
        let line = self.out.rsplit('\n').next().unwrap_or_default();
        let mut width = line.chars().count();
        for at in from..to {
            let token = &self.tokens[at];
            let in_block = self.is_in_block(from, at);
            if in_block && token.lines > 0 || token.is_line_comment() && at + 1 < to || token.text.contains('\n') {
                return false;
            }
            width = if token.lines > 0 { 0 } else { width };
            width += token.text.chars().count() + if at > from { self.spaces(at) } else { 0 };
        }
        width <= WIDTH
    }

    fn is_in_block(&self, from: usize, at: usize) -> bool {
        let place = self.tokens[at].start;
        let begins = |token: &Token| self.plan.blocks.get(&token.start).is_some_and(|close| place <= *close);
        self.tokens[from..at].iter().any(begins)
    }

    /// How many spaces stand before a token on the same line.
    fn spaces(&self, at: usize) -> usize {
        let (last, next) = (&self.tokens[at - 1], &self.tokens[at]);
        let before = at.checked_sub(2).map(|at| &self.tokens[at]);
        if next.kind == Kind::Comment {
            return 2;
        }
        if self.plan.blocks.contains_key(&next.start) || self.plan.closes.contains(&next.start) {
            return 1;
        }
        if self.plan.blocks.contains_key(&last.start) || last.text == "," {
            return 1;
        }
        if self.plan.clauses.contains_key(&next.start) {
            return 2;
        }
        spaces_by_sign(before, last, next)
    }
}

fn spaces_by_sign(before: Option<&Token>, last: &Token, next: &Token) -> usize {
    let written = usize::from(next.spaced);
    if next.kind == Kind::Sign && matches!(next.text, ")" | "]" | "," | "." | "::") {
        return 0;
    }
    if last.kind == Kind::Sign {
        match last.text {
            "(" | "[" | "." | "::" => return 0,
            "-" | "+" if !before.is_some_and(Token::ends_operand) => return usize::from(next.text == last.text),
            text if is_binary(text) => return 1,
            _ => {}
        }
    }
    if next.kind == Kind::Sign && is_binary(next.text) { 1 } else { written }
}

/// Operators that stand between two operands; `%` is left as it was written, because its spaces have a meaning.
fn is_binary(text: &str) -> bool {
    !matches!(text, "::" | "~") && OPERATORS.contains(&text)
        || matches!(text, "=" | "<" | ">" | "+" | "-" | "*" | "/" | "|" | "&" | "^")
}
