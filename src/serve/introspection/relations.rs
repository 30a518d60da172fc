//! What clients can look at: schemas, tables, views, their comments and keys, each with a number.
//!
//! A client looks a number up with one question and asks by it with the next, perhaps on another connection and after the
//! project was read again. So numbers are made of names: the same name has always the same one.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{CatalogProvider, SchemaProvider};
use datafusion::common::Result;
use datafusion::datasource::TableType;

use super::callables::{Callable, callables, roles};
use crate::catalog::indicator::Indicator;
use crate::catalog::source::{Join, Source};
use crate::catalog::{Catalog, Item, Member, SourceId};
use crate::engine::catalog_tables::collapsed;

/// All that there is to look at.
#[derive(Debug)]
pub(super) struct Relations {
    /// The schemas by name.
    pub(super) schemas: BTreeMap<String, i32>,
    /// Tables and views.
    pub(super) all: Vec<Relation>,
    /// Primary and foreign keys.
    pub(super) keys: Vec<Key>,
    /// Roles by name.
    pub(super) roles: BTreeMap<String, i32>,
    /// The functions of schema `bell`.
    pub(super) callables: Vec<Callable>,
    by_number: HashMap<i32, usize>,
}

/// A table or a view.
#[derive(Debug)]
pub(super) struct Relation {
    pub(super) number: i32,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) is_view: bool,
    pub(super) columns: SchemaRef,
    pub(super) comment: Option<String>,
    /// What it is in Bell.
    pub(super) definition: Option<String>,
    /// Of its columns.
    pub(super) comments: Vec<Option<String>>,
}

/// A key of a relation.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) number: i32,
    /// The number of the index that a primary key has.
    pub(super) index: i32,
    pub(super) name: String,
    /// Whose it is, by position.
    pub(super) relation: usize,
    /// The columns, from 1.
    pub(super) columns: Vec<i16>,
    /// What a foreign key points to.
    pub(super) to: Option<(usize, Vec<i16>)>,
}

/// Numbers that clients know by heart, of PostgreSQL's own.
const FIXED: &[(&str, i32)] = &[
    ("pg_type", 1247),
    ("pg_attribute", 1249),
    ("pg_proc", 1255),
    ("pg_class", 1259),
    ("pg_authid", 1260),
    ("pg_database", 1262),
    ("pg_am", 2601),
    ("pg_attrdef", 2604),
    ("pg_constraint", 2606),
    ("pg_description", 2609),
    ("pg_index", 2610),
    ("pg_namespace", 2615),
];

/// Schemas that every PostgreSQL server has.
const FIXED_SCHEMAS: &[(&str, i32)] = &[("pg_catalog", 11), ("public", 2200), ("information_schema", 13_000)];

impl Relations {
    /// Those of a catalog.
    pub(super) async fn of(tables: &dyn CatalogProvider, system: &dyn SchemaProvider, model: &Catalog) -> Result<Self> {
        let mut numbers = Numbers::default();
        let names: BTreeSet<String> = tables.schema_names().into_iter().collect();
        let fixed = FIXED_SCHEMAS.iter().map(|(name, number)| (name.to_string(), *number));
        let mut schemas: BTreeMap<String, i32> = fixed.collect();
        for name in &names {
            schemas.entry(name.clone()).or_insert_with(|| numbers.of(name, ""));
        }
        let mut all = Vec::new();
        for schema in &names {
            let provider = tables.schema(schema);
            // Its own provider is the one that asks.
            let provider = if schema == "pg_catalog" { Some(system) } else { provider.as_deref() };
            if let Some(provider) = provider {
                relations_of(schema, provider, model, &mut numbers, &mut all).await?;
            }
        }
        let by_number = all.iter().enumerate().map(|(at, relation)| (relation.number, at)).collect();
        let keys = keys(&all, model, &mut numbers);
        let roles = roles(model).into_iter().map(|name| (name.to_string(), numbers.of("pg_roles", name))).collect();
        let callables = callables(|name| numbers.of("pg_proc", name));
        Ok(Relations { schemas, all, keys, roles, callables, by_number })
    }

    pub(super) fn numbered(&self, number: i32) -> Option<&Relation> {
        self.by_number.get(&number).map(|at| &self.all[*at])
    }

