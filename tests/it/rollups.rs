//! Rollups from outside: what runs read and keep, and when a stored table no longer answers.

use std::path::Path;
use std::sync::{Arc, Mutex};

use bellwether::Engine;
use bellwether::engine::Stage;
use bellwether::publish::{self, Event};
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::physical_plan::ExecutionPlan;
use serde_json::Value;

use super::runs::{bell, first_report as run, sql, write};

const MODEL: &str = "
source regions { from csv 'regions.csv'  key id }
source o { from csv 'o/*.csv'  key id  time day  join regions on region = regions.id  columns { x decimal(10, 2) } }
dimension region = o.regions.name
indicator sales  = sum(o.x)
indicator orders = count(*) of o
indicator buyers = count(distinct o.buyer)
rollup daily { indicators sales, orders, buyers  by day, region  to 'rollups/daily/' }
";

const BY_REGION: &str = "SELECT region, sales, orders, buyers FROM indicators GROUP BY region ORDER BY 1";

fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("o")).unwrap();
    write(folder.path(), "model.bell", MODEL);
    write(folder.path(), "regions.csv", "id,name\n1,east\n2,west\n");
    write(folder.path(), "o/1.csv", "id,buyer,region,x,day\n1,a,1,1.50,2026-01-01\n2,b,2,2,2026-01-31\n");
    write(folder.path(), "o/2.csv", "id,buyer,region,x,day\n3,a,,3,2026-02-01\n4,b,1,4,2026-02-28\n");
    folder
}

/// The files of the source that a run read.
fn read(report: &Value) -> Vec<String> {
    let inputs = report["inputs"].as_array().unwrap();
    let of_source = inputs.iter().filter(|input| input["source"] == "o");
    let files = of_source.flat_map(|input| input["files"].as_array().unwrap());
    let name = |file: &Value| file["path"].as_str().unwrap().rsplit('/').next().unwrap().to_string();
    files.map(name).collect()
}

/// The answer, which is the same from rows, and whether the rollup gave it.
fn answer(folder: &Path) -> (String, bool) {
    let with = sql(folder, BY_REGION);
    let without = sql(folder, &format!("SET bell.use_rollups = false; {BY_REGION}"));
    assert_eq!(with, without);
    let explained = bell(folder, &["explain", BY_REGION]);
    (with, String::from_utf8_lossy(&explained.stdout).contains(": from `public.daily`"))
}

#[test]
fn runs_read_what_is_new_and_keep_the_rest() {
    let folder = project();
    let folder = folder.path();
    assert!(!answer(folder).1, "nothing is stored yet");
    let first = run(folder);
    assert_eq!((first["outcome"].as_str(), read(&first)), (Some("published"), vec!["1.csv".into(), "2.csv".into()]));
    assert!(answer(folder).1);
    // Wherever the project is opened from.
    let elsewhere = bell(Path::new("/"), &["explain", "-p", &folder.display().to_string(), BY_REGION]);
    assert!(String::from_utf8_lossy(&elsewhere.stdout).contains(": from `public.daily`"), "{elsewhere:?}");

    let again = run(folder);
    assert_eq!((again["outcome"].as_str(), read(&again)), (Some("current"), vec![]));

    // A new file is all that is read; its cells stand beside the others.
    write(folder, "o/3.csv", "id,buyer,region,x,day\n5,c,1,5,2026-02-28\n6,a,2,6,2026-03-01\n");
    assert!(!answer(folder).1, "the rollup does not know of the new file");
    let added = run(folder);
    assert_eq!(
        (read(&added), added["files"].as_u64(), added["kept"].as_u64()),
        (vec!["3.csv".into()], Some(1), Some(1))
    );
    let (text, used) = answer(folder);
    assert!(used && text.contains("east,10.50,3,3"), "{text}");

    // A file that changes takes the cells of its run along: what else that run read is read again, the rest is kept.
    write(folder, "o/3.csv", "id,buyer,region,x,day\n5,c,1,50,2026-02-28\n");
    assert!(!answer(folder).1);
    let changed = run(folder);
    assert_eq!((read(&changed), changed["kept"].as_u64()), (vec!["3.csv".into()], Some(1)));
    assert!(answer(folder).1);
    write(folder, "o/1.csv", "id,buyer,region,x,day\n1,a,1,1.75,2026-01-01\n");
    assert_eq!(read(&run(folder)), ["1.csv", "2.csv"]);
    assert!(answer(folder).1);

    // A file that goes takes its rows along.
    std::fs::remove_file(folder.join("o/2.csv")).unwrap();
    assert!(!answer(folder).1);
    run(folder);
    let (text, used) = answer(folder);
    assert!(used && text.contains("east,51.75,2,2") && !text.contains("west"), "{text}");

    // What rows join to decides about all of them.
    write(folder, "regions.csv", "id,name\n1,north\n2,west\n");
    assert!(!answer(folder).1);
    let all = run(folder);
    assert_eq!((read(&all).len(), all["kept"].as_u64()), (2, Some(0)));
    let (text, used) = answer(folder);
    assert!(used && text.contains("north,51.75,2,2"), "{text}");
}

