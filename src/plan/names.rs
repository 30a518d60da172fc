//! Names of the columns of joined sources, each once.
//!
//! DataFusion 55.2 finds the column of a filter that it pushes below a join, or makes from the join's other side, by its
//! name alone: of two columns `city_id` of one side it takes the first, whichever was meant, and rows are lost. So no two
//! sources in one scan have columns of the same name, but where a join makes these equal.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::common::{Result, TableReference};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};

use super::lean;
use crate::catalog::path::JoinPath;

/// Which columns have another name than their source gives them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    /// Whose column has the name itself.
    owners: BTreeMap<String, JoinPath>,
    others: BTreeSet<(JoinPath, String)>,
    /// All that a question looks at.
    used: BTreeSet<(JoinPath, String)>,
}

impl Names {
    /// A column at the end of a path is used: it gets the name, if no other column has it.
    pub(crate) fn claim(&mut self, path: &JoinPath, name: &str) {
        self.keep(path, name);
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
        self.keep(path, name);
        self.others.insert((path.clone(), name.to_string()));
    }

    /// A column is used under whatever name it has.
    pub(crate) fn keep(&mut self, path: &JoinPath, name: &str) {
        self.used.insert((path.clone(), name.to_string()));
    }

    /// The name of a column in the plan.
    pub(crate) fn of(&self, path: &JoinPath, name: &str, relation: &TableReference) -> String {
        let is_other = self.others.iter().any(|(known, other)| other == name && known == path);
        if is_other { apart(name, relation) } else { name.to_string() }
    }

    /// The rows at the end of a path, under these names. Where they have a projection for it, columns that no one looks
    /// at are not in it.
    pub(crate) fn renamed(&self, rows: LogicalPlanBuilder, path: &JoinPath) -> Result<LogicalPlanBuilder> {
        if !self.others.iter().any(|(known, _)| known == path) {
            return Ok(rows);
        }
        let columns = rows.schema().columns().into_iter().filter_map(|column| {
            let key = (path.clone(), column.name.clone());
            let renamed = self.others.contains(&key);
            self.used.contains(&key).then(|| match column.relation.clone() {
                Some(of) if renamed => {
                    let name = apart(&column.name, &of);
                    Expr::Column(column).alias_qualified(Some(of), name)
                }
                _ => Expr::Column(column),
            })
        });
        let columns: Vec<Expr> = columns.collect();
        Ok(LogicalPlanBuilder::from(lean::project(rows.build()?, columns)?))
    }
}

/// Paths are written differently each, so the name is like no other.
fn apart(name: &str, relation: &TableReference) -> String {
    format!("{name} of {}", relation.table())
}
