//! Indicators: what they compute, over which rows, and whether the clauses fit.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use super::declare::{Declared, MemberTree, item_of};
use super::resolve::{Named, Resolver, Scope, Typed};
use super::{Checker, Failure};
use crate::catalog::calendar::{Grain, TimePart};
use crate::catalog::expr::{At, Expression, Input, input_number};
use crate::catalog::indicator::{Added, Additivity, AggregateKind, Direction, Fill, Indicator, ViewGrain, Within};
use crate::catalog::modifier::Modifier;
use crate::catalog::reach::{Standpoint, flatten};
use crate::catalog::time::cast;
use crate::catalog::unit::Unit;
use crate::catalog::validity::require_dated;
use crate::catalog::walk::{Around, for_each_measure_of};
use crate::catalog::{IndicatorId, SourceId};
use crate::diagnostic::{Diagnostic, codes, nearest};
use crate::source::Span;
use crate::syntax::ast;

impl<'a> Checker<'a> {
    pub(crate) fn indicator(
        &mut self,
        declared: Declared<'a, MemberTree<'a>>,
        tree: &'a ast::Indicator,
    ) -> Result<IndicatorId, Failure> {
        self.refuse_later_clauses(tree)?;
        let package = declared.package;
        let bare = self.only_named_source(package, tree);
        let scope = Scope::formula(package, bare);
        let typed = Resolver::new(self, scope, tree.definition.span).resolve(tree.definition.sql.clone())?;
        self.require_aggregate(tree, &typed)?;
        let conditions = self.conditions_of(package, tree, bare)?;
        let time = self.time_of(package, tree)?;
        self.require_reach(tree, &typed.expression, &conditions, time.as_ref())?;
        let unit = self.unit_of(tree, &typed.expression)?;
        let mut item = item_of(package, declared.item, &tree.name, &tree.labels);
        item.owner = tree.owner.as_ref().map(|owner| owner.text.clone());
        let additivity = self.additivity_of(&typed.expression);
        let grain = self.grain_of(package, tree)?;
        let within = self.within_of(tree, &typed.expression, grain.as_ref())?;
        let formula_type = typed.data_type;
        let data_type = match within {
            Some(Within::Average(_)) => DataType::Float64,
            _ => formula_type.clone(),
        };
        let fill = self.fill_of(tree, &data_type, unit.as_ref())?;
        let indicator = Indicator {
            item,
            formula: typed.expression,
            conditions,
            time,
            data_type,
            formula_type,
            fill,
            within,
            unit,
            good: self.direction_of(tree)?,
            grain,
            additivity,
            format: tree.format.as_ref().map(|format| format.text.clone()),
            definition_text: self.definition_text(tree),
        };
        Ok(self.add_indicator(indicator))
    }

    /// The definition with all its conditions: without them it would be another indicator.
    fn definition_text(&self, tree: &ast::Indicator) -> String {
        let in_file = || self.files.text(tree.definition.span).to_string();
        let formula = tree.written.clone().unwrap_or_else(in_file);
        match tree.conditions.iter().map(|condition| self.files.text(condition.span)).collect::<Vec<_>>().as_slice() {
            [] => formula,
            [only] => format!("{formula} where {only}"),
            several => format!("{formula} where ({})", several.join(") and (")),
        }
    }

    fn refuse_later_clauses(&self, tree: &ast::Indicator) -> Result<(), Failure> {
        match tree.later.first().map(|clause| (clause.text.clone(), clause.span)) {
            Some((clause, span)) => {
                Err(Diagnostic::new(codes::NOT_YET_EXPRESSION, format!("`{clause}` is not yet supported"))
                    .labelled(span, "the indicator is left out, since its numbers would not be what was meant")
                    .into())
            }
            None => Ok(()),
        }
    }

    /// The only source that the definition and its conditions name.
    fn only_named_source(&self, package: &str, tree: &ast::Indicator) -> Option<SourceId> {
        let mut named = self.named_sources(package, &tree.definition.sql);
        if named.is_empty() {
            named = tree.conditions.iter().flat_map(|c| self.named_sources(package, &c.sql)).collect();
            named.dedup();
        }
        match named.as_slice() {
            [only] => Some(*only),
            _ => None,
        }
    }

