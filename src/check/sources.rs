//! Sources: do the declared columns, keys and partitions exist?

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{Column, TableReference};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableScan};

use super::declare::{Declared, item_of};
use super::source_rows::SourceRows;
use super::{Checker, Failure, Table, Tables};
use crate::catalog::expr::Input;
use crate::catalog::reach::replace_inputs;
use crate::catalog::size::Size;
use crate::catalog::source::{Rows, Source, SourceColumn};
use crate::catalog::{Catalog, SourceId};
use crate::diagnostic::{Diagnostic, codes, nearest};
use crate::syntax::ast::{self, Name};

impl<'a> Checker<'a> {
    /// Columns, keys and partitions of every source whose table is there.
    pub(crate) fn check_sources(&mut self, tables: &Tables) {
        for declared in self.declared.sources.clone() {
            let key = (declared.package.to_string(), declared.tree.name.text.clone());
            if let Some(table) = tables.get(&key) {
                let result = self.source_of(declared, table);
                if let Some(source) = self.keep(result) {
                    let id = SourceId(self.catalog.sources.len() as u32);
                    self.catalog.to_mut().source_names.insert(&key.0, &key.1, id);
                    self.catalog.to_mut().sources.push(source);
                    self.package(declared.package).sources.push(id);
                }
            }
        }
    }

    fn source_of(&mut self, declared: Declared<'a, &'a ast::Source>, table: &Table) -> Result<Source, Failure> {
        let tree = declared.tree;
        let columns = self.columns_of(tree, &table.schema);
        let mut item = item_of(declared.package, declared.item, &tree.name, &tree.labels);
        item.owner = tree.owner.as_ref().map(|owner| owner.text.clone());
        let mut source = Source {
            item,
            rows: table.rows.clone(),
            query: match &table.rows {
                Rows::Query(plan) => Some(Arc::clone(plan)),
                Rows::Table(_) => None,
            },
            location: location_of(tree),
            columns,
            filter: None,
            keys: vec![],
            time: None,
            joins: vec![],
            size: Size::of(&table.rows),
        };
        for key in &tree.keys {
            let columns = key.iter().map(|name| self.column_of(&source, name)).collect::<Result<Vec<_>, _>>();
            if let Some(columns) = self.keep(columns) {
                source.keys.push(columns);
            }
        }
        Ok(source)
    }

    fn columns_of(&mut self, tree: &ast::Source, schema: &SchemaRef) -> Vec<SourceColumn> {
        let mut columns: Vec<SourceColumn> = schema
            .fields()
            .iter()
            .map(|field| SourceColumn {
                name: field.name().clone(),
                label: None,
                data_type: field.data_type().clone(),
                nullable: field.is_nullable(),
                hidden: false,
                computed: None,
            })
            .collect();
        for spec in tree.columns.iter().filter(|spec| spec.computed.is_none()) {
            match columns.iter_mut().find(|column| column.name == spec.name.text) {
                Some(column) => {
                    column.hidden = spec.hidden;
                    column.label = spec.labels.default.as_ref().map(|label| label.text.clone());
                }
                None => self.report(unknown_column(&tree.name.text, &spec.name, &columns)),
            }
        }
        columns
    }

    /// Puts the sources that a `from query` reads in place of their stand-ins, with each one's own `where`.
    pub(crate) fn put_rows_in_place(&mut self) {
        for at in 0..self.catalog.sources.len() {
            let Some(plan) = self.catalog.sources[at].query.as_deref() else { continue };
            match with_rows(&self.catalog, plan.clone()) {
                Ok(plan) => self.catalog.to_mut().sources[at].rows = Rows::Query(Arc::new(plan)),
                Err(error) => {
                    let span = self.catalog.sources[at].item.span;
                    self.report(super::expression_error(&error, span));
                }
            }
        }
    }

    /// The position of a column that a clause of the source names.
    pub(crate) fn column_of(&self, source: &Source, name: &Name) -> Result<usize, Failure> {
        match source.column(&name.text) {
            Some(at) => Ok(at),
            None => Err(unknown_column(&source.item.name, name, &source.columns).into()),
        }
    }
}

