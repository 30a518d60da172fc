//! One schema for all files of a source, and declared types over it.

use datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};

use super::StoreError;
use crate::diagnostic::{codes, nearest};

/// The schema that every file has. Differences are refused, also those that could be widened (a column that one file
/// lacks would turn missing data into NULLs; `int` beside `bigint` is often a column that changed its meaning): declaring
/// the type in `columns` says that the difference is meant. How a text is laid out in memory is no difference.
pub(super) fn unify(files: &[(String, Schema)], declared: &[(String, DataType)]) -> Result<Schema, StoreError> {
    let Some(((first, schema), others)) = files.split_first() else {
        return Err(StoreError::new(codes::FILE_MISSING, "no file"));
    };
    let mut fields: Vec<Field> =
        schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    for (other, schema) in others {
        compare(&mut fields, schema, declared, first).map_err(|error| error.in_file(other))?;
    }
    Ok(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

fn compare(
    fields: &mut [Field],
    other: &Schema,
    declared: &[(String, DataType)],
    first: &str,
) -> Result<(), StoreError> {
    let differ = |reason: String| StoreError::new(codes::SCHEMAS_DIFFER, reason);
    for field in fields.iter_mut() {
        let name = field.name();
        let Ok(theirs) = other.field_with_name(name) else {
            return Err(differ(format!("the column `{name}` is missing; {first} has it")));
        };
        if field.data_type() == theirs.data_type() || declared.iter().any(|(column, _)| column == name) {
            continue;
        }
        if !is_text(field.data_type()) || !is_text(theirs.data_type()) {
            let reason = format!("`{name}` is {} here and {} in {first}", theirs.data_type(), field.data_type());
            return Err(differ(reason).help(format!("if that is meant, declare the type: columns {{ {name} … }}")));
        }
        field.set_data_type(DataType::Utf8View);
    }
    match other.fields().iter().find(|theirs| !fields.iter().any(|field| field.name() == theirs.name())) {
        Some(extra) => Err(differ(format!("there is a further column `{}`, which {first} has not", extra.name()))),
        None => Ok(()),
    }
}

/// Whether two schemas have the same columns at the same positions.
pub(super) fn same_columns(one: &Schema, other: &Schema) -> bool {
    let columns =
        |schema: &Schema| schema.fields().iter().map(|f| (f.name().clone(), f.data_type().clone())).collect::<Vec<_>>();
    columns(one) == columns(other)
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// Puts the declared types in; the reader casts, and a value that does not fit is an error when it is read.
pub(super) fn with_declared(schema: &Schema, declared: &[(String, DataType)]) -> Result<Schema, StoreError> {
    check_names(schema, declared)?;
    let retyped = |field: &Field| match declared.iter().find(|(name, _)| name == field.name()) {
        Some((name, to)) if loses(field.data_type(), to) => {
            let reason = format!(
                "`{name}` is {} in the files; reading it as {to} would drop a part of its values",
                field.data_type()
            );
            Err(StoreError::new(codes::BAD_COLUMN_TYPE, reason)
                .help(format!("compute another column: columns {{ {name}_2 = cast({name} as …) }}")))
        }
        Some((_, to)) => Ok(field.clone().with_data_type(to.clone())),
        None => Ok(field.clone()),
    };
    let fields: Vec<Field> = schema.fields().iter().map(|field| retyped(field)).collect::<Result<_, _>>()?;
    Ok(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// Declared columns must exist.
pub(super) fn check_names(schema: &Schema, declared: &[(String, DataType)]) -> Result<(), StoreError> {
    let known: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let Some((name, _)) = declared.iter().find(|(name, _)| !known.contains(&name.as_str())) else { return Ok(()) };
    let error = StoreError::new(codes::BAD_COLUMN_TYPE, format!("the files have no column `{name}`"));
    Err(match nearest(name, known.iter().copied()) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help(format!("the columns are: {}", known.join(", "))),
    })
}

/// Casts that succeed and still change the value: SQL allows them where they are written, a declaration must not hide them.
fn loses(from: &DataType, to: &DataType) -> bool {
    use DataType::*;
    match (from, to) {
        (Float16 | Float32 | Float64, to) => to.is_integer(),
        (Decimal128(_, from) | Decimal256(_, from), Decimal128(_, to) | Decimal256(_, to)) => to < from,
        (Decimal128(_, scale) | Decimal256(_, scale), to) => *scale > 0 && to.is_integer(),
        (Timestamp(from, _), Timestamp(to, _)) => fineness(*to) < fineness(*from),
        (Timestamp(..) | Date64, Date32) => true,
        _ => false,
    }
}

fn fineness(unit: TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}
