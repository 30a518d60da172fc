//! Functions that look something up among [`Relations`], and small ones of PostgreSQL that DataFusion has not.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, Int32Builder, ListBuilder, StructBuilder};
use datafusion::arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use tokio::sync::OnceCell;

use super::callables::Callable;
use super::relations::{Relation, Relations, quoted};

/// What a function says to the values of one row.
type Row = fn(&Asked<'_>, &[ScalarValue]) -> Result<ScalarValue>;

/// All of them.
pub(super) fn functions(relations: &Arc<OnceCell<Relations>>) -> impl Iterator<Item = ScalarUDF> {
    let all: [(&'static str, DataType, Row); 19] = [
        ("obj_description", DataType::Utf8, |asked, values| {
            Ok(text(asked.relation(values).and_then(|it| it.comment.clone())))
        }),
        ("col_description", DataType::Utf8, column_comment),
        ("pg_get_constraintdef", DataType::Utf8, constraint),
        ("pg_get_indexdef", DataType::Utf8, index),
        ("pg_get_viewdef", DataType::Utf8, |asked, values| Ok(text(asked.view(values)))),
        ("pg_get_function_arguments", DataType::Utf8, |asked, values| {
            Ok(text(asked.callable(values).map(Callable::signature)))
        }),
        ("pg_get_function_identity_arguments", DataType::Utf8, |asked, values| {
            Ok(text(asked.callable(values).map(Callable::signature)))
        }),
        ("pg_get_function_result", DataType::Utf8, |asked, values| {
            Ok(text(asked.callable(values).map(|_| "SETOF record".to_string())))
        }),
        ("pg_table_is_visible", DataType::Boolean, |asked, values| {
            Ok(ScalarValue::Boolean(asked.relation(values).map(|it| asked.is_visible(it))))
        }),
        ("relation_name", DataType::Utf8, |asked, values| Ok(text(asked.relation(values).map(|it| asked.name(it))))),
        ("to_regclass", DataType::Int32, |asked, values| {
            Ok(ScalarValue::Int32(words(values).first().and_then(|name| asked.named(name)).map(|it| it.number)))
        }),
        ("like_pattern", DataType::Utf8, like_pattern),
        ("json_build_object", DataType::Utf8, json_object),
        ("json_build_array", DataType::Utf8, json_array),
        ("format", DataType::Utf8, format),
        ("current_setting", DataType::Utf8, setting),
        ("current_schema", DataType::Utf8, |asked, _| Ok(text(Some(asked.schema().to_string())))),
        ("current_schemas", DataType::new_list(DataType::Utf8, true), schemas),
        ("pg_expand_array", expanded_type(), expand),
    ];
    let relations = Arc::clone(relations);
    all.into_iter().map(move |(name, returns, row)| {
        let any = vec![TypeSignature::Nullary, TypeSignature::VariadicAny];
        let signature = Signature::one_of(any, Volatility::Stable);
        ScalarUDF::from(LookUp { name, returns, row, signature, relations: Arc::clone(&relations) })
    })
}

/// What such a function knows of, besides its arguments.
struct Asked<'a> {
    relations: Option<&'a Relations>,
    options: &'a ConfigOptions,
}

impl Asked<'_> {
    /// The relation of the number that comes first.
    fn relation(&self, values: &[ScalarValue]) -> Option<&Relation> {
        self.relations?.numbered(number(values.first()?)?)
    }

    /// What a view is, told by its number or its name.
    fn view(&self, values: &[ScalarValue]) -> Option<String> {
        let named = || words(values).first().and_then(|name| self.named(name));
        self.relation(values).or_else(named)?.definition.clone()
    }

    /// The function of the number that comes first.
    fn callable(&self, values: &[ScalarValue]) -> Option<&Callable> {
        let wanted = number(values.first()?)?;
        self.relations?.callables.iter().find(|known| known.number == wanted)
    }

    /// The schema in which names are looked for.
    fn schema(&self) -> &str {
        &self.options.catalog.default_schema
    }

    fn is_visible(&self, relation: &Relation) -> bool {
        relation.schema == "pg_catalog" || relation.schema == self.schema()
    }

    /// As it is named here: with its schema, unless it is found without.
    fn name(&self, relation: &Relation) -> String {
        let name = quoted(&relation.name);
        if self.is_visible(relation) { name } else { format!("{}.{name}", quoted(&relation.schema)) }
    }

    fn named(&self, name: &str) -> Option<&Relation> {
        let (schema, name) = name.split_once('.').map_or((None, name), |(schema, name)| (Some(schema), name));
        let same = |told: &str, known: &str| told == known || told == quoted(known);
        let fits = |it: &&Relation| {
            same(name, &it.name) && schema.map_or_else(|| self.is_visible(it), |schema| same(schema, &it.schema))
        };
        self.relations?.all.iter().find(fits)
    }
}