/// A query with the rows of the sources that it reads in place of their stand-ins.
///
/// # Errors
/// If one of them is not in the catalog.
pub(crate) fn with_rows(catalog: &Catalog, plan: LogicalPlan) -> datafusion::error::Result<LogicalPlan> {
    let placed = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::TableScan(scan) = &node else { return Ok(Transformed::no(node)) };
        match stands_for(catalog, scan) {
            Some(Some(id)) => Ok(Transformed::yes(rows_of(catalog, id, scan)?)),
            Some(None) => datafusion::common::plan_err!("source `{}` could not be read", scan.table_name),
            None => Ok(Transformed::no(node)),
        }
    })?;
    Ok(placed.data)
}

/// The sources that a query over stand-ins reads.
pub(crate) fn read_by(catalog: &Catalog, plan: &LogicalPlan) -> datafusion::error::Result<BTreeSet<SourceId>> {
    let mut read = BTreeSet::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            read.extend(stands_for(catalog, scan).flatten());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(read)
}

/// The source that a scan stands for, if it stands for one and that is known.
fn stands_for(catalog: &Catalog, scan: &TableScan) -> Option<Option<SourceId>> {
    let provider = source_as_provider(&scan.source).ok()?;
    let rows = provider.downcast_ref::<SourceRows>()?;
    Some(catalog.source_named(&rows.package, &rows.name))
}

/// The rows of a source under the name that a query gives them.
fn rows_of(catalog: &Catalog, id: SourceId, scan: &TableScan) -> datafusion::error::Result<LogicalPlan> {
    let source = catalog.source(id);
    let rows = match &source.rows {
        Rows::Table(table) => LogicalPlanBuilder::scan(scan.table_name.clone(), Arc::clone(table), None)?,
        Rows::Query(plan) => {
            let plan = with_rows(catalog, plan.as_ref().clone())?;
            LogicalPlanBuilder::from(plan).alias(scan.table_name.clone())?
        }
    };
    let Some(filter) = &source.filter else { return rows.build() };
    let columns: Vec<Expr> = filter.inputs.iter().map(|input| own_column(source, &scan.table_name, input)).collect();
    rows.filter(replace_inputs(filter.expr.clone(), &columns))?.build()
}

/// A column of a source's filter under the relation name of a query; computed columns are written out.
fn own_column(source: &Source, relation: &TableReference, input: &Input) -> Expr {
    let Input::Column(column) = input else {
        // `check` admits only own columns in sources.
        unreachable!("a filter of a source has {input:?} as an input")
    };
    let declared = &source.columns[column.column];
    match &declared.computed {
        Some(computed) => {
            let inner: Vec<Expr> = computed.inputs.iter().map(|input| own_column(source, relation, input)).collect();
            replace_inputs(computed.expr.clone(), &inner)
        }
        None => Expr::Column(Column::new(Some(relation.clone()), declared.name.clone())),
    }
}

/// "source `orders` has no column `amout`", with the nearest name or all names.
pub(crate) fn unknown_column(source: &str, name: &Name, columns: &[SourceColumn]) -> Diagnostic {
    let known = columns.iter().map(|column| column.name.as_str());
    let diagnostic = Diagnostic::new(codes::UNKNOWN_COLUMN, format!("source `{source}` has no column `{}`", name.text))
        .at(name.span);
    match nearest(&name.text, known.clone()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help(format!("its columns are {}", known.collect::<Vec<_>>().join(", "))),
    }
}

fn location_of(tree: &ast::Source) -> String {
    match &tree.from {
        Some(ast::From::Files { format, locations, .. }) => {
            let paths: Vec<&str> = locations.iter().map(|location| location.text.as_str()).collect();
            format!("{} {}", format.text, paths.join(", "))
        }
        Some(ast::From::Query { .. }) => "query".to_string(),
        Some(ast::From::Table(path)) => {
            let parts: Vec<&str> = path.parts.iter().map(|part| part.text.as_str()).collect();
            format!("table {}", parts.join("."))
        }
        None => String::new(),
    }
}
