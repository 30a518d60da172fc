//! Who may see which rows, and what of them: the tree of `policy`.

use super::ast::{Expr, Labels, Name, Path};
use super::cursor::{Node, Rule};
use super::items::conditions;
use crate::diagnostic::Diagnostic;

/// `policy east on orders to role east_sales where store.region = '华东'`.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Its name.
    pub name: Name,
    /// For people.
    pub labels: Labels,
    /// The source whose rows it is about.
    pub on: Path,
    /// `to role east_sales`: whom it is for.
    pub to: Vec<Name>,
    /// `except role privacy`: whom it does not touch.
    pub except: Vec<Name>,
    /// The rows that they see.
    pub conditions: Vec<Expr>,
    /// `mask phone, email`: the columns that they do not.
    pub masks: Vec<Name>,
}

/// Reads a `policy`.
pub(super) fn policy(node: &Node) -> Result<Policy, Diagnostic> {
    let names = |rule| node.all(rule).flat_map(|clause| clause.names()).collect();
    Ok(Policy {
        name: node.name(),
        labels: node.labels(),
        on: node.must(Rule::path).to_path(),
        to: names(Rule::policy_to),
        except: names(Rule::policy_except),
        conditions: conditions(node)?,
        masks: names(Rule::policy_mask),
    })
}
