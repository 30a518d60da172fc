//! Schema `pg_catalog`: the tables that tell of relations, made of [`Relations`]; the others as PostgreSQL has them when it
//! is new.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};

use async_trait::async_trait;
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int16Array, Int32Array, ListArray, RecordBatch, RecordBatchOptions,
    StringArray, new_null_array,
};
use datafusion::arrow::datatypes::{DataType, Field, Int16Type, Int32Type, Schema, SchemaRef};
use datafusion::catalog::{CatalogProvider, MemTable, SchemaProvider, TableProvider};
use datafusion::common::{Result, ScalarValue};
use datafusion::error::DataFusionError;
use datafusion_pg_catalog::pg_catalog::catalog_info::CatalogInfo;
use datafusion_pg_catalog::pg_catalog::context::EmptyContextProvider;
use datafusion_pg_catalog::pg_catalog::{PgCatalogSchemaProvider, PgCatalogStaticTables};
use pgwire::api::Type;
use tokio::sync::OnceCell;

use super::callables::both;
use super::information_schema;
use super::look_up::SETTINGS;
use super::relations::Relations;
use crate::catalog::Catalog;
use crate::serve::pg::values::wire_type;

/// The schema. It is one of the catalog's, which it therefore must not keep alive.
#[derive(Debug)]
pub(super) struct PgCatalog {
    new: PgCatalogSchemaProvider<Alone, EmptyContextProvider>,
    database: String,
    tables: Weak<dyn CatalogProvider>,
    model: Arc<Catalog>,
    relations: Arc<OnceCell<Relations>>,
}

/// A server with one database of which nothing is told: of what is in it, [`Relations`] tell.
#[derive(Debug, Clone)]
struct Alone(String);

#[async_trait]
impl CatalogInfo for Alone {
    async fn catalog_names(&self) -> Result<Vec<String>> {
        Ok(vec![self.0.clone()])
    }

    async fn schema_names(&self, _: &str) -> Result<Option<Vec<String>>> {
        Ok(None)
    }

    async fn table_names(&self, _: &str, _: &str) -> Result<Option<Vec<String>>> {
        Ok(None)
    }

    async fn table_schema(&self, _: &str, _: &str, _: &str) -> Result<Option<SchemaRef>> {
        Ok(None)
    }

    async fn table_type(&self, _: &str, _: &str, _: &str) -> Result<Option<datafusion::datasource::TableType>> {
        Ok(None)
    }
}

/// The tables of a new server, which are the same for all.
fn new_server() -> Result<Arc<PgCatalogStaticTables>> {
    static TABLES: OnceLock<Arc<PgCatalogStaticTables>> = OnceLock::new();
    if let Some(tables) = TABLES.get() {
        return Ok(Arc::clone(tables));
    }
    let tables = Arc::new(PgCatalogStaticTables::try_new()?);
    Ok(Arc::clone(TABLES.get_or_init(|| tables)))
}

impl PgCatalog {
    pub(super) fn of(
        database: &str,
        tables: &Arc<dyn CatalogProvider>,
        model: &Arc<Catalog>,
        relations: &Arc<OnceCell<Relations>>,
    ) -> Result<Self> {
        let new = PgCatalogSchemaProvider::try_new(Alone(database.to_string()), new_server()?, EmptyContextProvider)?;
        let (database, tables, model) = (database.to_string(), Arc::downgrade(tables), Arc::clone(model));
        Ok(PgCatalog { new, database, tables, model, relations: Arc::clone(relations) })
    }

    /// What there is to look at; it stays the same while the project does.
    pub(super) async fn relations(&self) -> Result<&Relations> {
        let gather = || async {
            let gone = || DataFusionError::Internal("the catalog is gone".to_string());
            let tables = self.tables.upgrade().ok_or_else(gone)?;
            Relations::of(tables.as_ref(), &self.new, &self.model).await
        };
        self.relations.get_or_try_init(gather).await
    }

    /// A table of `information_schema`, which stands in here: its own place in DataFusion is taken.
    async fn standard(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let batch = information_schema::table(name, &self.database, self.relations().await?)?;
        let table = batch.map(|batch| MemTable::try_new(batch.schema(), vec![vec![batch]])).transpose()?;
        Ok(table.map(|table| Arc::new(table) as Arc<dyn TableProvider>))
    }