#[derive(Debug)]
struct LookUp {
    name: &'static str,
    returns: DataType,
    row: Row,
    signature: Signature,
    relations: Arc<OnceCell<Relations>>,
}

impl PartialEq for LookUp {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.relations, &other.relations)
    }
}

impl Eq for LookUp {}

impl Hash for LookUp {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for LookUp {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let asked = Asked { relations: self.relations.get(), options: &args.config_options };
        let columns = args.args.iter().map(|it| it.to_array(args.number_rows)).collect::<Result<Vec<_>>>()?;
        let row = |at: usize| {
            let values =
                columns.iter().map(|column| ScalarValue::try_from_array(column, at)).collect::<Result<Vec<_>>>()?;
            (self.row)(&asked, &values)
        };
        if args.number_rows == 0 {
            return Ok(ColumnarValue::Array(datafusion::arrow::array::new_empty_array(&self.returns)));
        }
        let all = (0..args.number_rows).map(row).collect::<Result<Vec<_>>>()?;
        Ok(ColumnarValue::Array(ScalarValue::iter_to_array(all)?))
    }
}

fn text(value: Option<String>) -> ScalarValue {
    ScalarValue::Utf8(value)
}

fn number(value: &ScalarValue) -> Option<i32> {
    match value.cast_to(&DataType::Int32) {
        Ok(ScalarValue::Int32(number)) => number,
        _ => None,
    }
}

/// The texts up to the first NULL.
fn words(values: &[ScalarValue]) -> Vec<String> {
    let one = |value: &ScalarValue| match value.cast_to(&DataType::Utf8) {
        Ok(ScalarValue::Utf8(text)) => text,
        _ => None,
    };
    values.iter().map_while(one).collect()
}

/// The schemas in which names are looked for; PostgreSQL's own among them, if it is asked for.
fn schemas(asked: &Asked<'_>, values: &[ScalarValue]) -> Result<ScalarValue> {
    let own = ScalarValue::from(asked.schema());
    let all = match values {
        [ScalarValue::Boolean(Some(true))] => vec!["pg_catalog".into(), own],
        _ => vec![own],
    };
    Ok(ScalarValue::List(ScalarValue::new_list_nullable(&all, &DataType::Utf8)))
}

fn column_comment(asked: &Asked<'_>, values: &[ScalarValue]) -> Result<ScalarValue> {
    let column = values.get(1).and_then(number).and_then(|at| usize::try_from(at - 1).ok());
    let comment = || asked.relation(values)?.comments.get(column?)?.clone();
    Ok(text(comment()))
}

fn constraint(asked: &Asked<'_>, values: &[ScalarValue]) -> Result<ScalarValue> {
    let definition = || {
        let (relations, wanted) = (asked.relations?, number(values.first()?)?);
        let key = relations.keys.iter().find(|key| key.number == wanted)?;
        Some(relations.definition(key, |it| asked.name(it)))
    };
    Ok(text(definition()))
}