#[test]
fn a_stored_table_that_is_damaged_is_computed_anew() {
    let folder = project();
    let folder = folder.path();
    run(folder);
    write(folder, "o/3.csv", "id,buyer,region,x,day\n5,c,1,5,2026-02-28\n");
    let second = run(folder);
    let data = folder.join("rollups/daily/o/_bell/data");
    let of_run = |report: &Value| data.join(report["run"].as_str().unwrap()).join("part-0.parquet");
    // Of a run whose file is gone, what it read is read again.
    std::fs::remove_file(of_run(&second)).unwrap();
    assert!(!answer(folder).1, "a file of it is gone");
    let healed = run(folder);
    assert_eq!(
        (read(&healed), healed["lost"].as_u64(), healed["kept"].as_u64()),
        (vec!["3.csv".into()], Some(1), Some(1))
    );
    assert!(answer(folder).1);
    // Cut off, or overwritten by something of the same length.
    let damages: [fn(Vec<u8>) -> Vec<u8>; 2] =
        [|whole| whole[..whole.len() / 2].to_vec(), |whole| vec![7; whole.len()]];
    for damage in damages {
        for entry in std::fs::read_dir(&data).unwrap() {
            let file = entry.unwrap().path().join("part-0.parquet");
            std::fs::write(&file, damage(std::fs::read(&file).unwrap())).unwrap();
        }
        let explained = bell(folder, &["explain", BY_REGION]);
        let explained = String::from_utf8_lossy(&explained.stdout).into_owned();
        assert!(explained.contains("`bell run daily` computes it anew"), "{explained}");
        assert!(!answer(folder).1);
        assert_eq!(run(folder)["outcome"], "published");
        assert!(answer(folder).1);
    }
}

#[test]
fn another_definition_needs_another_table() {
    let folder = project();
    let folder = folder.path();
    run(folder);
    write(folder, "model.bell", &MODEL.replace("sum(o.x)", "sum(o.x) filter (where o.x > 2)"));
    let (text, used) = answer(folder);
    assert!(!used && text.contains("east,4.00,2,2"), "{text}");
    let explained = bell(folder, &["explain", BY_REGION]);
    let explained = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(explained.contains("it was made from another definition: `bell run daily`"), "{explained}");
    assert_eq!(read(&run(folder)).len(), 2);
    assert!(answer(folder).1);
    // Labels and other indicators are no part of it.
    let other = MODEL.replace("sum(o.x)", "sum(o.x) filter (where o.x > 2)") + "indicator more = max(o.x)\n";
    write(folder, "model.bell", &other.replace("indicator sales ", "indicator sales \"销售额\" "));
    assert!(answer(folder).1);
}

