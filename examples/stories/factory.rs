//! Machines of three plants, day by day, from January to March 2026; each plant writes its own columns in its own units.
//!
//! Hidden: in March machine L3 in Leipzig stands still for a third of its planned time more than before. Availability falls there and nowhere else;
//! speed and quality are as before.

use crate::dice::Dice;
use crate::table::{Table, day, month};

const DAYS: i32 = 90;

/// What a machine did on a day.
struct Run {
    planned_minutes: i32,
    run_minutes: i32,
    cycle_seconds: i32,
    total: i32,
    good: i32,
}

fn run(number: i32, machine: &str, dice: &mut Dice) -> Run {
    let planned_minutes = if number % 7 == 3 { 480 } else { 960 };
    let stopped = dice.between(4, 14) + if machine == "L3" && month(number) == 2 { dice.between(28, 40) } else { 0 };
    let run_minutes = planned_minutes * (100 - stopped) / 100;
    let cycle_seconds = 30 + 6 * (machine.bytes().last().map_or(0, i32::from) % 4);
    let total = run_minutes * 60 / cycle_seconds * dice.between(86, 96) / 100;
    let good = total * dice.between(955, 992) / 1000;
    Run { planned_minutes, run_minutes, cycle_seconds, total, good }
}

pub fn tables() -> Vec<Table> {
    let mut dice = Dice(3);
    let mut suzhou =
        Table::new("suzhou.csv", "machine,work_day,planned_min,run_min,ideal_cycle_s,pieces_total,pieces_good");
    let mut leipzig = Table::new("leipzig.csv", "Anlage,Datum,Plan_h,Lauf_h,Takt_s,Stueck,Ausschuss");
    let mut puebla =
        Table::new("puebla.csv", "equipo,fecha,segundos_plan,segundos_marcha,piezas_por_hora,piezas,buenas");
    for number in 0..DAYS {
        for machine in ["S1", "S2", "S3", "S4"] {
            let it = run(number, machine, &mut dice);
            let day = day(number, "%Y-%m-%d");
            suzhou.row(&[&machine, &day, &it.planned_minutes, &it.run_minutes, &it.cycle_seconds, &it.total, &it.good]);
        }
        for machine in ["L1", "L2", "L3"] {
            let it = run(number, machine, &mut dice);
            let hours = |minutes: i32| format!("{}.{:02}", minutes / 60, minutes % 60 * 100 / 60);
            let (planned, ran) = (hours(it.planned_minutes), hours(it.run_minutes));
            let day = day(number, "%d.%m.%Y");
            leipzig.row(&[&machine, &day, &planned, &ran, &it.cycle_seconds, &it.total, &(it.total - it.good)]);
        }
        for machine in ["P1", "P2", "P3"] {
            let it = run(number, machine, &mut dice);
            let (planned, ran) = (it.planned_minutes * 60, it.run_minutes * 60);
            let day = day(number, "%Y%m%d");
            puebla.row(&[&machine, &day, &planned, &ran, &(3600 / it.cycle_seconds), &it.total, &it.good]);
        }
    }
    vec![suzhou, leipzig, puebla]
}