/// The statement that would make an index, or the name of one of its columns.
fn index(asked: &Asked<'_>, values: &[ScalarValue]) -> Result<ScalarValue> {
    let definition = || {
        let (relations, wanted) = (asked.relations?, number(values.first()?)?);
        let key = relations.keys.iter().find(|key| key.to.is_none() && key.index == wanted)?;
        let relation = &relations.all[key.relation];
        let name = |at: &i16| quoted(relation.columns.field(*at as usize - 1).name());
        match values.get(1).and_then(number) {
            Some(at @ 1..) => key.columns.get(at as usize - 1).map(name),
            _ => {
                let columns = key.columns.iter().map(name).collect::<Vec<_>>().join(", ");
                let table = format!("{}.{}", quoted(&relation.schema), quoted(&relation.name));
                Some(format!("CREATE UNIQUE INDEX {} ON {table} USING btree ({columns})", quoted(&key.name)))
            }
        }
    };
    Ok(text(definition()))
}

/// A pattern with another escape character, with a backslash instead.
fn like_pattern(_: &Asked<'_>, values: &[ScalarValue]) -> Result<ScalarValue> {
    let [pattern, escape] = words(values).try_into().unwrap_or_default();
    if values.iter().any(ScalarValue::is_null) {
        return Ok(text(None));
    }
    let (escape, mut escaped, mut characters) = (escape.chars().next(), String::new(), pattern.chars());
    while let Some(character) = characters.next() {
        let literal = if Some(character) == escape { characters.next() } else { None };
        match (literal, character) {
            (Some(literal), _) => escaped.extend(['\\', literal]),
            (None, '\\') => escaped.push_str("\\\\"),
            (None, other) => escaped.push(other),
        }
    }
    Ok(text(Some(escaped)))
}

/// A text with `%s`, `%I` and `%L` in the place of texts, names and literals.
fn format(_: &Asked<'_>, values: &[ScalarValue]) -> Result<ScalarValue> {
    let Some(pattern) = words(&values[..values.len().min(1)]).pop() else { return Ok(text(None)) };
    let (mut told, mut rest) = (String::new(), values[1..].iter());
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        let kind = if character == '%' { characters.next() } else { None };
        let literal = if character == '%' { kind.filter(|kind| *kind == '%') } else { Some(character) };
        if let Some(literal) = literal {
            told.push(literal);
            continue;
        }
        let Some(value) = rest.next() else { return exec_err!("too few arguments for format()") };
        let said = words(std::slice::from_ref(value)).pop();
        match (kind, said) {
            (Some('s'), said) => told.push_str(&said.unwrap_or_default()),
            (Some('I'), Some(name)) => told.push_str(&quoted(&name)),
            (Some('L'), Some(literal)) => told.push_str(&format!("'{}'", literal.replace('\'', "\'\'"))),
            (Some('L'), None) => told.push_str("NULL"),
            _ => return exec_err!("format() knows %s, %I, %L and %%"),
        }
    }
    Ok(text(Some(told)))
}

fn json(value: &ScalarValue) -> serde_json::Value {
    use serde_json::Value;
    if value.is_null() {
        return Value::Null;
    }
    let data_type = value.data_type();
    let text = value.to_string();
    match value {
        ScalarValue::Boolean(Some(value)) => Value::Bool(*value),
        _ if data_type.is_numeric() => text.parse::<serde_json::Number>().map_or(Value::String(text), Value::Number),
        _ => Value::String(text),
    }
}

fn json_object(_: &Asked<'_>, values: &[ScalarValue]) -> Result<ScalarValue> {
    let pairs = values.chunks(2).map(|pair| match pair {
        [name, value] if !name.is_null() => Ok((name.to_string(), json(value))),
        _ => exec_err!("json_build_object needs a name for every value"),
    });
    let object = pairs.collect::<Result<serde_json::Map<_, _>>>()?;
    Ok(text(Some(serde_json::Value::Object(object).to_string())))
}