    /// A key as PostgreSQL writes it, where relations are named as the caller finds them.
    pub(super) fn definition(&self, key: &Key, named: impl Fn(&Relation) -> String) -> String {
        let names = |relation: usize, columns: &[i16]| {
            let relation = &self.all[relation];
            let names = columns.iter().map(|at| quoted(relation.columns.field(*at as usize - 1).name()));
            names.collect::<Vec<_>>().join(", ")
        };
        let own = names(key.relation, &key.columns);
        match &key.to {
            None => format!("PRIMARY KEY ({own})"),
            Some((to, columns)) => {
                format!("FOREIGN KEY ({own}) REFERENCES {}({})", named(&self.all[*to]), names(*to, columns))
            }
        }
    }
}

/// A name as it stands in a statement.
pub(super) fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    match name.chars().all(plain) && !name.starts_with(|c: char| c.is_ascii_digit()) {
        true => name.to_string(),
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// Numbers by name.
#[derive(Default)]
struct Numbers {
    taken: HashSet<u32>,
}

impl Numbers {
    fn of(&mut self, schema: &str, name: &str) -> i32 {
        let fixed = FIXED.iter().find(|(known, _)| schema == "pg_catalog" && *known == name);
        if let Some((_, number)) = fixed {
            return *number;
        }
        // FNV-1a; numbers below 16384 are PostgreSQL's own.
        let bytes = schema.bytes().chain([0]).chain(name.bytes());
        let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let mut number = 16_384 + hash % (i32::MAX as u32 - 32_768);
        while !self.taken.insert(number) {
            number += 1;
        }
        number as i32
    }
}

async fn relations_of(
    schema: &str,
    provider: &dyn SchemaProvider,
    model: &Catalog,
    numbers: &mut Numbers,
    all: &mut Vec<Relation>,
) -> Result<()> {
    let names: BTreeSet<String> = provider.table_names().into_iter().collect();
    for name in names {
        let Some(table) = provider.table(&name).await? else { continue };
        let columns = table.schema();
        let source = model.source_named(schema, &name);
        all.push(Relation {
            number: numbers.of(schema, &name),
            is_view: table.table_type() == TableType::View,
            comment: item(model, schema, &name).and_then(comment),
            definition: definition(model, schema, &name, &columns),
            comments: columns.fields().iter().map(|it| column_comment(model, schema, source, it.name())).collect(),
            schema: schema.to_string(),
            name,
            columns,
        });
    }
    Ok(())
}

/// What a name in a package stands for.
fn item<'c>(model: &'c Catalog, schema: &str, name: &str) -> Option<&'c Item> {
    let source = model.source_named(schema, name).map(|id| &model.source(id).item);
    let member = || match model.member(schema, name)? {
        Member::Indicator(id) => Some(&model.indicator(id).item),
        Member::Dimension(id) => Some(&model.dimension(id).item),
    };
    let view = || model.views.iter().map(|view| &view.item).find(|it| it.package == schema && it.name == name);
    let event = || model.event_named(schema, name).map(|event| &event.item);
    source.or_else(member).or_else(view).or_else(event)
}

/// What a view is in Bell: an indicator, all of a package, or a source without the place of its files.
fn definition(model: &Catalog, schema: &str, name: &str, columns: &Schema) -> Option<String> {
    let written = |indicator: &Indicator| {
        format!("indicator {} = {}", quoted(&indicator.item.name), collapsed(&indicator.definition_text))
    };
    if let Some(id) = model.source_named(schema, name) {
        let source = model.source(id);
        let key = source.keys.first().and_then(|key| shown(model, id, key, columns)).unwrap_or_default();
        let key = key.iter().map(|at| quoted(columns.field(*at as usize - 1).name())).collect::<Vec<_>>().join(", ");
        let key = if key.is_empty() { String::new() } else { format!("  key ({key})\n") };
        let columns = columns.fields().iter().map(|it| quoted(it.name())).collect::<Vec<_>>().join("  ");
        return Some(format!("source {} {{\n{key}  columns {{ {columns} }}\n}}", quoted(name)));
    }
    if let Some(Member::Indicator(id)) = model.member(schema, name) {
        return Some(written(model.indicator(id)));
    }
    let all = model.declared_indicators().filter(|(_, it)| name == "indicators" && it.item.package == schema);
    let all: Vec<String> = all.map(|(_, indicator)| written(indicator)).collect();
    (!all.is_empty()).then(|| all.join("\n"))
}

