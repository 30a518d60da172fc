//! What clients set and ask of a PostgreSQL server, as far as it means something here.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use pgwire::error::ErrorInfo;

use crate::serve::session::Session;

/// Settings by name.
pub(super) type Values = Arc<BTreeMap<String, String>>;

/// The settings of a connection.
#[derive(Debug)]
pub(super) struct Settings {
    /// All that every client may ask for, and what was set of the engine's.
    values: Mutex<Values>,
    /// What they were once the client had connected, which they are reset to.
    at_first: OnceLock<Values>,
}

/// Those that every client may ask for, with what they are at first.
const KNOWN: &[(&str, &str)] = &[
    ("application_name", ""),
    ("backslash_quote", "safe_encoding"),
    ("bytea_output", "hex"),
    ("check_function_bodies", "on"),
    ("client_encoding", "UTF8"),
    ("client_min_messages", "notice"),
    ("datestyle", "ISO, MDY"),
    ("cursor_tuple_fraction", "0.1"),
    ("default_transaction_deferrable", "off"),
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_read_only", "on"),
    ("enable_seqscan", "on"),
    ("escape_string_warning", "on"),
    ("extra_float_digits", "1"),
    ("geqo", "on"),
    ("idle_in_transaction_session_timeout", "0"),
    ("in_hot_standby", "off"),
    ("integer_datetimes", "on"),
    ("intervalstyle", "postgres"),
    ("is_superuser", "off"),
    ("jit", "off"),
    ("lc_collate", "C"),
    ("lc_ctype", "C"),
    ("lc_messages", "C"),
    ("lc_monetary", "C"),
    ("lc_numeric", "C"),
    ("lc_time", "C"),
    ("lock_timeout", "0"),
    ("max_identifier_length", "63"),
    ("max_index_keys", "32"),
    ("max_parallel_workers_per_gather", "0"),
    ("quote_all_identifiers", "off"),
    ("row_security", "on"),
    ("search_path", "public"),
    ("server_encoding", "UTF8"),
    ("server_version", SERVER_VERSION),
    ("server_version_num", "160000"),
    ("standard_conforming_strings", "on"),
    ("statement_timeout", "0"),
    ("synchronous_commit", "on"),
    ("timezone", "UTC"),
    ("transaction_deferrable", "off"),
    ("transaction_isolation", "read committed"),
    ("transaction_read_only", "on"),
    ("work_mem", "4MB"),
    ("xmloption", "content"),
];

/// Clients choose what they ask by it; the rest tells who answers.
const SERVER_VERSION: &str = concat!("16.0 (Bellwether ", env!("CARGO_PKG_VERSION"), ")");

/// What is told to a client when it begins, under the names that it expects.
const REPORTED: &[(&str, &str)] = &[
    ("application_name", "application_name"),
    ("client_encoding", "client_encoding"),
    ("DateStyle", "datestyle"),
    ("default_transaction_read_only", "default_transaction_read_only"),
    ("in_hot_standby", "in_hot_standby"),
    ("integer_datetimes", "integer_datetimes"),
    ("IntervalStyle", "intervalstyle"),
    ("is_superuser", "is_superuser"),
    ("search_path", "search_path"),
    ("server_encoding", "server_encoding"),
    ("server_version", "server_version"),
    ("standard_conforming_strings", "standard_conforming_strings"),
    ("TimeZone", "timezone"),
];

/// How the names of the engine's own settings begin.
const ENGINES: &str = "bell.";

/// What only the server says.
const FIXED: &[&str] = &[
    "in_hot_standby",
    "integer_datetimes",
    "is_superuser",
    "max_identifier_length",
    "max_index_keys",
    "server_encoding",
    "server_version",
    "server_version_num",
];

impl Default for Settings {
    fn default() -> Self {
        let values = KNOWN.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        Settings { values: Mutex::new(Arc::new(values.collect())), at_first: OnceLock::new() }
    }
}

