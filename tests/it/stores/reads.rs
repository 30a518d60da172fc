//! What is read of object stores: pages of listings, folders that can matter, stretches of files, and nothing twice.

use std::path::Path;
use std::time::Duration;

use bellwether::Engine;
use bellwether::engine::Limits;
use bellwether::store;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::object_store::ObjectStoreExt;
use datafusion::object_store::path::Path as ObjectPath;
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use super::{bell, proxy, rows, s3, servers, total_of, two_files};
use crate::runs::write;
use crate::serve::Server;
use crate::serve_http::request;

async fn parquet(sql: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.parquet");
    let options = DataFrameWriteOptions::new().with_single_file_output(true);
    let frame = SessionContext::new().sql(sql).await.unwrap();
    frame.write_parquet(path.to_str().unwrap(), options, None).await.unwrap();
    std::fs::read(path).unwrap()
}

#[tokio::test]
async fn of_a_wide_file_only_the_asked_column_is_fetched() {
    let Some(server) = servers::s3() else { return };
    let columns: Vec<String> = (0..60).map(|at| format!("random() AS c{at}")).collect();
    let sql = format!("SELECT value AS id, {} FROM generate_series(1, 30000)", columns.join(", "));
    let file = parquet(&sql).await;
    let whole = file.len();
    s3(&server.address()).put(&ObjectPath::from("wide.parquet"), file.into()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let model = "source o { from parquet 's3://lake/wide.parquet'  key id }\nindicator most = max(o.id + 0)";
    write(folder.path(), "model.bell", model);
    let (address, seen) = proxy::to(server.port, 0.0, 1);
    let sql = "SELECT MEASURE(most) FROM indicators";
    assert_eq!(rows(folder.path(), &servers::s3_environment(&address), sql), "most\n30000\n");
    let lines = seen.lines.lock().unwrap();
    let fetched = lines.iter().filter(|line| line.starts_with("GET") && line.contains("wide.parquet"));
    let length = |line: &String| {
        let range = line.rsplit_once("bytes=").unwrap_or_else(|| panic!("all of it is fetched: {line}")).1;
        let (from, to) = range.split_once('-').unwrap();
        to.parse::<usize>().unwrap() + 1 - from.parse::<usize>().unwrap()
    };
    let fetched: usize = fetched.map(length).sum();
    println!("{fetched} of {whole} bytes");
    assert!(fetched > 0 && fetched * 8 < whole, "{fetched} of {whole}");
}

/// A session with a bucket, and the project in it.
async fn opened(address: &str, bucket: &str, folder: &Path, before: Option<&SessionContext>) -> Engine {
    let ctx = Engine::session(&Limits::default()).unwrap();
    ctx.register_object_store(&url::Url::parse(bucket).unwrap(), s3(address));
    if let Some(before) = before {
        store::share(before, &ctx);
    }
    Engine::with_context(ctx, folder).await.unwrap()
}

async fn total(engine: &Engine) -> String {
    let rows = engine.sql("SELECT MEASURE(total) FROM indicators").await.unwrap().collect().await.unwrap();
    pretty_format_batches(&rows).unwrap().to_string().lines().nth(3).unwrap().replace(['|', ' '], "")
}

/// Puts an object into the same second as the one before, so that size and time are the same.
async fn put_within_a_second(address: &str, path: &ObjectPath, old: &[u8], new: &[u8], between: impl AsyncFn()) {
    let store = s3(address);
    loop {
        store.put(path, old.to_vec().into()).await.unwrap();
        let first = store.head(path).await.unwrap().last_modified;
        between().await;
        store.put(path, new.to_vec().into()).await.unwrap();
        if store.head(path).await.unwrap().last_modified == first {
            return;
        }
    }
}

#[tokio::test]
async fn footers_are_kept_from_one_session_to_the_next_and_never_those_of_another_version() {
    let Some(server) = servers::s3() else { return };
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "model.bell", &total_of("s3://lake/o.parquet"));
    let (old, new) = two_files(folder.path()).await;
    let (address, seen) = proxy::to(server.port, 0.0, 1);
    let path = ObjectPath::from("o.parquet");
    s3(&server.address()).put(&path, old.clone().into()).await.unwrap();
    let gets = || seen.lines.lock().unwrap().iter().filter(|line| line.starts_with("GET")).count();
    let first = opened(&address, "s3://lake", folder.path(), None).await;
    let looked = gets();
    assert!(looked > 0);
    let second = opened(&address, "s3://lake", folder.path(), Some(first.context())).await;
    assert_eq!(gets(), looked, "what is known of the file is not fetched again");
    assert_eq!(total(&second).await, "501500");

    // Of the same size, in the same second.
    let known = second.context();
    put_within_a_second(&server.address(), &path, &old, &new, async || {
        _ = opened(&address, "s3://lake", folder.path(), Some(known)).await;
    })
    .await;
    let third = opened(&address, "s3://lake", folder.path(), Some(known)).await;
    assert_eq!(total(&third).await, "502500");
}

