//! [`Score`]: the question what a scorecard says, and what answers it.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array, Int32Array, RecordBatch, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Result as PlanResult;
use serde::{Deserialize, Serialize};

use super::cells::{Cells, Key, in_order};
use super::function::{Function, Texts, names};
use super::reader::{Argument, Reader};
use super::span::Span;
use super::standing::{Bench, Book, Subject, Terms, ask};
use super::status::{ONE_PERIOD, terms, whole};
use super::{Analysis, Model};
use crate::catalog::stretch::Stretch;
use crate::catalog::target::{Perspective, ScoreRule, Scorecard};
use crate::catalog::{Catalog, DimensionId, IndicatorId};
use crate::diagnostic::{Diagnostic, codes, nearest};
use crate::error::Result;
use crate::goal::bands;
use crate::goal::score::{Effects, Part, effects, rolled_up, sensitivity};

/// What does a scorecard say? In SQL `scorecard('company', at => '2026-10')`, on the command line `bell scorecard`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "serve", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Score {
    /// The scorecard by name: `company`, `retail.company`.
    pub scorecard: String,
    /// Dimensions: a scorecard for each slice.
    pub by: Vec<String>,
    /// The period.
    pub at: Option<String>,
    /// The period that it is compared with; default: the one just before.
    pub base: Option<String>,
    /// Up to when the data count; without it, now.
    pub as_of: Option<String>,
    /// `commit`, `stretch` or `floor`.
    pub level: Option<String>,
    /// `current` or `original`.
    pub against: Option<String>,
}

impl Function for Score {
    fn name(&self) -> &'static str {
        "scorecard"
    }

    fn arguments(&self) -> &'static [&'static str] {
        &["scorecard", "at", "base", "as_of", "level", "against", "by"]
    }

    fn needed(&self) -> Option<&'static str> {
        Some("scorecard")
    }

    fn lists(&self) -> &'static [&'static str] {
        &["by"]
    }

    fn example(&self) -> &'static str {
        "scorecard('company', at => '2026-10')"
    }

    fn set(&mut self, argument: &str, text: &str) -> Result<(), Diagnostic> {
        let own = Some(text.to_string());
        match argument {
            "scorecard" => self.scorecard = text.to_string(),
            "by" => self.by = names(text),
            "at" => self.at = own,
            "base" => self.base = own,
            "as_of" => self.as_of = own,
            "level" => self.level = own,
            _ => self.against = own,
        }
        Ok(())
    }

    fn texts(&self) -> Vec<(Argument, String)> {
        Texts::default()
            .one(Argument::AsOf, self.as_of.as_deref())
            .one(Argument::Level, self.level.as_deref())
            .one(Argument::Against, self.against.as_deref())
            .one(Argument::Scorecard, Some(&self.scorecard))
            .one(Argument::At, self.at.as_deref())
            .one(Argument::Base, self.base.as_deref())
            .all(Argument::By, &self.by)
            .0
    }

    fn prepare(&self, model: &mut Model<'_>) -> Result<Analysis> {
        let (options, now) = (model.options, model.now);
        let mut reader = Reader::new(model);
        let terms = terms(&mut reader, now, &self.as_of, &self.level, &self.against)?;
        let scorecard = reader.text(Argument::Scorecard, &self.scorecard, found)?;
        let Some(at) = &self.at else {
            return Err(Diagnostic::new(codes::REQUEST, "a scorecard is of a period")
                .help("say which: `at => '2026-10'`, `--at 2026-10`")
                .into());
        };
        let at = reader.span(Argument::At, at, None)?;
        let base = match &self.base {
            Some(text) => Some(reader.span(Argument::Base, text, Some(at))?),
            None => at.before(),
        };
        let by = reader.dimensions(&self.by, &scorecard.item.package, ONE_PERIOD)?;
        let catalog = Arc::clone(reader.catalog());
        let sides: Vec<Stretch> = base.into_iter().chain([at]).map(Span::stretch).collect();
        let mut subjects = Vec::new();
        for span in &sides {
            let version = version_at(&scorecard, *span);
            let children = version.iter().flat_map(|perspective| &perspective.children);
            subjects.extend(children.map(|(indicator, _)| Subject { indicator: *indicator, span: *span }));
        }
        let asked = ask(&catalog, &scorecard.item.package, &by, &subjects, &terms, options);
        let (book, questions, spares) = asked.map_err(|error| reader.at_dimension(error.into()))?;
        let dimensions = by.iter().map(|(_, input)| whole(input)).collect();
        let by = by.into_iter().map(|(name, _)| name).collect();
        let shown = Shown { catalog, scorecard, terms, book, sides, subjects, by, dimensions };
        Ok(Analysis { questions, spares, answer: Arc::new(shown) })
    }
}