    fn require_aggregate(&self, tree: &ast::Indicator, typed: &Typed) -> Result<(), Failure> {
        if typed.expression.inputs.is_empty() {
            return Err(Diagnostic::new(
                codes::NOT_AGGREGATED,
                format!("indicator `{}` measures nothing: it names no aggregate and no indicator", tree.name.text),
            )
            .at(tree.definition.span)
            .into());
        }
        Ok(())
    }

    fn conditions_of(
        &mut self,
        package: &str,
        tree: &ast::Indicator,
        bare: Option<SourceId>,
    ) -> Result<Vec<Expression>, Failure> {
        tree.conditions.iter().map(|tree| self.resolve_condition(tree, Scope::rows(package, bare))).collect()
    }

    fn time_of(&mut self, package: &str, tree: &ast::Indicator) -> Result<Option<Expression>, Failure> {
        let Some(time) = &tree.time else { return Ok(None) };
        let typed = self.resolve_rows(time, Scope::rows(package, self.only_named_source(package, tree)))?;
        self.require_axis(&typed, time)?;
        Ok(Some(typed.expression))
    }

    /// Every aggregate inside must reach every condition and the time axis: nothing is dropped silently.
    fn require_reach(
        &self,
        tree: &ast::Indicator,
        formula: &Expression,
        conditions: &[Expression],
        time: Option<&Expression>,
    ) -> Result<(), Failure> {
        let outer = Around { conditions: conditions.to_vec(), time: time.cloned() };
        // What an indicator reaches by itself was checked when it was resolved.
        let bare = outer.conditions.is_empty() && outer.time.is_none();
        let checked = |input: &Input| bare && matches!(input, Input::Indicator(_, filters) if filters.is_empty());
        let mut problem = Ok(());
        for input in formula.inputs.iter().filter(|input| !checked(input)) {
            for_each_measure_of(&self.catalog, input, &outer, &mut |measure, around| {
                if problem.is_ok() {
                    let rows = around.conditions.iter().chain(&measure.filter).chain([&measure.aggregate]);
                    let time = around.time.as_ref();
                    problem = self.require_reach_from(tree.definition.span, measure.source, rows, time);
                }
            });
        }
        problem
    }

