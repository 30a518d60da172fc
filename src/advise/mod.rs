//! Which rollups would answer what is asked? [`advise`] reads questions that were asked, and proposes declarations.
//!
//! 1. Every question is planned anew; its parts say what they look at ([`Sought`](crate::plan::Sought)).
//! 2. For each, the smallest rollup is found from which the planner answers it (`base`), and from these the ones that
//!    answer several: the lattice of their keys, as far as it is small (`lattice`).
//! 3. Their sizes are counted (`size`), and the best are chosen (`choose`).
//! 4. What is chosen is written as Bell, checked with the project, and all questions are planned again with it.
//!
//! Invariant: that a rollup answers a question is only ever said by the planner, as if the rollup were stored. Nothing here
//! knows when it would.

mod ask;
mod base;
mod candidate;
mod choose;
mod lattice;
mod log;
mod proposal;
mod size;
mod tell;

use serde::Serialize;

use crate::catalog::rollup::{Rollup, Stored};
use crate::engine::Engine;
use crate::error::Result;
use crate::plan::cells::cells_of;
use ask::{Planned, Viewers, analysis, in_a_line};
use base::{Base, base};
use candidate::supposed;
use lattice::Lattice;
use log::Case;
pub use log::{Log, Place, Unread};
pub use proposal::Proposal;
use proposal::Written;
use size::Sizes;

/// How much is proposed at most.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// How many rollups.
    pub rollups: usize,
    /// How many bytes they take together.
    pub bytes: Option<u64>,
}

/// What is proposed, and for what.
#[derive(Debug, Serialize)]
pub struct Advice {
    /// The lines that were read.
    pub lines: usize,
    /// Those that ask for indicators.
    pub questions: usize,
    /// How many different ones these are.
    pub different: usize,
    /// Those that are answered by rollups alone as things are.
    pub served_now: usize,
    /// Those that would be if every declared rollup were up to date.
    pub served_declared: usize,
    /// Those that would be if the proposed rollups were, too.
    pub served_proposed: usize,
    /// Lines that ask for nothing that rollups could answer: plain tables, the catalog, values of dimensions.
    pub without_indicators: usize,
    /// Entries of an audit file that are no questions.
    pub others: usize,
    /// The rollups, the best first.
    pub rollups: Vec<Proposal>,
    /// What the figures of size rest on.
    pub estimated: &'static str,
    /// The questions that would still read rows.
    pub not_served: Vec<NotServed>,
    /// The lines that were left out, and why.
    pub unread: Vec<Unread>,
}

/// A question that would still read rows.
#[derive(Debug, Serialize)]
pub struct NotServed {
    /// The question.
    pub question: String,
    /// The roles of who asked; none: who sees everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// Where it stands.
    pub lines: Vec<Place>,
    /// Why.
    pub reasons: Vec<String>,
}

/// A question that asks for indicators.
struct Asked<'l> {
    case: &'l Case,
    base: Base,
    now: bool,
}

/// Proposes rollups for questions.
///
/// # Errors
/// What DataFusion says where rows cannot be read.
pub async fn advise(engine: &Engine, log: &Log, bounds: Bounds) -> Result<Advice> {
    let catalog = engine.catalog();
    let viewers = Viewers::of(engine, &log.cases)?;
    let mut advice = Advice::of(log);
    let mut asked: Vec<Asked<'_>> = Vec::new();
    for case in &log.cases {
        if let Some(name) = analysis(case) {
            let reason = format!("`{name}` is an analysis, which reads the rows");
            asked.push(Asked { case, base: Base { candidate: None, reasons: vec![reason] }, now: false });
            continue;
        }
        match viewers.plan(case, &[]).await {
            Ok(now) if now.sought.is_empty() => advice.without_indicators += case.places.len(),
            Ok(now) => {
                let base = base(catalog, &viewers, case, &now).await?;
                asked.push(Asked { case, base, now: now.is_served() });
            }
            Err(error) => advice.leave_out(case, &in_a_line(&error)),
        }
    }
    let mut sizes = Sizes::of(engine);
    let declared = declared(engine, &mut sizes).await?;
    let lattice = Lattice::of(engine, &viewers, &asked, &declared, &mut sizes).await?;
    let written = Written::of(engine, lattice.chosen(bounds)).await?;
    advice.prove(engine, &viewers, &asked, &declared, &written).await?;
    advice.explain(&lattice, bounds);
    Ok(advice)
}