#[tokio::test]
async fn texts_that_are_the_same_are_not_looked_into_again() {
    let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(data.path(), "o.csv", "id,x\n1,10\n2,20\n");
    write(data.path(), "p.json", "{\"id\": 1, \"y\": 3}\n");
    let port = servers::files(data.path().to_path_buf()).rsplit_once(':').unwrap().1.parse().unwrap();
    let (address, seen) = proxy::to(port, 0.0, 1);
    let model = "
source o { from csv 'PLACE/o.csv'  key id }
source p { from json 'PLACE/p.json'  key id  columns { y decimal(5, 1) } }
indicator most  = max(o.x)
indicator total = sum(p.y)
";
    write(folder.path(), "model.bell", &model.replace("PLACE", &address));
    let gets = |name: &str| {
        let lines = seen.lines.lock().unwrap();
        lines.iter().filter(|line| line.starts_with("GET") && line.contains(name)).count()
    };
    let open = async |before: Option<&SessionContext>| {
        let ctx = Engine::session(&Limits::default()).unwrap();
        if let Some(before) = before {
            store::share(before, &ctx);
        }
        Engine::with_context(ctx, folder.path()).await.unwrap()
    };
    let first = open(None).await;
    assert_eq!((gets("o.csv"), gets("p.json")), (1, 1));
    let second = open(Some(first.context())).await;
    let third = open(Some(second.context())).await;
    assert_eq!((gets("o.csv"), gets("p.json")), (1, 1), "they are the same");
    // Another type declared is another way to look.
    write(folder.path(), "model.bell", &model.replace("PLACE", &address).replace("decimal(5, 1)", "decimal(6, 2)"));
    let fourth = open(Some(third.context())).await;
    assert_eq!((gets("o.csv"), gets("p.json")), (1, 2));
    // What is known of a file is of one version of it.
    write(data.path(), "o.csv", "id,x\n1,10\n2,twenty\n");
    let fifth = open(Some(fourth.context())).await;
    assert_eq!((gets("o.csv"), gets("p.json")), (2, 2));
    let rows = fifth.sql("SELECT MEASURE(most) FROM indicators").await.unwrap().collect().await.unwrap();
    assert!(pretty_format_batches(&rows).unwrap().to_string().contains("twenty"));
}

