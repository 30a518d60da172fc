//! Folders that are named by what is in them, as Hive does it: `dt=2026-01-31`, `区域=华东`.

use std::borrow::Cow;

use datafusion::arrow::datatypes::DataType;
use datafusion::object_store::path::PathPart;
use datafusion::scalar::ScalarValue;

use super::StoreError;
use crate::diagnostic::codes;

/// The name that Hive and Spark give to the folder of NULL.
pub const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// The name of the folder with this value.
///
/// As Hive does it, only signs of ASCII are encoded, also in names: Spark reads the bytes of `%E5%8D%8E` as three letters, and
/// DuckDB does not decode names at all. `=` is one of those that are, since DuckDB cuts names at each of them.
pub fn folder(name: &str, value: Option<&str>) -> String {
    format!("{}={}", encoded(name), value.map_or(NULL.to_string(), encoded))
}

fn encoded(text: &str) -> String {
    let one = |letter: char| match letter {
        '=' => "%3D".to_string(),
        // A lone dot is a folder's name for itself, which none within a name is.
        '.' => ".".to_string(),
        _ if letter.is_ascii() => PathPart::from(letter.to_string().as_str()).as_ref().to_string(),
        _ => letter.to_string(),
    };
    text.chars().map(one).collect()
}

/// The name and the value that a folder's name tells, if it tells any; the value is as it is written there.
pub(super) fn parts(folder: &str) -> Option<(Cow<'_, str>, &str)> {
    let (name, value) = folder.split_once('=')?;
    Some((percent_encoding::percent_decode_str(name).decode_utf8_lossy(), value))
}

/// The value that the folders of a path give to a partition column.
pub(super) fn value(path: &str, name: &str, data_type: &DataType) -> Result<ScalarValue, StoreError> {
    let Some((_, raw)) = path.split('/').filter_map(parts).find(|(key, _)| key == name) else {
        let reason = format!("the file lies in no folder `{name}=…`, which `partition by` declares");
        return Err(StoreError::new(codes::BAD_LAYOUT, reason));
    };
    let decoded = percent_encoding::percent_decode_str(raw).decode_utf8_lossy();
    let value = match decoded.as_ref() {
        NULL => ScalarValue::try_new_null(data_type),
        text => ScalarValue::try_from_string(text.to_string(), data_type),
    };
    value.map_err(|_| {
        StoreError::new(codes::VALUE_MISFIT, format!("the partition `{name}={raw}` does not fit the type {data_type}"))
    })
}

#[cfg(test)]
mod tests {
    use datafusion::object_store::path::Path;

    use super::*;

    #[test]
    fn folders_tell_what_they_were_named_by() {
        for text in ["华东", "a=b", "50%", "%2F", "x#y?z", "[a]*", "..", "", " lead", "换 行", "a/b\\c", "\n"] {
            let name = folder("区 域=%", Some(text));
            assert_eq!(Path::parse(&name).unwrap().parts().count(), 1, "{name}");
            assert_eq!(value(&name, "区 域=%", &DataType::Utf8).unwrap(), ScalarValue::from(text), "{name}");
        }
        assert_eq!(folder("区域", Some("华东=a")), "区域=华东%3Da");
        assert!(value(&folder("d", None), "d", &DataType::Date32).unwrap().is_null());
        // What was written before has names that are encoded, too.
        assert_eq!(value("%E5%8C%BA=%E5%8D%8E", "区", &DataType::Utf8).unwrap(), ScalarValue::from("华"));
    }
}
