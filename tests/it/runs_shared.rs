//! `bell run` where publications ask alike: one question answers them, and their files are those of their own questions.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::runs::{manifest, project, refused, run};

const MODEL: &str = "
source o { from csv 'o.csv'  key id  time at_time  columns { region varchar } }
source visits { from csv 'o.csv'  key id  time at_time  columns { region varchar }  where id > 2 }
dimension region = o.region, visits.region
indicator sales    = sum(o.x) { unit CNY }
indicator orders   = count(*) of o
indicator east     = sum(o.x) filter (where o.region = 'east')
indicator in_east  = sum(o.x) where o.region = 'east'
indicator earlier  = sales at (shift 1 month)
indicator running  = sales at (to date year)
indicator gapless  = sales { fill 0 }
indicator visited  = count(*) of visits
indicator mean     = sales / orders
indicator most     = max(o.x)
publish a  { indicators sales  by month, region  to 'out/a/'  format json }
publish b  { indicators mean, sales  by month, region  to 'out/b/'  format csv  partitioned by month }
publish c  { indicators earlier, most  by month, region  to 'out/c/'  format json  partitioned by region, month }
publish d  { indicators east, orders  by month, region  to 'out/d/'  format csv  partitioned by region }
publish e  { indicators in_east  by month, region  to 'out/e/'  format csv }
publish f  { indicators running  by month, region  to 'out/f/'  format csv }
publish g  { indicators gapless  by month, region  to 'out/g/'  format csv }
publish h  { indicators visited, sales  by month, region  to 'out/h/'  format csv }
publish i  { indicators sales, visited, orders  by month, region  to 'out/i/'  format csv }
publish j  { indicators sales  by region, month  to 'out/j/'  format csv }
publish k  { indicators orders  by month, region  where region = 'east'  to 'out/k/'  format csv }
publish l  { indicators in_east, sales  by month, region  to 'out/l/'  format csv }
";

const NAMES: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

/// With whom each publication is answered.
fn shared(reports: &[Value]) -> Vec<String> {
    let of = |report: &Value| report["shared"].as_str().unwrap_or("-").trim_start_matches("public.").to_string();
    reports.iter().map(of).collect()
}

/// What the files of a publication hold, by their folders.
fn contents(folder: &Path, name: &str) -> BTreeMap<String, String> {
    let manifest = manifest(folder, name);
    let of = |file: &Value| {
        let path = file["path"].as_str().unwrap();
        let below: Vec<&str> = path.split('/').skip(3).collect();
        (below.join("/"), std::fs::read_to_string(folder.join("out").join(name).join(path)).unwrap())
    };
    manifest["files"].as_array().unwrap().iter().map(of).collect()
}

#[test]
fn files_are_those_of_a_question_of_its_own() {
    let project = project(MODEL);
    let folder = project.path();
    let expected = ["a", "a", "a", "a", "-", "-", "-", "h", "h", "-", "-", "a"];
    assert_eq!(shared(&run(folder, 0, &["--dry-run"])), expected);
    for jobs in ["1", "4"] {
        assert_eq!(shared(&run(folder, 0, &["--jobs", jobs])), expected);
        let together: Vec<_> = NAMES.iter().map(|name| contents(folder, name)).collect();
        for (name, together) in NAMES.iter().zip(together) {
            assert_eq!(shared(&run(folder, 0, &[name])), ["-"]);
            assert_eq!(contents(folder, name), together, "{name}");
        }
    }
    let b = contents(folder, "b");
    assert_eq!(b["month=2026-01-01/part-0.csv"], "region,mean,sales\neast,1.5,1.5\n华/东 %x#1,2.0,2.0\n");
}

