//! Functions by which clients ask about a PostgreSQL server, where the answer is always the same here.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};

/// What clients are told of the server.
const VERSION: &str = concat!("PostgreSQL 16.0 (Bellwether ", env!("CARGO_PKG_VERSION"), ")");

/// What there is nothing of here: texts of functions, rules and such.
const TEXTS: &[&str] = &[
    "inet_client_addr",
    "inet_server_addr",
    "pg_get_functiondef",
    "pg_get_ruledef",
    "pg_get_serial_sequence",
    "pg_get_triggerdef",
    "pg_size_pretty",
    "pg_tablespace_location",
    "shobj_description",
];

/// What is not known.
const SIZES: &[&str] = &["pg_database_size", "pg_indexes_size", "pg_table_size", "txid_current"];

/// What holds of everything that callers can see.
const TRUE: &[&str] = &[
    "has_column_privilege",
    "has_function_privilege",
    "has_sequence_privilege",
    "has_type_privilege",
    "pg_collation_is_visible",
    "pg_function_is_visible",
    "pg_has_role",
    "pg_opclass_is_visible",
    "pg_operator_is_visible",
    "pg_type_is_visible",
];

/// What holds of nothing here.
const FALSE: &[&str] = &["pg_is_in_recovery", "pg_is_other_temp_schema"];

/// Numbers of what there is not.
const NUMBERS: &[&str] = &["inet_client_port", "inet_server_port", "pg_my_temp_schema", "to_regtype"];

/// All of them.
pub(super) fn functions() -> impl Iterator<Item = ScalarUDF> {
    let [yes, no] = [true, false].map(ScalarValue::from);
    let groups: [(&'static [&'static str], ScalarValue); 9] = [
        (&["version"], VERSION.into()),
        (&["getdatabaseencoding", "pg_client_encoding"], "UTF8".into()),
        (&["pg_conf_load_time", "pg_postmaster_start_time"], ScalarValue::TimestampMicrosecond(None, None)),
        (&["pg_char_to_encoding"], ScalarValue::Int32(Some(6))),
        (TEXTS, ScalarValue::Utf8(None)),
        (SIZES, ScalarValue::Int64(None)),
        (NUMBERS, ScalarValue::Int32(None)),
        (TRUE, yes),
        (FALSE, no),
    ];
    let told = groups.into_iter().flat_map(|(names, value)| names.iter().map(move |name| (*name, value.clone())));
    told.map(|(name, value)| {
        let any = vec![TypeSignature::Nullary, TypeSignature::VariadicAny];
        let signature = Signature::one_of(any, Volatility::Stable);
        ScalarUDF::from(Told { name, value, signature })
    })
}

/// A function that answers always the same.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Told {
    name: &'static str,
    value: ScalarValue,
    signature: Signature,
}

impl ScalarUDFImpl for Told {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.value.data_type())
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(self.value.clone()))
    }
}

/// Functions of times that read PostgreSQL's patterns (`YYYY-MM-DD`) besides DataFusion's own (`%Y-%m-%d`).
pub(super) fn with_patterns(known: impl Fn(&str) -> Option<Arc<ScalarUDF>>) -> impl Iterator<Item = ScalarUDF> {
    let names = ["to_char", "to_date", "to_timestamp"];
    names.into_iter().filter_map(known).map(|inner| ScalarUDF::from(Patterned { inner }))
}

/// A function whose arguments after the first are patterns.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Patterned {
    inner: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for Patterned {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn invoke_with_args(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        for argument in args.args.iter_mut().skip(1) {
            if let ColumnarValue::Scalar(pattern) = argument
                && let Some(Some(text)) = pattern.try_as_str()
                && !text.contains('%')
            {
                let data_type = pattern.data_type();
                *pattern = ScalarValue::from(in_percents(text)?).cast_to(&data_type)?;
            }
        }
        self.inner.invoke_with_args(args)
    }
}

/// The parts of PostgreSQL's patterns, longer ones before those that they begin with.
const PARTS: &[(&str, &str)] = &[
    ("YYYY", "%Y"),
    ("YY", "%y"),
    ("IYYY", "%G"),
    ("IW", "%V"),
    ("Month", "%B"),
    ("Mon", "%b"),
    ("MM", "%m"),
    ("MI", "%M"),
    ("MS", "%3f"),
    ("DDD", "%j"),
    ("DD", "%d"),
    ("Dy", "%a"),
    ("HH24", "%H"),
    ("HH12", "%I"),
    ("HH", "%I"),
    ("SS", "%S"),
    ("US", "%6f"),
    ("AM", "%p"),
    ("PM", "%p"),
    ("Q", "%q"),
];

/// A pattern of PostgreSQL's in DataFusion's way.
fn in_percents(pattern: &str) -> Result<String> {
    let (mut told, mut rest) = (String::new(), pattern);
    while let Some(character) = rest.chars().next() {
        if let Some((part, percent)) = PARTS.iter().find(|(part, _)| rest.starts_with(part)) {
            told.push_str(percent);
            rest = &rest[part.len()..];
        } else if let Some((quoted, after)) = rest.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
            told.push_str(quoted);
            rest = after;
        } else if !character.is_ascii_alphabetic() || "TZ".contains(character) {
            told.push(character);
            rest = &rest[character.len_utf8()..];
        } else {
            return exec_err!("the pattern {pattern:?} has parts that are not known here: {rest:?}");
        }
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_read_or_refused() {
        assert_eq!(in_percents("YYYY-MM-DD HH24:MI:SS.US").unwrap(), "%Y-%m-%d %H:%M:%S.%6f");
        assert_eq!(in_percents("YYYY\"年\"MM").unwrap(), "%Y年%m");
        assert_eq!(in_percents("YYYY-MM-DDTHH24:MI").unwrap(), "%Y-%m-%dT%H:%M");
        assert!(in_percents("FMMonth").is_err() && in_percents("J").is_err());
    }
}