fn found(catalog: &Catalog, name: &str) -> Result<Scorecard, Diagnostic> {
    let (package, own) = name.split_once('.').map_or((None, name), |(package, own)| (Some(package), own));
    let fits = |it: &&Scorecard| it.item.name == own && package.is_none_or(|package| it.item.package == package);
    let all: Vec<&Scorecard> = catalog.scorecards.iter().filter(fits).collect();
    match all.as_slice() {
        [only] => Ok((*only).clone()),
        [] => {
            let diagnostic = Diagnostic::new(codes::UNKNOWN_NAME, format!("there is no scorecard `{name}`"));
            let names = catalog.scorecards.iter().map(|it| it.item.name.as_str());
            Err(match nearest(own, names) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic,
            })
        }
        several => {
            let names: Vec<String> = several.iter().map(|it| format!("{}.{own}", it.item.package)).collect();
            Err(Diagnostic::new(codes::AMBIGUOUS_NAME, format!("several packages have a scorecard `{own}`"))
                .help(format!("write one of {}", names.join(", "))))
        }
    }
}

/// The weights that hold at the start of a period.
fn version_at(scorecard: &Scorecard, span: Stretch) -> &[Perspective] {
    let holds = |(from, _): &&(Option<chrono::NaiveDateTime>, Vec<Perspective>)| from.is_none_or(|at| at <= span.start);
    scorecard.versions.iter().rev().find(holds).map_or(&[], |(_, perspectives)| perspectives)
}

/// What is printed.
#[derive(Debug)]
struct Shown {
    catalog: Arc<Catalog>,
    scorecard: Scorecard,
    terms: Terms,
    book: Book,
    /// The base, if there is one, and the period that is shown.
    sides: Vec<Stretch>,
    /// The indicators in these.
    subjects: Vec<Subject>,
    /// The dimensions that are asked by.
    by: Vec<String>,
    /// The same, if targets can be about them.
    dimensions: Option<Vec<DimensionId>>,
}

/// A line of the scorecard.
#[derive(Debug, Clone, Default)]
struct Line {
    name: String,
    level: i32,
    weight: Option<f64>,
    score: Option<f64>,
    base: Option<f64>,
    covered: Option<f64>,
    /// What it did to the change of the whole.
    effects: Option<Effects>,
    /// What one point of weight more does to the score above it.
    sensitivity: Option<f64>,
    status: Option<String>,
    reason: Option<String>,
}

/// The score of an indicator.
struct Child {
    indicator: IndicatorId,
    part: Part,
    status: Option<String>,
    reason: Option<String>,
}

/// The scores of one period.
struct Scored {
    /// Of each indicator of each perspective, with status and reason.
    children: Vec<Vec<Child>>,
    perspectives: Vec<(String, Part, f64)>,
    whole: Option<f64>,
    covered: f64,
}

