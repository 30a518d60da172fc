//! Which rollups of many: greedily, by what they save.
//!
//! A question costs the rows or cells that are read for it. Each step takes the rollup that saves most, given those that
//! are there already: absolutely where their number is bounded, per byte where their size is. After V. Harinarayan, A.
//! Rajaraman and J. D. Ullman, *Implementing data cubes efficiently* (SIGMOD 1996): with bounded number the savings are at
//! least 63 % of the best choice's, with bounded size nearly so where no single rollup takes much of it.

/// What the choice is made from.
pub(super) struct Costs {
    /// How often each part of a question is asked, and what it costs as things are.
    pub(super) parts: Vec<(u64, u64)>,
    /// For each rollup its bytes, and what the parts that it answers cost from it.
    pub(super) rollups: Vec<(u64, Vec<(usize, u64)>)>,
}

/// The positions of the rollups, the best first.
pub(super) fn chosen(costs: &Costs, number: usize, budget: Option<u64>) -> Vec<usize> {
    let mut now: Vec<u64> = costs.parts.iter().map(|(_, cost)| *cost).collect();
    let mut left = budget;
    let mut chosen: Vec<usize> = Vec::new();
    while chosen.len() < number {
        let mut best: Option<(f64, usize)> = None;
        for (at, (bytes, answers)) in costs.rollups.iter().enumerate() {
            let saved = saved(costs, &now, answers);
            if chosen.contains(&at) || saved == 0 || left.is_some_and(|left| *bytes > left) {
                continue;
            }
            let benefit = if budget.is_some() { saved as f64 / (*bytes).max(1) as f64 } else { saved as f64 };
            // Of equal ones, the smaller.
            let better =
                best.is_none_or(|(most, other)| benefit > most || (benefit == most && *bytes < costs.rollups[other].0));
            if better {
                best = Some((benefit, at));
            }
        }
        let Some((_, at)) = best else { break };
        let (bytes, answers) = &costs.rollups[at];
        left = left.map(|left| left.saturating_sub(*bytes));
        answers.iter().for_each(|(part, cost)| now[*part] = now[*part].min(*cost));
        chosen.push(at);
    }
    needed(costs, chosen)
}

fn saved(costs: &Costs, now: &[u64], answers: &[(usize, u64)]) -> u64 {
    answers.iter().map(|(part, cost)| costs.parts[*part].0 * now[*part].saturating_sub(*cost)).sum()
}

/// Without those of which later ones have taken over all that they had answered.
fn needed(costs: &Costs, mut chosen: Vec<usize>) -> Vec<usize> {
    let total = |chosen: &[usize]| -> u64 {
        let cheapest = |(part, (times, cost)): (usize, &(u64, u64))| {
            let answers = chosen.iter().flat_map(|at| &costs.rollups[*at].1);
            let from = answers.filter(|(answered, _)| *answered == part).map(|(_, cost)| *cost);
            times * from.chain([*cost]).min().unwrap_or(*cost)
        };
        costs.parts.iter().enumerate().map(cheapest).sum()
    };
    for at in chosen.clone() {
        let others: Vec<usize> = chosen.iter().copied().filter(|other| *other != at).collect();
        if total(&others) == total(&chosen) {
            chosen = others;
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the paper's section 4.3: views a … h, each of whose queries costs the rows of the view that
    /// answers it.
    fn paper() -> Costs {
        // b answers d, e; c answers e, f; d and e answer g; e and f answer h.
        let rows = [100, 50, 75, 20, 30, 40, 1, 10];
        let below: [&[usize]; 8] =
            [&[0, 1, 2, 3, 4, 5, 6, 7], &[1, 3, 4, 6, 7], &[2, 4, 5, 6, 7], &[3, 6], &[4, 6, 7], &[5, 7], &[6], &[7]];
        let answers = |at: usize| below[at].iter().map(|part| (*part, rows[at])).collect();
        Costs { parts: vec![(1, 100); 8], rollups: (1..8).map(|at| (rows[at], answers(at))).collect() }
    }

    #[test]
    fn the_paper_chooses_b_f_d() {
        // Positions count from b.
        assert_eq!(chosen(&paper(), 3, None), [0, 4, 2]);
    }

    #[test]
    fn a_budget_bounds_the_bytes() {
        let found = chosen(&paper(), 10, Some(60));
        assert!(found.iter().map(|at| paper().rollups[*at].0).sum::<u64>() <= 60, "{found:?}");
        // A cell that answers one question saves most for its size.
        assert_eq!(found.first(), Some(&5));
    }

    #[test]
    fn what_later_ones_take_over_is_left_out() {
        let costs = Costs {
            parts: vec![(1, 100); 4],
            rollups: vec![(9, vec![(0, 10), (1, 10)]), (5, vec![(0, 5), (2, 60)]), (5, vec![(1, 5), (3, 60)])],
        };
        assert_eq!(chosen(&costs, 1, None), [0]);
        assert_eq!(chosen(&costs, 3, None), [1, 2]);
    }

    #[test]
    fn nothing_is_saved_by_as_many_cells_as_rows() {
        assert!(chosen(&Costs { parts: vec![(5, 100)], rollups: vec![(1, vec![(0, 100)])] }, 3, None).is_empty());
    }
}
