//! The rollups to choose from: those that single questions want, and those that answer several of these.

use super::Asked;
use super::Bounds;
use super::ask::Viewers;
use super::candidate::{Candidate, supposed};
use super::choose::{Costs, chosen};
use super::log::Place;
use super::size::{Size, Sizes};
use crate::catalog::Catalog;
use crate::catalog::rollup::Rollup;
use crate::engine::Engine;
use crate::error::Result;
use crate::plan::cells::Cells;

/// How many rollups are counted and tried. Those for the questions that are asked most come first.
const MOST: usize = 48;

/// How many times fewer cells than rows are few enough.
const ENOUGH: u64 = 10;

/// Rollups, and what they would save.
pub(super) struct Lattice<'c> {
    catalog: &'c Catalog,
    /// With the size of each table.
    pub(super) all: Vec<(Candidate, Size)>,
    costs: Costs,
    /// The rollup that each question alone wants, by its first line.
    wanted: Vec<(Place, Candidate)>,
    /// Whether some were left out for their number.
    cut: bool,
}

impl<'c> Lattice<'c> {
    /// For these questions, beside rollups that are declared.
    pub(super) async fn of(
        engine: &'c Engine,
        viewers: &Viewers<'_>,
        asked: &[Asked<'_>],
        declared: &[Rollup],
        sizes: &mut Sizes<'_>,
    ) -> Result<Lattice<'c>> {
        let catalog = engine.catalog();
        let mut by_times: Vec<&Asked<'_>> = asked.iter().collect();
        by_times.sort_by_key(|it| std::cmp::Reverse(it.case.places.len()));
        let bases: Vec<Candidate> = by_times.iter().filter_map(|it| it.base.candidate.clone()).collect();
        let (candidates, cut) = closure(bases, |it| it.cells(catalog).is_ok());
        let wanted = asked.iter().filter_map(|it| Some((it.case.places[0].clone(), it.base.candidate.clone()?)));
        let mut lattice = Lattice {
            catalog,
            all: vec![],
            costs: Costs { parts: vec![], rollups: vec![] },
            wanted: wanted.collect(),
            cut,
        };
        let mut supposing = declared.to_vec();
        for (at, candidate) in candidates.into_iter().enumerate() {
            let cells = candidate.cells(catalog)?;
            let (rollup, size) = sized(catalog, &candidate, at, &cells, sizes).await?;
            supposing.push(rollup);
            lattice.all.push((candidate, size));
        }
        lattice.costs.rollups = lattice.all.iter().map(|(_, size)| (size.bytes, vec![])).collect();
        for Asked { case, .. } in asked.iter().filter(|it| it.base.candidate.is_some()) {
            for sought in viewers.plan(case, &supposing).await?.sought {
                let rows = sizes.rows(sought.source).await?;
                let number = |name: &str| name.rsplit_once(".$").and_then(|(_, at)| at.parse::<usize>().ok());
                let part = lattice.costs.parts.len();
                let already = sought.fits.iter().filter(|(name, _)| number(name).is_none()).map(|(_, cells)| *cells);
                let cost = already.chain([rows]).min().unwrap_or(rows);
                // What is answered well enough by what is declared needs nothing more.
                let cost = if cost <= rows / ENOUGH { 0 } else { cost };
                lattice.costs.parts.push((case.places.len() as u64, cost));
                for (name, cells) in &sought.fits {
                    if let Some(at) = number(name) {
                        lattice.costs.rollups[at].1.push((part, *cells));
                    }
                }
            }
        }
        Ok(lattice)
    }

    /// The best ones within bounds.
    pub(super) fn chosen(&self, bounds: Bounds) -> Vec<(Candidate, Size)> {
        let positions = chosen(&self.costs, bounds.rollups, bounds.bytes);
        positions.into_iter().map(|at| self.all[at].clone()).collect()
    }

    /// Why the rollup for the question at a line is not among the chosen ones.
    pub(super) fn why_not(&self, place: &Place, bounds: Bounds) -> String {
        let wanted = self.wanted.iter().find(|(at, _)| at == place).map(|(_, candidate)| candidate);
        let Some((wanted, (_, size))) =
            wanted.and_then(|wanted| Some((wanted, self.all.iter().find(|(it, _)| it == wanted)?)))
        else {
            return match self.cut {
                true => format!("only {MOST} rollups are tried, those for what is asked most"),
                false => "nothing is known of why".to_string(),
            };
        };
        let by: Vec<String> = wanted.by(self.catalog).into_iter().map(|(path, _)| path.join(".")).collect();
        let by = if by.is_empty() { "without keys".to_string() } else { format!("by {}", by.join(", ")) };
        let over = bounds.bytes.is_some_and(|budget| size.bytes > budget);
        match over {
            true => format!("a rollup {by} takes {} bytes, more than the budget", size.bytes),
            false => format!("a rollup {by} ({} cells) saves less than those proposed, or nothing", size.cells),
        }
    }
}

/// A rollup as if it were stored, and how large it is.
async fn sized(
    catalog: &Catalog,
    candidate: &Candidate,
    at: usize,
    cells: &[Cells],
    sizes: &mut Sizes<'_>,
) -> Result<(Rollup, Size)> {
    let mut tables = Vec::new();
    for table in cells {
        tables.push(sizes.table(table).await?);
    }
    let all = tables
        .iter()
        .fold(Size::default(), |all, table| Size { cells: all.cells + table.cells, bytes: all.bytes + table.bytes });
    Ok((supposed(candidate.rollup(catalog, &format!("${at}")), cells, |at| tables[at].cells), all))
}

/// Rollups, and those that answer what several of them do, until nothing new comes or there are enough: first for each the
/// one that answers most besides, then what any two answer.
fn closure(bases: Vec<Candidate>, fits: impl Fn(&Candidate) -> bool) -> (Vec<Candidate>, bool) {
    let mut all: Vec<Candidate> = Vec::new();
    let mut cut = false;
    let mut add = |all: &mut Vec<Candidate>, candidate: Candidate| {
        if !all.contains(&candidate) {
            if all.len() < MOST { all.push(candidate) } else { cut = true }
        }
    };
    bases.iter().for_each(|base| add(&mut all, base.clone()));
    let count = all.len();
    for at in 0..count {
        let others = (0..count).filter(|other| *other != at);
        let widest = others.fold(all[at].clone(), |wide, other| {
            wide.with(&all[other]).filter(|both| *both == wide || fits(both)).unwrap_or(wide)
        });
        add(&mut all, widest);
    }
    let mut done = 0;
    while done < all.len() && all.len() < MOST {
        for other in 0..done {
            if let Some(both) = all[done].with(&all[other])
                && !all.contains(&both)
                && fits(&both)
            {
                add(&mut all, both);
            }
        }
        done += 1;
    }
    let cut = cut || done < all.len();
    (all, cut)
}