/// The declared rollups that cannot answer now, as if they were up to date.
async fn declared(engine: &Engine, sizes: &mut Sizes<'_>) -> Result<Vec<Rollup>> {
    let catalog = engine.catalog();
    let stale = |rollup: &&Rollup| !rollup.tables.iter().all(|table| matches!(table, Stored::Current(_)));
    let mut current = Vec::new();
    for rollup in catalog.rollups.iter().filter(stale) {
        let tables = cells_of(catalog, rollup)?;
        let mut cells = Vec::new();
        for table in &tables {
            cells.push(sizes.table(table).await?.cells);
        }
        current.push(supposed(rollup.clone(), &tables, |at| cells[at]));
    }
    Ok(current)
}

impl Advice {
    fn of(log: &Log) -> Advice {
        Advice {
            lines: log.lines,
            questions: 0,
            different: 0,
            served_now: 0,
            served_declared: 0,
            served_proposed: 0,
            without_indicators: 0,
            others: log.others,
            rollups: vec![],
            estimated: size::RESTS_ON,
            not_served: vec![],
            unread: log.unread.clone(),
        }
    }

    fn leave_out(&mut self, case: &Case, reason: &str) {
        let unread = |place: &Place| Unread { place: place.clone(), reason: format!("it cannot be asked: {reason}") };
        self.unread.extend(case.places.iter().map(unread));
        self.unread
            .sort_by(|left, right| (&left.place.file, left.place.line).cmp(&(&right.place.file, right.place.line)));
    }

    /// Plans all questions with what is declared, and with what is proposed as well.
    async fn prove(
        &mut self,
        engine: &Engine,
        viewers: &Viewers<'_>,
        asked: &[Asked<'_>],
        declared: &[Rollup],
        written: &Written,
    ) -> Result<()> {
        self.rollups = written.proposals.clone();
        let both: Vec<Rollup> = declared.iter().chain(&written.rollups).cloned().collect();
        self.different = asked.len();
        for Asked { case, base, now } in asked {
            let times = case.places.len();
            self.questions += times;
            self.served_now += if *now { times } else { 0 };
            if analysis(case).is_some() {
                self.not_serve(case, base.reasons.clone());
                continue;
            }
            let before = viewers.plan(case, declared).await?;
            self.served_declared += if before.is_served() { times } else { 0 };
            let after = viewers.plan(case, &both).await?;
            for proposal in self.rollups.iter_mut().filter(|it| after.rollups.contains(&it.name)) {
                proposal.questions += times;
                proposal.different += 1;
            }
            match after.is_served() {
                true => self.served_proposed += times,
                false => self.not_serve(case, reasons(engine, base, &after)),
            }
        }
        // One that the planner finds no use for, since another fits as well, is none.
        self.rollups.retain(|proposal| proposal.questions > 0);
        Ok(())
    }

    fn not_serve(&mut self, case: &Case, reasons: Vec<String>) {
        self.not_served.push(NotServed {
            question: case.question.to_string(),
            roles: case.roles.as_ref().map(|roles| roles.iter().cloned().collect()),
            lines: case.places.clone(),
            reasons,
        });
    }

    /// Where nothing speaks against a rollup, it was the bounds, or it would save nothing.
    fn explain(&mut self, lattice: &Lattice<'_>, bounds: Bounds) {
        self.not_served.sort_by_key(|question| std::cmp::Reverse(question.lines.len()));
        for question in self.not_served.iter_mut().filter(|question| question.reasons.is_empty()) {
            let place = &question.lines[0];
            question.reasons.push(lattice.why_not(place, bounds));
        }
    }
}

/// Why a question still reads rows; empty where a rollup for it was not chosen.
fn reasons(engine: &Engine, base: &Base, after: &Planned) -> Vec<String> {
    let unanswered = after.sought.iter().any(|sought| sought.fits.is_empty());
    match unanswered {
        true => base.reasons.clone(),
        false => {
            let known = |table: &&String| engine.catalog().sources.iter().any(|source| source.item.name == **table);
            let tables: Vec<String> = after.tables.iter().filter(known).map(|table| format!("`{table}`")).collect();
            vec![format!("besides what rollups answer, it looks at rows of {}", tables.join(", "))]
        }
    }
}
