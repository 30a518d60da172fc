//! What was asked: lines of JSON, each a question as HTTP takes it or an entry of the audit file of `bell serve`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::engine::Question;
use crate::plan::Request;

/// Questions, each once, with all the lines that it stands in.
#[derive(Debug, Default)]
pub struct Log {
    /// The questions, in the order in which they were first asked.
    pub cases: Vec<Case>,
    /// The lines that cannot be read, or are questions that cannot be asked again.
    pub unread: Vec<Unread>,
    /// How many entries tell of something else than a question, as a login that failed does.
    pub others: usize,
    /// How many lines there were, empty ones left out.
    pub lines: usize,
}

/// A question of somebody with some roles.
#[derive(Debug)]
pub struct Case {
    /// The question.
    pub question: Question,
    /// The roles; `None`: who sees everything.
    pub roles: Option<BTreeSet<String>>,
    /// Where it stands.
    pub places: Vec<Place>,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file as it was named.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
}

/// A line that says nothing about rollups, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// Why.
    pub reason: String,
}

/// What a line is.
enum Entry {
    Asked(Question, Option<BTreeSet<String>>),
    Other,
}

impl Log {
    /// Reads lines of JSON.
    pub fn read(&mut self, file: &str, text: &str) {
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let place = Place { file: file.to_string(), line: at + 1 };
            self.lines += 1;
            match entry(line) {
                Ok(Entry::Asked(question, roles)) => self.add(question, roles, place),
                Ok(Entry::Other) => self.others += 1,
                Err(reason) => self.unread.push(Unread { place, reason }),
            }
        }
    }

    fn add(&mut self, question: Question, roles: Option<BTreeSet<String>>, place: Place) {
        let text = question.to_string();
        match self.cases.iter_mut().find(|case| case.roles == roles && case.question.to_string() == text) {
            Some(case) => case.places.push(place),
            None => self.cases.push(Case { question, roles, places: vec![place] }),
        }
    }
}

fn entry(line: &str) -> Result<Entry, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| format!("it is no JSON: {error}"))?;
    let Value::Object(fields) = value else { return Err("it is no object".to_string()) };
    if fields.contains_key("event") {
        return audited(&fields);
    }
    match (fields.get("sql"), fields.len()) {
        (Some(Value::String(statement)), 1) => Ok(Entry::Asked(Question::sql(statement), None)),
        (Some(_), _) => Err("`sql` is a text, and stands alone".to_string()),
        (None, _) => request(&Value::Object(fields)).map(|question| Entry::Asked(question, None)),
    }
}

/// An entry of the audit file.
fn audited(fields: &Map<String, Value>) -> Result<Entry, String> {
    if fields.get("event").and_then(Value::as_str) != Some("asked") {
        return Ok(Entry::Other);
    }
    let Some(Value::String(text)) = fields.get("text") else {
        return Err("it has no text of the question: `bell serve --audit` writes it, `--log json` does not".to_string());
    };
    let roles = match fields.get("roles") {
        None | Some(Value::Null) => None,
        Some(Value::Array(names)) => Some(names.iter().map(role).collect::<Result<_, _>>()?),
        Some(_) => return Err("`roles` is no list".to_string()),
    };
    let question = match text.trim_start().starts_with('{') {
        true => request(&serde_json::from_str(text).map_err(|error| format!("its text is no question: {error}"))?)?,
        false => Question::sql(text),
    };
    Ok(Entry::Asked(question, roles))
}

fn role(name: &Value) -> Result<String, String> {
    name.as_str().map(str::to_string).ok_or_else(|| "`roles` is no list of names".to_string())
}

fn request(value: &Value) -> Result<Question, String> {
    let request = Request::deserialize(value).map_err(|error| format!("it is no question: {error}"))?;
    Ok(Question::Request(request))
}

/// Whether a text is the call of an analysis (`why(indicator => 'gmv', …)`), which is how the audit file writes one that
/// was not asked in SQL.
pub(super) fn is_call(text: &str) -> bool {
    let text = text.trim();
    let name = text.split('(').next().unwrap_or_default();
    let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    plain && text.ends_with(')') && name.len() < text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Log {
        let mut log = Log::default();
        log.read("log", text);
        log
    }

    #[test]
    fn each_question_is_there_once_with_its_lines() {
        let log = read(
            "{\"indicators\": [\"gmv\"]}\n\n{\"sql\": \"SELECT 1\"}\n\
             {\"time\": \"x\", \"event\": \"asked\", \"user\": \"a\", \"roles\": null, \"text\": \"{\\\"indicators\\\": [\\\"gmv\\\"]}\"}\n\
             {\"event\": \"asked\", \"roles\": [\"east\"], \"text\": \"SELECT 1\"}\n{\"event\": \"turned_away\"}\n",
        );
        let lines: Vec<Vec<usize>> =
            log.cases.iter().map(|case| case.places.iter().map(|place| place.line).collect()).collect();
        assert_eq!((lines, log.others, log.lines), (vec![vec![1, 4], vec![3], vec![5]], 1, 5));
        assert_eq!(log.cases[2].roles, Some(BTreeSet::from(["east".to_string()])));
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let log = read("nonsense\n[1]\n{\"indicator\": \"gmv\"}\n{\"sql\": 1}\n{\"event\": \"asked\"}\n");
        let lines: Vec<usize> = log.unread.iter().map(|unread| unread.place.line).collect();
        assert_eq!(lines, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn calls_are_no_statements() {
        assert!(is_call("why(indicator => 'gmv', from => '2026-01')"));
        assert!(!is_call("SELECT count(*)") && !is_call("(SELECT 1)") && !is_call("status"));
    }
}
