//! The arithmetic of explanations: the worked numbers of its formulas, and that parts add up, whatever the tree.

use std::collections::BTreeMap;
use std::path::Path;

use bellwether::analysis::arithmetic::evaluate;
use bellwether::analysis::effects::{Method, Shared, share};
use bellwether::analysis::nested::{NodeEffect, Valued, effects};
use bellwether::analysis::slices::{Ratio, Slice, SliceEffect, of_ratio, of_sum};
use bellwether::catalog::tree::{Arithmetic, Operation};
use bellwether::{Change, Engine};
use datafusion::physical_plan::displayable;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

fn part(at: usize) -> Box<Arithmetic> {
    Box::new(Arithmetic::Part(at))
}

fn product(parts: usize) -> Arithmetic {
    let factors = (0..parts).map(|at| *part(at));
    factors.reduce(|a, b| Arithmetic::Binary(Box::new(a), Operation::Times, Box::new(b))).unwrap()
}

fn shared(formula: &Arithmetic, base: &[f64], current: &[f64], method: Method) -> (Method, Vec<f64>) {
    let some = |values: &[f64]| values.iter().copied().map(Some).collect::<Vec<_>>();
    match share(formula, &some(base), &some(current), method) {
        Shared::Among(method, effects) => (method, effects.iter().map(|part| part.effect).collect()),
        other => panic!("{other:?}"),
    }
}

fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    let close = found.len() == expected.len() && found.iter().zip(expected).all(|(f, e)| (f - e).abs() <= tolerance);
    assert!(close, "{found:?} is not {expected:?}");
}

#[test]
fn slices_of_a_sum() {
    let slice = |base, current| Slice { base: Some(base), current: Some(current) };
    let slices = [slice(400.0, 360.0), slice(300.0, 330.0), slice(200.0, 150.0), slice(100.0, 110.0)];
    let changes: Vec<f64> = of_sum(&slices).iter().map(|slice| slice.effect).collect();
    assert_eq!(changes, [-40.0, 30.0, -50.0, 10.0]);
    assert_eq!(changes.iter().sum::<f64>(), -50.0);
}

#[test]
fn rates_and_mix() {
    let ratio = |below, above| Some(Ratio { above, below });
    let slices = [
        Slice { base: ratio(4000.0, 400.0), current: ratio(2000.0, 220.0) },
        Slice { base: ratio(4000.0, 160.0), current: ratio(4000.0, 180.0) },
        Slice { base: ratio(2000.0, 40.0), current: ratio(6000.0, 150.0) },
    ];
    let found = of_ratio(&slices, Method::Auto).unwrap();
    let rates: Vec<f64> = found.iter().map(|slice| slice.rate.unwrap()).collect();
    let mixes: Vec<f64> = found.iter().map(|slice| slice.mix.unwrap()).collect();
    let totals: Vec<f64> = found.iter().map(|slice| slice.effect).collect();
    assert_close(&rates, &[0.002833, 0.001833, 0.001750], 5e-7);
    assert_close(&mixes, &[-0.012153, 0.000694, -0.009125], 5e-7);
    assert_close(&totals, &[-0.009319, 0.002528, -0.007375], 5e-7);
    assert_close(&[rates.iter().sum(), mixes.iter().sum()], &[0.006417, -0.020583], 5e-7);
    assert_close(&[totals.iter().sum()], &[550.0 / 12000.0 - 600.0 / 10000.0], 1e-12);
    let back: Vec<Slice<Ratio>> = slices.iter().map(|s| Slice { base: s.current, current: s.base }).collect();
    for (there, back) in found.iter().zip(of_ratio(&back, Method::Auto).unwrap()) {
        assert_close(&[there.rate.unwrap(), there.mix.unwrap()], &[-back.rate.unwrap(), -back.mix.unwrap()], 1e-15);
    }
}

