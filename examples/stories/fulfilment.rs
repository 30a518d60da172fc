//! Orders from four warehouses, carried by four carriers, from January to April 2026.
//!
//! Hidden: in April what warehouse 武汉 gives to the carrier 速达 takes two days longer on its way, so many of these orders are
//! late, and those customers are not satisfied. No other warehouse has trouble with 速达, and no other carrier with 武汉.

use crate::dice::Dice;
use crate::table::{Table, month, time};

const DAYS: i32 = 120;
const WAREHOUSES: [(&str, u32); 4] = [("上海", 34), ("武汉", 26), ("广州", 24), ("成都", 16)];
const CARRIERS: [(&str, u32); 4] = [("速达", 32), ("顺行", 28), ("中邮", 24), ("快鹿", 16)];
const REGIONS: [(&str, u32); 5] = [("华东", 34), ("华北", 20), ("华南", 20), ("华中", 14), ("西南", 12)];
const HOUR: i64 = 60;

pub fn tables() -> Vec<Table> {
    let mut dice = Dice(26);
    let mut orders = Table::new("orders.csv", "order_id,region,warehouse,carrier,ordered_at,promised_at,delivered_at");
    let mut steps = Table::new("steps.csv", "event_id,order_id,step,begun,done");
    let mut surveys = Table::new("surveys.csv", "order_id,answered_at,score");
    let (mut order, mut event) = (0, 0);
    for day in 0..DAYS {
        for _ in 0..dice.between(20, 28) {
            order += 1;
            let pick = |dice: &mut Dice, of: &[(&'static str, u32)]| of[dice.weighted(of.iter().map(|it| it.1))].0;
            let (warehouse, carrier) = (pick(&mut dice, &WAREHOUSES), pick(&mut dice, &CARRIERS));
            let region = pick(&mut dice, &REGIONS);
            let ordered = i64::from(day) * 1440 + i64::from(dice.between(7, 22)) * HOUR + i64::from(dice.below(60));
            let troubled = month(day) == 3 && warehouse == "武汉" && carrier == "速达";
            let mut at = ordered;
            let waits = [(1, 4), (1, 8), (2, 10)];
            let works = [(10, 40), (8, 30), (5, 15)];
            for (number, step) in ["拣货", "打包", "交运"].into_iter().enumerate() {
                event += 1;
                let begun = at + if number == 0 { 0 } else { i64::from(dice.between(5, 25)) };
                let wait = i64::from(dice.between(waits[number].0, waits[number].1)) * HOUR / 2;
                let done = begun + wait + i64::from(dice.between(works[number].0, works[number].1));
                steps.row(&[&event, &order, &step, &time(begun), &time(done)]);
                at = done;
            }
            event += 1;
            let way = i64::from(dice.between(14, 44) + if troubled { dice.between(36, 60) } else { 0 }) * HOUR;
            let slow = if dice.per_mille(45) { i64::from(dice.between(12, 40)) * HOUR } else { 0 };
            let delivered = at + way + slow + i64::from(dice.below(60));
            steps.row(&[&event, &order, &"运输", &time(at), &time(delivered)]);
            let promised = ordered + 66 * HOUR;
            orders.row(&[&order, &region, &warehouse, &carrier, &time(ordered), &time(promised), &time(delivered)]);
            if dice.percent(60) {
                let late = if delivered > promised { 2 } else { 0 };
                let score = (5 - late - dice.weighted([55, 30, 15].into_iter()) as i32).max(1);
                surveys.row(&[&order, &time(delivered + i64::from(dice.between(2, 40)) * HOUR), &score]);
            }
        }
    }
    vec![orders, steps, surveys]
}