#[test]
fn a_tolerance_lets_it_answer_for_a_while() {
    let folder = project();
    let folder = folder.path();
    write(folder, "model.bell", &MODEL.replace("'rollups/daily/'", "'rollups/daily/'  tolerance 2 hours"));
    run(folder);
    let before = sql(folder, BY_REGION);
    write(folder, "o/3.csv", "id,buyer,region,x,day\n5,c,1,5,2026-02-28\n");
    assert_eq!(sql(folder, BY_REGION), before);
    assert!(sql(folder, "SELECT name, state FROM bell.rollups").contains("late, within its tolerance"));
    // Long after it was computed it no longer does.
    let path = folder.join("rollups/daily/o/_bell/manifest.json");
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    manifest["published_at"] = "2026-01-01T00:00:00Z".into();
    std::fs::write(&path, manifest.to_string()).unwrap();
    let (text, used) = answer(folder);
    assert!(!used && text.contains("east,10.50,3,3"), "{text}");
}

#[test]
fn estimates_answer_only_where_they_are_declared() {
    let folder = project();
    let folder = folder.path();
    let model = MODEL.replace("'rollups/daily/'", "'rollups/daily/'  approximate buyers")
        + "indicator shoppers = buyers\n\
               indicator busiest = max(buyers per day)\nindicator busiest_exactly = max(shoppers per day)\n\
               publish counted { indicators buyers  to 'out/'  format csv }\n";
    write(folder, "model.bell", &model);
    let mut rows = String::from("id,buyer,region,x,day\n");
    for at in 0..20_000 {
        rows += &format!("{},b{},1,1,2026-01-01\n", at + 10, at % 9_000);
    }
    write(folder, "o/1.csv", &rows);
    run(folder);
    let count =
        |name: &str| sql(folder, &format!("SELECT MEASURE({name}) FROM indicators")).lines().nth(1).map(str::to_string);
    let estimate: f64 = count("buyers").unwrap().parse().unwrap();
    assert!((estimate / 9_002.0 - 1.0).abs() < 0.03, "{estimate}");
    assert_eq!(count("shoppers").as_deref(), Some("9002"), "another indicator was not declared approximate");
    // Nor is it where both are asked for, whichever comes first, or inside an aggregate of values.
    for both in ["MEASURE(buyers) AS b, MEASURE(shoppers) AS s", "MEASURE(shoppers) AS s, MEASURE(buyers) AS b"] {
        assert_eq!(sql(folder, &format!("SELECT s FROM (SELECT {both} FROM indicators)")), "s\n9002\n");
    }
    let busiest = "SELECT s FROM (SELECT MEASURE(busiest) AS b, MEASURE(busiest_exactly) AS s FROM indicators)";
    assert_eq!(sql(folder, busiest), "s\n9000\n");
    // What is published is what the rows say.
    super::runs::run(folder, 0, &["counted"]);
    let published = std::fs::read_dir(folder.join("out/_bell/data")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(std::fs::read_to_string(published.join("part-0.csv")).unwrap(), "buyers\n9002\n");
}

#[test]
fn publications_are_made_from_rows() {
    let folder = project();
    let folder = folder.path();
    let model = MODEL.replace("'rollups/daily/'", "'rollups/daily/'  tolerance 2 hours");
    write(folder, "model.bell", &(model + "publish total { indicators orders  to 'out/'  format csv }\n"));
    super::runs::run(folder, 0, &["daily"]);
    write(folder, "o/3.csv", "id,buyer,region,x,day\n5,c,1,5,2026-02-28\n");
    assert_eq!(sql(folder, "SELECT MEASURE(orders) AS n FROM indicators"), "n\n4\n", "the rollup may be late");
    let report = super::runs::run(folder, 0, &["total"]);
    assert_eq!(read(&report[0]), ["1.csv", "2.csv", "3.csv"]);
    let data = std::fs::read_dir(folder.join("out/_bell/data")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(std::fs::read_to_string(data.join("part-0.csv")).unwrap(), "orders\n5\n");
    let explained = bell(folder, &["explain", BY_REGION]);
    let explained = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(explained.contains("`public.daily`, as of 20") && explained.contains("have changed since"), "{explained}");
}

/// A column of the rows is none of the cells, whatever both are called.
#[test]
fn a_rollup_may_have_the_name_of_its_source() {
    let folder = project();
    let folder = folder.path();
    write(folder, "model.bell", &(MODEL.replace("rollup daily", "rollup o") + "dimension code = o.region\n"));
    run(folder);
    for question in [
        "SELECT region, orders FROM indicators WHERE code = 1 GROUP BY region ORDER BY 1",
        "SELECT code, orders FROM indicators GROUP BY code ORDER BY 1",
        BY_REGION,
    ] {
        assert_eq!(sql(folder, question), sql(folder, &format!("SET bell.use_rollups = false; {question}")));
    }
    let explained = bell(folder, &["explain", BY_REGION]);
    assert!(String::from_utf8_lossy(&explained.stdout).contains("TableScan: rollup o"));
}

/// Rows, or what is wrong.
async fn asked(engine: &Engine, text: &str) -> String {
    let frame = match engine.sql(text).await {
        Ok(frame) => frame,
        Err(error) => return error.to_string(),
    };
    match frame.collect().await {
        Ok(batches) => pretty_format_batches(&batches).unwrap().to_string(),
        Err(error) => error.to_string(),
    }
}

const STOCK: &str = "
source s { from csv 's/*.csv'  key id  time day  columns { q decimal(10, 2)  id bigint } }
source loose { from csv 's/*.csv'  time day  columns { q decimal(10, 2)  id bigint } }
dimension product = s.product
dimension place = s.place
dimension product_and_place = s.product || s.place
";

/// Stock in two files; days, amounts and places may be missing, and many rows are of the same day.
fn stock(folder: &Path, model: &str, which: usize) {
    write(folder, "model.bell", &format!("{STOCK}{model}"));
    std::fs::create_dir_all(folder.join("s")).unwrap();
    for file in 0..which {
        let mut rows = String::from("id,product,place,keeper,day,q\n");
        for at in (0..300).filter(|at| at % 2 == file) {
            let place = ["north", "south", "", "east"][at * 7 % 11 % 4];
            let (month, day) = (at % 5 + 1, at * 13 % 27 + 1);
            let date = if at % 17 == 0 { String::new() } else { format!("2026-{month:02}-{day:02}") };
            let q = if at % 19 == 0 { String::new() } else { format!("{}.25", at * 31 % 97) };
            rows += &format!("{at},p{},{place},k{},{date},{q}\n", at % 6, at % 9);
        }
        write(folder, &format!("s/{file}.csv"), &rows);
    }
}

/// Asks for each measure in many ways, with and without rollups; how often each was answered by one, and how often at all.
async fn compared(folder: &Path, measures: &[&str]) -> Vec<(usize, usize)> {
    let (stored, rows) = (Engine::open(folder).await.unwrap(), Engine::open(folder).await.unwrap());
    rows.sql("SET bell.use_rollups = false").await.unwrap();
    let mut counts = vec![(0, 0); measures.len()];
    let keys =
        ["metric_time__month", "product", "place", "metric_time__month, place", "metric_time__week, product", ""];
    for by in keys {
        for condition in ["true", "place = 'north'", "metric_time >= '2026-02-01' AND metric_time < '2026-04-01'"] {
            for (at, measure) in measures.iter().enumerate() {
                let keys = if by.is_empty() { String::new() } else { format!("{by}, ") };
                let group = if by.is_empty() { String::new() } else { format!(" GROUP BY {by} ORDER BY {by}") };
                let text = format!("SELECT {keys}{measure} AS v FROM indicators WHERE {condition}{group}");
                let with = asked(&stored, &text).await;
                assert_eq!(with, asked(&rows, &text).await, "{text}");
                let explained = stored.explain(&text, Stage::Plan).await.unwrap_or_default();
                counts[at].0 += usize::from(with.starts_with('+') && explained.contains(": from `public."));
                counts[at].1 += usize::from(with.starts_with('+'));
            }
        }
    }
    counts
}

#[tokio::test]
async fn closing_values_are_those_of_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let model = "
indicator held    = sum(s.q) at (last day)
indicator each    = sum(s.q) at (last day per s.product)
indicator overall = sum(s.q) at (last day overall)
indicator opened  = count(*) of s at (first day)
indicator seen    = count(distinct s.keeper) at (last day per month)
indicator north   = sum(s.q) at (last day) where s.place = 'north'
indicator newest  = max(s.q) at (last day) filter (where s.place <> 'south')
indicator kept    = sum(s.q) at (last day) filter (where s.keeper <> 'k1')
indicator strict  = sum(s.q) at (last day) filter (where s.keeper <> 'k1') where s.place <> 'north'
indicator change  = held / held at (shift 1 month) - 1
indicator share   = held / held at (all product)
indicator recent  = held at (trailing 45 days)
indicator so_far  = kept at (to date quarter)
indicator running = north at (cumulative)
rollup daily { indicators held, opened, seen, north, newest, kept, strict  by day, product, place  to 'rollups/daily/' }
";
    for files in [1, 2] {
        stock(folder, model, files);
        run(folder);
    }
    let names = [
        "held", "each", "overall", "opened", "seen", "north", "newest", "kept", "strict", "change", "share", "recent",
        "so_far", "running",
    ];
    let mut measures: Vec<String> = names.iter().map(|name| format!("MEASURE({name})")).collect();
    measures.push("MEASURE(held) FILTER (WHERE place <> 'east')".to_string());
    measures.push("MEASURE(recent) FILTER (WHERE product <> 'p1')".to_string());
    let measures: Vec<&str> = measures.iter().map(String::as_str).collect();
    for (measure, (used, answered)) in measures.iter().zip(compared(folder, &measures).await) {
        assert!(answered >= 6 && used == answered, "{measure}: {used} of {answered} from the rollup");
    }
    // Who keeps it is neither a key nor stored with this condition.
    let explained = Engine::open(folder).await.unwrap();
    let text = "SELECT MEASURE(held) FILTER (WHERE place <> 'east' OR product_and_place = 'x') AS v FROM indicators";
    assert!(explained.explain(text, Stage::Plan).await.unwrap().contains(": from `public.daily`"));
}

/// Of rows of the same day, the one with the greatest key is the last one, in every run and from every rollup.
#[tokio::test]
async fn first_and_last_values_are_those_of_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let model = "
indicator opening = first_value(s.q order by s.day)
indicator closing = last_value(s.q order by s.day)
indicator latest  = first_value(s.q order by s.day desc)
indicator known   = last_value(s.q order by s.day) ignore nulls
indicator keeper  = last_value(s.keeper order by s.day, s.product desc)
indicator much    = last_value(s.q > 40 order by s.day)
indicator north   = last_value(s.q order by s.day) where s.place = 'north'
indicator kept    = last_value(s.q order by s.day) filter (where s.keeper <> 'k1')
indicator change  = closing / closing at (shift 1 month) - 1
indicator recent  = closing at (trailing 45 days)
indicator anyway  = last_value(loose.q order by loose.day)
rollup daily { indicators opening, closing, latest, known, keeper, much, north, kept  by day, product, place  to 'rollups/daily/' }
rollup free  { indicators anyway  by month  to 'rollups/free/' }
";
    for files in [1, 2] {
        stock(folder, model, files);
        super::runs::run(folder, 0, &[]);
    }
    let names = ["opening", "closing", "latest", "known", "keeper", "much", "north", "kept", "change", "recent"];
    let mut measures: Vec<String> = names.iter().map(|name| format!("MEASURE({name})")).collect();
    measures.push("MEASURE(closing) FILTER (WHERE place <> 'east')".to_string());
    let measures: Vec<&str> = measures.iter().map(String::as_str).collect();
    for (measure, (used, answered)) in measures.iter().zip(compared(folder, &measures).await) {
        assert!(answered >= 6 && used == answered, "{measure}: {used} of {answered} from the rollup");
    }
    let by_hand = "SELECT product, q AS v FROM (SELECT product, q, row_number() OVER (PARTITION BY product \
                   ORDER BY day DESC NULLS FIRST, id DESC) AS n FROM s) WHERE n = 1 ORDER BY 1";
    let asked = sql(folder, "SELECT product, MEASURE(closing) AS v FROM indicators GROUP BY 1 ORDER BY 1");
    assert_eq!(asked, sql(folder, by_hand));
    assert_eq!(asked, sql(folder, "SELECT product, MEASURE(latest) AS v FROM indicators GROUP BY 1 ORDER BY 1"));
    // Without a key, the value itself decides: the greatest of those of the last day.
    let anyway = "SELECT metric_time__month AS m, MEASURE(anyway) AS v FROM indicators GROUP BY 1 ORDER BY 1";
    let by_hand = "SELECT m, q AS v FROM (SELECT date_trunc('month', day)::date AS m, q, row_number() OVER \
                   (PARTITION BY date_trunc('month', day) ORDER BY day DESC NULLS FIRST, q DESC NULLS FIRST) AS n FROM s) \
                   WHERE n = 1 ORDER BY 1";
    assert_eq!(sql(folder, anyway), sql(folder, by_hand));
    let explained = bell(folder, &["explain", anyway]);
    assert!(String::from_utf8_lossy(&explained.stdout).contains(": from `public.free`"), "{explained:?}");
}