#[test]
fn a_range_is_shared_by_those_that_are_divided_by_it() {
    let model = "
source o { from csv 'o.csv'  key id  time at_time  columns { region varchar } }
dimension region = o.region
indicator sales   = sum(o.x)
indicator orders  = count(*) of o
indicator earlier = sales at (shift 1 month)
publish a { indicators sales  by month, region  to 'out/a/'  format csv  partitioned by month }
publish b { indicators orders  by month, region  to 'out/b/'  format json  partitioned by region, month }
publish c { indicators earlier  by month, region  to 'out/c/'  format csv  partitioned by month }
";
    let project = project(model);
    let folder = project.path();
    run(folder, 0, &[]);
    let range = ["--from", "2026-02", "--to", "2026-03"];
    let reports = run(folder, 0, &range);
    assert_eq!(shared(&reports), ["a", "a", "a"]);
    assert_eq!(reports.iter().map(|report| report["kept"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 1]);
    let together: Vec<_> = ["a", "b", "c"].iter().map(|name| contents(folder, name)).collect();
    for (name, together) in ["a", "b", "c"].iter().zip(together) {
        run(folder, 0, &[&[*name], &range[..]].concat());
        assert_eq!(contents(folder, name), together, "{name}");
    }
}

#[test]
fn one_that_fails_fails_alone() {
    let model = MODEL.to_string()
        + "
indicator broken = sum(cast(o.region as bigint))
publish m { indicators broken  by month, region  to 'out/m/' }";
    let project = project(&model);
    let folder = project.path();
    let chosen = ["--only", "a,m,b"];
    assert_eq!(shared(&run(folder, 0, &[&chosen[..], &["--dry-run"]].concat())), ["a", "a", "a"]);
    let printed = refused(folder, 3, &chosen);
    assert!(printed.contains("public.m failed") && !printed.contains("public.a failed"), "{printed}");
    let reports = run(folder, 3, &chosen);
    let outcomes: Vec<&str> = reports.iter().map(|report| report["outcome"].as_str().unwrap()).collect();
    assert_eq!((outcomes, shared(&reports)), (vec!["published", "published", "failed"], vec!["-".to_string(); 3]));
    let alone = contents(folder, "b");
    run(folder, 0, &["a", "b"]);
    assert_eq!(contents(folder, "b"), alone);
}

#[test]
fn the_report_says_why_one_asks_alone() {
    let project = project(
        &(MODEL.to_string()
            + "
source q { from csv 'o.csv'  key id }
indicator others = count(*) of q
publish m { indicators others  to 'out/m/'  format csv }
publish n { indicators sales  by month, region  to 'out/n/'  format csv  partitioned by month  lookback 3 days }
"),
    );
    let folder = project.path();
    let reports = run(folder, 0, &["--dry-run"]);
    let alone = |name: &str| {
        let of = |report: &&Value| report["publication"] == format!("public.{name}");
        reports.iter().find(of).unwrap()["alone"].as_str().unwrap_or("-").to_string()
    };
    assert_eq!(alone("a"), "-", "it shares");
    assert_eq!(alone("e"), "unlike `public.a`, it shows the groups of other rows");
    let looks = "an indicator looks at what else is shown (windows in time, `fill`, values of values)";
    assert_eq!((alone("f").as_str(), alone("g").as_str()), (looks, looks));
    assert_eq!(alone("j"), "unlike `public.a`, it has its keys in another order");
    assert_eq!(alone("k"), "unlike `public.a`, it has other conditions");
    assert_eq!(alone("m"), "-", "nobody else reads its source");
    assert_eq!(alone("n"), "how far back it looks (`lookback`) is known only once its folder is locked");
    // The log has it, too.
    let log = crate::runs::bell(folder, &["run", "--log", "json", "j", "a"]);
    let log = String::from_utf8(log.stderr).unwrap();
    let ended = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_j = ended.filter(|line| line["event"] == "ended" && line["publication"] == "public.j");
    assert_eq!(
        of_j.map(|line| line["alone"].clone()).collect::<Vec<_>>(),
        ["unlike `public.a`, it has its keys in another order"]
    );
}

#[test]
fn a_lookback_asks_alone_and_with_a_range_it_shares() {
    let model = "
source o { from csv 'o/*.csv'  key id  time at_time  columns { region varchar } }
dimension region = o.region
indicator sales   = sum(o.x)
indicator orders  = count(*) of o
publish a { indicators sales  by month, region  to 'out/a/'  format csv  partitioned by month  lookback 20 days }
publish b { indicators orders, sales  by month, region  to 'out/b/'  format csv  partitioned by month }
publish c { indicators orders  by month, region  to 'out/c/'  format csv  partitioned by month  lookback 20 days }
";
    let project = project(model);
    let folder = project.path();
    std::fs::create_dir(folder.join("o")).unwrap();
    std::fs::copy(folder.join("o.csv"), folder.join("o/1.csv")).unwrap();
    assert_eq!(shared(&run(folder, 0, &[])), ["-", "-", "-"]);
    // Rows that come late: in one period that is looked back at, and in one that is not.
    crate::runs::write(folder, "o/2.csv", "id,region,x,at_time\n6,east,10,2026-02-20\n7,east,20,2026-01-03\n");
    let reports = run(folder, 0, &[]);
    assert_eq!(shared(&reports), ["-", "-", "-"]);
    let kept: Vec<u64> = reports.iter().map(|report| report["kept"].as_u64().unwrap()).collect();
    assert_eq!(kept, [1, 0, 1], "those that look back keep January");
    let february = |name: &str| contents(folder, name)["month=2026-02-01/part-0.csv"].clone();
    assert_eq!(february("a"), "region,sales\neast,14.0\n,3.0\n");
    assert_eq!(february("b"), "region,orders,sales\neast,2,14.0\n,1,3.0\n");
    assert_eq!(february("c"), "region,orders\neast,2\n,1\n");
    // Where the range is said, all of them are one question, whose files are those of their own.
    let range = ["--from", "2026-01", "--to", "2026-02"];
    let reports = run(folder, 0, &range);
    assert_eq!(shared(&reports), ["a", "a", "a"]);
    let together: Vec<_> = ["a", "b", "c"].iter().map(|name| contents(folder, name)).collect();
    for (name, together) in ["a", "b", "c"].iter().zip(together) {
        run(folder, 0, &[&[*name], &range[..]].concat());
        assert_eq!(contents(folder, name), together, "{name}");
    }
    assert!(contents(folder, "a")["month=2026-01-01/part-0.csv"].contains("east,21.5"));
}