impl Shown {
    fn bench<'b>(&'b self, cells: &'b Cells, set: &'b [usize]) -> Bench<'b> {
        let by = self.dimensions.as_deref();
        Bench { catalog: &self.catalog, terms: &self.terms, book: &self.book, cells, set, by }
    }

    /// The slices of which something is known, in order of their values.
    fn slices(&self, bench: &Bench<'_>) -> Vec<Key> {
        let mut keys: Vec<Key> = self.subjects.iter().flat_map(|subject| bench.keys(subject)).collect();
        keys.sort_by_key(in_order);
        keys.dedup();
        keys
    }

    fn scored(&self, bench: &Bench<'_>, span: Stretch, key: &Key) -> Scored {
        let (mut children, mut perspectives) = (Vec::new(), Vec::new());
        for perspective in version_at(&self.scorecard, span) {
            let own: Vec<_> = perspective
                .children
                .iter()
                .map(|(indicator, weight)| {
                    let judged = bench.judge(&Subject { indicator: *indicator, span }, key);
                    let reason = judged.reason.map(|reason| reason.name().to_string());
                    let status = judged.status.or_else(|| Some(bands::GREY.to_string()));
                    let part = Part { weight: *weight, score: judged.score };
                    Child { indicator: *indicator, part, status, reason }
                })
                .collect();
            let parts: Vec<Part> = own.iter().map(|child| child.part).collect();
            let (score, covered) = rolled_up(&parts, perspective.rule);
            perspectives.push((
                perspective.name.clone(),
                Part { weight: perspective.weight, score: score.ok() },
                covered,
            ));
            children.push(own);
        }
        let parts: Vec<Part> = perspectives.iter().map(|(_, part, _)| *part).collect();
        let (whole, _) = rolled_up(&parts, self.scorecard.rule);
        let all: f64 = parts.iter().map(|part| part.weight).sum();
        let covered = perspectives.iter().map(|(_, part, covered)| part.weight * covered).sum::<f64>() / all;
        Scored { children, perspectives, whole: whole.ok(), covered }
    }

    fn lines(&self, bench: &Bench<'_>, key: &Key) -> Vec<Line> {
        let Some((span, before)) = self.sides.split_last() else { return vec![] };
        let now = self.scored(bench, *span, key);
        let base = before.first().map(|span| self.scored(bench, *span, key));
        let known = &self.scorecard.bands;
        let judged = |score: Option<f64>| match score {
            Some(score) => (bands::name(bands::rank(score, known), known).to_string(), None),
            None => (bands::GREY.to_string(), Some(crate::goal::Reason::LittleCovered.name().to_string())),
        };
        let (status, reason) = judged(now.whole);
        let mut lines = vec![Line {
            name: self.scorecard.item.name.clone(),
            score: now.whole,
            base: base.as_ref().and_then(|base| base.whole),
            covered: Some(now.covered),
            status: Some(status),
            reason,
            ..Line::default()
        }];
        let parts: Vec<Part> = now.perspectives.iter().map(|(_, part, _)| *part).collect();
        let before = |name: &str| base.as_ref()?.perspectives.iter().find(|(known, ..)| known == name);
        let old: Vec<Part> = now
            .perspectives
            .iter()
            .map(|(name, ..)| before(name).map_or(Part { weight: 0.0, score: None }, |(_, part, _)| *part))
            .collect();
        let weighted = self.scorecard.rule == ScoreRule::Weighted;
        let same = base.as_ref().is_some_and(|base| base.perspectives.len() == now.perspectives.len())
            && now.perspectives.iter().all(|(name, ..)| before(name).is_some());
        let changed =
            (weighted && same && base.as_ref().is_some_and(|base| base.whole.is_some()) && now.whole.is_some())
                .then(|| effects(&old, &parts));
        for (at, (name, part, covered)) in now.perspectives.iter().enumerate() {
            let (status, reason) = judged(part.score);
            lines.push(Line {
                name: name.clone(),
                level: 1,
                weight: Some(part.weight),
                score: part.score,
                base: before(name).and_then(|(_, part, _)| part.score),
                covered: Some(*covered),
                effects: changed.as_ref().map(|all| all[at]),
                sensitivity: now.whole.filter(|_| weighted).and_then(|whole| sensitivity(&parts, at, whole)),
                status: Some(status),
                reason,
            });
            lines.extend(self.children(&now, base.as_ref(), at, *span));
        }
        lines
    }

    fn children(&self, now: &Scored, base: Option<&Scored>, at: usize, span: Stretch) -> Vec<Line> {
        let own: Vec<Part> = now.children[at].iter().map(|child| child.part).collect();
        let weighted = version_at(&self.scorecard, span)[at].rule == ScoreRule::Weighted;
        let name = &now.perspectives[at].0;
        let before = |id: IndicatorId| {
            let base = base?;
            let at = base.perspectives.iter().position(|(known, ..)| known == name)?;
            base.children[at].iter().find(|child| child.indicator == id)?.part.score
        };
        let above = now.perspectives[at].1.score.filter(|_| weighted);
        now.children[at]
            .iter()
            .enumerate()
            .map(|(position, child)| Line {
                name: self.catalog.indicator(child.indicator).item.name.clone(),
                level: 2,
                weight: Some(child.part.weight),
                score: child.part.score,
                base: before(child.indicator),
                sensitivity: above.and_then(|score| sensitivity(&own, position, score)),
                status: child.status.clone(),
                reason: child.reason.clone(),
                ..Line::default()
            })
            .collect()
    }
}

