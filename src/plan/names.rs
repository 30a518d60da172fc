//! Names of the columns of joined sources, each once.
//!
//! DataFusion 55.2 finds the column of a filter that it pushes below a join, or makes from the join's other side, by its
//! name alone: of two columns `city_id` of one side it takes the first, whichever was meant, and rows are lost. So no two
//! sources in one scan have columns of the same name, but where a join makes these equal.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::{Result, TableReference};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};

use crate::catalog::path::JoinPath;

/// Which columns have another name than their source gives them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    /// Whose column has the name itself.
    owners: BTreeMap<String, JoinPath>,
    others: BTreeSet<(JoinPath, String)>,
}

impl Names {
    /// A column at the end of a path is used: it gets the name, if no other column has it.
    pub(crate) fn claim(&mut self, path: &JoinPath, name: &str) {
        match self.owners.get(name) {
            Some(owner) if owner != path => self.rename(path, name),
            Some(_) => {}
            None => {
                self.owners.insert(name.to_string(), path.clone());
            }
        }
    }

    /// A column gets another name than its source gives it.
    pub(crate) fn rename(&mut self, path: &JoinPath, name: &str) {
        self.others.insert((path.clone(), name.to_string()));
    }

    /// The name of a column in the plan.
    pub(crate) fn of(&self, path: &JoinPath, name: &str, relation: &TableReference) -> String {
        let is_other = self.others.iter().any(|(known, other)| other == name && known == path);
        if is_other { apart(name, relation) } else { name.to_string() }
    }

    /// The rows at the end of a path, under these names.
    pub(crate) fn renamed(&self, rows: LogicalPlanBuilder, path: &JoinPath) -> Result<LogicalPlanBuilder> {
        if !self.others.iter().any(|(known, _)| known == path) {
            return Ok(rows);
        }
        let columns = rows.schema().columns().into_iter().map(|column| {
            let relation = column.relation.clone();
            match &relation {
                Some(of) if self.others.contains(&(path.clone(), column.name.clone())) => {
                    let name = apart(&column.name, of);
                    Expr::Column(column).alias_qualified(relation, name)
                }
                _ => Expr::Column(column),
            }
        });
        let columns: Vec<Expr> = columns.collect();
        rows.project(columns)
    }
}

/// Paths are written differently each, so the name is like no other.
fn apart(name: &str, relation: &TableReference) -> String {
    format!("{name} of {}", relation.table())
}
