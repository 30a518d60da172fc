//! Values over time: the worked numbers, classic series, and intervals that hold what they promise.

use std::path::Path;

use bellwether::analysis::series::anomalies::{Judgement, judge};
use bellwether::analysis::series::change_point::change_points;
use bellwether::analysis::series::model::{Method, forecast};
use bellwether::analysis::series::statistics::{deviate_limit, extreme_deviates, robust_scale, robust_z};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// A classic series of `series.json`, if the shared cases are there.
fn classic(name: &str) -> Option<Vec<f64>> {
    let file = std::env::var_os("BELL_SERIES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/peers/series/series.json"),
        std::path::PathBuf::from,
    );
    let Ok(text) = std::fs::read_to_string(&file) else {
        println!("skipped: {} is not there", file.display());
        return None;
    };
    let all: serde_json::Value = serde_json::from_str(&text).unwrap();
    Some(all[name]["values"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect())
}

#[test]
fn one_wild_value() {
    let values = [102.0, 98.0, 101.0, 97.0, 103.0, 99.0, 100.0, 104.0, 96.0, 140.0];
    let (centre, scale) = robust_scale(&values).unwrap();
    assert_eq!(centre, 100.5);
    assert!((scale * 0.6745 - 2.5).abs() < 1e-12);
    assert!((robust_z(&values)[9] - 10.657).abs() < 5e-4);
    assert_eq!(judge(&values, Judgement::Auto, 1, 0.05).outliers, [9]);
    // More than half alike: the mean distance tells.
    let alike = [5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 50.0];
    assert_eq!(judge(&alike, Judgement::Robust, 1, 0.05).outliers, [7]);
    assert!(judge(&[5.0; 9], Judgement::Auto, 1, 0.05).outliers.is_empty());
}

#[test]
fn outliers_that_hide_each_other() {
    for (step, limit) in [(1, 3.159), (2, 3.151), (3, 3.144), (10, 3.085)] {
        assert!((deviate_limit(54, step, 0.05) - limit).abs() < 1e-3, "{step}: {}", deviate_limit(54, step, 0.05));
    }
    let Some(values) = classic("rosner") else { return };
    let found: Vec<f64> = extreme_deviates(&values, 10, 0.05).iter().map(|at| values[*at]).collect();
    assert_eq!(found, [6.01, 5.42, 5.34]);
    assert_eq!(judge(&values, Judgement::Esd, 1, 0.05).outliers.len(), 3);
}

#[test]
fn the_nile_fell_once() {
    let Some(values) = classic("nile") else { return };
    let cuts = change_points(&values, 3);
    // The last year of the old level is 1898.
    assert_eq!(cuts, [28]);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    assert!((mean(&values[..28]) - 1097.8).abs() < 0.05 && (mean(&values[28..]) - 850.0).abs() < 0.05);
}

#[test]
fn a_level_that_stays_is_not_cut() {
    let mut random = SmallRng::seed_from_u64(3);
    let mut cut = 0;
    for _ in 0..200 {
        let values: Vec<f64> = (0..100).map(|_| 50.0 + normal(&mut random)).collect();
        cut += usize::from(!change_points(&values, 3).is_empty());
    }
    println!("{cut} of 200 constant levels are cut");
    assert!(cut <= 20, "{cut} of 200");
    let moved: Vec<f64> = (0..90).map(|at| [10.0, 14.0, 9.0][at / 30] + normal(&mut random)).collect();
    assert_eq!(change_points(&moved, 3).len(), 2);
}

#[test]
fn injected_anomalies_are_found() {
    let Some(mut values) = classic("air_passengers") else { return };
    values[60] *= 1.25;
    values[100] *= 0.80;
    let verdict = judge(&values, Judgement::Auto, 12, 0.05);
    assert_eq!(verdict.method, Judgement::Seasonal);
    let far: Vec<usize> = (0..values.len()).filter(|at| verdict.z[*at].abs() > 10.0).collect();
    println!("found {:?}, far {far:?}, z {:.2} {:.2}", verdict.outliers, verdict.z[60], verdict.z[100]);
    assert_eq!(verdict.outliers, [60, 100]);
    assert_eq!(far, [60, 100]);
    // The values themselves hide them.
    let plain = robust_z(&values);
    assert!(plain[60].abs() < 0.5 && plain[100].abs() < 0.5);
}

/// What varies by chance around a season has no anomalies, whatever the number of seasons.
#[test]
fn noise_stands_out_rarely() {
    let mut random = SmallRng::seed_from_u64(41);
    for (count, season) in [(28, 7), (60, 7), (90, 7), (48, 12), (150, 12), (40, 1)] {
        let series = |random: &mut SmallRng| -> Vec<f64> {
            (0..count)
                .map(|at| {
                    100.0
                        + 5.0 * (at % season) as f64
                        + 0.1 * at as f64 * f64::from(u8::from(season > 1))
                        + normal(random)
                })
                .collect()
        };
        let alarms =
            (0..100).filter(|_| !judge(&series(&mut random), Judgement::Auto, season, 0.05).outliers.is_empty());
        let alarms = alarms.count();
        println!("{count} values, season {season}: {alarms} false alarms of 100");
        assert!(alarms <= 12, "{count} values, season {season}: {alarms} of 100");
    }
}

