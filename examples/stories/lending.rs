//! Loans that are asked for at four branches, from January to April 2026, and the steps that they go through.
//!
//! Hidden: from March on, loans for businesses wait two days longer for the check of their documents at the branch in 杭州, and many
//! are sent back to the customer and checked again. Customers are less satisfied there, and rules are kept less often.

use crate::dice::Dice;
use crate::table::{Table, month, time};

const DAYS: i32 = 120;
const BRANCHES: [(&str, u32); 4] = [("上海", 34), ("杭州", 26), ("南京", 22), ("苏州", 18)];
const PRODUCTS: [(&str, u32); 3] = [("房贷", 34), ("车贷", 40), ("经营贷", 26)];
const HOUR: i64 = 60;

pub fn tables() -> Vec<Table> {
    let mut dice = Dice(77);
    let mut loans = Table::new("loans.csv", "loan_id,branch,product,requested_at,decided_at,approved,compliant,score");
    let mut events = Table::new("events.csv", "event_id,loan_id,step,begun,done");
    let (mut loan, mut event) = (0, 0);
    for day in 0..DAYS {
        for _ in 0..dice.between(9, 15) {
            loan += 1;
            let branch = BRANCHES[dice.weighted(BRANCHES.iter().map(|it| it.1))].0;
            let product = PRODUCTS[dice.weighted(PRODUCTS.iter().map(|it| it.1))].0;
            let troubled = month(day) >= 2 && branch == "杭州" && product == "经营贷";
            let requested = i64::from(day) * 1440 + i64::from(dice.between(8, 18)) * HOUR + i64::from(dice.below(60));
            let again = dice.percent(if troubled { 60 } else { 12 });
            let steps: &[&str] = match again {
                true => &["申请", "补件", "审核", "补件", "审核", "决定"],
                false => &["申请", "补件", "审核", "决定"],
            };
            let mut begun = requested;
            let mut decided = requested;
            for step in steps {
                event += 1;
                let (work, wait) = match *step {
                    "申请" => (dice.between(10, 40), dice.between(1, 6)),
                    "补件" => (dice.between(20, 90), dice.between(3, 20)),
                    "审核" => (dice.between(30, 120), dice.between(2, 12)),
                    _ => (dice.between(10, 30), 0),
                };
                let wait = if *step == "补件" && troubled { wait + dice.between(40, 60) } else { wait };
                let done = begun + i64::from(work);
                events.row(&[&event, &loan, step, &time(begun), &time(done)]);
                decided = done;
                begun = done + i64::from(wait) * HOUR + i64::from(dice.below(60));
            }
            let approved = dice.percent(72);
            let compliant = dice.percent(if troubled { 84 } else { 97 });
            let late = i32::from(decided - requested > 72 * HOUR) * 2;
            let score = (5 - late - dice.weighted([50, 34, 16].into_iter()) as i32).max(1);
            let score = if dice.percent(70) { score.to_string() } else { String::new() };
            let (asked, told) = (time(requested), time(decided));
            loans.row(&[&loan, &branch, &product, &asked, &told, &approved, &compliant, &score]);
        }
    }
    vec![loans, events]
}