/// Volume, price and mix: as a chain, the quantity first, then its mix at the planned prices, then prices.
#[test]
fn price_volume_mix() {
    let slice = |[q0, p0, q1, p1]: [f64; 4]| {
        let ratio = |quantity, price| Some(Ratio { above: quantity * price, below: quantity });
        Slice { base: ratio(q0, p0), current: ratio(q1, p1) }
    };
    let slices = [[100.0, 10.0, 120.0, 9.5], [200.0, 20.0, 150.0, 21.0], [50.0, 40.0, 70.0, 38.0]].map(slice);
    let found = of_ratio(&slices, Method::Chain).unwrap();
    let tree = shared(&product(2), &[350.0, 7000.0 / 350.0], &[340.0, 6950.0 / 340.0], Method::Chain).1;
    let [price, mix] = [|it: &SliceEffect| it.rate, |it: &SliceEffect| it.mix]
        .map(|part| 340.0 * found.iter().filter_map(part).sum::<f64>());
    assert_close(&[tree[0], price, mix], &[-200.0, -50.0, 200.0], 1e-9);
    assert_close(&[tree[1]], &[price + mix], 1e-9);
}

#[test]
fn revenue_by_every_method() {
    let (base, current) = ([100_000.0, 0.03, 120.0], [110_000.0, 0.027, 130.0]);
    let of = |method| shared(&product(3), &base, &current, method).1;
    assert_close(&of(Method::Auto), &[35540.9544, -39288.7023, 29847.7479], 5e-5);
    assert_close(&of(Method::Lmdi), &[35540.9544, -39288.7023, 29847.7479], 5e-5);
    assert_close(&of(Method::Shapley), &[35600.0, -39400.0, 29900.0], 1e-9);
    assert_close(&of(Method::Chain), &[36000.0, -39600.0, 29700.0], 1e-9);
    let turned = |values: &[f64]| values.iter().rev().copied().collect::<Vec<_>>();
    let chain = shared(&product(3), &turned(&base), &turned(&current), Method::Chain).1;
    assert_close(&turned(&chain), &[35100.0, -39000.0, 30000.0], 1e-9);
}

#[test]
fn a_zero_factor_takes_the_whole_change() {
    let (base, current) = ([0.0, 50.0], [300.0, 40.0]);
    assert_eq!(shared(&product(2), &base, &current, Method::Lmdi), (Method::Lmdi, vec![12000.0, 0.0]));
    assert_eq!(shared(&product(2), &base, &current, Method::Shapley).1, [13500.0, -1500.0]);
    let several = share(&product(2), &[Some(0.0), Some(0.0)], &[Some(1.0), Some(1.0)], Method::Auto);
    assert_eq!(several, Shared::Undefined);
}

#[test]
fn equipment_effectiveness() {
    let (base, current) = ([0.875, 19.0 / 21.0, 37.0 / 38.0], [5.0 / 6.0, 0.925, 0.95]);
    let effects = shared(&product(3), &base, &current, Method::Auto).1;
    assert_close(&effects, &[-0.036661, 0.016622, -0.018503], 5e-7);
    assert_close(&[effects.iter().sum()], &[0.732292 - 0.770833], 1e-6);
}

/// A random tree of formulas, with values for its leaves.
struct RandomTree {
    formulas: Vec<Option<Arithmetic>>,
    parts: Vec<Vec<usize>>,
    values: Vec<[Option<f64>; 2]>,
}

impl RandomTree {
    fn new(random: &mut SmallRng) -> Self {
        let mut tree = RandomTree { formulas: vec![], parts: vec![], values: vec![] };
        tree.node(random, 0);
        tree
    }

    fn node(&mut self, random: &mut SmallRng, level: usize) -> usize {
        let at = self.formulas.len();
        self.formulas.push(None);
        self.parts.push(vec![]);
        self.values.push([Some(number(random)), Some(number(random))]);
        if level == 0 || level < 3 && random.random_ratio(1, 2) {
            let count = random.random_range(2..=4);
            let parts: Vec<usize> = (0..count).map(|_| self.node(random, level + 1)).collect();
            let formula = formula(random, count);
            let side = |side: usize| -> Option<f64> {
                let values: Vec<Option<f64>> = parts.iter().map(|part| self.values[*part][side]).collect();
                evaluate(&formula, &values)
            };
            self.values[at] = [side(0), side(1)];
            self.formulas[at] = Some(formula);
            self.parts[at] = parts;
        }
        at
    }
}