/// Nelson's tests find a drift before its values stand out, and pay for that with false alarms.
#[test]
fn control_charts_see_drifts_early() {
    let mut random = SmallRng::seed_from_u64(5);
    let noise: Vec<f64> = (0..20_000).map(|_| normal(&mut random)).collect();
    let alarms = judge(&noise, Judgement::Control, 1, 0.05).outliers.len();
    println!("one alarm in {} values by chance", noise.len() / alarms);
    assert!((20..120).contains(&(noise.len() / alarms)), "{alarms}");
    let around = [0.4, -0.5, 0.1, -0.2, 0.6, -0.4, 0.3];
    let drift: Vec<f64> = (0..40).map(|at| around[at % 7] + if at < 28 { 0.0 } else { 1.2 }).collect();
    let of = |method| judge(&drift, method, 1, 0.05).outliers;
    assert!(of(Judgement::Control).iter().any(|at| *at >= 28), "{:?}", of(Judgement::Control));
    assert_eq!(of(Judgement::Auto), Vec::<usize>::new());
    assert!(judge(&[5.0; 9], Judgement::Control, 1, 0.05).outliers.is_empty());
}

#[test]
fn air_passengers() {
    let Some(values) = classic("air_passengers") else { return };
    let (past, future) = values.split_at(132);
    let found = forecast(past, 12, 12).unwrap();
    let off = |found: f64, value: f64| ((found - value) / value).abs();
    let error = 100.0 * found.values.iter().zip(future).map(|(f, v)| off(*f, *v)).sum::<f64>() / 12.0;
    println!("{}: {error:.3} %", found.method.name());
    assert!(error <= 2.6, "{} {error}", found.method.name());
}

fn normal(random: &mut SmallRng) -> f64 {
    let (one, two): (f64, f64) = (random.random(), random.random());
    (-2.0 * (1.0 - one).ln()).sqrt() * (std::f64::consts::TAU * two).cos()
}

/// A series with level, trend, season of twelve and noise, as business numbers have them.
fn drawn(random: &mut SmallRng, count: usize) -> Vec<f64> {
    let season: Vec<f64> = (0..12).map(|_| 20.0 * normal(random)).collect();
    let (slope, walk) = (0.5 * normal(random), if random.random_bool(0.5) { 3.0 } else { 0.0 });
    let mut level = 200.0;
    (0..count)
        .map(|at| {
            level += slope + walk * normal(random);
            level + season[at % 12] + 8.0 * normal(random)
        })
        .collect()
}

#[test]
fn intervals_hold_what_they_promise() {
    let mut random = SmallRng::seed_from_u64(17);
    let (mut inside, mut all, mut better, mut means) = (0.0, 0.0, 0.0, 0);
    for _ in 0..60 {
        let values = drawn(&mut random, 84);
        let (past, future) = values.split_at(72);
        let found = forecast(past, 12, 12).unwrap();
        means += u32::from(matches!(found.method, Method::Mean(_)));
        for (step, value) in future.iter().enumerate() {
            all += 1.0;
            inside += f64::from(u8::from((found.values[step] - value).abs() <= 1.281_55 * found.deviation(step)));
            better += (found.values[step] - value).abs() - (past[60 + step] - value).abs();
        }
    }
    let covered: f64 = inside / all;
    println!("an 80 % interval covers {:.1} %; {means} of 60 are means of methods", 100.0 * covered);
    assert!(means > 0, "the mean of methods is never the best");
    assert!((0.75..=0.85).contains(&covered), "{covered}");
    assert!(better < 0.0, "worse than the seasonal naive forecast");
}

/// A walk by chance has no better forecast than where it is.
#[test]
fn nothing_better_than_naive_is_invented() {
    let mut random = SmallRng::seed_from_u64(29);
    let (mut own, mut naive) = (0.0, 0.0);
    for _ in 0..100 {
        let mut at = 100.0;
        let values: Vec<f64> = (0..60)
            .map(|_| {
                at += normal(&mut random);
                at
            })
            .collect();
        let found = forecast(&values[..54], 1, 6).unwrap();
        own += found.values.iter().zip(&values[54..]).map(|(f, v)| (f - v).abs()).sum::<f64>();
        naive += values[54..].iter().map(|value| (values[53] - value).abs()).sum::<f64>();
    }
    println!("{:.3} of the naive error", own / naive);
    assert!(own <= 1.10 * naive, "{own} {naive}");
    let constant = forecast(&[7.0; 20], 1, 3).unwrap();
    assert_eq!((constant.method, constant.values.clone()), (Method::SeasonalNaive, vec![7.0; 3]));
}

/// Errors of neighbouring periods go together: that of a sum is more than if they did not.
#[test]
fn sums_of_a_walk_are_uncertain() {
    let mut random = SmallRng::seed_from_u64(31);
    let mut at = 100.0;
    let values: Vec<f64> = (0..60)
        .map(|_| {
            at += normal(&mut random);
            at
        })
        .collect();
    let found = forecast(&values, 1, 4).unwrap();
    let apart: f64 = (0..4).map(|step| found.deviation(step).powi(2)).sum::<f64>().sqrt();
    assert!(found.deviation_of_sum(0, 3) > 1.3 * apart);
    assert!(found.deviation(3) > 1.5 * found.deviation(0));
}
