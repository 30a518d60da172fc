//! Splits a script at its semicolons, by the tokens of SQL: those in strings, quoted names and comments do not count.

use std::ops::Range;

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::source::SourceSet;

/// A script in parts, as ranges of its bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Script {
    /// The statements that a semicolon ends, without it; none is empty.
    pub complete: Vec<Range<usize>>,
    /// What follows the last semicolon, unless that is only white space and comments.
    pub rest: Option<Range<usize>>,
}

impl Script {
    /// All statements, whether or not a semicolon ends the last one.
    pub fn statements(self) -> impl Iterator<Item = Range<usize>> {
        self.complete.into_iter().chain(self.rest)
    }
}

/// Splits a text. One that breaks off inside a string or a comment has it in its `rest`.
pub fn split(text: &str) -> Script {
    let mut tokens = Vec::new();
    // Where the tokenizer fails, the text from the last semicolon on is one statement: the planner will tell.
    let broken = Tokenizer::new(&GenericDialect {}, text).tokenize_with_location_into_buf(&mut tokens).is_err();
    let mut sources = SourceSet::default();
    let file = sources.add("<script>", text);
    let mut script = Script { complete: Vec::new(), rest: None };
    let (mut start, mut empty) = (0, true);
    for token in tokens {
        match token.token {
            Token::SemiColon => {
                let end = sources.file(file).offset(token.span.start.line as usize, token.span.start.column as usize);
                if !empty {
                    script.complete.push(start..end as usize);
                }
                (start, empty) = (end as usize + 1, true);
            }
            Token::Whitespace(_) | Token::EOF => {}
            _ => empty = false,
        }
    }
    script.rest = (!empty || broken).then_some(start..text.len());
    script
}

/// The statement with everything before it blanked, so that the places of its errors are places in the whole text.
pub fn in_place(text: &str, statement: &Range<usize>) -> String {
    let blank = |byte: u8| if byte == b'\n' { '\n' } else { ' ' };
    text[..statement.start].bytes().map(blank).chain(text[statement.clone()].chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (Vec<&str>, Option<&str>) {
        let script = split(text);
        (script.complete.into_iter().map(|range| &text[range]).collect(), script.rest.map(|range| &text[range]))
    }

    #[test]
    fn semicolons_in_strings_names_and_comments_do_not_split() {
        let text = "select ';', \"a;b\" -- x;y\n/* ; */; select '区域;' ; ";
        assert_eq!(parts(text), (vec!["select ';', \"a;b\" -- x;y\n/* ; */", " select '区域;' "], None));
    }

    #[test]
    fn the_last_statement_needs_no_semicolon() {
        assert_eq!(parts("select 1;\nselect 2"), (vec!["select 1"], Some("\nselect 2")));
    }

    #[test]
    fn empty_statements_are_skipped() {
        assert_eq!(parts(" ; ;; -- nothing\n; select 1;"), (vec![" select 1"], None));
        assert_eq!(parts(" -- only a comment"), (vec![], None));
        assert_eq!(parts(""), (vec![], None));
    }

    #[test]
    fn an_open_string_or_comment_is_a_rest() {
        assert_eq!(parts("select 1; select 'a;"), (vec!["select 1"], Some(" select 'a;")));
        assert_eq!(parts("select 1; /* a;"), (vec!["select 1"], Some(" /* a;")));
    }

    #[test]
    fn places_stay_where_they_are() {
        let text = "select '中';\n\tselect 2";
        let second = split(text).statements().nth(1).unwrap();
        let padded = in_place(text, &second);
        assert_eq!(padded.len(), text.len());
        assert_eq!(padded.find("select 2"), text.find("select 2"));
        assert_eq!(padded.matches('\n').count(), 1);
    }
}
