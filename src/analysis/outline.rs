//! [`Outline`]: a tree with its values, as `bell tree` prints it.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};

use super::cells::{Cells, Key};
use super::change::give_tree;
use super::function::{Function, Texts, names};
use super::question::{Asked, Side};
use super::reader::{Argument, ONE_TIME, Reader};
use super::span::relative;
use super::standing::{Bench, Book, Subject, Terms, ask_all};
use super::status::whole;
use super::{Analysis, Model};
use crate::catalog::target::Level;
use crate::catalog::{Catalog, DimensionId, IndicatorId};
use crate::diagnostic::{Diagnostic, codes};
use crate::error::Result;
use crate::goal::amount::Decided;

/// A tree with the values of its nodes, how they changed, and where they stand.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "serve", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Outline {
    /// The indicator at its root.
    pub indicator: String,
    /// The period that is shown; without it all of time, and no changes.
    pub at: Option<String>,
    /// What it is compared with; without it the period just before.
    pub base: Option<String>,
    /// Dimensions: a tree for each of their values.
    pub by: Vec<String>,
    /// Conditions.
    #[serde(rename = "where")]
    pub conditions: Vec<String>,
}

impl Function for Outline {
    fn name(&self) -> &'static str {
        "tree"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &["indicator", "at", "base", "by", "where"]
    }

    fn example(&self) -> &'static str {
        "tree('gmv', at => '2026-10')"
    }

    fn set(&mut self, argument: &str, text: &str) -> Result<(), Diagnostic> {
        let own = || text.to_string();
        match argument {
            "indicator" => self.indicator = own(),
            "at" => self.at = Some(own()),
            "base" => self.base = Some(own()),
            "by" => self.by = names(text),
            _ => self.conditions = vec![own()],
        }
        Ok(())
    }

    fn texts(&self) -> Vec<(Argument, String)> {
        Texts::default()
            .one(Argument::Indicator, Some(&self.indicator))
            .one(Argument::Current, self.at.as_deref())
            .one(Argument::Base, self.base.as_deref())
            .all(Argument::By, &self.by)
            .all(Argument::Where, &self.conditions)
            .0
    }

    fn prepare(&self, model: &mut Model<'_>) -> Result<Analysis> {
        let (options, now) = (model.options, model.now);
        let mut reader = Reader::new(model);
        let (package, root) = reader.indicator(&self.indicator)?;
        let current = self.at.as_deref().map(|text| reader.span(Argument::Current, text, None)).transpose()?;
        let base = match (&self.base, current) {
            (Some(text), Some(_)) => Some(reader.span(Argument::Base, text, current)?),
            (Some(_), None) => {
                return Err(Diagnostic::new(codes::REQUEST, "a base needs a period that it is compared with").into());
            }
            (None, Some(current)) => relative("previous period", current).transpose()?,
            (None, None) => None,
        };
        let by = reader.dimensions(&self.by, &package, ONE_TIME)?;
        let conditions = reader.conditions(Argument::Where, &self.conditions, &package)?;
        let mut catalog = Catalog::clone(reader.catalog());
        give_tree(&mut catalog, root);
        if catalog.tree_of(root).is_none() {
            let name = &catalog.indicator(root).item.name;
            let diagnostic = Diagnostic::new(codes::NOTHING_BELOW, format!("`{name}` has no tree"));
            let diagnostic = diagnostic.help(format!("declare `tree {name} = …`"));
            return Err(reader.at(diagnostic, Argument::Indicator, 0).into());
        }
        let side = |span| Side { span, conditions: conditions.clone() };
        // The side that is shown comes last, as in a change.
        let sides = base.map(|base| side(Some(base))).into_iter().chain([side(current)]).collect();
        let catalog = Arc::new(catalog);
        let mut indicators: Vec<IndicatorId> = catalog.nodes_below(root).iter().map(|node| node.indicator).collect();
        indicators.sort_by_key(|id| id.0);
        indicators.dedup();
        let set: Vec<usize> = (0..by.len()).collect();
        let names = by.iter().map(|(name, _)| name.clone()).collect();
        let asked =
            Asked { catalog: Arc::clone(&catalog), package, by, sets: vec![set.clone()], indicators, sides, first: 0 };
        let mut questions = asked.questions(options).map_err(|error| reader.at_dimension(error.into()))?;
        let mut spares = if self.by.is_empty() { asked.spares(options)? } else { vec![] };
        // A target is of a period, and of all its rows.
        let mut standing = None;
        if let Some(current) = current.filter(|_| self.conditions.is_empty()) {
            let terms = Terms { as_of: now, level: Level::Commit, decided: Decided::Current };
            let has_target = |id: &&IndicatorId| catalog.targets_of(**id).next().is_some();
            let subject = |id: &IndicatorId| Subject { indicator: *id, span: current.stretch() };
            let subjects: Vec<Subject> = asked.indicators.iter().filter(has_target).map(subject).collect();
            if !subjects.is_empty() {
                let asked = Asked { first: asked.sides.len(), sides: vec![], indicators: vec![], ..asked.clone() };
                let (book, own, spare) = ask_all(&asked, &subjects, &terms, options)?;
                questions.extend(own);
                spares.extend(spare);
                let dimensions = asked.by.iter().map(|(_, input)| whole(input)).collect();
                standing = Some(Standing { terms, book, subjects, dimensions });
            }
        }
        let shown = Shown { catalog, root, by: names, set, sides: asked.sides.len(), standing };
        Ok(Analysis { questions, spares, answer: Arc::new(shown) })
    }
}