    fn require_reach_from<'e>(
        &self,
        span: Span,
        source: SourceId,
        rows: impl Iterator<Item = &'e Expression>,
        time: Option<&'e Expression>,
    ) -> Result<(), Failure> {
        let catalog = &self.catalog;
        let axis = time.or(catalog.source(source).time.as_ref());
        let standpoint = Standpoint { source, axis };
        for expression in rows.chain(time) {
            let flat = flatten(catalog, standpoint, expression)
                .and_then(|flat| require_dated(catalog, standpoint, &flat).map(|()| flat));
            let flat = flat.map_err(|problem| super::dimensions::unreachable(catalog, source, &problem).at(span))?;
            if flat.fans_out() && catalog.source(source).keys.is_empty() {
                return Err(super::dimensions::needs_key(catalog, source).at(span).into());
            }
        }
        Ok(())
    }

    /// The value for periods without rows: a constant, in the indicator's unit.
    fn fill_of(
        &self,
        tree: &ast::Indicator,
        data_type: &DataType,
        unit: Option<&Unit>,
    ) -> Result<Option<Fill>, Failure> {
        let (fill, adds) = match (&tree.fill, &tree.empty) {
            (None, None) => return Ok(None),
            (None, Some(empty)) => (empty, Added::Nothing),
            (Some(fill), None) => (fill, self.added_by(tree)?),
            (Some(_), Some(empty)) => {
                return Err(Diagnostic::new(
                    codes::BAD_VALUE,
                    "`fill` says already what stands where there are no rows",
                )
                .at(empty.span)
                .help("leave out `empty`, or `fill` if no periods are to be added")
                .into());
            }
        };
        if let (Some(written), Some(unit)) = (&tree.fill_unit, unit)
            && !Unit::named(&written.text).agrees_with(unit)
        {
            return Err(Diagnostic::new(
                codes::UNITS,
                format!("`fill` is in {}, the indicator in {}", written.text, unit.name),
            )
            .at(written.span)
            .into());
        }
        let planned = self.functions.plan(fill.sql.clone(), &DFSchema::empty());
        let (value, found) = planned.map_err(|error| super::expression_error(&error, fill.span))?;
        let fits = found == DataType::Null || found.is_numeric() == data_type.is_numeric();
        if !fits {
            return Err(Diagnostic::new(codes::BAD_VALUE, format!("`fill` is {found}, the indicator is {data_type}"))
                .at(fill.span)
                .help("write a constant of the indicator's own type, such as `fill 0`")
                .into());
        }
        Ok(Some(Fill { value: cast(value, data_type.clone()), adds }))
    }

    fn added_by(&self, tree: &ast::Indicator) -> Result<Added, Failure> {
        let Some(each) = &tree.fill_each else { return Ok(Added::Between) };
        let Some(TimePart::Grain(grain)) = self.bare_grain(&each.text) else { return Err(unknown_grain(each).into()) };
        self.require_steps(grain, each.span)?;
        Ok(Added::Each(grain))
    }

    fn within_of(
        &self,
        tree: &ast::Indicator,
        formula: &Expression,
        grain: Option<&ViewGrain>,
    ) -> Result<Option<Within>, Failure> {
        let Some(within) = &tree.within else { return Ok(None) };
        let running = |input: &Input| matches!(input, Input::At(at) if at.modifiers.iter().any(is_running));
        if !formula.inputs.iter().any(running) {
            return Err(Diagnostic::new(
                codes::BAD_VALUE,
                "`within period` says what a running indicator shows, and this one does not run",
            )
            .at(within.span)
            .help("it belongs to `at (trailing …)`, `at (to date …)` and `at (cumulative)`")
            .into());
        }
        let own = match grain.and_then(|grain| grain.time) {
            Some(TimePart::Grain(grain)) => grain,
            None => Grain::Day,
            Some(_) => {
                return Err(Diagnostic::new(
                    codes::NOT_YET_EXPRESSION,
                    "`within period` is not yet supported with the periods of a calendar from a table",
                )
                .at(within.span)
                .help("declare a `grain` such as `day`")
                .into());
            }
        };
        match within.text.to_lowercase().as_str() {
            "last" => Ok(None),
            "first" => Ok(Some(Within::First(own))),
            "average" => Ok(Some(Within::Average(own))),
            _ => Err(Diagnostic::new(codes::BAD_VALUE, format!("`{}` is not known here", within.text))
                .at(within.span)
                .help("write `within period last`, `first` or `average`")
                .into()),
        }
    }

    fn direction_of(&self, tree: &ast::Indicator) -> Result<Option<Direction>, Failure> {
        let Some(good) = &tree.good else { return Ok(None) };
        match good.text.to_lowercase().as_str() {
            "up" => Ok(Some(Direction::Up)),
            "down" => Ok(Some(Direction::Down)),
            _ => Err(Diagnostic::new(codes::BAD_VALUE, format!("`{}` is not a direction", good.text))
                .at(good.span)
                .help("write `good up` or `good down`")
                .into()),
        }
    }

    fn grain_of(&mut self, package: &str, tree: &ast::Indicator) -> Result<Option<ViewGrain>, Failure> {
        let Some(grain) = &tree.grain else { return Ok(None) };
        let time = match &grain.time {
            Some(name) => Some(self.bare_grain(&name.text).ok_or_else(|| unknown_grain(name))?),
            None => None,
        };
        let mut by = Vec::new();
        for path in &grain.by {
            let Some(name) = path.parts.last() else { continue };
            match self.member_named(package, &name.text)? {
                Some(Named::Dimension(id, crate::catalog::calendar::TimePart::Whole)) => by.push(id),
                _ => return Err(self.unknown_dimension(package, path)),
            }
        }
        Ok(Some(ViewGrain { time, by }))
    }

    /// "there is no dimension `regoin`".
    pub(crate) fn unknown_dimension(&self, package: &str, path: &ast::Path) -> Failure {
        let written: Vec<&str> = path.parts.iter().map(|part| part.text.as_str()).collect();
        if self.declared.is_broken(package, &written) {
            return Failure::Silent;
        }
        let diagnostic = Diagnostic::new(codes::UNKNOWN_NAME, format!("there is no dimension `{}`", written.join(".")))
            .at(path.span);
        match nearest(&written.join("."), self.declared.member_names(package)) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")).into(),
            None => diagnostic.into(),
        }
    }

    /// The declared unit, checked against the one that the formula gives.
    fn unit_of(&self, tree: &ast::Indicator, formula: &Expression) -> Result<Option<Unit>, Failure> {
        let derived = super::units::derive(&self.catalog, formula)
            .map_err(|problem| Diagnostic::new(codes::UNITS, problem).at(tree.definition.span))?;
        let Some(declared) = &tree.unit else { return Ok(derived) };
        let unit = Unit::named(&declared.text);
        if let Some(derived) = derived.filter(|derived| !derived.agrees_with(&unit)) {
            let name = if derived.name.is_empty() { "a plain number" } else { &derived.name };
            return Err(Diagnostic::new(
                codes::UNITS,
                format!("`{}` is declared in {} but its formula gives {name}", tree.name.text, unit.name),
            )
            .labelled(declared.span, "declared here")
            .also(tree.definition.span, format!("this gives {name}"))
            .help("declare the unit that the formula gives, or mend the units of its operands")
            .into());
        }
        Ok(Some(unit))
    }

    /// Semi-additive: what is additive, at one end of something (`sum(stock.quantity) at (last day)`).
    fn additivity_at(&self, at: &At) -> Additivity {
        let edges = at.modifiers.iter().all(|modifier| matches!(modifier, Modifier::Edge(_)));
        match self.additivity_of(&at.operand) {
            Additivity::Additive | Additivity::SemiAdditive if edges => Additivity::SemiAdditive,
            _ => Additivity::NonAdditive,
        }
    }

    /// Additive: sums and counts, their sums and differences, and multiples by constants.
    fn additivity_of(&self, formula: &Expression) -> Additivity {
        if let Some(Input::At(at)) = formula.as_input() {
            return self.additivity_at(at);
        }
        let additive_input = |input: &Input| match input {
            Input::Measure(measure) => matches!(measure.kind, AggregateKind::Sum | AggregateKind::Count),
            Input::Indicator(id, _) => self.catalog.indicator(*id).additivity == Additivity::Additive,
            _ => false,
        };
        if let (Some(Input::Indicator(id, _)), true) = (formula.as_input(), formula.inputs.len() == 1) {
            self.catalog.indicator(*id).additivity
        } else if formula.inputs.iter().all(additive_input) && is_linear(&formula.expr) {
            Additivity::Additive
        } else {
            Additivity::NonAdditive
        }
    }
}

