//! The search for causes: the worked numbers, planted causes of every kind, and silence where there is nothing.

use bellwether::analysis::localise::gain::{Direction, Model, Sums, gain};
use bellwether::analysis::localise::scan::{Cell, Leaf, Limits, scan};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

const LIMITS: Limits = Limits { causes: 3, depth: 3, chance: 0.05 };

#[test]
fn the_worked_example() {
    let cells = [
        (1000.0, 80.0, 52.7790),
        (2000.0, 102.0, 34.4726),
        (2000.0, 99.0, 31.6149),
        (4000.0, 141.0, 19.3865),
        (1000.0, 22.0, 0.0989),
        (2000.0, 42.0, 0.0502),
        (1000.0, 20.0, 0.0),
        (1000.0, 19.0, 0.0),
    ];
    for (n, bad, expected) in cells {
        let due = Sums { base: [0.02 * n, n], current: [bad, n], leaves: 1.0 };
        let found = gain(Model::Due { share: true }, &due, Direction::Rise);
        assert!((found - expected).abs() < 5e-5, "{bad} of {n}");
        // A base that is known well is as good as one that is known exactly.
        let known = Sums { base: [2e8, 1e10], current: [bad, n], leaves: 1.0 };
        assert!((gain(Model::Share, &known, Direction::Rise) - expected).abs() < 1e-4, "{bad} of {n}");
    }
    let leaf = |region, kind, bad| {
        let sums = Sums { base: [80.0, 4000.0], current: [bad, 1000.0], leaves: 1.0 };
        Leaf { key: vec![region, kind], sums }
    };
    let leaves = [leaf(0, 0, 20.0), leaf(0, 1, 22.0), leaf(1, 0, 19.0), leaf(1, 1, 80.0)];
    let found = scan(Model::Share, Direction::Rise, &leaves, LIMITS);
    assert_eq!(found.iter().map(|cause| cause.cell.clone()).collect::<Vec<Cell>>(), [vec![(0, 1), (1, 1)]]);
}

/// Draws by chance.
struct Chance(SmallRng);

impl Chance {
    fn normal(&mut self) -> f64 {
        let (one, two): (f64, f64) = (self.0.random(), self.0.random());
        (-2.0 * (1.0 - one).ln()).sqrt() * (std::f64::consts::TAU * two).cos()
    }

    fn factor(&mut self, spread: f64) -> f64 {
        (spread * self.normal()).exp()
    }

    fn cases(&mut self, mean: f64) -> f64 {
        if mean > 50.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0);
        }
        let (mut left, mut count): (f64, f64) = (self.0.random(), 0.0);
        while left > (-mean).exp() {
            left *= self.0.random::<f64>();
            count += 1.0;
        }
        count
    }

    fn amount(&mut self, mean: f64) -> f64 {
        (0..self.cases(mean) as usize).map(|_| 20.0 * self.factor(0.8)).sum()
    }

    fn below(&mut self, end: usize) -> usize {
        self.0.random_range(0..end)
    }
}

/// What values are made of.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Share,
    Counts,
    Amounts,
    Signed,
}

/// Leaves of four dimensions, with one cause in them; `by` is what it multiplies.
fn planted(chance: &mut Chance, kind: Kind, by: f64) -> (Vec<Leaf>, Cell) {
    loop {
        let sizes: Vec<usize> = (0..4).map(|_| 2 + chance.below(4)).collect();
        let weights: Vec<Vec<f64>> =
            sizes.iter().map(|size| (0..*size).map(|_| chance.factor(0.8)).collect()).collect();
        let depth = 1 + chance.below(3);
        let mut cell: Cell = Vec::new();
        while cell.len() < depth {
            let at = chance.below(4);
            if cell.iter().all(|(known, _)| *known != at) {
                cell.push((at, chance.below(sizes[at]) as u32));
            }
        }
        cell.sort_unstable();
        let mut keys: Vec<Vec<u32>> = vec![vec![]];
        for size in &sizes {
            let longer = |key: &Vec<u32>| (0..*size as u32).map(|next| [key.clone(), vec![next]].concat()).collect();
            keys = keys.iter().flat_map(|key| -> Vec<Vec<u32>> { longer(key) }).collect();
        }
        let mass = |key: &[u32]| key.iter().zip(&weights).map(|(value, of)| of[*value as usize]).product::<f64>();
        let whole: f64 = keys.iter().map(|key| mass(key)).sum();
        let inside = |key: &[u32]| cell.iter().all(|(at, value)| key[*at] == *value);
        let share = keys.iter().filter(|key| inside(key)).map(|key| mass(key)).sum::<f64>() / whole;
        if !(0.02..0.4).contains(&share) {
            continue;
        }
        let leaf = |key: Vec<u32>| {
            let cases = 20_000.0 * mass(&key) / whole;
            let by = if inside(&key) && by != 1.0 { by * chance.factor(0.1) } else { chance.factor(0.03) };
            let sums = sums(chance, kind, cases, by);
            Leaf { key, sums }
        };
        let leaves: Vec<Leaf> = keys.into_iter().map(leaf).collect();
        return (leaves, cell);
    }
}

