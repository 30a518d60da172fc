//! About which share of the rows a condition leaves: what plans are chosen by, never what they mean.
//!
//! The rules are those of Selinger et al., *Access path selection in a relational database management system* (SIGMOD
//! 1979): a column has each of its values equally often, and lies anywhere between its least and its greatest value.

use datafusion::common::TableReference;
use datafusion::logical_expr::{Expr, Operator};

use crate::catalog::size::{ColumnSize, number};
use crate::catalog::source::Source;

/// The sources whose columns conditions speak of, by the names that they have there.
pub(crate) struct Sizes<'s>(Vec<(TableReference, &'s Source)>);

/// What is assumed where nobody knows.
const EQUAL: f64 = 0.1;
const ONE_OF: f64 = 0.2;
const OTHER: f64 = 0.3;

impl<'s> Sizes<'s> {
    pub(crate) fn of(sources: Vec<(TableReference, &'s Source)>) -> Self {
        Sizes(sources)
    }

    /// The share of the rows that a condition leaves, from 0 to 1.
    pub(crate) fn share(&self, condition: &Expr) -> f64 {
        match condition {
            Expr::BinaryExpr(binary) => match binary.op {
                Operator::And => self.share(&binary.left) * self.share(&binary.right),
                Operator::Or => 1.0 - (1.0 - self.share(&binary.left)) * (1.0 - self.share(&binary.right)),
                Operator::Eq => self.equal(&binary.left, 1).or_else(|| self.equal(&binary.right, 1)).unwrap_or(EQUAL),
                op => self.range(&binary.left, op, &binary.right).unwrap_or(OTHER),
            },
            Expr::InList(list) => {
                let share = self.equal(&list.expr, list.list.len()).unwrap_or(ONE_OF);
                if list.negated { 1.0 - share } else { share }
            }
            Expr::Between(between) if !between.negated => {
                let below = self.range(&between.expr, Operator::GtEq, &between.low).unwrap_or(OTHER);
                let above = self.range(&between.expr, Operator::LtEq, &between.high).unwrap_or(OTHER);
                // What both leave lies between the bounds.
                if below + above > 1.0 { below + above - 1.0 } else { below * above }
            }
            Expr::Not(inner) => 1.0 - self.share(inner),
            Expr::IsNotNull(_) => 1.0,
            _ => OTHER,
        }
    }

    /// About how many values a column has.
    pub(crate) fn values(&self, column: &Expr) -> Option<usize> {
        self.column(column)?.values
    }

    fn column(&self, expr: &Expr) -> Option<ColumnSize> {
        let Expr::Column(column) = expr else { return None };
        let (_, source) = self.0.iter().find(|(relation, _)| Some(relation) == column.relation.as_ref())?;
        let at = source.column(&column.name)?;
        Some(source.size.column(at, &source.columns[at].data_type))
    }

    fn equal(&self, column: &Expr, values: usize) -> Option<f64> {
        let all = self.values(column)?;
        Some((values as f64 / all.max(1) as f64).min(1.0))
    }

    fn range(&self, left: &Expr, op: Operator, right: &Expr) -> Option<f64> {
        let (Some(column), Some(limit)) = (self.column(left), constant(right)) else {
            let turned = op.swap().filter(|_| constant(left).is_some() && matches!(right, Expr::Column(_)))?;
            return self.range(right, turned, left);
        };
        let (least, greatest) = column.bounds?;
        let below =
            if greatest > least { ((limit - least) / (greatest - least)).clamp(0.0, 1.0) } else { return None };
        match op {
            Operator::Lt | Operator::LtEq => Some(below),
            Operator::Gt | Operator::GtEq => Some(1.0 - below),
            _ => None,
        }
    }
}

/// A constant as a number; a day that is written as a text is cast to one.
fn constant(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Literal(value, _) => number(value),
        Expr::Cast(cast) => match cast.expr.as_ref() {
            Expr::Literal(value, _) => number(&value.cast_to(cast.field.data_type()).ok()?),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{col, lit};

    use super::*;

    #[test]
    fn without_statistics_shares_are_guessed() {
        let sizes = Sizes::of(vec![]);
        let equal = col("a").eq(lit(1));
        assert_eq!(sizes.share(&equal), EQUAL);
        assert_eq!(sizes.share(&equal.clone().and(equal.clone())), EQUAL * EQUAL);
        assert_eq!(sizes.share(&col("a").in_list(vec![lit(1)], true)), 1.0 - ONE_OF);
        assert_eq!(sizes.share(&col("a").is_not_null()), 1.0);
        assert_eq!(sizes.share(&!equal), 1.0 - EQUAL);
    }
}
