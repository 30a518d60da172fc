//! `information_schema`, with PostgreSQL's names for types, and with keys.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::Result;
use pgwire::api::Type;

use super::relations::{Key, Relation, Relations};
use crate::serve::pg::values::wire_type;

/// The tables.
pub(super) const NAMES: &[&str] = &[
    "columns",
    "constraint_column_usage",
    "key_column_usage",
    "referential_constraints",
    "routines",
    "schemata",
    "table_constraints",
    "tables",
    "views",
];

/// A column: its name and its values.
type Column = (&'static str, ArrayRef);

/// One of them.
pub(super) fn table(name: &str, database: &str, relations: &Relations) -> Result<Option<RecordBatch>> {
    let columns = match name {
        "columns" => columns(database, relations),
        "constraint_column_usage" => column_usage(database, relations),
        "key_column_usage" => key_columns(database, relations),
        "referential_constraints" => references(database, relations),
        "routines" => ["routine_catalog", "routine_schema", "routine_name", "routine_type"]
            .map(|name| texts(name, [""; 0]))
            .into(),
        "schemata" => schemata(database, relations),
        "table_constraints" => constraints(database, relations),
        "tables" => tables(database, relations),
        "views" => views(database, relations),
        _ => return Ok(None),
    };
    let fields = columns.iter().map(|(name, values)| Field::new(*name, values.data_type().clone(), true));
    let schema = Schema::new(fields.collect::<Vec<_>>());
    Ok(Some(RecordBatch::try_new(Arc::new(schema), columns.into_iter().map(|(_, values)| values).collect())?))
}

fn texts<'t>(name: &'static str, values: impl IntoIterator<Item = &'t str>) -> Column {
    (name, Arc::new(StringArray::from_iter_values(values)))
}

fn nothing(name: &'static str, rows: usize) -> Column {
    (name, Arc::new(StringArray::new_null(rows)))
}

fn numbers(name: &'static str, values: impl Iterator<Item = Option<i32>>) -> Column {
    (name, Arc::new(values.collect::<Int32Array>()))
}

fn flag(yes: bool) -> &'static str {
    if yes { "YES" } else { "NO" }
}

fn tables(database: &str, relations: &Relations) -> Vec<Column> {
    let all = &relations.all;
    vec![
        texts("table_catalog", all.iter().map(|_| database)),
        texts("table_schema", all.iter().map(|it| it.schema.as_str())),
        texts("table_name", all.iter().map(|it| it.name.as_str())),
        texts("table_type", all.iter().map(|it| if it.is_view { "VIEW" } else { "BASE TABLE" })),
        nothing("self_referencing_column_name", all.len()),
        nothing("reference_generation", all.len()),
        texts("is_insertable_into", all.iter().map(|_| "NO")),
        texts("is_typed", all.iter().map(|_| "NO")),
        nothing("commit_action", all.len()),
    ]
}

fn views(database: &str, relations: &Relations) -> Vec<Column> {
    let all: Vec<&Relation> = relations.all.iter().filter(|it| it.is_view).collect();
    vec![
        texts("table_catalog", all.iter().map(|_| database)),
        texts("table_schema", all.iter().map(|it| it.schema.as_str())),
        texts("table_name", all.iter().map(|it| it.name.as_str())),
        ("view_definition", Arc::new(all.iter().map(|it| it.definition.as_deref()).collect::<StringArray>()) as _),
        texts("check_option", all.iter().map(|_| "NONE")),
        texts("is_updatable", all.iter().map(|_| "NO")),
        texts("is_insertable_into", all.iter().map(|_| "NO")),
    ]
}

fn schemata(database: &str, relations: &Relations) -> Vec<Column> {
    let names = || relations.schemas.keys().map(String::as_str);
    vec![
        texts("catalog_name", names().map(|_| database)),
        texts("schema_name", names()),
        texts("schema_owner", names().map(|_| "postgres")),
        nothing("default_character_set_catalog", relations.schemas.len()),
        nothing("default_character_set_schema", relations.schemas.len()),
        nothing("default_character_set_name", relations.schemas.len()),
    ]
}