fn is_running(modifier: &Modifier) -> bool {
    matches!(modifier, Modifier::Trailing(_) | Modifier::ToDate(_) | Modifier::ToDateOf(_) | Modifier::Cumulative)
}

/// Whether an expression is a linear combination of its inputs, without a constant term.
fn is_linear(expr: &Expr) -> bool {
    match expr {
        Expr::Column(column) => input_number(column).is_some(),
        Expr::Negative(inner) => is_linear(inner),
        Expr::Cast(cast) => !cast.field.data_type().is_integer() && is_linear(&cast.expr),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Plus | Operator::Minus, right }) => {
            is_linear(left) && is_linear(right)
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Multiply, right }) => {
            (is_linear(left) && is_constant(right)) || (is_constant(left) && is_linear(right))
        }
        _ => false,
    }
}

fn is_constant(expr: &Expr) -> bool {
    let mut constant = true;
    let _ = expr.apply(|part| {
        constant &= matches!(part, Expr::Literal(..) | Expr::Cast(_) | Expr::Negative(_));
        Ok(TreeNodeRecursion::Continue)
    });
    constant
}

fn unknown_grain(name: &ast::Name) -> Diagnostic {
    let known: Vec<&str> = Grain::ALL.iter().map(|grain| grain.name()).collect();
    let diagnostic = Diagnostic::new(codes::BAD_VALUE, format!("`{}` is not a grain of time", name.text)).at(name.span);
    match nearest(&name.text, known.iter().copied()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help(format!("grains are {}", known.join(", "))),
    }
}
