//! Filters: SQL with `{{ Dimension('listing__country') }}` in it.

/// A filter, cut at its templates.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// SQL.
    Text(String),
    /// A template.
    Call(Call),
}

/// `TimeDimension('metric_time', 'day')`, with what is chained to it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Call {
    /// `Dimension`, `TimeDimension`, `Entity`, `Metric`.
    pub function: String,
    /// The first argument: a linked name, or a metric.
    pub name: String,
    /// `entity_path`, or the `group_by` of a metric.
    pub names: Vec<String>,
    /// The grain.
    pub grain: Option<String>,
    /// The date part.
    pub date_part: Option<String>,
    /// `.descending(True)`.
    pub descending: bool,
}

/// Cuts a filter at its templates.
///
/// # Errors
/// What is not understood, in words.
pub fn pieces(filter: &str) -> Result<Vec<Piece>, String> {
    let mut found = Vec::new();
    let mut rest = filter;
    while let Some((before, after)) = rest.split_once("{{") {
        let (inside, after) = after.split_once("}}").ok_or("a `{{` is not closed")?;
        if !before.is_empty() {
            found.push(Piece::Text(before.to_string()));
        }
        found.push(Piece::Call(call(inside)?));
        rest = after;
    }
    if !rest.is_empty() {
        found.push(Piece::Text(rest.to_string()));
    }
    Ok(found)
}

/// Reads one call.
///
/// # Errors
/// What is not understood, in words.
pub fn call(text: &str) -> Result<Call, String> {
    let mut reader = Reader { rest: text.trim() };
    let mut call = Call { function: reader.word(), ..Call::default() };
    let mut arguments = reader.arguments()?;
    let lists = |call: &Call| matches!(call.function.as_str(), "Metric" | "Dimension" | "Entity" | "TimeDimension");
    if !lists(&call) {
        return Err(format!("`{}` is not known in filters", call.function));
    }
    if arguments.is_empty() {
        return Err(format!("`{}` needs a name", call.function));
    }
    call.name = arguments.remove(0).1.into_iter().next().unwrap_or_default();
    for (at, (keyword, values)) in arguments.into_iter().enumerate() {
        let first = values.first().cloned();
        match (keyword.as_deref(), call.function.as_str(), at) {
            (Some("time_granularity_name" | "time_granularity"), ..) | (None, "TimeDimension", 0) => call.grain = first,
            (Some("date_part_name" | "date_part"), ..) => call.date_part = first,
            (Some("descending"), ..) => {}
            (Some("entity_path" | "group_by"), ..) | (None, ..) => call.names = values,
            (Some(other), ..) => return Err(format!("`{other}` is not known in filters")),
        }
    }
    while reader.take('.') {
        let method = reader.word();
        let arguments = reader.arguments()?;
        let first = arguments.into_iter().next().and_then(|(_, values)| values.into_iter().next());
        match method.as_str() {
            "grain" => call.grain = first,
            "date_part" => call.date_part = first,
            "descending" => call.descending = first.as_deref() != Some("False"),
            other => return Err(format!("`.{other}` is not known in filters")),
        }
    }
    match reader.rest.is_empty() {
        true => Ok(call.lower_case()),
        false => Err(format!("`{}` is not understood", reader.rest)),
    }
}

impl Call {
    fn lower_case(mut self) -> Call {
        self.grain = self.grain.filter(|grain| grain != "None").map(|grain| grain.to_lowercase());
        self.date_part = self.date_part.filter(|part| part != "None").map(|part| part.to_lowercase());
        self
    }

    /// The linked name with its entity path before it.
    pub fn linked_name(&self) -> String {
        let mut names = if self.function == "Metric" { vec![] } else { self.names.clone() };
        names.push(self.name.clone());
        names.join("__")
    }
}

/// Walks over Python-like arguments.
struct Reader<'t> {
    rest: &'t str,
}

/// A keyword (perhaps), and one value or those of a list.
type Argument = (Option<String>, Vec<String>);

impl Reader<'_> {
    fn take(&mut self, mark: char) -> bool {
        let rest = self.rest.trim_start();
        match rest.strip_prefix(mark) {
            Some(after) => {
                self.rest = after.trim_start();
                true
            }
            None => false,
        }
    }

    fn word(&mut self) -> String {
        let rest = self.rest.trim_start();
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        self.rest = &rest[end..];
        rest[..end].to_string()
    }

    fn arguments(&mut self) -> Result<Vec<Argument>, String> {
        if !self.take('(') {
            return Err(format!("a bracket is missing before `{}`", self.rest));
        }
        let mut found = Vec::new();
        while !self.take(')') {
            let before = self.rest;
            let keyword = self.word();
            if !keyword.is_empty() && self.take('=') {
                found.push((Some(keyword), self.values()?));
            } else {
                self.rest = before;
                found.push((None, self.values()?));
            }
            if !self.take(',') && !self.rest.trim_start().starts_with(')') {
                return Err(format!("`{}` is not understood", self.rest));
            }
        }
        Ok(found)
    }

    /// One value, or those of a list.
    fn values(&mut self) -> Result<Vec<String>, String> {
        let closing = if self.take('[') {
            ']'
        } else if self.take('(') {
            ')'
        } else {
            return Ok(vec![self.value()?]);
        };
        let mut found = Vec::new();
        while !self.take(closing) {
            found.push(self.value()?);
            self.take(',');
        }
        Ok(found)
    }

    fn value(&mut self) -> Result<String, String> {
        let rest = self.rest.trim_start();
        let Some(quote) = rest.chars().next().filter(|c| matches!(c, '\'' | '"')) else {
            let word = self.word();
            // `Dimension('listing__country')` in a list: its name is meant.
            if !word.is_empty() && self.rest.trim_start().starts_with('(') {
                let arguments = self.arguments()?;
                return Ok(arguments.into_iter().flat_map(|(_, values)| values).next().unwrap_or_default());
            }
            return if word.is_empty() { Err(format!("`{rest}` is not understood")) } else { Ok(word) };
        };
        let (value, after) = rest[1..].split_once(quote).ok_or("a text is not closed")?;
        self.rest = after;
        Ok(value.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_cut_at_its_templates() {
        let found =
            pieces("{{ Metric('views', group_by=['listing']) }} > 10 or {{ Dimension('a__b', entity_path=()) }}");
        let metric =
            Call { function: "Metric".into(), name: "views".into(), names: vec!["listing".into()], ..Call::default() };
        let dimension = Call { function: "Dimension".into(), name: "a__b".into(), ..Call::default() };
        let wanted = vec![Piece::Call(metric), Piece::Text(" > 10 or ".into()), Piece::Call(dimension)];
        assert_eq!(found.unwrap(), wanted);
    }

    #[test]
    fn grains_and_parts_are_chained_or_given() {
        let given = call("TimeDimension('metric_time', 'DAY').descending(True)").unwrap();
        assert_eq!((given.grain.as_deref(), given.descending), (Some("day"), true));
        let chained = call("Dimension(\"metric_time\").date_part('year')").unwrap();
        assert_eq!(chained.date_part.as_deref(), Some("year"));
        assert_eq!(call("Dimension('country', entity_path=['listing'])").unwrap().linked_name(), "listing__country");
        assert!(call("var('x')").is_err());
    }
}
