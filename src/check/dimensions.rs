//! Source-level expressions, dimensions and segments.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::logical_expr::type_coercion::binary::type_union_resolution;

use super::declare::{Declared, MemberTree, item_of};
use super::resolve::{Place, Scope, Typed};
use super::{Checker, Failure, Progress};
use crate::catalog::calendar::is_time;
use crate::catalog::dimension::{Dimension, DimensionKind};
use crate::catalog::expr::{Expression, Input};
use crate::catalog::reach::{Standpoint, Unreachable, roots_of};
use crate::catalog::source::SourceColumn;
use crate::catalog::time::{cast, local};
use crate::catalog::validity::require_dated;
use crate::catalog::{Catalog, DimensionId, Member, SourceId};
use crate::diagnostic::{Diagnostic, codes};
use crate::syntax::ast;

impl<'a> Checker<'a> {
    /// Computed columns and row filters; they come first, because joins may meet on computed columns.
    pub(crate) fn check_source_expressions(&mut self) {
        for declared in self.declared.sources.clone() {
            let Some(id) = self.catalog.source_named(declared.package, &declared.tree.name.text) else { continue };
            for spec in &declared.tree.columns {
                self.check_computed(declared.package, id, spec);
            }
            if let Some(filter) = &declared.tree.filter {
                let filter = self.resolve_condition(filter, Scope::own(declared.package, id));
                self.catalog.to_mut().sources[id.0 as usize].filter = self.keep(filter);
            }
        }
    }

    /// Time axes, which may come through joins.
    pub(crate) fn check_axes(&mut self) {
        for declared in self.declared.sources.clone() {
            let Some(id) = self.catalog.source_named(declared.package, &declared.tree.name.text) else { continue };
            if let Some(time) = &declared.tree.time {
                let axis = self.axis_of(declared.package, id, time);
                self.catalog.to_mut().sources[id.0 as usize].time = self.keep(axis);
            }
        }
        self.settle_metric_time();
    }

    fn check_computed(&mut self, package: &str, id: SourceId, spec: &ast::ColumnSpec) {
        let Some(tree) = &spec.computed else { return };
        if let Some(_taken) = self.catalog.source(id).column(&spec.name.text) {
            return self.report(
                Diagnostic::new(codes::DUPLICATE_NAME, format!("the source already has a column `{}`", spec.name.text))
                    .at(spec.name.span)
                    .help("give the computed column another name"),
            );
        }
        let typed = self.resolve_rows(tree, Scope::own(package, id));
        if let Some(typed) = self.keep(typed) {
            self.catalog.to_mut().sources[id.0 as usize].columns.push(SourceColumn {
                name: spec.name.text.clone(),
                label: spec.labels.default.as_ref().map(|label| label.text.clone()),
                data_type: typed.data_type,
                nullable: true,
                hidden: spec.hidden,
                computed: Some(typed.expression),
            });
        }
    }

    /// A time axis: a date or timestamp column, perhaps of a joined source, or a time dimension.
    pub(crate) fn axis_of(&mut self, package: &str, source: SourceId, tree: &ast::Expr) -> Result<Expression, Failure> {
        let typed = self.resolve_rows(tree, Scope::own(package, source).at(Place::Axis))?;
        self.require_axis(&typed, tree)?;
        self.require_order(source, &typed.expression, tree)?;
        Ok(typed.expression)
    }

    /// Refuses an axis that comes through a slowly changing join, which is itself asked by the axis.
    fn require_order(&self, source: SourceId, axis: &Expression, tree: &ast::Expr) -> Result<(), Failure> {
        let standpoint = Standpoint { source, axis: Some(axis) };
        match require_dated(&self.catalog, standpoint, axis) {
            Ok(()) => Ok(()),
            Err(problem) => Err(unreachable(&self.catalog, source, &problem).at(tree.span).into()),
        }
    }

    /// Refuses what is not a column (or time dimension) of dates or timestamps.
    pub(crate) fn require_axis(&self, typed: &Typed, tree: &ast::Expr) -> Result<(), Failure> {
        let plain = matches!(typed.expression.expr, datafusion::logical_expr::Expr::Column(_))
            && matches!(typed.expression.inputs.as_slice(), [Input::Column(_) | Input::Dimension(..)]);
        if plain && is_time(&typed.data_type) {
            return Ok(());
        }
        let found = if plain { format!("this is {}", typed.data_type) } else { "this is an expression".to_string() };
        Err(Diagnostic::new(codes::TIME_TYPE, format!("a time axis is a column of dates or timestamps, {found}"))
            .at(tree.span)
            .help("give the column a type in `columns { … }`, or compute one there")
            .into())
    }