fn columns(database: &str, relations: &Relations) -> Vec<Column> {
    let all: Vec<(&Relation, i32, &Arc<Field>, Type)> = relations
        .all
        .iter()
        .flat_map(|relation| (1..).zip(relation.columns.fields()).map(move |(at, field)| (relation, at, field)))
        .map(|(relation, at, field)| (relation, at, field, wire_type(field).unwrap_or(Type::TEXT)))
        .collect();
    let named: Vec<String> = all.iter().map(|it| type_name(&it.3)).collect();
    let rows = all.len();
    vec![
        texts("table_catalog", all.iter().map(|_| database)),
        texts("table_schema", all.iter().map(|it| it.0.schema.as_str())),
        texts("table_name", all.iter().map(|it| it.0.name.as_str())),
        texts("column_name", all.iter().map(|it| it.2.name().as_str())),
        numbers("ordinal_position", all.iter().map(|it| Some(it.1))),
        nothing("column_default", rows),
        texts("is_nullable", all.iter().map(|it| flag(it.2.is_nullable()))),
        texts("data_type", named.iter().map(String::as_str)),
        numbers("character_maximum_length", all.iter().map(|_| None)),
        numbers("character_octet_length", all.iter().map(|_| None)),
        numbers("numeric_precision", all.iter().map(|it| precision(&it.3, it.2.data_type()))),
        numbers("numeric_precision_radix", all.iter().map(|it| radix(&it.3))),
        numbers("numeric_scale", all.iter().map(|it| scale(&it.3, it.2.data_type()))),
        numbers("datetime_precision", all.iter().map(|it| fraction(&it.3))),
        nothing("character_set_name", rows),
        nothing("collation_name", rows),
        nothing("domain_name", rows),
        texts("udt_catalog", all.iter().map(|_| database)),
        texts("udt_schema", all.iter().map(|_| "pg_catalog")),
        texts("udt_name", all.iter().map(|it| it.3.name())),
        texts("is_identity", all.iter().map(|_| "NO")),
        texts("is_generated", all.iter().map(|_| "NEVER")),
        nothing("generation_expression", rows),
        texts("is_updatable", all.iter().map(|_| "NO")),
    ]
}

/// The name of the SQL standard, where it has one.
fn type_name(wire: &Type) -> String {
    let name = match *wire {
        Type::BOOL => "boolean",
        Type::INT2 => "smallint",
        Type::INT4 => "integer",
        Type::INT8 => "bigint",
        Type::FLOAT4 => "real",
        Type::FLOAT8 => "double precision",
        Type::TIME => "time without time zone",
        Type::TIMESTAMP => "timestamp without time zone",
        Type::TIMESTAMPTZ => "timestamp with time zone",
        Type::CHAR => "\"char\"",
        ref list if list.name().starts_with('_') => "ARRAY",
        ref other => other.name(),
    };
    name.to_string()
}

fn precision(wire: &Type, data_type: &DataType) -> Option<i32> {
    match (wire, data_type) {
        (_, DataType::Decimal128(precision, 0..)) => Some(i32::from(*precision)),
        (&Type::INT2, _) => Some(16),
        (&Type::INT4, _) => Some(32),
        (&Type::INT8, _) => Some(64),
        (&Type::FLOAT4, _) => Some(24),
        (&Type::FLOAT8, _) => Some(53),
        _ => None,
    }
}

fn radix(wire: &Type) -> Option<i32> {
    match *wire {
        Type::NUMERIC => Some(10),
        Type::INT2 | Type::INT4 | Type::INT8 | Type::FLOAT4 | Type::FLOAT8 => Some(2),
        _ => None,
    }
}

fn scale(wire: &Type, data_type: &DataType) -> Option<i32> {
    match (wire, data_type) {
        (_, DataType::Decimal128(_, scale @ 0..)) => Some(i32::from(*scale)),
        (&Type::INT2 | &Type::INT4 | &Type::INT8, _) => Some(0),
        _ => None,
    }
}

fn fraction(wire: &Type) -> Option<i32> {
    match *wire {
        Type::DATE => Some(0),
        Type::TIME | Type::TIMESTAMP | Type::TIMESTAMPTZ => Some(6),
        _ => None,
    }
}

fn constraints(database: &str, relations: &Relations) -> Vec<Column> {
    let keys = &relations.keys;
    let own = |key: &Key| &relations.all[key.relation];
    vec![
        texts("constraint_catalog", keys.iter().map(|_| database)),
        texts("constraint_schema", keys.iter().map(|key| own(key).schema.as_str())),
        texts("constraint_name", keys.iter().map(|key| key.name.as_str())),
        texts("table_catalog", keys.iter().map(|_| database)),
        texts("table_schema", keys.iter().map(|key| own(key).schema.as_str())),
        texts("table_name", keys.iter().map(|key| own(key).name.as_str())),
        texts("constraint_type", keys.iter().map(|key| if key.to.is_some() { "FOREIGN KEY" } else { "PRIMARY KEY" })),
        texts("is_deferrable", keys.iter().map(|_| flag(false))),
        texts("initially_deferred", keys.iter().map(|_| flag(false))),
        texts("enforced", keys.iter().map(|_| flag(false))),
    ]
}

