//! Typed walking of pest's pairs: what the grammar guarantees is turned into our leaves here, once.

use pest::Parser as _;
use pest::iterators::Pair;
use pest_derive::Parser;

use super::ast::{Labels, Name, Path, Text};
use crate::source::{SourceFile, Span};

#[derive(Parser)]
#[grammar = "../grammar/file.pest"]
#[grammar = "../grammar/keyword.pest"]
#[grammar = "../grammar/literal.pest"]
#[grammar = "../grammar/expr.pest"]
#[grammar = "../grammar/item.pest"]
#[grammar = "../grammar/goal.pest"]
#[grammar = "../grammar/output.pest"]
#[grammar = "../grammar/policy.pest"]
#[grammar = "../grammar/later.pest"]
struct Grammar;

/// What pest says when nothing fits.
pub(super) type Failure = Box<pest::error::Error<Rule>>;

/// A piece of a file that a rule matched.
#[derive(Debug, Clone)]
pub(super) struct Node<'f> {
    pair: Pair<'f, Rule>,
    file: &'f SourceFile,
    /// Where the matched text begins in the file.
    base: usize,
}

/// Matches a rule against a text of `file` that begins at byte `base` of it.
pub(super) fn read<'f>(rule: Rule, file: &'f SourceFile, text: &'f str, base: usize) -> Result<Node<'f>, Failure> {
    let mut pairs = Grammar::parse(rule, text).map_err(Box::new)?;
    match pairs.next() {
        Some(pair) => Ok(Node { pair, file, base }),
        None => unreachable!("a rule that matched gives its pair"),
    }
}

impl<'f> Node<'f> {
    /// The rule.
    pub(super) fn rule(&self) -> Rule {
        self.pair.as_rule()
    }

    /// The file.
    pub(super) fn file(&self) -> &'f SourceFile {
        self.file
    }

    /// The text, with white space that the rule may have taken at its end.
    pub(super) fn text(&self) -> &'f str {
        self.pair.as_str()
    }

    /// From the first to the last leaf: pest's own span may end in white space before a part that is absent.
    pub(super) fn span(&self) -> Span {
        Span::new(self.file.id, self.base + self.pair.as_span().start(), self.base + end_of(&self.pair))
    }

    /// The pieces inside.
    pub(super) fn children(&self) -> impl Iterator<Item = Node<'f>> + use<'f> {
        let (file, base) = (self.file, self.base);
        self.pair.clone().into_inner().map(move |pair| Node { pair, file, base })
    }

    /// The first piece of that rule.
    pub(super) fn find(&self, rule: Rule) -> Option<Node<'f>> {
        self.children().find(|node| node.rule() == rule)
    }

    /// The first piece of that rule, which the grammar requires.
    pub(super) fn must(&self, rule: Rule) -> Node<'f> {
        match self.find(rule) {
            Some(node) => node,
            None => unreachable!("the grammar puts {rule:?} into {:?}", self.rule()),
        }
    }

    /// All pieces of that rule.
    pub(super) fn all(&self, rule: Rule) -> impl Iterator<Item = Node<'f>> + use<'f> {
        self.children().filter(move |node| node.rule() == rule)
    }

    /// This leaf as a name.
    pub(super) fn to_name(&self) -> Name {
        Name { text: unquoted(self.text()), span: self.span() }
    }

    /// This leaf as a text.
    pub(super) fn to_text(&self) -> Text {
        Text { text: unquoted(self.text()), span: self.span() }
    }

    /// This piece as a path.
    pub(super) fn to_path(&self) -> Path {
        Path { parts: self.names(), span: self.span() }
    }

    /// The name that the item or clause requires.
    pub(super) fn name(&self) -> Name {
        self.must(Rule::name).to_name()
    }

    /// All names directly inside.
    pub(super) fn names(&self) -> Vec<Name> {
        self.all(Rule::name).map(|node| node.to_name()).collect()
    }

    /// The text that the clause requires.
    pub(super) fn literal(&self) -> Text {
        self.must(Rule::text).to_text()
    }

    /// All paths directly inside.
    pub(super) fn paths(&self) -> Vec<Path> {
        self.all(Rule::path).map(|node| node.to_path()).collect()
    }

    /// The labels directly inside.
    pub(super) fn labels(&self) -> Labels {
        Labels {
            default: self.find(Rule::label_text).map(|node| node.literal()),
            by_language: self.all(Rule::label).map(|node| (node.name(), node.literal())).collect(),
        }
    }
}

fn end_of(pair: &Pair<'_, Rule>) -> usize {
    match pair.clone().into_inner().next_back() {
        Some(last) => end_of(&last),
        None => pair.as_span().end(),
    }
}

/// The text without its quotes, a doubled quote standing for one; a text without quotes stays as it is.
fn unquoted(text: &str) -> String {
    for quote in ['\'', '"'] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            let twice = [quote; 2].iter().collect::<String>();
            return if inner.contains(quote) { inner.replace(&twice, &quote.to_string()) } else { inner.to_string() };
        }
    }
    text.to_string()
}