    /// PostgreSQL's own functions, and ours.
    async fn functions(&self) -> Result<Option<Arc<dyn TableProvider>>> {
        let ours = self.told("pg_proc", functions(self.relations().await?))?;
        match self.new.table("pg_proc").await? {
            Some(new) => both(new, ours).map(Some),
            None => Ok(Some(ours)),
        }
    }

    fn told(&self, name: &str, told: Told) -> Result<Arc<dyn TableProvider>> {
        let schema = self.schema_of(name)?;
        let batch = filled(&schema, told)?;
        Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
    }

    fn schema_of(&self, name: &str) -> Result<SchemaRef> {
        let table = self.new.build_table_by_name(name)?;
        let schema = table.map_or_else(|| Arc::new(Schema::empty()), |table| table.schema());
        Ok(with(&schema, changed(name)))
    }
}

#[async_trait]
impl SchemaProvider for PgCatalog {
    fn table_names(&self) -> Vec<String> {
        self.new.table_names()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let name = name.to_ascii_lowercase();
        let tell: fn(&Relations) -> Told = match name.as_str() {
            "pg_namespace" => namespaces,
            "pg_class" => classes,
            "pg_attribute" => attributes,
            "pg_index" => indexes,
            "pg_constraint" => constraints,
            "pg_description" => descriptions,
            "pg_tables" => tables,
            "pg_views" => views,
            "pg_settings" => settings,
            "pg_roles" => roles,
            "pg_proc" => return self.functions().await,
            _ => match name.strip_prefix("information_schema.") {
                Some(name) => return self.standard(name).await,
                None => return self.new.table(&name).await,
            },
        };
        Ok(Some(self.told(&name, tell(self.relations().await?))?))
    }

    fn table_exist(&self, name: &str) -> bool {
        let standard = name.strip_prefix("information_schema.");
        standard.map_or_else(|| self.new.table_exist(name), |name| information_schema::NAMES.contains(&name))
    }
}

/// Columns that are lists in PostgreSQL, or that a new server's tables lack.
fn changed(table: &str) -> Vec<Field> {
    let list = |name: &str, of: DataType| Field::new_list(name, Field::new_list_field(of, true), true);
    match table {
        "pg_class" => ["reloptions", "relacl"].map(|name| list(name, DataType::Utf8)).to_vec(),
        "pg_settings" => vec![Field::new("boot_val", DataType::Utf8, true)],
        "pg_namespace" => vec![list("nspacl", DataType::Utf8)],
        "pg_attribute" => ["attacl", "attoptions", "attfdwoptions"].map(|name| list(name, DataType::Utf8)).to_vec(),
        "pg_index" => vec![
            list("indkey", DataType::Int16),
            list("indcollation", DataType::Int32),
            list("indclass", DataType::Int32),
            list("indoption", DataType::Int16),
        ],
        "pg_constraint" => {
            let oids = ["conpfeqop", "conppeqop", "conffeqop", "conexclop"].map(|name| list(name, DataType::Int32));
            let columns = ["conkey", "confkey", "confdelsetcols"].map(|name| list(name, DataType::Int16));
            columns.into_iter().chain(oids).collect()
        }
        "pg_views" => ["schemaname", "viewname", "viewowner", "definition"]
            .map(|name| Field::new(name, DataType::Utf8, true))
            .to_vec(),
        _ => vec![],
    }
}

fn with(schema: &SchemaRef, changed: Vec<Field>) -> SchemaRef {
    let mut fields: Vec<Field> = schema.fields().iter().map(|field| field.as_ref().clone()).collect();
    for field in changed {
        match fields.iter_mut().find(|known| known.name() == field.name()) {
            Some(known) => *known = field,
            None => fields.push(field),
        }
    }
    Arc::new(Schema::new(fields))
}