/// A key with the position of one of its columns, from 0.
fn positions(relations: &Relations) -> Vec<(&Key, usize)> {
    relations.keys.iter().flat_map(|key| (0..key.columns.len()).map(move |at| (key, at))).collect()
}

fn name_of(relation: &Relation, column: i16) -> &str {
    relation.columns.field(column as usize - 1).name()
}

fn key_columns(database: &str, relations: &Relations) -> Vec<Column> {
    let all = positions(relations);
    let own = |key: &Key| &relations.all[key.relation];
    // The columns of the key that a foreign key points to stand in its own order.
    let target = |(key, at): &(&Key, usize)| {
        let (to, columns) = key.to.as_ref()?;
        let primary = relations.keys.iter().find(|other| other.to.is_none() && other.relation == *to)?;
        let place = primary.columns.iter().position(|column| *column == columns[*at])?;
        i32::try_from(place + 1).ok()
    };
    vec![
        texts("constraint_catalog", all.iter().map(|_| database)),
        texts("constraint_schema", all.iter().map(|(key, _)| own(key).schema.as_str())),
        texts("constraint_name", all.iter().map(|(key, _)| key.name.as_str())),
        texts("table_catalog", all.iter().map(|_| database)),
        texts("table_schema", all.iter().map(|(key, _)| own(key).schema.as_str())),
        texts("table_name", all.iter().map(|(key, _)| own(key).name.as_str())),
        texts("column_name", all.iter().map(|(key, at)| name_of(own(key), key.columns[*at]))),
        numbers("ordinal_position", all.iter().map(|(_, at)| i32::try_from(at + 1).ok())),
        numbers("position_in_unique_constraint", all.iter().map(target)),
    ]
}

/// The columns that a key is about: for a foreign key, those that it points to.
fn column_usage(database: &str, relations: &Relations) -> Vec<Column> {
    let all: Vec<(&Key, &Relation, i16)> = positions(relations)
        .into_iter()
        .map(|(key, at)| match &key.to {
            Some((to, columns)) => (key, &relations.all[*to], columns[at]),
            None => (key, &relations.all[key.relation], key.columns[at]),
        })
        .collect();
    let own = |key: &Key| &relations.all[key.relation];
    vec![
        texts("table_catalog", all.iter().map(|_| database)),
        texts("table_schema", all.iter().map(|it| it.1.schema.as_str())),
        texts("table_name", all.iter().map(|it| it.1.name.as_str())),
        texts("column_name", all.iter().map(|it| name_of(it.1, it.2))),
        texts("constraint_catalog", all.iter().map(|_| database)),
        texts("constraint_schema", all.iter().map(|it| own(it.0).schema.as_str())),
        texts("constraint_name", all.iter().map(|it| it.0.name.as_str())),
    ]
}

fn references(database: &str, relations: &Relations) -> Vec<Column> {
    let own = |key: &Key| &relations.all[key.relation];
    let primary = |to: usize| relations.keys.iter().find(|key| key.to.is_none() && key.relation == to);
    let all: Vec<(&Key, &Key)> =
        relations.keys.iter().filter_map(|key| Some((key, primary(key.to.as_ref()?.0)?))).collect();
    let same = |name: &'static str, text: &'static str| texts(name, all.iter().map(move |_| text));
    vec![
        texts("constraint_catalog", all.iter().map(|_| database)),
        texts("constraint_schema", all.iter().map(|(key, _)| own(key).schema.as_str())),
        texts("constraint_name", all.iter().map(|(key, _)| key.name.as_str())),
        texts("unique_constraint_catalog", all.iter().map(|_| database)),
        texts("unique_constraint_schema", all.iter().map(|(_, to)| own(to).schema.as_str())),
        texts("unique_constraint_name", all.iter().map(|(_, to)| to.name.as_str())),
        same("match_option", "NONE"),
        same("update_rule", "NO ACTION"),
        same("delete_rule", "NO ACTION"),
    ]
}