    /// `metric_time` has the common type of all axes: the source's and the time columns that indicators name.
    fn settle_metric_time(&mut self) {
        let mut types: Vec<DataType> = Vec::new();
        for source in &self.catalog.sources {
            types.extend(source.time.iter().map(|axis| local(&self.catalog.axis_type(axis))));
        }
        for declared in self.declared.members.clone() {
            let MemberTree::Indicator(tree) = declared.tree else { continue };
            let Some(time) = &tree.time else { continue };
            // What is wrong with it is reported when the indicator itself is checked.
            if let Ok(typed) = self.resolve_rows(time, Scope::rows(declared.package, None)) {
                types.push(local(&typed.data_type));
            }
        }
        types.retain(is_time);
        if let Some(common) = type_union_resolution(&types) {
            self.catalog.to_mut().metric_time = common;
        }
    }

    /// Resolves every member, each once; whatever others need is resolved on the way.
    pub(crate) fn check_members(&mut self) {
        self.catalog.to_mut().indicators.reserve(self.declared.members.len());
        for at in 0..self.declared.members.len() {
            let declared = self.declared.members[at];
            // A failure here was reported when it happened.
            let _ = self.member(declared.package, &declared.tree.name().text);
        }
    }

    /// The member that a name means, resolved; `None` if there is no such name.
    pub(crate) fn member(&mut self, package: &str, name: &str) -> Result<Option<Member>, Failure> {
        let Some(at) = self.declared.member(package, name) else {
            // Nothing is declared where a checked catalog is asked.
            return Ok(self.catalog.member(package, name));
        };
        let declared = self.declared.members[at];
        match self.progress.get(&at) {
            Some(Progress::Done(member)) => return Ok(Some(*member)),
            Some(Progress::Broken) => return Err(Failure::Silent),
            Some(Progress::Resolving) => {
                let name = declared.tree.name();
                return Err(Diagnostic::new(codes::CYCLE, format!("`{}` is defined through itself", name.text))
                    .at(name.span)
                    .help("break the circle: one of the definitions must not use the others")
                    .into());
            }
            None => {}
        }
        self.progress.insert(at, Progress::Resolving);
        let result = self.require_whole_process(declared.item).and_then(|()| match declared.tree {
            MemberTree::Dimension(tree) => self.dimension(declared, tree).map(Member::Dimension),
            MemberTree::Segment(tree) => self.segment(declared, tree).map(Member::Dimension),
            MemberTree::Indicator(tree) => self.indicator(declared, tree).map(Member::Indicator),
        });
        let kept = self.keep(result);
        self.progress.insert(at, kept.map_or(Progress::Broken, Progress::Done));
        kept.map(Some).ok_or(Failure::Silent)
    }

    fn dimension(
        &mut self,
        declared: Declared<'a, MemberTree<'a>>,
        tree: &ast::Dimension,
    ) -> Result<DimensionId, Failure> {
        let mut definitions = Vec::new();
        for definition in &tree.definitions {
            definitions.push(self.row_definition(declared.package, definition)?);
        }
        let data_type = self.common_type(tree, &definitions)?;
        let kind = if is_time(&data_type) { DimensionKind::Time } else { DimensionKind::Category };
        let mut item = item_of(declared.package, declared.item, &tree.name, &tree.labels);
        item.owner = tree.owner.as_ref().map(|owner| owner.text.clone());
        let definitions = definitions.into_iter().map(|typed| cast_to(typed, &data_type)).collect();
        Ok(self.add_dimension(Dimension { item, kind, data_type, definitions }))
    }

    fn segment(&mut self, declared: Declared<'a, MemberTree<'a>>, tree: &ast::Segment) -> Result<DimensionId, Failure> {
        let mut definitions = Vec::new();
        for definition in &tree.definitions {
            let typed = self.row_definition(declared.package, definition)?;
            if typed.data_type != DataType::Boolean {
                return Err(Diagnostic::new(
                    codes::NOT_BOOLEAN,
                    format!("a segment is a condition, this is {}", typed.data_type),
                )
                .at(definition.span)
                .help("compare it with something, or declare it as a dimension")
                .into());
            }
            definitions.push(typed.expression);
        }
        let item = item_of(declared.package, declared.item, &tree.name, &tree.labels);
        let kind = DimensionKind::Segment;
        Ok(self.add_dimension(Dimension { item, kind, data_type: DataType::Boolean, definitions }))
    }

    /// One definition of a dimension: a value of a row, of some source.
    fn row_definition(&mut self, package: &str, definition: &ast::Expr) -> Result<Typed, Failure> {
        let bare = match self.named_sources(package, &definition.sql).as_slice() {
            [only] => Some(*only),
            _ => None,
        };
        let typed = self.resolve_rows(definition, Scope::rows(package, bare))?;
        if roots_of(&self.catalog, &typed.expression).is_empty() {
            return Err(Diagnostic::new(codes::NO_COLUMN, "a dimension needs a column of a source")
                .at(definition.span)
                .help("write a column as `source.column`")
                .into());
        }
        Ok(typed)
    }