impl Settings {
    /// What a client says when it connects: settings by name, `-c name=value` in `options`. A database of a package's name
    /// makes that package the one whose views need no schema.
    pub(super) fn begin(&self, session: &Arc<Session>, said: &HashMap<String, String>) -> Result<(), ErrorInfo> {
        if let Some(database) = said.get("database")
            && self.has_package(session, database)
        {
            self.set(session, "search_path", database)?;
        }
        let options = said.get("options").map(String::as_str).unwrap_or_default();
        let flags = options.replace("-c ", "-c").replace("--", "-c");
        let flags = flags.split_whitespace().filter_map(|flag| flag.strip_prefix("-c")?.split_once('='));
        for (name, value) in flags {
            self.set(session, &name.to_ascii_lowercase(), value)?;
        }
        for (name, value) in said {
            let name = name.to_ascii_lowercase();
            if KNOWN.iter().any(|(known, _)| *known == name) {
                self.set(session, &name, value)?;
            }
        }
        session.begin();
        let _ = self.at_first.set(self.now());
        Ok(())
    }

    fn has_package(&self, session: &Arc<Session>, name: &str) -> bool {
        session.engine().is_ok_and(|(_, engine)| engine.catalog().package(name).is_some())
    }

    /// Sets one.
    pub(super) fn set(&self, session: &Arc<Session>, name: &str, value: &str) -> Result<(), ErrorInfo> {
        if name.starts_with(ENGINES) {
            session.set(name, value).map_err(|error| wrong("22023", error.to_string()))?;
            self.remember(name, value);
            return Ok(());
        }
        if FIXED.contains(&name) {
            return Err(wrong("55P02", format!("parameter \"{name}\" cannot be changed")));
        }
        if !KNOWN.iter().any(|(known, _)| *known == name) {
            return Err(wrong("42704", format!("unrecognized configuration parameter \"{name}\"")));
        }
        let value = match value.eq_ignore_ascii_case("default") {
            true => self.first(name),
            false => value,
        };
        self.take_effect(session, name, value)?;
        self.remember(name, value);
        Ok(())
    }

    fn remember(&self, name: &str, value: &str) {
        Arc::make_mut(&mut self.values()).insert(name.to_string(), value.to_string());
    }

    /// As they are now.
    pub(super) fn now(&self) -> Values {
        Arc::clone(&self.values())
    }

    /// Sets all to what they were.
    pub(super) fn back_to(&self, session: &Arc<Session>, before: &Values) -> Result<(), ErrorInfo> {
        if Arc::ptr_eq(&self.now(), before) {
            return Ok(());
        }
        for name in self.now().keys().filter(|name| !before.contains_key(*name)) {
            self.reset(session, name)?;
        }
        let now = self.now();
        let other = before.iter().filter(|(name, value)| now.get(*name) != Some(value));
        other.into_iter().try_for_each(|(name, value)| self.set(session, name, value))
    }

    fn take_effect(&self, session: &Arc<Session>, name: &str, value: &str) -> Result<(), ErrorInfo> {
        let only = |known: &str| match value.eq_ignore_ascii_case(known) {
            true => Ok(()),
            false => Err(wrong("22023", format!("{name} is {known} here, and nothing else"))),
        };
        match name {
            "standard_conforming_strings" => only("on"),
            "bytea_output" => only("hex"),
            "intervalstyle" => only("postgres"),
            "timezone" if !is_zone(value) => Err(wrong("22023", format!("there is no time zone {value}"))),
            "client_encoding" if !is_utf8(value) => Err(wrong("22023", format!("texts are UTF-8 here, not {value}"))),
            "datestyle" if !value.to_ascii_uppercase().contains("ISO") => {
                Err(wrong("22023", format!("dates are written as in ISO 8601 here, not as in {value}")))
            }
            "statement_timeout" => {
                let time = duration(value).ok_or_else(|| wrong("22023", format!("{value} is no time")))?;
                session.set_time(Some(time).filter(|time| !time.is_zero()));
                Ok(())
            }
            "search_path" => {
                let names = value.split(',').map(|name| name.trim().trim_matches('"'));
                let schema = names.into_iter().find(|name| *name == "public" || self.has_package(session, name));
                let schema = schema.unwrap_or("public");
                session
                    .set("datafusion.catalog.default_schema", schema)
                    .map_err(|error| wrong("22023", error.to_string()))
            }
            _ => Ok(()),
        }
    }