/// How many rows the scans of a file gave.
fn scanned(plan: &Arc<dyn ExecutionPlan>, file: &str) -> usize {
    let below: usize = plan.children().into_iter().map(|child| scanned(child, file)).sum();
    let shown = datafusion::physical_plan::displayable(plan.as_ref()).one_line().to_string();
    let own = shown.contains(file).then(|| plan.metrics().and_then(|metrics| metrics.output_rows())).flatten();
    below + own.unwrap_or_default()
}

#[tokio::test]
async fn of_what_new_rows_join_to_only_the_part_with_their_keys_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::create_dir(folder.join("lines")).unwrap();
    let ctx = datafusion::prelude::SessionContext::new();
    let put = async |path: &str, sql: &str| {
        let path = folder.join(path).display().to_string();
        let options = datafusion::dataframe::DataFrameWriteOptions::new().with_single_file_output(true);
        ctx.sql(sql).await.unwrap().write_parquet(&path, options, None).await.unwrap();
    };
    let lines = |from: usize, to: usize| {
        format!(
            "SELECT value AS id, value / 2 AS order_id, value % 7 AS x, date '2026-01-01' AS day FROM generate_series({from}, {to})"
        )
    };
    put("orders.parquet", "SELECT value AS id, value % 3 AS kind FROM generate_series(0, 500000)").await;
    put("lines/1.parquet", &lines(0, 9)).await;
    let model = "
