//! What every page has: head, way around, lights, numbers, tables.

use maud::{DOCTYPE, Markup, html};

use super::language::Language;
use super::rows::{Rows, SHOWN};

/// A whole page.
pub(super) fn page(language: Language, title: &str, search: &str, content: Markup) -> Markup {
    let say = |english, chinese| language.say(english, chinese);
    html! {
        (DOCTYPE)
        html lang=(language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Bellwether" }
                link rel="stylesheet" href="/style.css";
                link rel="icon" href="/icon.svg" type="image/svg+xml";
            }
            body {
                a.skip href="#content" { (say("To the content", "跳到正文")) }
                header {
                    nav aria-label=(say("Main", "主导航")) {
                        a.home href="/" { "Bellwether" }
                        a href="/scenarios" { (say("Scenarios", "场景")) }
                        a href="/sql" { "SQL" }
                    }
                    form.search action="/" role="search" {
                        input type="search" name="q" value=(search) aria-label=(say("Search indicators", "搜索指标"))
                            placeholder=(say("Search indicators", "搜索指标"));
                        button { (say("Search", "搜索")) }
                    }
                }
                main #content tabindex="-1" { (content) }
            }
        }
    }
}

/// A status as a light, which also has a shape and a word.
pub(super) fn light(language: Language, status: &str) -> Markup {
    let (kind, shape, word) = match status {
        "green" => ("green", "●", language.say("on track", "达标")),
        "amber" => ("amber", "▲", language.say("at risk", "预警")),
        "red" => ("red", "■", language.say("off track", "未达标")),
        "grey" => ("grey", "○", language.say("not known", "未知")),
        _ => return html! {},
    };
    html! { span class={ "light " (kind) } { span aria-hidden="true" { (shape) } " " (word) } }
}

/// What numbers are measured in, and thus how they are written.
#[derive(Debug, Clone, Default)]
pub(super) struct Shown {
    pub(super) unit: Option<String>,
}

impl Shown {
    fn percent(&self) -> bool {
        self.unit.as_deref() == Some("percent")
    }

    /// A number to be read, rounded, with its unit.
    pub(super) fn with_unit(&self, value: f64) -> String {
        match &self.unit {
            Some(unit) if !self.percent() => format!("{} {unit}", self.number(value)),
            _ => self.number(value),
        }
    }

    /// A number to be read, rounded.
    pub(super) fn number(&self, value: f64) -> String {
        match self.percent() {
            true => format!("{} %", rounded(value * 100.0)),
            false => rounded(value),
        }
    }

    /// A number beside an axis, with as many digits as tell it from its neighbours.
    pub(super) fn tick(&self, value: f64, span: f64) -> String {
        let scale = if self.percent() { 100.0 } else { 1.0 };
        let digits = (1.0 - (span * scale).log10().floor()).clamp(0.0, 12.0) as usize;
        format!("{}{}", with_digits(value * scale, digits), if self.percent() { " %" } else { "" })
    }

    /// A change; of a share in points, since `+1 %` would be read as a hundredth of it.
    pub(super) fn change(&self, language: Language, value: f64) -> String {
        match self.percent() {
            true => format!("{} {}", signed(rounded(value * 100.0)), language.say("pp", "个百分点")),
            false => signed(rounded(value)),
        }
    }
}

/// A share of 1 in percent.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", with_digits(share * 100.0, 0))
}

/// A growth in percent.
pub(super) fn growth(percent: f64) -> String {
    format!("{} %", signed(with_digits(percent, 1)))
}

fn signed(number: String) -> String {
    match number.starts_with('−') || number == "0" {
        true => number,
        false => format!("+{number}"),
    }
}

/// Four digits, or all before the point, in groups of three.
fn rounded(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    let before = value.abs().log10().floor();
    let digits = if value == 0.0 { 0 } else { (3.0 - before).clamp(0.0, 8.0) as usize };
    with_digits(value, digits)
}

/// So many digits after the point, without zeros at the end, and groups of three before it.
fn with_digits(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    let text = format!("{:.digits$}", value.abs());
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let part = part.trim_end_matches('0');
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if value < 0.0 && text.chars().any(|digit| digit.is_ascii_digit() && digit != '0') { "−" } else { "" };
    match part {
        "" => format!("{sign}{grouped}"),
        part => format!("{sign}{grouped}.{part}"),
    }
}

/// Rows as they are, all digits.
pub(super) fn table(language: Language, rows: &Rows) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label=(language.say("Rows", "数据")) {
            table {
                thead { tr { @for name in &rows.names { th scope="col" { (name) } } } }
                tbody {
                    @for row in &rows.rows {
                        tr {
                            @for cell in row {
                                td class=[cell.number.map(|_| "number")] {
                                    @match &cell.text { Some(text) => (text), None => span.null { "NULL" } }
                                }
                            }
                        }
                    }
                }
            }
        }
        @if rows.more { p.note { (language.say("Only the first rows are shown: ", "仅显示前若干行：")) (SHOWN) } }
        @if rows.rows.is_empty() { p.note { (language.say("No rows.", "没有数据。")) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_to_be_read() {
        let table = [
            (0.0, "0"),
            (1234567.89, "1,234,568"),
            (-999.96, "−1,000"),
            (0.08825, "0.08825"),
            (12.5, "12.5"),
            (-1e-12, "0"),
        ];
        for (value, text) in table {
            assert_eq!(rounded(value), text);
        }
        let percent = Shown { unit: Some("percent".to_string()) };
        assert_eq!(percent.with_unit(0.246_52), "24.65 %");
        assert_eq!(percent.change(Language::English, 0.01), "+1 pp");
        assert_eq!(percent.change(Language::Chinese, -0.01), "−1 个百分点");
        assert_eq!(
            (percent.tick(0.999_95, 0.000_1), percent.tick(0.5, 1.0)),
            ("99.995 %".to_string(), "50 %".to_string())
        );
        assert_eq!(
            (growth(-19.44), growth(0.04), super::percent(1.0166)),
            ("−19.4 %".to_string(), "0 %".to_string(), "102 %".to_string())
        );
        assert_eq!(Shown { unit: Some("CNY".to_string()) }.with_unit(5.0), "5 CNY");
    }
}