/// Zeros, negative numbers, numbers of any size, and sides that are nearly alike.
fn number(random: &mut SmallRng) -> f64 {
    match random.random_range(0..8) {
        0 => 0.0,
        1 => -random.random_range(0.1..1000.0),
        2 => random.random_range(1e-6..1e-3),
        3 => random.random_range(1e6..1e9),
        4 => 1.0 + random.random_range(0.0..1e-9),
        _ => random.random_range(0.1..1000.0),
    }
}

fn formula(random: &mut SmallRng, parts: usize) -> Arithmetic {
    let kind = random.random_range(0..4);
    let mut formula = Arithmetic::Part(0);
    for at in 1..parts {
        let operation = match kind {
            0 => Operation::Plus,
            1 => Operation::Times,
            2 if at == parts - 1 => Operation::Over,
            2 => Operation::Times,
            _ => [Operation::Plus, Operation::Minus, Operation::Times, Operation::Over][random.random_range(0..4)],
        };
        let factor = Box::new(Arithmetic::Number(random.random_range(0.1..2.0)));
        let right = match random.random_range(0..4) {
            0 => Box::new(Arithmetic::Binary(factor, Operation::Times, part(at))),
            1 => Box::new(Arithmetic::Negative(part(at))),
            _ => part(at),
        };
        formula = Arithmetic::Binary(Box::new(formula), operation, right);
    }
    formula
}