fn json_array(_: &Asked<'_>, values: &[ScalarValue]) -> Result<ScalarValue> {
    Ok(text(Some(serde_json::Value::Array(values.iter().map(json).collect()).to_string())))
}

/// What is the same for every connection.
pub(super) const SETTINGS: &[(&str, &str)] = &[
    ("block_size", "8192"),
    ("integer_datetimes", "on"),
    ("max_identifier_length", "63"),
    ("max_index_keys", "32"),
    ("server_encoding", "UTF8"),
    ("server_version", "16.0"),
    ("server_version_num", "160000"),
    ("standard_conforming_strings", "on"),
    ("transaction_read_only", "on"),
];

/// Settings that are the same for every connection, and the search path. `SHOW` tells the others.
fn setting(asked: &Asked<'_>, values: &[ScalarValue]) -> Result<ScalarValue> {
    let name = words(values).into_iter().next().unwrap_or_default().to_ascii_lowercase();
    let told = match SETTINGS.iter().find(|(known, _)| *known == name) {
        Some((_, told)) => told,
        None if name == "search_path" => asked.schema(),
        None if values.len() > 1 => return Ok(text(None)),
        None => return exec_err!("current_setting does not know \"{name}\": SHOW {name} does"),
    };
    Ok(text(Some(told.to_string())))
}

fn expanded_fields() -> Fields {
    Fields::from(vec![Field::new("x", DataType::Int32, true), Field::new("n", DataType::Int32, true)])
}

fn expanded_type() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Struct(expanded_fields()), true)))
}

/// The elements of a list of numbers, each with its position.
fn expand(_: &Asked<'_>, values: &[ScalarValue]) -> Result<ScalarValue> {
    let Some(ScalarValue::List(list)) = values.first() else { return ScalarValue::try_from(expanded_type()) };
    let numbers: ArrayRef = if list.is_null(0) { list.values().slice(0, 0) } else { list.value(0) };
    let mut builder = ListBuilder::new(StructBuilder::from_fields(expanded_fields(), numbers.len()));
    for at in 0..numbers.len() {
        let value = number(&ScalarValue::try_from_array(&numbers, at)?);
        let row = builder.values();
        for (column, value) in [value, Some(at as i32 + 1)].into_iter().enumerate() {
            if let Some(field) = row.field_builder::<Int32Builder>(column) {
                field.append_option(value);
            }
        }
        row.append(true);
    }
    builder.append(true);
    Ok(ScalarValue::List(Arc::new(builder.finish())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(row: Row, values: &[ScalarValue]) -> String {
        let options = ConfigOptions::new();
        row(&Asked { relations: None, options: &options }, values).unwrap().to_string()
    }

    #[test]
    fn patterns_have_another_escape() {
        let pattern = |pattern: &str, escape: &str| said(like_pattern, &[pattern.into(), escape.into()]);
        assert_eq!(pattern("pg/_%", "/"), "pg\\_%");
        assert_eq!(pattern("a//b\\c", "/"), "a\\/b\\\\c");
        assert_eq!(pattern("a_b", ""), "a_b");
    }

    #[test]
    fn names_are_put_into_texts() {
        let values = ["%I.%I = %L%%, %s".into(), "a".into(), "区".into(), "it's".into(), 1.into()];
        assert_eq!(said(format, &values), "a.\"区\" = 'it\'\'s'%, 1");
    }

    #[test]
    fn objects_are_json() {
        let values = ["a".into(), true.into(), "b".into(), 1_i64.into(), "c".into(), ScalarValue::Utf8(None)];
        assert_eq!(said(json_object, &values), "{\"a\":true,\"b\":1,\"c\":null}");
    }

    #[test]
    fn settings_that_may_differ_are_not_guessed() {
        assert_eq!(said(setting, &["server_version_num".into()]), "160000");
        let options = ConfigOptions::new();
        assert!(setting(&Asked { relations: None, options: &options }, &["statement_timeout".into()]).is_err());
    }
}
