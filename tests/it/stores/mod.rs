//! The same answers from object stores as from disk, also where requests fail, and never from two versions of a file.

mod proxy;
mod reads;
pub mod servers;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::object_store::aws::AmazonS3Builder;
use datafusion::object_store::azure::MicrosoftAzureBuilder;
use datafusion::object_store::path::Path as ObjectPath;
use datafusion::object_store::{ObjectStore, ObjectStoreExt};
use futures::TryStreamExt;
use serde_json::Value;

type Environment = Vec<(&'static str, String)>;

/// Questions that read every kind of file of the example, with joins, windows and several facts.
const QUESTIONS: &[&str] = &[
    "SELECT channel, MEASURE(gmv), MEASURE(buyers) FROM retail.indicators GROUP BY ROLLUP (channel) ORDER BY channel",
    "SELECT region, metric_time__month, MEASURE(gmv), MEASURE(conversion), MEASURE(gmv_yoy) FROM retail.indicators \
     GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT category, MEASURE(gmv), MEASURE(buyers) FROM retail.indicators GROUP BY 1 ORDER BY 1",
];

const PUBLICATIONS: &str = "
publish pack { indicators gmv, buyers  by month, region  to 'OUT/pack/'  partitioned by month }
publish totals { indicators gmv, buyers  by channel  to 'OUT/totals/'  format csv }
";

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/retail")
}