/// The number of rows, and the columns of which something is told.
type Told = (usize, HashMap<&'static str, ArrayRef>);

/// All columns: those that nothing is told of are empty, or zero where they must not be.
fn filled(schema: &SchemaRef, (rows, mut told): Told) -> Result<RecordBatch> {
    let column = |field: &Arc<Field>| match told.remove(field.name().as_str()) {
        Some(column) => Ok(column),
        None if field.is_nullable() => Ok(new_null_array(field.data_type(), rows)),
        None => ScalarValue::new_default(field.data_type())?.to_array_of_size(rows),
    };
    let columns = schema.fields().iter().map(column).collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}

/// PostgreSQL's number for the owner of everything.
const OWNER: i32 = 10;

/// The name that goes with it.
const OWNER_NAME: &str = "postgres";

fn texts<'t>(values: impl Iterator<Item = &'t str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn numbers(values: impl Iterator<Item = i32>) -> ArrayRef {
    Arc::new(Int32Array::from_iter_values(values))
}

fn small(values: impl Iterator<Item = i16>) -> ArrayRef {
    Arc::new(Int16Array::from_iter_values(values))
}

fn flags(values: impl Iterator<Item = bool>) -> ArrayRef {
    Arc::new(values.map(Some).collect::<BooleanArray>())
}

fn lists<'l>(values: impl Iterator<Item = Option<&'l [i16]>>) -> ArrayRef {
    let values = values.map(|list| list.map(|list| list.iter().copied().map(Some).collect::<Vec<_>>()));
    Arc::new(ListArray::from_iter_primitive::<Int16Type, _, _>(values))
}

fn namespaces(relations: &Relations) -> Told {
    let rows = relations.schemas.len();
    let told = [
        ("oid", numbers(relations.schemas.values().copied())),
        ("nspname", texts(relations.schemas.keys().map(String::as_str))),
        ("nspowner", numbers((0..rows).map(|_| OWNER))),
    ];
    (rows, told.into())
}

/// A row of `pg_class`.
struct Class<'r> {
    number: i32,
    schema: &'r str,
    name: &'r str,
    kind: &'static str,
    columns: usize,
    /// How it is looked up: 403 is a B-tree.
    access: i32,
}

/// Relations, and the indexes that primary keys are.
fn classes(relations: &Relations) -> Told {
    let own = relations.all.iter().map(|relation| Class {
        number: relation.number,
        schema: &relation.schema,
        name: &relation.name,
        kind: if relation.is_view { "v" } else { "r" },
        columns: relation.columns.fields().len(),
        access: 0,
    });
    let primary = relations.keys.iter().filter(|key| key.to.is_none()).map(|key| Class {
        number: key.index,
        schema: &relations.all[key.relation].schema,
        name: &key.name,
        kind: "i",
        columns: key.columns.len(),
        access: 403,
    });
    let all: Vec<Class> = own.chain(primary).collect();
    let same = |text: &'static str| texts(all.iter().map(move |_| text));
    let told = [
        ("oid", numbers(all.iter().map(|it| it.number))),
        ("relname", texts(all.iter().map(|it| it.name))),
        ("relnamespace", numbers(all.iter().map(|it| relations.schemas.get(it.schema).copied().unwrap_or(0)))),
        ("relowner", numbers(all.iter().map(|_| OWNER))),
        ("relam", numbers(all.iter().map(|it| it.access))),
        ("reltuples", Arc::new(Float64Array::from(vec![-1.0; all.len()])) as ArrayRef),
        ("relpersistence", same("p")),
        ("relkind", texts(all.iter().map(|it| it.kind))),
        ("relnatts", small(all.iter().map(|it| i16::try_from(it.columns).unwrap_or(i16::MAX)))),
        ("relispopulated", flags(all.iter().map(|_| true))),
        ("relreplident", same("n")),
    ];
    (all.len(), told.into())
}

fn attributes(relations: &Relations) -> Told {
    let all: Vec<(i32, i16, &Arc<Field>, Type)> = relations
        .all
        .iter()
        .flat_map(|relation| (1..).zip(relation.columns.fields()).map(|(at, field)| (relation.number, at, field)))
        .map(|(number, at, field)| (number, at, field, wire_type(field).unwrap_or(Type::TEXT)))
        .collect();
    let collation = |wire: &Type| if *wire == Type::TEXT { 100 } else { 0 };
    let same = |text: &'static str| texts(all.iter().map(move |_| text));
    let told = [
        ("attrelid", numbers(all.iter().map(|it| it.0))),
        ("attname", texts(all.iter().map(|it| it.2.name().as_str()))),
        ("atttypid", numbers(all.iter().map(|it| it.3.oid() as i32))),
        ("attstattarget", numbers(all.iter().map(|_| -1))),
        ("attlen", small(all.iter().map(|it| length(&it.3)))),
        ("attnum", small(all.iter().map(|it| it.1))),
        ("attcacheoff", numbers(all.iter().map(|_| -1))),
        ("atttypmod", numbers(all.iter().map(|it| modifier(it.2.data_type())))),
        ("attbyval", flags(all.iter().map(|it| length(&it.3) > 0))),
        ("attalign", same("i")),
        ("attstorage", texts(all.iter().map(|it| if length(&it.3) > 0 { "p" } else { "x" }))),
        ("attnotnull", flags(all.iter().map(|it| !it.2.is_nullable()))),
        ("attislocal", flags(all.iter().map(|_| true))),
        ("attcollation", numbers(all.iter().map(|it| collation(&it.3)))),
    ];
    (all.len(), told.into())
}