/// How many random cases are drawn: `BELL_CASES`, or as many as the formulas promise.
fn cases() -> usize {
    std::env::var("BELL_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000)
}

/// What was seen of a method in random trees.
#[derive(Debug, Default)]
struct Seen {
    sums: usize,
    undefined: usize,
    worst: f64,
}

/// The parts of every node of every tree add up to what the node did, by each method that can be asked for.
#[test]
fn parts_add_up_in_random_trees() {
    let mut random = SmallRng::seed_from_u64(20261010);
    let mut seen: BTreeMap<(&str, &str), Seen> = BTreeMap::new();
    for _ in 0..cases() {
        let tree = RandomTree::new(&mut random);
        let nodes: Vec<Valued> = (0..tree.formulas.len())
            .map(|at| Valued { formula: tree.formulas[at].as_ref(), parts: &tree.parts[at], values: tree.values[at] })
            .collect();
        for asked in [Method::Auto, Method::Additive, Method::Lmdi, Method::Shapley, Method::Chain] {
            // Only sums are shared so; the refusal is the answer for others.
            let Ok(found) = effects(&nodes, asked) else {
                assert_eq!(asked, Method::Additive);
                continue;
            };
            for (at, own) in found.iter().enumerate() {
                let Some(own) = own else { continue };
                assert!(own.effect.is_finite(), "{asked:?} {:?} {:?}", tree.formulas, tree.values);
                if tree.parts[at].is_empty() {
                    continue;
                }
                if own.undefined {
                    seen.entry((asked.name(), "none")).or_default().undefined += 1;
                    continue;
                }
                let off = off_by(&tree, &found, at);
                assert!(off <= 1e-9, "{off}: {asked:?} {:?} {:?}", tree.formulas, tree.values);
                let used = found[tree.parts[at][0]].unwrap().method.unwrap().name();
                let seen = seen.entry((asked.name(), used)).or_default();
                seen.sums += 1;
                seen.worst = seen.worst.max(off);
            }
        }
    }
    println!("{} random trees:", cases());
    for ((asked, used), it) in &seen {
        println!("{asked} → {used}: {} sums, {} undefined, worst {:.1e}", it.sums, it.undefined, it.worst);
    }
    let often = |asked, used| seen.get(&(asked, used)).is_some_and(|it| it.sums > cases() / 20);
    assert!(often("auto", "additive") && often("auto", "lmdi") && often("auto", "shapley"), "{seen:?}");
    assert!(often("additive", "additive") && often("lmdi", "lmdi"), "{seen:?}");
    assert!(often("shapley", "shapley") && often("chain", "chain"), "{seen:?}");
}

/// How far the parts of a node are from what it did, relative to the greatest of these numbers.
fn off_by(tree: &RandomTree, found: &[Option<NodeEffect>], at: usize) -> f64 {
    let own = found[at].unwrap();
    assert_eq!(own.unexplained, None, "{:?} {:?}", tree.formulas, tree.values);
    let parts: Vec<f64> = tree.parts[at].iter().map(|part| found[*part].unwrap().effect).collect();
    let whole = tree.values[0].iter().flatten().fold(0.0_f64, |size, value| size.max(value.abs()));
    let size = parts.iter().fold(whole, |size, part| size.max(part.abs()));
    let left = (own.effect - parts.iter().sum::<f64>()).abs();
    if left == 0.0 { 0.0 } else { left / size }
}

/// Rates and mixes of random slices, of which some come, some go and some are zero or negative.
#[test]
fn slices_add_up() {
    let mut random = SmallRng::seed_from_u64(7);
    let (mut sums, mut worst) = (0, 0.0_f64);
    for _ in 0..cases() {
        let count = random.random_range(1..8);
        let mut side = |_: usize| {
            let ratio = Ratio { above: number(&mut random), below: number(&mut random).abs() };
            random.random_ratio(4, 5).then_some(ratio)
        };
        let slices: Vec<Slice<Ratio>> = (0..count).map(|at| Slice { base: side(at), current: side(at) }).collect();
        let method = if random.random() { Method::Auto } else { Method::Chain };
        let Some(found) = of_ratio(&slices, method) else { continue };
        let total = |pick: fn(&Slice<Ratio>) -> Option<Ratio>| {
            let (above, below) =
                slices.iter().filter_map(pick).fold((0.0, 0.0), |(a, b), r| (a + r.above, b + r.below));
            above / below
        };
        let (base, current) = (total(|slice| slice.base), total(|slice| slice.current));
        let sum: f64 = found.iter().map(|slice| slice.effect).sum();
        let size = found.iter().fold(base.abs().max(current.abs()), |size, slice| {
            size.max(slice.rate.unwrap().abs()).max(slice.mix.unwrap().abs())
        });
        let left = (current - base - sum).abs();
        assert!(left <= 1e-9 * size, "{slices:?}");
        sums += 1;
        worst = worst.max(if left == 0.0 { 0.0 } else { left / size });
    }
    println!("rates and mix: {sums} sums of {} draws, worst {worst:.1e}", cases());
    assert!(sums > cases() / 2, "{sums}");
}

/// Both sides, all slices and the whole tree come from one scan of each source.
#[tokio::test]
async fn one_scan_explains_a_change() {
    let engine = Engine::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/retail")).await.unwrap();
    let change = Change {
        indicator: "gmv".to_string(),
        base: Some("2025-09".to_string()),
        current: Some("2025-10".to_string()),
        by: vec!["channel".to_string(), "customer_level".to_string()],
        ..Change::default()
    };
    // Anonymous visits have no level: the tree is asked apart.
    let apart = engine.explain_change(&change).unwrap();
    let together = engine.explain_change(&Change { by: vec!["channel".to_string()], ..change }).unwrap();
    for (frame, facts) in [(together, 2), (apart, 2)] {
        let plan = frame.create_physical_plan().await.unwrap();
        let text = displayable(plan.as_ref()).indent(false).to_string();
        let scans = text.lines().filter(|line| line.contains("orders.parquet") || line.contains("visits.parquet"));
        assert_eq!(scans.count(), facts, "{text}");
    }
}