source orders { from parquet 'orders.parquet'  key id }
source lines { from parquet 'lines/*.parquet'  key id  time day  join orders on order_id = orders.id }
dimension kind = lines.orders.kind
indicator total = sum(lines.x)
rollup r { indicators total  by month, kind  to 'r/' }
";
    write(folder, "model.bell", model);
    run(folder);
    // More than DataFusion would hash once.
    put("lines/2.parquet", &lines(800_000, 999_999)).await;
    let engine = Engine::open(folder).await.unwrap();
    let plans = Mutex::new(vec![]);
    let watch = |event: &Event<'_>| {
        if let Event::Computing(_, plan) = event {
            plans.lock().unwrap().push(Arc::clone(*plan));
        }
    };
    publish::run(&engine, &bellwether::Run::default(), &watch).await.unwrap();
    let plans = plans.into_inner().unwrap();
    assert_eq!((plans.len(), scanned(&plans[0], "2.parquet")), (1, 200_000));
    let orders = scanned(&plans[0], "orders.parquet");
    assert!((100_000..200_000).contains(&orders), "{orders} of 500,001 rows");
    let by_kind = "SELECT kind, total FROM indicators GROUP BY kind ORDER BY 1";
    assert_eq!(sql(folder, by_kind), sql(folder, &format!("SET bell.use_rollups = false; {by_kind}")));
}