    fn common_type(&self, tree: &ast::Dimension, definitions: &[Typed]) -> Result<DataType, Failure> {
        let types: Vec<DataType> = definitions.iter().map(|typed| typed.data_type.clone()).collect();
        let kinds = |t: &DataType| (is_time(t), t.is_numeric(), *t == DataType::Boolean);
        let alike = types.windows(2).all(|pair| kinds(&pair[0]) == kinds(&pair[1]));
        match type_union_resolution(&types).filter(|_| alike) {
            Some(common) => Ok(common),
            None => {
                let listed: Vec<String> = types.iter().map(ToString::to_string).collect();
                Err(Diagnostic::new(
                    codes::DIMENSION_TYPES,
                    format!("the definitions of `{}` have different types: {}", tree.name.text, listed.join(", ")),
                )
                .at(tree.name.span)
                .help("cast them to one type")
                .into())
            }
        }
    }

    /// A schema of an expression's inputs, to ask for types.
    pub(crate) fn input_schema(&self, expression: &Expression) -> DFSchema {
        let types = expression.inputs.iter().map(|input| self.catalog.input_type(input)).collect();
        super::resolve::schema_of(types)
    }
}

fn cast_to(typed: Typed, data_type: &DataType) -> Expression {
    if typed.data_type == *data_type {
        return typed.expression;
    }
    Expression { expr: cast(typed.expression.expr, data_type.clone()), inputs: typed.expression.inputs }
}

/// Why a source cannot reach something, in words; the caller adds the place.
pub(crate) fn unreachable(catalog: &Catalog, from: SourceId, problem: &Unreachable) -> Diagnostic {
    let source = &catalog.source(from).item.name;
    match problem {
        Unreachable::NoPath { wanted, roots } => {
            let roots: Vec<&str> = roots.iter().map(|id| catalog.source(*id).item.name.as_str()).collect();
            Diagnostic::new(codes::UNREACHABLE, format!("`{source}` cannot reach `{wanted}`"))
                .note(format!("no chain of joins leads from `{source}` to `{}`", roots.join("` or `")))
                .help(format!(
                    "declare the missing join in `{source}` (`join … = {} on …`), or give `{wanted}` a definition for `{source}`",
                    roots.first().copied().unwrap_or("other")
                ))
        }
        Unreachable::SeveralPaths { wanted, ways } => {
            Diagnostic::new(codes::AMBIGUOUS_PATH, format!("`{source}` reaches `{wanted}` in several ways"))
                .note(format!("the ways are {}", ways.join(", ")))
                .help(format!(
                    "declare a dimension for the way that is meant: `dimension {wanted} = {}`",
                    ways.first().map(String::as_str).unwrap_or_default()
                ))
        }
        Unreachable::NoTimeAxis => Diagnostic::new(
            codes::NO_TIME_AXIS,
            format!("`{source}` has no time axis, so `metric_time` means nothing for it"),
        )
        .help(format!("declare `time column` in source `{source}`, or `time` in the indicator")),
        Unreachable::Undated { wanted } => {
            Diagnostic::new(codes::NO_TIME_AXIS, format!("`{source}` has no time by which `{wanted}` could be asked"))
                .note("which row of a `valid between` join counts depends on the time of the fact")
                .help(format!("declare `time column` in source `{source}`, or `time` in the indicator"))
        }
        Unreachable::DatedByItself { wanted } => {
            Diagnostic::new(codes::CYCLE, format!("a time axis comes through `{wanted}`, which is asked by that axis"))
                .note("which row of a `valid between` join counts depends on the time of the fact")
                .help("name a column of the source itself, or one behind joins without `valid between`")
        }
        Unreachable::TooFine { wanted } => {
            Diagnostic::new(codes::TOO_FINE, format!("`{wanted}` is finer than the time axis of `{source}`"))
                .help("ask for day or coarser")
        }
        Unreachable::Aggregate => {
            Diagnostic::new(codes::NESTED_AGGREGATE, "an indicator has no value for a single row")
        }
    }
}

/// "`orders` needs a key": de-duplication against a join's direction is by key. The caller adds the place.
pub(crate) fn needs_key(catalog: &Catalog, source: SourceId) -> Diagnostic {
    let item = &catalog.source(source).item;
    Diagnostic::new(codes::NEEDS_KEY, format!("`{}` needs a `key` to be sliced against a join's direction", item.name))
        .also(item.span, "declared here without a `key`")
        .note("one of its rows may meet several child rows; the key tells which of them are the same row")
        .help(format!("declare `key …` in source `{}`", item.name))
}