    /// Sets one, or all, to what they were at first.
    pub(super) fn reset(&self, session: &Arc<Session>, name: &str) -> Result<(), ErrorInfo> {
        let failed = |error: crate::Error| wrong("22023", error.to_string());
        if name.starts_with(ENGINES) {
            session.reset(name).map_err(failed)?;
            self.forget(name);
            return Ok(());
        }
        if name != "all" {
            return self.set(session, name, "default");
        }
        session.reset(ENGINES).map_err(failed)?;
        self.forget(ENGINES);
        let changeable = KNOWN.iter().filter(|(name, _)| !FIXED.contains(name));
        changeable.into_iter().try_for_each(|(name, _)| self.set(session, name, "default"))
    }

    /// Those of the engine whose names begin so are what they were at first.
    fn forget(&self, names: &str) {
        let mut values = self.values();
        let values = Arc::make_mut(&mut values);
        values.retain(|name, _| !name.starts_with(names));
        let first = self.at_first.get().into_iter().flat_map(|first| first.iter());
        let first = first.filter(|(name, _)| name.starts_with(names));
        values.extend(first.map(|(name, value)| (name.clone(), value.clone())));
    }

    fn first(&self, name: &str) -> &str {
        let told = self.at_first.get().and_then(|values| values.get(name)).map(String::as_str);
        told.unwrap_or_else(|| KNOWN.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value))
    }

    /// The names and values of one, or of all.
    pub(super) fn shown(&self, name: &str) -> Result<Vec<(String, String)>, ErrorInfo> {
        let values = self.values();
        if name == "all" {
            return Ok(values.iter().map(|(name, value)| (name.clone(), value.clone())).collect());
        }
        match values.get(name) {
            Some(value) => Ok(vec![(name.to_string(), value.clone())]),
            None => Err(wrong("42704", format!("unrecognized configuration parameter \"{name}\""))),
        }
    }

    /// What a client is told when it begins.
    pub(super) fn reported(&self) -> HashMap<String, String> {
        let values = self.values();
        let told = |(said, name): &(&str, &str)| Some((said.to_string(), values.get(*name)?.clone()));
        REPORTED.iter().filter_map(told).collect()
    }

    fn values(&self) -> MutexGuard<'_, Values> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_utf8(encoding: &str) -> bool {
    matches!(encoding.to_ascii_lowercase().replace(['-', '_'], "").as_str(), "utf8" | "unicode" | "sqlascii")
}

/// A name of a time zone, or hours from Greenwich.
fn is_zone(text: &str) -> bool {
    text.parse::<chrono_tz::Tz>().is_ok() || text.parse::<f64>().is_ok_and(|hours| hours.abs() <= 15.0)
}

/// Milliseconds, or a number with a unit.
fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let factor = match unit.trim() {
        "" | "ms" => 0.001,
        "s" => 1.0,
        "min" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * factor).ok()
}

fn wrong(code: &str, message: String) -> ErrorInfo {
    ErrorInfo::new("ERROR".to_string(), code.to_string(), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!(duration("1500"), Some(Duration::from_millis(1500)));
        assert_eq!(duration("2s"), Some(Duration::from_secs(2)));
        assert_eq!(duration("0"), Some(Duration::ZERO));
        assert!(is_zone("Asia/Shanghai") && is_zone("UTC") && is_zone("-8") && !is_zone("Mars"));
        assert!(duration("soon").is_none() && duration("-1").is_none());
    }
}
