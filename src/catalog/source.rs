//! Sources: tables with keys, joins and computed columns.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::logical_expr::{LogicalPlan, TableSource};

use super::expr::{Expression, Input};
use super::size::Size;
use super::{Item, SourceId};
use crate::source::Span;

/// A table of the model.
#[derive(Debug, Clone)]
pub struct Source {
    /// Name, labels, description.
    pub item: Item,
    /// Where its rows come from.
    pub rows: Rows,
    /// The plan of a `from query` over stand-ins for the sources that it reads.
    pub query: Option<Arc<LogicalPlan>>,
    /// Where they lie, as written, for people (locations, table name or "query").
    pub location: String,
    /// Its columns: those of the table, then computed ones.
    pub columns: Vec<SourceColumn>,
    /// Rows that exist at all.
    pub filter: Option<Expression>,
    /// Unique sets of columns, by position; the first is the key that de-duplicates.
    pub keys: Vec<Vec<usize>>,
    /// The default time axis of indicators on it.
    pub time: Option<Expression>,
    /// The joins, many to one.
    pub joins: Vec<Join>,
    /// About how large it is.
    pub size: Size,
}

/// What is scanned.
#[derive(Clone)]
pub enum Rows {
    /// A table: files, or one that the embedding program registered.
    Table(Arc<dyn TableSource>),
    /// `from query`: a plan.
    Query(Arc<LogicalPlan>),
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Rows::Table(_) => f.write_str("Table"),
            Rows::Query(plan) => write!(f, "Query({})", plan.display()),
        }
    }
}

/// A column of a source.
#[derive(Debug, Clone)]
pub struct SourceColumn {
    /// Its name.
    pub name: String,
    /// For people.
    pub label: Option<String>,
    /// Its type.
    pub data_type: DataType,
    /// Whether a value may be missing.
    pub nullable: bool,
    /// Not shown to analysts.
    pub hidden: bool,
    /// Computed from other columns of the same source.
    pub computed: Option<Expression>,
}

/// A many-to-one join.
#[derive(Debug, Clone)]
pub struct Join {
    /// The role.
    pub name: String,
    /// The joined source.
    pub to: SourceId,
    /// Equal pairs: an expression over this source's columns, one over the joined source's.
    pub on: Vec<(Expression, Expression)>,
    /// For slowly changing tables: between which bounds a joined row counts.
    pub valid: Option<Validity>,
    /// Where it is declared.
    pub span: Span,
}

/// `valid between a and b`: a ≤ the fact's time < b, a NULL bound is open.
#[derive(Debug, Clone)]
pub struct Validity {
    /// The first moment of a joined row.
    pub from: Bound,
    /// The first moment at which it no longer counts.
    pub to: Bound,
}

/// One end of a validity.
#[derive(Debug, Clone)]
pub struct Bound {
    /// A date or timestamp over the joined source's columns.
    pub value: Expression,
    /// Its type.
    pub data_type: DataType,
}

impl Join {
    /// Whether its own side has columns of this source only. Otherwise it goes on from an earlier join, and it is no way
    /// back: a row of the joined source does not know which rows it is met by before that join is made.
    pub fn is_own(&self) -> bool {
        let own = |input: &Input| matches!(input, Input::Column(column) if column.path.steps.is_empty());
        self.on.iter().all(|(near, _)| near.inputs.iter().all(own))
    }
}

impl Source {
    /// The columns of its table, without computed ones.
    pub fn table_schema(&self) -> SchemaRef {
        match &self.rows {
            Rows::Table(table) => table.schema(),
            Rows::Query(plan) => Arc::clone(plan.schema().inner()),
        }
    }

    /// The position of a column.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}