/// The bytes of a value, if all have the same.
fn length(wire: &Type) -> i16 {
    match *wire {
        Type::BOOL | Type::CHAR => 1,
        Type::INT2 => 2,
        Type::INT4 | Type::FLOAT4 | Type::DATE | Type::OID => 4,
        Type::INT8 | Type::FLOAT8 | Type::TIME | Type::TIMESTAMP | Type::TIMESTAMPTZ => 8,
        Type::INTERVAL => 16,
        _ => -1,
    }
}

/// Digits of decimal numbers; -1 for what has no more to say than its type.
fn modifier(data_type: &DataType) -> i32 {
    match data_type {
        DataType::Decimal128(precision, scale @ 0..) => ((i32::from(*precision) << 16) | i32::from(*scale)) + 4,
        _ => -1,
    }
}

fn indexes(relations: &Relations) -> Told {
    let all: Vec<_> = relations.keys.iter().filter(|key| key.to.is_none()).collect();
    let yes = || flags(all.iter().map(|_| true));
    let count = || small(all.iter().map(|key| key.columns.len() as i16));
    let zeros: Vec<Vec<i16>> = all.iter().map(|key| vec![0; key.columns.len()]).collect();
    let wide = || {
        let values = zeros.iter().map(|list| Some(list.iter().map(|it| Some(i32::from(*it))).collect::<Vec<_>>()));
        Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(values)) as ArrayRef
    };
    let told = [
        ("indexrelid", numbers(all.iter().map(|key| key.index))),
        ("indrelid", numbers(all.iter().map(|key| relations.all[key.relation].number))),
        ("indnatts", count()),
        ("indnkeyatts", count()),
        ("indisunique", yes()),
        ("indisprimary", yes()),
        ("indimmediate", yes()),
        ("indisvalid", yes()),
        ("indisready", yes()),
        ("indislive", yes()),
        ("indkey", lists(all.iter().map(|key| Some(key.columns.as_slice())))),
        ("indcollation", wide()),
        ("indclass", wide()),
        ("indoption", lists(zeros.iter().map(|list| Some(list.as_slice())))),
    ];
    (all.len(), told.into())
}

fn constraints(relations: &Relations) -> Told {
    let all = &relations.keys;
    let number = |at: usize| relations.all[at].number;
    // A foreign key leans on the index of the key that it points to.
    let index = |relation: usize| all.iter().find(|key| key.to.is_none() && key.relation == relation);
    let same = |text: &'static str| texts(all.iter().map(move |_| text));
    let action = || texts(all.iter().map(|key| if key.to.is_some() { "a" } else { " " }));
    let namespaces = all.iter().map(|key| relations.schemas.get(&relations.all[key.relation].schema));
    let told = [
        ("oid", numbers(all.iter().map(|key| key.number))),
        ("conname", texts(all.iter().map(|key| key.name.as_str()))),
        ("connamespace", numbers(namespaces.map(|number| number.copied().unwrap_or(0)))),
        ("contype", texts(all.iter().map(|key| if key.to.is_some() { "f" } else { "p" }))),
        ("convalidated", flags(all.iter().map(|_| true))),
        ("conrelid", numbers(all.iter().map(|key| number(key.relation)))),
        (
            "conindid",
            numbers(all.iter().map(|key| match &key.to {
                Some((to, _)) => index(*to).map_or(0, |key| key.index),
                None => key.index,
            })),
        ),
        ("confrelid", numbers(all.iter().map(|key| key.to.as_ref().map_or(0, |(to, _)| number(*to))))),
        ("confupdtype", action()),
        ("confdeltype", action()),
        ("confmatchtype", same("s")),
        ("conislocal", flags(all.iter().map(|_| true))),
        ("connoinherit", flags(all.iter().map(|_| true))),
        ("conkey", lists(all.iter().map(|key| Some(key.columns.as_slice())))),
        ("confkey", lists(all.iter().map(|key| key.to.as_ref().map(|(_, columns)| columns.as_slice())))),
    ];
    (all.len(), told.into())
}