/// Where a server does not tell versions apart, nothing that is known of a file is believed of the next one.
#[test]
fn of_a_server_that_tells_no_versions_nothing_is_kept() {
    for versions in ["", "last-modified: Thu, 01 Jan 2099 00:00:00 GMT\r\n"] {
        let (data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(data.path(), "o.csv", "id,k,x\n1,a,10\n2,b,20\n");
        let address = servers::files_with(data.path().to_path_buf(), versions);
        let model = format!(
            "source o {{ from csv '{address}/o.csv'  key id  columns {{ x bigint }} }}\ndimension k = o.k\n\
             indicator total = sum(o.x)\nrollup by_k {{ indicators total  by k  to 'rollups/' }}\n"
        );
        write(folder.path(), "model.bell", &model);
        let nothing = vec![];
        assert!(bell(folder.path(), &nothing, &["run"]).status.success());
        let sql = "SELECT k, MEASURE(total) AS t FROM indicators GROUP BY 1 ORDER BY 1";
        assert_eq!(rows(folder.path(), &nothing, sql), "k,t\na,10\nb,20\n");
        let explained = bell(folder.path(), &nothing, &["explain", sql]);
        let explained = String::from_utf8(explained.stdout).unwrap();
        assert!(explained.contains("not from `public.by_k`"), "{explained}");
        write(data.path(), "o.csv", "id,k,x\n1,a,11\n2,b,22\n");
        assert_eq!(rows(folder.path(), &nothing, sql), "k,t\na,11\nb,22\n");
    }
}

#[tokio::test]
async fn what_is_served_is_read_from_its_store_in_the_version_that_was_listed() {
    let Some(server) = servers::s3() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = two_files(folder.path()).await;
    write(folder.path(), "model.bell", &total_of("s3://lake/o.parquet"));
    let (store, path) = (s3(&server.address()), ObjectPath::from("o.parquet"));
    store.put(&path, old.into()).await.unwrap();
    let served = Server::start_with(folder.path(), &["--refresh", "1h"], &servers::s3_environment(&server.address()));
    let ask = || request(served.http, "GET", "/v1/sql?q=SELECT+MEASURE(total)+FROM+indicators", &[], b"").text();
    let told = ask();
    assert!(told.contains("501500"), "{told}");
    store.put(&path, new.into()).await.unwrap();
    let told = ask();
    assert!(told.contains("o.parquet: the file was replaced") && !told.contains("502500"), "{told}");
    // It is read again soon.
    let again = (0..600).map(|_| ask()).inspect(|_| std::thread::sleep(Duration::from_millis(50)));
    let told = again.into_iter().find(|told| !told.contains("was replaced")).unwrap();
    assert!(told.contains("502500"), "{told}");
}

/// Files in folders of months, more than ten pages of a listing.
#[tokio::test]
async fn of_ten_thousand_objects_those_are_listed_that_a_question_can_need() {
    let Some(server) = servers::s3() else { return };
    let store = s3(&server.address());
    let file: bytes::Bytes = parquet("SELECT 1 AS x").await.into();
    let put = async |at: usize| {
        let path = ObjectPath::from(format!("o/year={}/month={}/{at:05}.parquet", 2025 + at % 2, at % 24 / 2 + 1));
        store.put(&path, file.clone().into()).await.unwrap();
    };
    futures::stream::iter(0..10_000).for_each_concurrent(32, put).await;
    let folder = tempfile::tempdir().unwrap();
    let model = "source o { from parquet 's3://lake/o/'  partition by year int, month int  key x }
dimension year = o.year
dimension month = o.month
indicator n = sum(o.x)";
    write(folder.path(), "model.bell", model);
    let all = "SELECT MEASURE(n) FROM indicators";
    assert_eq!(rows(folder.path(), &servers::s3_environment(&server.address()), all), "n\n10000\n");
    let (address, seen) = proxy::to(server.port, 0.0, 1);
    let one = "SELECT MEASURE(n) FROM indicators WHERE year = 2026 AND month = 2";
    assert_eq!(rows(folder.path(), &servers::s3_environment(&address), one), "n\n417\n");
    let lines = seen.lines.lock().unwrap();
    let listings: Vec<&String> = lines.iter().filter(|line| line.contains("list-type=2")).collect();
    println!("{} listings, {} requests", listings.len(), lines.len());
    // Two levels and a folder, for the columns and for the question; of the other year nothing.
    assert_eq!(listings.len(), 6, "{listings:#?}");
    assert!(listings.iter().all(|line| !line.contains("2025")), "{listings:#?}");
    assert!(lines.len() < 500, "{}", lines.len());
}

const IN_FOLDERS: &str = "
source o { from parquet 'o/'  partition by year int, kind varchar  key id  time day  where x < 1000 }
dimension year = o.year
dimension kind = o.kind
indicator n = sum(o.x)
indicator last = sum(o.x) at (last day)
indicator share = n / n at (all kind)
indicator before = n at (shift 1 year)
policy b on o to role b where kind = 'b'
";

/// Questions with conditions on folders, on one level, on both, on none, of an empty folder, of NULL.
const OF_FOLDERS: &[&str] = &[
    "SELECT year, kind, MEASURE(n), MEASURE(last) FROM indicators GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT kind, MEASURE(n) FROM indicators WHERE year = 2025 GROUP BY 1 ORDER BY 1",
    "SELECT year, MEASURE(n) FROM indicators WHERE kind = 'a' GROUP BY 1 ORDER BY 1",
    "SELECT kind, MEASURE(n), MEASURE(share) FROM indicators WHERE year = 2025 AND kind = 'a' GROUP BY 1",
    "SELECT year, MEASURE(n) FROM indicators WHERE (year = 2024 AND kind = 'a') OR (year = 2025 AND kind <> 'a') GROUP BY 1 ORDER BY 1",
    "SELECT year, MEASURE(n) FROM indicators WHERE kind IS NULL GROUP BY 1 ORDER BY 1",
    "SELECT year, MEASURE(n) FROM indicators WHERE kind || year = 'b2025' GROUP BY 1 ORDER BY 1",
    "SELECT MEASURE(n) FROM indicators WHERE year = 1999",
    "SELECT metric_time__year, MEASURE(n), MEASURE(before) FROM indicators WHERE metric_time >= '2025-01-01' GROUP BY 1 ORDER BY 1",
    "SELECT (SELECT MEASURE(n) FROM indicators WHERE year = 2024) AS a, (SELECT MEASURE(n) FROM indicators WHERE kind = 'b') AS b",
    "SELECT MEASURE(n) FROM indicators WHERE year = extract(year FROM now())",
];

async fn in_folders() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "model.bell", IN_FOLDERS);
    let kinds = [("a", 1), ("b", 10), ("__HIVE_DEFAULT_PARTITION__", 100)];
    for (year, (kind, x)) in [2024, 2025].into_iter().flat_map(|year| kinds.map(|kind| (year, kind))) {
        let path = folder.path().join(format!("o/year={year}/kind={kind}"));
        std::fs::create_dir_all(&path).unwrap();
        let sql = format!(
            "SELECT {year} * 1000 + {x} + value AS id, {x} * (1 + value) AS x, date '{year}-03-01' AS day FROM generate_series(0, 1)"
        );
        std::fs::write(path.join("1.parquet"), parquet(&sql).await).unwrap();
    }
    folder
}

