//! How indicators stand against their targets.

use maud::{Markup, html};

use super::Visitor;
use super::address::quoted;
use super::frame::{Shown, light};
use super::home::{called, shown_by_name};
use super::rows::Rows;

/// `at least 5 CNY`, `between 1 % and 2 %`.
pub(super) fn aim(visitor: &Visitor, shown: &Shown, rows: &Rows, row: usize) -> String {
    let Some(target) = rows.number(row, "target") else { return String::new() };
    let to = rows.number(row, "target_to").map(|to| format!("–{}", shown.with_unit(to))).unwrap_or_default();
    format!("{} {}{to}", visitor.language.word(rows.text(row, "direction")), shown.with_unit(target))
}

/// An indicator with its light, value, target and owner, and the way to the causes.
pub(super) fn line(visitor: &Visitor, rows: &Rows, row: usize) -> Markup {
    let name = rows.text(row, "indicator");
    let shown = shown_by_name(visitor, name);
    let parts = [
        rows.text(row, "period").to_string(),
        aim(visitor, &shown, rows, row),
        visitor.language.word(rows.text(row, "reason")).to_string(),
        rows.text(row, "owner").to_string(),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    html! {
        li {
            (light(visitor.language, rows.text(row, "status")))
            a.name href={ "/i/" (quoted(name)) } { (called(visitor, name)) }
            span.value { (rows.number(row, "value").map(|value| shown.with_unit(value)).unwrap_or_default()) }
            span.note { (parts.join(" · ")) }
            a.why href={ "/why/" (quoted(name)) "?current=" (quoted(rows.text(row, "period"))) }
                aria-label=(format!("{} {}", visitor.say("why?", "为什么？"), called(visitor, name))) { (visitor.say("why?", "为什么？")) }
        }
    }
}