fn descriptions(relations: &Relations) -> Told {
    let mut all: Vec<(i32, i32, &str)> = Vec::new();
    for relation in &relations.all {
        let comments = std::iter::once(&relation.comment).chain(&relation.comments);
        let told = (0..).zip(comments).filter_map(|(at, it)| Some((relation.number, at, it.as_deref()?)));
        all.extend(told);
    }
    // Comments are those of `pg_class`.
    let told = [
        ("objoid", numbers(all.iter().map(|it| it.0))),
        ("classoid", numbers(all.iter().map(|_| 1259))),
        ("objsubid", numbers(all.iter().map(|it| it.1))),
        ("description", texts(all.iter().map(|it| it.2))),
    ];
    (all.len(), told.into())
}

fn tables(relations: &Relations) -> Told {
    let all: Vec<_> = relations.all.iter().filter(|it| !it.is_view).collect();
    let told = [
        ("schemaname", texts(all.iter().map(|it| it.schema.as_str()))),
        ("tablename", texts(all.iter().map(|it| it.name.as_str()))),
        ("tableowner", texts(all.iter().map(|_| OWNER_NAME))),
    ];
    (all.len(), told.into())
}

/// The owner of everything, and the roles of policies: who has one logs in under another name.
fn roles(relations: &Relations) -> Told {
    let all: Vec<(&str, i32)> = std::iter::once((OWNER_NAME, OWNER))
        .chain(relations.roles.iter().map(|(name, number)| (name.as_str(), *number)))
        .collect();
    let all_so = |flag: bool| flags(all.iter().map(move |_| flag));
    let told = [
        ("rolname", texts(all.iter().map(|it| it.0))),
        ("rolsuper", all_so(false)),
        ("rolinherit", all_so(true)),
        ("rolcreaterole", all_so(false)),
        ("rolcreatedb", all_so(false)),
        ("rolcanlogin", all_so(false)),
        ("rolreplication", all_so(false)),
        ("rolbypassrls", all_so(false)),
        ("rolconnlimit", numbers(all.iter().map(|_| -1))),
        ("oid", numbers(all.iter().map(|it| it.1))),
    ];
    (all.len(), told.into())
}

/// Functions in FROM.
fn functions(relations: &Relations) -> Told {
    let all = &relations.callables;
    let same = |number: i32| numbers(all.iter().map(move |_| number));
    let schema = relations.schemas.get("bell").copied().unwrap_or(0);
    let told = [
        ("oid", numbers(all.iter().map(|it| it.number))),
        ("proname", texts(all.iter().map(|it| it.name))),
        ("pronamespace", same(schema)),
        ("proowner", same(OWNER)),
        ("prokind", texts(all.iter().map(|_| "f"))),
        ("proretset", flags(all.iter().map(|_| true))),
        ("pronargs", small(all.iter().map(|it| it.arguments.len() as i16))),
        // `record`
        ("prorettype", same(2249)),
    ];
    (all.len(), told.into())
}

/// What is the same for every connection.
fn settings(_: &Relations) -> Told {
    let names = || texts(SETTINGS.iter().map(|(name, _)| *name));
    let values = || texts(SETTINGS.iter().map(|(_, setting)| *setting));
    let same = |text: &'static str| texts(SETTINGS.iter().map(move |_| text));
    let told = [
        ("name", names()),
        ("setting", values()),
        ("context", same("internal")),
        ("vartype", same("string")),
        ("source", same("default")),
        ("boot_val", values()),
        ("reset_val", values()),
    ];
    (SETTINGS.len(), told.into())
}

fn views(relations: &Relations) -> Told {
    let all: Vec<_> = relations.all.iter().filter(|it| it.is_view).collect();
    let told = [
        ("schemaname", texts(all.iter().map(|it| it.schema.as_str()))),
        ("viewname", texts(all.iter().map(|it| it.name.as_str()))),
        ("viewowner", texts(all.iter().map(|_| OWNER_NAME))),
        ("definition", texts(all.iter().map(|it| it.definition.as_deref().unwrap_or_default()))),
    ];
    (all.len(), told.into())
}