#[tokio::test]
async fn a_question_about_some_folders_is_answered_as_over_all_of_them() {
    let folder = in_folders().await;
    for sql in OF_FOLDERS {
        for role in [&[][..], &["--role", "b"]] {
            let ask = |sql: &str| {
                let output = bell(folder.path(), &vec![], &[&["sql", "-F", "csv", sql], role].concat());
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                String::from_utf8(output.stdout).unwrap()
            };
            // Of several statements all is listed first.
            assert_eq!(ask(sql), ask(&format!("SET bell.use_rollups = true; {sql}")), "{sql} {role:?}");
        }
    }
}

#[tokio::test]
async fn folders_that_a_question_cannot_need_are_not_looked_into() {
    let folder = in_folders().await;
    std::fs::write(folder.path().join("o/year=2024/kind=a/1.parquet"), "broken").unwrap();
    let nothing = vec![];
    let of = |year: i32| format!("SELECT MEASURE(n) FROM indicators WHERE year = {year}");
    assert_eq!(rows(folder.path(), &nothing, &of(2025)), "n\n333\n");
    let queried = bell(folder.path(), &nothing, &["query", "n", "--where", "year = 2025 and kind = 'b'", "-F", "csv"]);
    assert_eq!(String::from_utf8_lossy(&queried.stdout), "n\n30\n");
    // What it can need is: also where the condition is of no use.
    let either = "SELECT MEASURE(n) FROM indicators WHERE year = 2025 OR kind = 'a'".to_string();
    for sql in [of(2024), either] {
        let output = bell(folder.path(), &nothing, &["sql", &sql]);
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && printed.contains("kind=a/1.parquet"), "{sql}: {printed}");
    }
    // What lies beside the folders is told, whatever is asked.
    std::fs::write(folder.path().join("o/year=2025/extra.parquet"), "broken").unwrap();
    let output = bell(folder.path(), &nothing, &["sql", &of(2025)]);
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(printed.contains("extra.parquet: the file lies in no folder `kind=…`"), "{printed}");
    // A rollup is current if all files are those that it was made from.
    std::fs::remove_file(folder.path().join("o/year=2025/extra.parquet")).unwrap();
    write(folder.path(), "rollup.bell", "rollup r { indicators n  by year, kind  to 'r/' }");
    let output = bell(folder.path(), &nothing, &["sql", &of(2025)]);
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
