//! Publications: are their indicators and dimensions there, and can they be written?

use datafusion::sql::sqlparser::ast as sql;

use super::declare::{Declared, item_of};
use super::folders::{clash, written_to};
use super::resolve::Scope;
use super::{Checker, Failure};
use crate::catalog::IndicatorId;
use crate::catalog::expr::{Expression, Input};
use crate::catalog::modifier::TimeSpan;
use crate::catalog::publication::{FileFormat, Publication};
use crate::catalog::reach::{Standpoint, flatten};
use crate::diagnostic::{Diagnostic, codes, nearest};
use crate::source::Span;
use crate::syntax::ast::{self, Path, Text};
use crate::syntax::outputs;

impl<'a> Checker<'a> {
    /// Publications of all packages.
    pub(crate) fn check_publications(&mut self) {
        let mut places: Vec<&'a Text> = Vec::new();
        for declared in self.declared.publications.clone() {
            let publication = self.publication(declared);
            let Some(publication) = self.keep(publication) else { continue };
            let Some(to) = &declared.tree.to else { continue };
            match places.iter().find_map(|place| Some((place, clash(&place.text, &to.text)?))) {
                Some((first, how)) => self.report(
                    bad(format!("two publications {how}"), to.span)
                        .also(first.span, "the first")
                        .help("give each a folder of its own: each run replaces what is there"),
                ),
                None => {
                    places.push(to);
                    self.catalog.to_mut().publications.push(publication);
                }
            }
        }
    }

    fn publication(&mut self, declared: Declared<'a, &'a outputs::Publication>) -> Result<Publication, Failure> {
        let (package, tree) = (declared.package, declared.tree);
        let mut item = item_of(package, declared.item, &tree.name, &tree.labels);
        item.owner = tree.owner.as_ref().map(|owner| owner.text.clone());
        if tree.indicators.is_empty() {
            return Err(bad(format!("publication `{}` has nothing to publish", item.name), tree.name.span)
                .help("write `indicators gmv, aov`")
                .into());
        }
        let to = written_to(&tree.to, || {
            bad(format!("publication `{}` does not say where to", item.name), tree.name.span)
                .help("write `to 'out/monthly/'`: a folder of its own, or the URL of one")
        })?;
        let mut columns: Vec<(String, Span)> = Vec::new();
        let by = self.keys_of_output(package, &tree.by, &mut columns)?;
        let mut indicators = Vec::new();
        for path in &tree.indicators {
            indicators.push((column(&mut columns, path)?, self.indicator_at(package, path)?));
        }
        let conditions = tree.conditions.iter();
        let conditions: Vec<Expression> =
            conditions.map(|it| self.resolve_condition(it, Scope::rows(package, None))).collect::<Result<_, _>>()?;
        for ((_, id), path) in indicators.iter().zip(&tree.indicators) {
            self.require_reached(*id, path, &by, &conditions)?;
        }
        let partitions = partitions(tree)?;
        let format = format(tree)?;
        let lookback = self.length(package, &tree.lookback)?;
        let final_after = self.length(package, &tree.final_after)?;
        let to = to.text.clone();
        let publication =
            Publication { item, indicators, by, conditions, partitions, to, format, lookback, final_after };
        let by_period = tree.lookback.iter().chain(&tree.final_after).next();
        match by_period.filter(|_| publication.partition_periods().is_none()) {
            Some(clause) => Err(bad("only periods can be computed anew, or be final", clause.span)
                .help("add `partitioned by month`, or another grain that `by` has")
                .into()),
            None => Ok(publication),
        }
    }

    fn length(&mut self, package: &str, written: &Option<ast::Expr>) -> Result<Option<TimeSpan>, Failure> {
        written.as_ref().map(|written| self.length_of(package, written)).transpose()
    }

    /// The keys of what is written, by the columns that they become.
    pub(super) fn keys_of_output(
        &mut self,
        package: &str,
        by: &[Path],
        columns: &mut Vec<(String, Span)>,
    ) -> Result<Vec<(String, Input)>, Failure> {
        by.iter().map(|path| Ok((column(columns, path)?, self.key_of_output(package, path)?))).collect()
    }