fn sums(chance: &mut Chance, kind: Kind, cases: f64, by: f64) -> Sums {
    let (base, current) = match kind {
        Kind::Share => {
            let (n0, n1) = (chance.cases(4.0 * cases), chance.cases(cases));
            let rate = 0.15 * chance.factor(0.3);
            ([chance.cases(n0 * rate).min(n0), n0], [chance.cases((n1 * rate * by).min(n1)).min(n1), n1])
        }
        Kind::Counts => ([chance.cases(3.0 * cases), 0.0], [chance.cases(cases * by), 0.0]),
        Kind::Amounts => ([chance.amount(3.0 * cases), 0.0], [chance.amount(cases * by), 0.0]),
        Kind::Signed => {
            let noise = |chance: &mut Chance, periods: f64| 10.0 * periods.sqrt() * chance.normal();
            let expected = 100.0 * chance.normal();
            let shift = if by > 0.5 && by < 1.5 { 0.0 } else { 40.0 * (by - 1.0).signum() };
            ([3.0 * expected + noise(chance, 3.0), 0.0], [expected + shift + noise(chance, 1.0), 0.0])
        }
    };
    Sums { base, current, leaves: 1.0 }
}

fn model(kind: Kind) -> Model {
    match kind {
        Kind::Share => Model::Share,
        Kind::Counts | Kind::Amounts => Model::Sum { periods: 3.0 },
        Kind::Signed => Model::Signed { periods: 3.0 },
    }
}

#[test]
fn planted_causes_are_found() {
    for kind in [Kind::Share, Kind::Counts, Kind::Amounts, Kind::Signed] {
        for (direction, by) in [(Direction::Rise, 2.5), (Direction::Fall, 0.35)] {
            let mut chance = Chance(SmallRng::seed_from_u64(11));
            let (mut first, mut among) = (0, 0);
            for _ in 0..60 {
                let (leaves, cell) = planted(&mut chance, kind, by);
                let found = scan(model(kind), direction, &leaves, LIMITS);
                first += usize::from(found.first().is_some_and(|cause| cause.cell == cell));
                among += usize::from(found.iter().any(|cause| cause.cell == cell));
            }
            println!("{kind:?} {direction:?}: {first} first, {among} found of 60");
            assert!(first >= 54 && among >= 55, "{kind:?} {direction:?}: {first} first, {among} found of 60");
        }
    }
}

/// What varies only by chance has no cause: as many false alarms as there may be, at most.
#[test]
fn chance_is_no_cause() {
    for kind in [Kind::Share, Kind::Counts, Kind::Amounts, Kind::Signed] {
        let mut chance = Chance(SmallRng::seed_from_u64(5));
        let alarms = (0..200).filter(|_| {
            let (leaves, _) = planted(&mut chance, kind, 1.0);
            !scan(model(kind), Direction::Rise, &leaves, LIMITS).is_empty()
        });
        let alarms = alarms.count();
        assert!(alarms <= 16, "{kind:?}: {alarms} of 200");
        println!("{kind:?}: {alarms} false alarms of 200");
    }
}

/// A cause whose siblings do the same is not the cause: its parent is.
#[test]
fn what_siblings_do_as_well_is_the_parents() {
    let leaf = |region, kind, rate: f64| {
        let sums = Sums { base: [2000.0, 100_000.0], current: [25_000.0 * rate, 25_000.0], leaves: 1.0 };
        Leaf { key: vec![region, kind], sums }
    };
    let quiet = (0..3).flat_map(|region| (0..4).map(move |kind| (region, kind))).filter(|(region, _)| *region > 0);
    let mut leaves: Vec<Leaf> = quiet.map(|(region, kind)| leaf(region, kind, 0.02)).collect();
    leaves.extend([0.09, 0.3, 0.08, 0.1].iter().enumerate().map(|(kind, rate)| leaf(0, kind as u32, *rate)));
    let found = scan(Model::Share, Direction::Rise, &leaves, LIMITS);
    assert_eq!(found[0].cell, [(0, 0)]);
    assert_eq!(found[0].alternative.as_ref().unwrap().0, [(0, 0), (1, 1)]);
}