fn column_comment(model: &Catalog, schema: &str, source: Option<SourceId>, name: &str) -> Option<String> {
    match source {
        Some(id) => model.source(id).columns.iter().find(|column| column.name == name)?.label.clone(),
        None => comment(item(model, schema, name)?),
    }
}

/// The label and the description.
fn comment(item: &Item) -> Option<String> {
    let parts: Vec<&str> = [&item.label, &item.description].into_iter().flatten().map(String::as_str).collect();
    (!parts.is_empty()).then(|| parts.join(": "))
}

/// The keys of sources, and the joins that are foreign keys.
fn keys(all: &[Relation], model: &Catalog, numbers: &mut Numbers) -> Vec<Key> {
    let by_name: HashMap<(&str, &str), usize> =
        all.iter().enumerate().map(|(at, it)| ((it.schema.as_str(), it.name.as_str()), at)).collect();
    let place = |source: &Source| by_name.get(&(source.item.package.as_str(), source.item.name.as_str())).copied();
    let mut found = Vec::new();
    for (id, source) in (0..).map(SourceId).zip(&model.sources) {
        let Some(relation) = place(source) else { continue };
        let mut add = |name: String, columns, to| {
            let schema = &source.item.package;
            let (number, index) = (numbers.of(schema, &format!("{name} key")), numbers.of(schema, &name));
            found.push(Key { number, index, name, relation, columns, to });
        };
        let primary = source.keys.first().filter(|key| !key.is_empty());
        if let Some(columns) = primary.and_then(|key| shown(model, id, key, &all[relation].columns)) {
            add(format!("{}_pkey", source.item.name), columns, None);
        }
        for join in &source.joins {
            let Some((own, other)) = pairs(model, join) else { continue };
            let Some(to) = place(model.source(join.to)) else { continue };
            let columns = shown(model, id, &own, &all[relation].columns);
            let Some((columns, others)) = columns.zip(shown(model, join.to, &other, &all[to].columns)) else {
                continue;
            };
            add(format!("{}_{}_fkey", source.item.name, join.name), columns, Some((to, others)));
        }
    }
    found
}

/// The columns of a join that leads to a key, on both sides.
fn pairs(model: &Catalog, join: &Join) -> Option<(Vec<usize>, Vec<usize>)> {
    if join.valid.is_some() || !join.is_own() {
        return None;
    }
    let one = |(near, far): &(_, _)| Some((column(near)?, column(far)?));
    let (near, far): (Vec<usize>, Vec<usize>) =
        join.on.iter().map(one).collect::<Option<Vec<_>>>()?.into_iter().unzip();
    let met: BTreeSet<&usize> = far.iter().collect();
    let is_key = model.source(join.to).keys.iter().any(|key| key.iter().collect::<BTreeSet<_>>() == met);
    is_key.then_some((near, far))
}

fn column(expression: &crate::catalog::expr::Expression) -> Option<usize> {
    expression.as_column().filter(|column| column.path.steps.is_empty()).map(|column| column.column)
}

/// The numbers of a source's columns in its view; `None` if one is hidden, or is no key for who sees it masked.
fn shown(model: &Catalog, id: SourceId, columns: &[usize], view: &Schema) -> Option<Vec<i16>> {
    let masked = |column: usize| model.seen.as_ref().is_some_and(|seen| seen.masked.contains_key(&(id, column)));
    let one = |at: &usize| {
        let (place, _) = view.column_with_name(&model.source(id).columns[*at].name).filter(|_| !masked(*at))?;
        i16::try_from(place + 1).ok()
    };
    columns.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_has_always_the_same_number() {
        let (mut some, mut others) = (Numbers::default(), Numbers::default());
        others.of("retail", "gmv");
        assert_eq!(some.of("retail", "orders"), others.of("retail", "orders"));
        assert_eq!(some.of("pg_catalog", "pg_class"), 1259);
        assert!(some.of("retail", "pg_class") >= 16_384);
        assert_ne!(some.of("a", "b"), some.of("ab", ""));
    }

    #[test]
    fn names_are_quoted_where_they_must_be() {
        assert_eq!(
            [quoted("a_1"), quoted("区域"), quoted("A\"b"), quoted("1a")],
            ["a_1", "\"区域\"", "\"A\"\"b\"", "\"1a\""]
        );
    }
}