    /// What `by` names: a grain of the time axis, a dimension, a column.
    fn key_of_output(&mut self, package: &str, path: &Path) -> Result<Input, Failure> {
        if let [name] = path.parts.as_slice()
            && let Some(part) = self.bare_grain(&name.text)
        {
            return Ok(Input::MetricTime(part));
        }
        let idents: Vec<sql::Ident> = path.parts.iter().map(|part| sql::Ident::with_quote('"', &part.text)).collect();
        let written = match idents.as_slice() {
            [name] => sql::Expr::Identifier(name.clone()),
            _ => sql::Expr::CompoundIdentifier(idents),
        };
        let tree = ast::Expr { sql: written, span: path.span };
        let typed = self.resolve_rows(&tree, Scope::rows(package, None))?;
        match typed.expression.as_input() {
            Some(input) => Ok(input.clone()),
            None => {
                Err(bad("`by` takes dimensions, not expressions", path.span).help("declare a dimension for it").into())
            }
        }
    }

    /// Every aggregate must reach every dimension. Those in other contexts (`at …`) may have dropped some: these are left
    /// to planning.
    pub(super) fn require_reached(
        &self,
        of: IndicatorId,
        path: &Path,
        by: &[(String, Input)],
        conditions: &[Expression],
    ) -> Result<(), Failure> {
        let asked = Expression::input(Input::Indicator(of, vec![]));
        self.require_formula_reached(&asked, path.span, by, conditions)
    }

    /// The same of a formula that is no indicator.
    pub(super) fn require_formula_reached(
        &self,
        formula: &Expression,
        place: Span,
        by: &[(String, Input)],
        conditions: &[Expression],
    ) -> Result<(), Failure> {
        let keys = by.iter().map(|(_, input)| Expression::input(input.clone()));
        let wanted: Vec<Expression> = keys.chain(conditions.iter().cloned()).collect();
        let failure = self.unreached_by(formula, None, &wanted);
        failure.map_or(Ok(()), |diagnostic| Err(diagnostic.at(place).into()))
    }

    fn unreached_by(
        &self,
        formula: &Expression,
        time: Option<&Expression>,
        wanted: &[Expression],
    ) -> Option<Diagnostic> {
        formula.inputs.iter().find_map(|input| match input {
            Input::Indicator(id, _) => {
                let inner = self.catalog.indicator(*id);
                self.unreached_by(&inner.formula, inner.time.as_ref().or(time), wanted)
            }
            Input::Fold(fold) => self.unreached_by(&fold.aggregate, time, wanted),
            Input::Measure(measure) => {
                let axis = time.or(self.catalog.source(measure.source).time.as_ref());
                let standpoint = Standpoint { source: measure.source, axis };
                let problem = wanted.iter().find_map(|it| flatten(&self.catalog, standpoint, it).err())?;
                Some(super::unreachable(&self.catalog, measure.source, &problem))
            }
            _ => None,
        })
    }
}

/// The column that a path becomes: its last name.
pub(super) fn column(columns: &mut Vec<(String, Span)>, path: &Path) -> Result<String, Failure> {
    let name = path.parts.last().map(|part| part.text.clone()).unwrap_or_default();
    if let Some((_, first)) = columns.iter().find(|(known, _)| *known == name) {
        return Err(Diagnostic::new(codes::TWICE, format!("two columns would be called `{name}`"))
            .at(path.span)
            .also(*first, "the first")
            .help("leave one of them out, or declare an indicator or a dimension of another name for it")
            .into());
    }
    columns.push((name.clone(), path.span));
    Ok(name)
}

fn partitions(tree: &outputs::Publication) -> Result<Vec<usize>, Failure> {
    let text = |path: &Path| path.parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join(".");
    let mut found = Vec::new();
    for path in &tree.partitions {
        let Some(at) = tree.by.iter().position(|by| text(by) == text(path)) else {
            return Err(bad(format!("the files cannot be divided by `{}`", text(path)), path.span)
                .help("divide them by what `by` names")
                .into());
        };
        if found.contains(&at) {
            return Err(Diagnostic::new(codes::TWICE, format!("`{}` is given twice", text(path)))
                .at(path.span)
                .help("keep one of them")
                .into());
        }
        found.push(at);
    }
    Ok(found)
}

fn format(tree: &outputs::Publication) -> Result<FileFormat, Failure> {
    let Some(word) = &tree.format else { return Ok(FileFormat::Parquet) };
    let wanted = word.text.to_lowercase();
    let known = FileFormat::ALL.into_iter().find(|format| format.name() == wanted);
    known.ok_or_else(|| {
        let diagnostic = bad(format!("`{}` is not a format that is written", word.text), word.span);
        let names = FileFormat::ALL.map(FileFormat::name);
        match nearest(&wanted, names) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")).into(),
            None => diagnostic.help(format!("formats are {}", names.join(", "))).into(),
        }
    })
}

fn bad(message: impl Into<String>, span: Span) -> Diagnostic {
    Diagnostic::new(codes::BAD_PUBLICATION, message).at(span)
}