/// What is printed.
#[derive(Debug)]
struct Shown {
    catalog: Arc<Catalog>,
    root: IndicatorId,
    by: Vec<String>,
    set: Vec<usize>,
    sides: usize,
    standing: Option<Standing>,
}

/// What statuses are made from.
#[derive(Debug)]
struct Standing {
    terms: Terms,
    book: Book,
    subjects: Vec<Subject>,
    /// The dimensions, if targets can be about them.
    dimensions: Option<Vec<DimensionId>>,
}

impl Shown {
    /// The status of a node; NULL where it has no target.
    fn status(&self, standing: &Standing, cells: &Cells, key: &Key, id: IndicatorId) -> Option<String> {
        let subject = standing.subjects.iter().find(|subject| subject.indicator == id)?;
        let bench = Bench {
            catalog: &self.catalog,
            terms: &standing.terms,
            book: &standing.book,
            cells,
            set: &self.set,
            by: standing.dimensions.as_deref(),
        };
        bench.judge(subject, key).status
    }
}

impl super::Answer for Shown {
    fn schema(&self) -> SchemaRef {
        let number = |name: &str| Field::new(name, DataType::Float64, true);
        let mut fields: Vec<Field> = self.by.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
        fields.push(Field::new("tree", DataType::Utf8, false));
        fields.push(number("value"));
        if self.sides > 1 {
            fields.extend(["base", "change", "growth"].map(number));
        }
        if self.standing.is_some() {
            fields.push(Field::new("status", DataType::Utf8, true));
        }
        Arc::new(Schema::new(fields))
    }

    fn answer(&self, cells: &Cells) -> datafusion::common::Result<RecordBatch> {
        let nodes = self.catalog.nodes_below(self.root);
        // Judgements look at further periods, whose slices are not shown.
        let shown = |key: &Key| cells.of_set(&self.set).any(|(side, known, _)| side < self.sides && known == key);
        let mut keys: Vec<Key> = cells.slices(&self.set).into_iter().filter(shown).collect();
        if self.set.is_empty() && keys.is_empty() {
            keys.push(vec![]);
        }
        let rows = || keys.iter().flat_map(|key| nodes.iter().map(move |node| (key, node)));
        let value = |side: usize| -> Vec<Option<f64>> {
            rows().map(|(key, node)| cells.value(side, &self.set, key, node.indicator)).collect()
        };
        let mut columns: Vec<ArrayRef> = Vec::new();
        for at in 0..self.by.len() {
            columns.push(Arc::new(StringArray::from_iter(rows().map(|(key, _)| key[at].clone()))));
        }
        let names = rows().map(|(_, node)| {
            let name = &self.catalog.indicator(node.indicator).item.name;
            Some(format!("{:indent$}{name}", "", indent = 2 * node.level))
        });
        columns.push(Arc::new(StringArray::from_iter(names)));
        let current = value(self.sides - 1);
        columns.push(numbers(&current));
        if self.sides > 1 {
            let base = value(0);
            let change: Vec<Option<f64>> = current.iter().zip(&base).map(|(c, b)| Some((*c)? - (*b)?)).collect();
            let growth = change.iter().zip(&base);
            let growth: Vec<Option<f64>> = growth
                .map(|(change, base)| base.filter(|b| *b != 0.0).and_then(|b| Some((*change)? / b.abs())))
                .collect();
            columns.extend([base, change, growth].iter().map(|values| numbers(values)));
        }
        if let Some(standing) = &self.standing {
            let statuses = rows().map(|(key, node)| self.status(standing, cells, key, node.indicator));
            columns.push(Arc::new(StringArray::from_iter(statuses)));
        }
        Ok(RecordBatch::try_new(self.schema(), columns)?)
    }
}

fn numbers(values: &[Option<f64>]) -> ArrayRef {
    Arc::new(Float64Array::from_iter(values.iter().copied()))
}
