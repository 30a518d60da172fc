//! Policies: who may see which rows of a source, and what of them.

use std::collections::{BTreeMap, BTreeSet};

use super::expr::Expression;
use super::{Item, SourceId};

/// `policy east on orders to role east_sales where store.region = '华东'`.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Name, labels.
    pub item: Item,
    /// Whose rows it is about.
    pub source: SourceId,
    /// Whom it is for; everybody, if nobody is named.
    pub to: BTreeSet<String>,
    /// Whom it does not touch.
    pub except: BTreeSet<String>,
    /// The rows that they see, AND-ed: expressions over a row of the source. Empty where it only masks.
    pub conditions: Vec<Expression>,
    /// The same as written, for people.
    pub said: Vec<String>,
    /// The columns that they do not see, by position.
    pub masks: Vec<usize>,
}

/// What somebody with some roles sees of a project; nothing of this is there for who sees all.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Who looks.
    pub roles: BTreeSet<String>,
    /// The sources of which not everything is seen, those made of them included.
    pub narrowed: BTreeSet<SourceId>,
    /// The columns that are masked, each with the name of a policy that says so.
    pub masked: BTreeMap<(SourceId, usize), String>,
}

impl Policy {
    /// Whether it holds for somebody with these roles.
    pub fn touches(&self, roles: &BTreeSet<String>) -> bool {
        self.except.is_disjoint(roles) && (self.to.is_empty() || !self.to.is_disjoint(roles))
    }

    /// Whether it opens rows to roles that it names, and closes them to others by that.
    pub fn opens(&self) -> bool {
        !self.to.is_empty() && !self.conditions.is_empty()
    }
}
