//! A run that is killed at any moment: readers see the old or the new whole, and the next run clears up.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bellwether::Engine;
use bellwether::store::manifest::Manifest;
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Int64Type;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// In every version of the data all rows have the number of the version: a mixture cannot go unseen.
const MODEL: &str = "
source o { from csv 'o.csv'  key id  time day }
dimension part = o.part
indicator version = max(o.version)
publish parts { indicators version  by day, part  to 'out'  partitioned by part }
";

const PARTS: usize = 6;
const DAYS: usize = 20;

const READER: &str = "source parts { from parquet '../out/'  partition by part varchar }";

struct Case {
    folder: tempfile::TempDir,
    version: i64,
}

impl Case {
    fn new() -> Case {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("project", MODEL), ("reader", READER)] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            let model = text.replace("to 'out'", "to '../out'");
            std::fs::write(folder.path().join(name).join("model.bell"), model).unwrap();
        }
        let mut case = Case { folder, version: 0 };
        case.next_version();
        case
    }

    fn next_version(&mut self) {
        self.version += 1;
        let rows = (0..PARTS * DAYS).map(|at| {
            let (part, day) = (at % PARTS, at / PARTS + 1);
            format!("{at},p{part},{},2026-01-{day:02}\n", self.version)
        });
        let text = "id,part,version,day\n".to_string() + &rows.collect::<String>();
        std::fs::write(self.folder.path().join("project/o.csv"), text).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bell"));
        command.args(["run", "-p"]).arg(self.folder.path().join("project"));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// The version that a reader sees; it is one and whole.
    async fn seen(&self) -> i64 {
        let engine = Engine::open(&self.folder.path().join("reader")).await.unwrap();
        let sql = "SELECT count(*), min(version), max(version), count(DISTINCT part) FROM parts";
        let rows = engine.sql(sql).await.unwrap().collect().await.unwrap();
        let number = |at: usize| rows[0].column(at).as_primitive::<Int64Type>().value(0);
        assert_eq!((number(0), number(3)), ((PARTS * DAYS) as i64, PARTS as i64));
        assert_eq!(number(1), number(2), "two versions at once");
        number(1)
    }

    fn data_files(&self) -> BTreeSet<String> {
        fn walk(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => walk(root, &path, found),
                    false => _ = found.insert(path.strip_prefix(root).unwrap().to_string_lossy().into_owned()),
                }
            }
        }
        let mut found = BTreeSet::new();
        let out = self.folder.path().join("out");
        walk(&out, &out, &mut found);
        ["_bell/manifest.json", "_bell/lock"].iter().for_each(|own| assert!(found.remove(*own), "{own}: {found:?}"));
        found
    }

    fn named(&self) -> BTreeSet<String> {
        let bytes = std::fs::read(self.folder.path().join("out/_bell/manifest.json")).unwrap();
        let manifest: Manifest = serde_json::from_slice(&bytes).unwrap();
        let restated = manifest.restated.iter().map(|run| format!("_bell/restated/{run}.jsonl"));
        manifest.files.iter().map(|file| file.path.clone()).chain(restated).collect()
    }

    /// What a reader sees after a run that was not let to its end, and that the next run is not disturbed by what it left.
    async fn check(&mut self) {
        let seen = self.seen().await;
        assert!(seen == self.version || seen == self.version - 1, "{seen}, not {}", self.version);
        let before = self.named();
        self.next_version();
        assert!(self.command().status().unwrap().success());
        assert_eq!(self.seen().await, self.version);
        let expected: BTreeSet<String> = self.named().union(&before).cloned().collect();
        assert_eq!(self.data_files(), expected);
        self.next_version();
    }
}

#[tokio::test]
async fn a_run_may_be_killed_at_any_moment() {
    let mut case = Case::new();
    let mut whole = Duration::MAX;
    for _ in 0..3 {
        let started = Instant::now();
        assert!(case.command().status().unwrap().success());
        whole = whole.min(started.elapsed());
        case.next_version();
    }
    let mut random = SmallRng::seed_from_u64(7);
    let (mut killed, mut attempts) = (0, 0);
    while killed < 50 {
        attempts += 1;
        assert!(attempts < 300, "only {killed} runs were killed");
        let mut child = case.command().spawn().unwrap();
        // Most of what happens does so towards the end.
        std::thread::sleep(whole.mul_f64(random.random::<f64>().sqrt()));
        child.kill().unwrap();
        if child.wait().unwrap().success() {
            // It was faster than those before.
            whole = whole.mul_f64(0.97);
        } else {
            killed += 1;
        }
        case.check().await;
    }
}

/// Between every two things that a run leaves behind.
#[cfg(debug_assertions)]
#[tokio::test]
async fn a_run_may_be_killed_before_every_step() {
    let mut case = Case::new();
    assert!(case.command().status().unwrap().success());
    case.next_version();
    for step in 1.. {
        let done = case.command().env("BELL_DIE_BEFORE_STEP", step.to_string()).status().unwrap().success();
        case.check().await;
        if done {
            // A file for each part, what moved, the manifest, its name, and what follows it.
            assert_eq!(step, PARTS + 5);
            return;
        }
    }
}