impl super::Answer for Shown {
    fn schema(&self) -> SchemaRef {
        let text = |name: &str| Field::new(name, DataType::Utf8, true);
        let number = |name: &str| Field::new(name, DataType::Float64, true);
        let mut fields: Vec<Field> = self.by.iter().map(|name| text(name)).collect();
        fields.extend([text("item"), Field::new("level", DataType::Int32, false)]);
        fields.extend(["weight", "score", "base", "change"].map(number));
        fields.extend(["score_effect", "weight_effect", "covered", "sensitivity"].map(number));
        fields.extend(["status", "reason"].map(text));
        Arc::new(Schema::new(fields))
    }

    fn answer(&self, cells: &Cells) -> PlanResult<RecordBatch> {
        let set: Vec<usize> = (0..self.by.len()).collect();
        let bench = self.bench(cells, &set);
        let mut lines: Vec<(Key, Line)> = Vec::new();
        for key in self.slices(&bench) {
            lines.extend(self.lines(&bench, &key).into_iter().map(|line| (key.clone(), line)));
        }
        let texts = |of: &dyn Fn(&Line) -> Option<String>| -> ArrayRef {
            Arc::new(StringArray::from_iter(lines.iter().map(|(_, line)| of(line))))
        };
        let numbers = |of: &dyn Fn(&Line) -> Option<f64>| -> ArrayRef {
            Arc::new(Float64Array::from_iter(lines.iter().map(|(_, line)| of(line).map(|number| number + 0.0))))
        };
        let slice =
            |at: usize| -> ArrayRef { Arc::new(StringArray::from_iter(lines.iter().map(|(key, _)| key[at].clone()))) };
        let mut columns: Vec<ArrayRef> = (0..self.by.len()).map(slice).collect();
        columns.extend([
            texts(&|line| Some(format!("{:indent$}{}", "", line.name, indent = 2 * line.level as usize))),
            Arc::new(Int32Array::from_iter_values(lines.iter().map(|(_, line)| line.level))),
            numbers(&|line| line.weight),
            numbers(&|line| line.score),
            numbers(&|line| line.base),
            numbers(&|line| Some(line.score? - line.base?)),
            numbers(&|line| line.effects.map(|it| it.score)),
            numbers(&|line| line.effects.map(|it| it.weight)),
            numbers(&|line| line.covered),
            numbers(&|line| line.sensitivity),
            texts(&|line| line.status.clone()),
            texts(&|line| line.reason.clone()),
        ]);
        Ok(RecordBatch::try_new(self.schema(), columns)?)
    }
}