/// The example over data at another place.
fn project(data: &str, out: &str) -> tempfile::TempDir {
    fn copy(from: &Path, to: &Path, data: &str) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            let target = to.join(path.file_name().unwrap());
            if path.is_dir() && !path.ends_with("data") {
                copy(&path, &target, data);
            } else if path.extension().is_some_and(|end| end == "bell") {
                let text = std::fs::read_to_string(&path).unwrap().replace("'data/", &format!("'{data}"));
                std::fs::write(target, text).unwrap();
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    copy(&example(), folder.path(), data);
    let publications = format!("package retail\n{}", PUBLICATIONS.replace("OUT", out));
    std::fs::write(folder.path().join("publications.bell"), publications).unwrap();
    folder
}

fn bell(folder: &Path, environment: &Environment, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bell"));
    command.args(arguments).current_dir(folder).envs(environment.iter().map(|(key, value)| (key, value)));
    command.output().unwrap()
}

fn rows(folder: &Path, environment: &Environment, sql: &str) -> String {
    let output = bell(folder, environment, &["sql", "-F", "csv", sql]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn reports(folder: &Path, environment: &Environment, arguments: &[&str]) -> Vec<Value> {
    let output = bell(folder, environment, &[&["run", "-F", "json"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn answers(folder: &Path, environment: &Environment) -> Vec<String> {
    QUESTIONS.iter().map(|sql| rows(folder, environment, sql)).collect()
}

fn local() -> (tempfile::TempDir, Environment) {
    (project(&format!("{}/data/", example().display()), "out"), vec![])
}

async fn upload(store: &dyn ObjectStore, folder: &str) {
    for entry in std::fs::read_dir(example().join("data")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let target = ObjectPath::from(format!("{folder}/{name}"));
        store.put(&target, std::fs::read(&path).unwrap().into()).await.unwrap();
    }
}

fn s3(address: &str) -> Arc<dyn ObjectStore> {
    let store = AmazonS3Builder::new().with_bucket_name("lake").with_endpoint(address).with_allow_http(true);
    let store = store.with_access_key_id("tester").with_secret_access_key("not-so-secret").with_region("us-east-1");
    Arc::new(store.build().unwrap())
}

/// What a published folder in a store says when Bell reads it.
fn read_back(environment: &Environment, out: &str) -> String {
    let reader = tempfile::tempdir().unwrap();
    let model = format!(
        "source pack {{ from parquet '{out}/pack/'  partition by month date }}\nsource totals {{ from csv '{out}/totals/' }}"
    );
    std::fs::write(reader.path().join("model.bell"), model).unwrap();
    let pack = rows(reader.path(), environment, "SELECT month, region, gmv, buyers FROM pack ORDER BY 1, 2");
    pack + &rows(reader.path(), environment, "SELECT * FROM totals ORDER BY 1")
}

fn published_on_disk() -> String {
    let (folder, environment) = local();
    reports(folder.path(), &environment, &[]);
    read_back(&environment, &folder.path().join("out").display().to_string())
}

/// A rollup there answers as rows do.
fn answers_from_rollups(folder: &Path, environment: &Environment, out: &str) {
    let rollup =
        format!("package retail\nrollup monthly {{ indicators buyers  by month, channel  to '{out}/monthly/' }}\n");
    std::fs::write(folder.join("rollups.bell"), rollup).unwrap();
    let sql = "SELECT channel, MEASURE(buyers) FROM retail.indicators GROUP BY channel ORDER BY channel";
    let from_rows = rows(folder, environment, sql);
    assert_eq!(reports(folder, environment, &["monthly"])[0]["outcome"], "published");
    assert_eq!(reports(folder, environment, &["monthly"])[0]["outcome"], "current");
    assert_eq!(rows(folder, environment, sql), from_rows);
    let explained = bell(folder, environment, &["explain", sql]);
    let explained = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(explained.contains(": from `retail.monthly`"), "{explained}");
    let runs = rows(folder, environment, "SELECT name, outcome FROM bell.runs WHERE kind = 'rollup'");
    assert!(runs.contains(",published"), "{runs}");
}

#[tokio::test]
async fn s3_answers_and_is_published_to_as_the_disk_is() {
    let Some(server) = servers::s3() else { return };
    let store = s3(&server.address());
    upload(store.as_ref(), "retail").await;
    let environment = servers::s3_environment(&server.address());
    let folder = project("s3://lake/retail/", "s3://lake/out");
    let (disk, nothing) = local();
    assert_eq!(answers(folder.path(), &environment), answers(disk.path(), &nothing));
    let first = reports(folder.path(), &environment, &["--jobs", "2"]);
    assert!(first[0]["inputs"][0]["files"][0]["etag"].is_string());
    assert_eq!(read_back(&environment, "s3://lake/out"), published_on_disk());
    // A part anew, then all: what the run before had replaced is gone, and no lock is left.
    let second = reports(folder.path(), &environment, &["pack", "--from", "2025-02", "--to", "2025-03"]);
    assert_eq!((&second[0]["files"], &second[0]["kept"]), (&Value::from(2), &Value::from(22)));
    let third = reports(folder.path(), &environment, &["pack"]);
    assert_eq!(third[0]["cleaned"], 2);
    assert_eq!(read_back(&environment, "s3://lake/out"), published_on_disk());
    let left: Vec<_> = store.list(Some(&ObjectPath::from("out/pack"))).try_collect().await.unwrap();
    assert_eq!(left.len(), 24 + 24 + 1, "{left:?}");
    answers_from_rollups(folder.path(), &environment, "s3://lake/out");
}

#[tokio::test]
async fn azure_answers_and_is_published_to_as_the_disk_is() {
    let Some(server) = servers::azure() else { return };
    let environment = servers::azure_environment(&server.address());
    let folder = project("az://lake/retail/", "az://lake/out");
    let Some(store) = azure_container(&server) else { return };
    upload(store.as_ref(), "retail").await;
    let (disk, nothing) = local();
    assert_eq!(answers(folder.path(), &environment), answers(disk.path(), &nothing));
    reports(folder.path(), &environment, &[]);
    reports(folder.path(), &environment, &["pack", "--from", "2025-02", "--to", "2025-03"]);
    assert_eq!(read_back(&environment, "az://lake/out"), published_on_disk());
    answers_from_rollups(folder.path(), &environment, "az://lake/out");
}

fn azure_container(server: &servers::Server) -> Option<Arc<dyn ObjectStore>> {
    servers::make_container(server)?;
    let builder = MicrosoftAzureBuilder::new().with_container_name("lake").with_account("devstoreaccount1");
    let builder = builder.with_access_key(servers::AZURE_KEY);
    let endpoint = format!("{}/devstoreaccount1", server.address());
    let store = builder.with_endpoint(endpoint).with_allow_http(true).build().unwrap();
    Some(Arc::new(store))
}

#[test]
fn web_servers_answer_as_the_disk_does() {
    let address = servers::files(example().join("data"));
    let folder = project(&format!("{address}/"), "out");
    let (disk, nothing) = local();
    assert_eq!(answers(folder.path(), &nothing), answers(disk.path(), &nothing));
}

#[tokio::test]
async fn what_fails_on_the_way_changes_no_answer() {
    let Some(server) = servers::s3() else { return };
    upload(s3(&server.address()).as_ref(), "retail").await;
    let folder = project("s3://lake/retail/", "s3://lake/out");
    let (disk, nothing) = local();
    let expected = answers(disk.path(), &nothing);
    let published = published_on_disk();
    let (mut answered, mut failed, mut broken) = (0, 0, 0);
    for seed in 0..4 {
        let (address, seen) = proxy::to(server.port, 0.2, seed);
        let environment = servers::s3_environment(&address);
        for (sql, expected) in QUESTIONS.iter().zip(&expected) {
            let output = bell(folder.path(), &environment, &["sql", "-F", "csv", sql]);
            match output.status.success() {
                true => {
                    assert_eq!(String::from_utf8(output.stdout).unwrap(), *expected);
                    answered += 1;
                }
                false => {
                    // Never a part of an answer, and an error that names the file.
                    let printed = String::from_utf8(output.stderr).unwrap();
                    assert!(output.stdout.is_empty() && printed.contains("s3://lake/retail/"), "{printed}");
                    failed += 1;
                }
            }
        }
        let run = bell(folder.path(), &environment, &["run", "--wait", "90"]);
        match run.status.success() {
            true => assert_eq!(read_back(&servers::s3_environment(&server.address()), "s3://lake/out"), published),
            false => {
                let printed = String::from_utf8(run.stderr).unwrap();
                assert!(printed.contains("s3://lake/"), "{printed}");
                broken += 1;
            }
        }
        let faults = seen.faults.load(Ordering::SeqCst);
        assert!(faults > 10, "{faults} of {}", seen.requests.load(Ordering::SeqCst));
    }
    println!("{answered} answered, {failed} failed with an error; {broken} runs failed");
    assert!(answered > failed);
    // Whatever a run has left: the next one is not disturbed by it.
    let direct = servers::s3_environment(&server.address());
    reports(folder.path(), &direct, &["--wait", "90"]);
    assert_eq!(read_back(&direct, "s3://lake/out"), published);
}

/// What a question says of a source whose only file is replaced after it was listed.
async fn asked_after(ctx: datafusion::prelude::SessionContext, model: &str, replace: impl AsyncFnOnce()) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("model.bell"), model).unwrap();
    let engine = bellwether::Engine::with_context(ctx, folder.path()).await.unwrap();
    replace().await;
    let frame = engine.sql("SELECT MEASURE(total) FROM indicators").await.unwrap();
    match frame.collect().await {
        Ok(rows) => format!("{rows:?}"),
        Err(error) => engine.explained(error).await.to_string(),
    }
}

const REPLACED: &str = "o.parquet: the file was replaced while it was read";

/// Two files of one size, so that nothing but the version tells them apart.
async fn two_files(folder: &Path) -> (Vec<u8>, Vec<u8>) {
    let ctx = datafusion::prelude::SessionContext::new();
    let mut written = Vec::new();
    for number in [1, 2] {
        let path = folder.join(format!("{number}.parquet"));
        let rows = ctx.sql(&format!("SELECT {number} AS x, value AS id FROM generate_series(1, 1000)")).await.unwrap();
        let options = datafusion::dataframe::DataFrameWriteOptions::new().with_single_file_output(true);
        rows.write_parquet(path.to_str().unwrap(), options, None).await.unwrap();
        written.push(std::fs::read(path).unwrap());
    }
    (written.remove(0), written.remove(0))
}

fn total_of(location: &str) -> String {
    format!("source o {{ from parquet '{location}'  key id }}\nindicator total = sum(o.x + o.id)")
}

#[tokio::test]
async fn a_file_that_is_replaced_on_disk_gives_an_error_and_no_mixture() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = two_files(folder.path()).await;
    let path = folder.path().join("o.parquet");
    std::fs::write(&path, old).unwrap();
    let replace = async || {
        std::fs::write(folder.path().join("beside"), &new).unwrap();
        std::fs::rename(folder.path().join("beside"), &path).unwrap();
    };
    let said = asked_after(Default::default(), &total_of(&path.display().to_string()), replace).await;
    assert!(said.contains(REPLACED), "{said}");
}

#[tokio::test]
async fn an_object_that_is_replaced_gives_an_error_and_no_mixture() {
    let Some(server) = servers::s3() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = two_files(folder.path()).await;
    let (store, path) = (s3(&server.address()), ObjectPath::from("o.parquet"));
    store.put(&path, old.into()).await.unwrap();
    let ctx = datafusion::prelude::SessionContext::new();
    ctx.register_object_store(&url::Url::parse("s3://lake").unwrap(), Arc::clone(&store));
    let replace = async || _ = store.put(&path, new.into()).await.unwrap();
    let said = asked_after(ctx, &total_of("s3://lake/o.parquet"), replace).await;
    assert!(said.contains(REPLACED), "{said}");
}
