//! What DataFusion says of an expression that it refuses, as a diagnostic.

use std::sync::LazyLock;

use datafusion::error::DataFusionError;
use regex::Regex;

use crate::diagnostic::{Diagnostic, codes};
use crate::source::Span;

/// DataFusion's refusal of an expression as our diagnostic.
pub(crate) fn expression_error(error: &DataFusionError, span: Span) -> Diagnostic {
    let message = error.strip_backtrace();
    if let Some((message, help)) = unfit_argument(&message) {
        let diagnostic = Diagnostic::new(codes::REFUSED_EXPRESSION, message).at(span);
        return help.into_iter().fold(diagnostic, Diagnostic::help);
    }
    let mut text = message.as_str();
    for wrapper in ["Error during planning: ", "type_coercion\ncaused by\n", "Schema error: ", "SQL error: "] {
        text = text.strip_prefix(wrapper).unwrap_or(text);
    }
    let first = text.lines().next().unwrap_or(text).trim_end_matches('.');
    Diagnostic::new(codes::REFUSED_EXPRESSION, first.to_string()).at(span)
}

/// What is wrong with an argument that no form of a function takes, and what can be done. DataFusion calls it an internal
/// error of its own, and lists what each form says.
pub(crate) fn unfit_argument(message: &str) -> Option<(String, Option<&'static str>)> {
    static FUNCTION: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"Function '([^']+)' failed to match any signature").ok());
    static FORM: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"requires (\w+), but received (\w+) \(DataType: ([^)]+)\)").ok());
    let function = FUNCTION.as_ref()?.captures(message)?.get(1)?.as_str();
    let (mut taken, mut given) = (Vec::new(), None);
    for form in FORM.as_ref()?.captures_iter(message) {
        let word = |at: usize| form.get(at).map_or("", |it| it.as_str());
        let kind = if NUMBERS.contains(&word(1).trim_end_matches(char::is_numeric)) { "number" } else { word(1) };
        if !taken.contains(&kind.to_lowercase()) {
            taken.push(kind.to_lowercase());
        }
        given = Some((word(2).to_string(), word(3).to_string()));
    }
    let (kind, data_type) = given?;
    let help = "give the column a type in its source: `columns { amount decimal(18, 2) }`; or cast it";
    let is_number_wanted = kind == "String" && taken.iter().any(|kind| kind == "number");
    let message =
        format!("`{function}` takes {}, and this is {} ({data_type})", listed(&taken), an(&kind.to_lowercase()));
    Some((message, is_number_wanted.then_some(help)))
}

/// The types of numbers, without their bits.
const NUMBERS: [&str; 5] = ["Decimal", "UInt", "Int", "Float", "Numeric"];

/// `a number, a duration or an interval`.
fn listed(kinds: &[String]) -> String {
    let kinds: Vec<String> = kinds.iter().map(|kind| an(kind)).collect();
    match kinds.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} or {last}", before.join(", ")),
        _ => kinds.concat(),
    }
}

fn an(word: &str) -> String {
    let article = if word.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {word}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_form_of_a_function_takes() {
        let form = |kind: &str| {
            format!("Error during planning: Function 'sum' requires {kind}, but received String (DataType: Utf8View).")
        };
        let forms = ["Decimal", "UInt64", "Int64", "Float64", "Duration", "Interval"].map(form).join(",");
        let message = format!("Internal error: Function 'sum' failed to match any signature, errors: {forms}");
        let (told, help) = unfit_argument(&message).unwrap();
        assert_eq!(told, "`sum` takes a number, a duration or an interval, and this is a string (Utf8View)");
        assert!(help.is_some());
        assert_eq!(unfit_argument("Internal error: something else"), None);
    }
}
