//! Sources as users have them: the odd files, and what each error says.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::*;
use datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::object_store::memory::InMemory;
use datafusion::object_store::{ObjectStore, ObjectStoreExt};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::prelude::SessionContext;
use tempfile::TempDir;

use super::*;
use crate::diagnostic::codes;

fn spec(format: Format, location: &str) -> SourceSpec {
    SourceSpec { name: "t".into(), format, locations: vec![location.into()], partitions: vec![], types: vec![] }
}

fn csv_spec(location: &str) -> SourceSpec {
    spec(Format::Csv(CsvOptions::default()), location)
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir
}

fn at(dir: &TempDir, name: &str) -> String {
    dir.path().join(name).to_string_lossy().into_owned()
}

async fn rows(spec: &SourceSpec, sql: &str) -> String {
    let ctx = SessionContext::new();
    ctx.register_table("t", open(spec, &ctx).await.unwrap()).unwrap();
    let batches = ctx.sql(sql).await.unwrap().collect().await.unwrap();
    let table = pretty_format_batches(&batches).unwrap().to_string();
    let lines = table.lines().filter(|line| line.starts_with('|')).skip(1);
    lines
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>().join(","))
        .collect::<Vec<_>>()
        .join(" ")
}

async fn refused(spec: &SourceSpec) -> StoreError {
    open(spec, &SessionContext::new()).await.map(|_| ()).unwrap_err()
}

/// The message with the folder's path cut out.
async fn message(spec: &SourceSpec, dir: &TempDir) -> String {
    refused(spec).await.to_string().replace(&format!("{}/", dir.path().display()), "")
}

async fn types(spec: &SourceSpec) -> String {
    let table = open(spec, &SessionContext::new()).await.unwrap();
    table.schema().fields().iter().map(|f| f.data_type().to_string()).collect::<Vec<_>>().join(" ")
}

fn write_parquet(path: &Path, columns: Vec<(&str, ArrayRef)>) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(std::fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn ints(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn gz(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn csv_types_come_from_every_row() {
    let late: String = (0..2000).map(|i| format!("{i},{i}\n")).collect();
    let dir = folder(&[
        ("a.csv", &format!("n,late\n{late}1,x\n")),
        ("b.csv", "d,code,at\n2026-01-31,007,2026-01-31 10:00:00\n"),
    ]);
    assert_eq!(types(&csv_spec(&at(&dir, "a.csv"))).await, "Int64 Utf8View");
    assert_eq!(types(&csv_spec(&at(&dir, "b.csv"))).await, "Date32 Utf8View Timestamp(µs)");
    assert_eq!(rows(&csv_spec(&at(&dir, "b.csv")), "select code from t").await, "007");
}

#[tokio::test]
async fn csv_declared_types_are_read_directly() {
    let dir = folder(&[("a.csv", "zip,amount\n00123,1.10\n90210,2\n")]);
    let mut spec = csv_spec(&at(&dir, "a.csv"));
    spec.types = vec![("zip".into(), DataType::Utf8View), ("amount".into(), DataType::Decimal128(18, 2))];
    assert_eq!(rows(&spec, "select * from t").await, "00123,1.10 90210,2.00");
    spec.types = vec![("amount".into(), DataType::Decimal128(18, 0))];
    assert_eq!(message(&spec, &dir).await, "a.csv, row 2: the value '1.10' of `amount` does not fit Decimal128(18, 0)");
    spec.types = vec![("zip_code".into(), DataType::Int64)];
    assert_eq!(message(&spec, &dir).await, "the files have no column `zip_code`");
}

#[tokio::test]
async fn csv_rows_must_have_all_fields() {
    let dir = folder(&[
        ("more.csv", "a,b\n1,2\n1,2,3\n"),
        ("fewer.csv", "a,b\n\"x\ny\",2\n1\n"),
        ("twice.csv", "a,a\n1,2\n"),
    ]);
    assert_eq!(
        message(&csv_spec(&at(&dir, "more.csv")), &dir).await,
        "more.csv, row 3: the row has 3 fields where the first line has 2"
    );
    // Row numbers are those of an editor, so a line break in a field counts.
    assert_eq!(
        message(&csv_spec(&at(&dir, "fewer.csv")), &dir).await,
        "fewer.csv, row 4: the row has 1 fields where the first line has 2"
    );
    assert_eq!(
        message(&csv_spec(&at(&dir, "twice.csv")), &dir).await,
        "twice.csv, row 1: the header has the column `a` twice"
    );
}

#[tokio::test]
async fn csv_options() {
    let dir =
        folder(&[("a.txt", "# made by hand\n1;'x;y';NA\n2;'';'NA'\n3;''';z\n".replace("''';z", "'q\\'q';z").as_str())]);
    let options = CsvOptions {
        header: false,
        delimiter: b';',
        quote: b'\'',
        escape: Some(b'\\'),
        comment: Some(b'#'),
        null: Some("NA".into()),
        compression: None,
    };
    let spec = spec(Format::Csv(options), &at(&dir, "a.txt"));
    // An empty text is not NULL where another text stands for it.
    let sql = "select column_1, column_2, column_3 is null, column_2 is null from t order by 1";
    assert_eq!(rows(&spec, sql).await, "1,x;y,true,false 2,,true,false 3,q'q,false,false");
}

#[tokio::test]
async fn csv_null_text_in_a_number_column() {
    let dir = folder(&[("a.csv", "n,m\n1,5\nn/a,6\n3,n/a\n")]);
    let options = CsvOptions { null: Some("n/a".into()), ..CsvOptions::default() };
    let spec = spec(Format::Csv(options), &at(&dir, "a.csv"));
    assert_eq!(rows(&spec, "select sum(n), count(m), sum(m) from t where m is null or m > 5").await, "3,1,6");
}

#[tokio::test]
async fn csv_line_breaks_in_fields_and_bom() {
    let body: String = (0..500).map(|i| format!("{i},\"one\ntwo {i}\"\n")).collect();
    let dir = folder(&[("a.csv", &format!("\u{feff}id,text\n{body}"))]);
    let sql = "select count(*), sum(id), replace(max(text), chr(10), '/') from t";
    assert_eq!(rows(&csv_spec(&at(&dir, "a.csv")), sql).await, "500,124750,one/two 99");
}

#[tokio::test]
async fn compressed_files_are_read_to_their_end() {
    let dir = folder(&[]);
    // Two members, as `cat a.gz b.gz` and log writers make them.
    let bytes = [gz("n\n1\n2\n"), gz("3\n")].concat();
    std::fs::write(dir.path().join("a.csv.gz"), &bytes).unwrap();
    std::fs::write(dir.path().join("cut.csv.gz"), &bytes[..bytes.len() - 12]).unwrap();
    std::fs::write(dir.path().join("b.json.gz"), gz("{\"n\": 4}\n")).unwrap();
    assert_eq!(rows(&csv_spec(&at(&dir, "a.csv.gz")), "select sum(n) from t").await, "6");
    assert_eq!(refused(&csv_spec(&at(&dir, "cut.csv.gz"))).await.code, codes::FILE_UNREADABLE);
    assert_eq!(rows(&spec(Format::Json { compression: None }, &at(&dir, "b.json.gz")), "select n from t").await, "4");
}

#[tokio::test]
async fn csv_files_must_agree() {
    let dir =
        folder(&[("s/a.csv", "a,b\n1,2\n"), ("s/b.csv", "b,a\n1,2\n"), ("u/a.csv", "a\n1\n"), ("u/b.csv", "a\nx\n")]);
    let error = message(&csv_spec(&at(&dir, "s")), &dir).await;
    assert_eq!(error, "s/b.csv: the columns stand in another order (s/a.csv has a, b)");
    assert_eq!(rows(&csv_spec(&at(&dir, "u")), "select max(a) from t").await, "x");
}

#[tokio::test]
async fn missing_and_empty() {
    let dir =
        folder(&[("zero.csv", ""), ("f/_SUCCESS", ""), ("zero.parquet", ""), ("junk.parquet", "PAR1 not at all")]);
    assert_eq!(message(&csv_spec(&at(&dir, "no.csv")), &dir).await, "no.csv: there is no such file or folder");
    assert_eq!(message(&csv_spec(&at(&dir, "f")), &dir).await, "f: the folder holds no file");
    assert!(refused(&csv_spec(&at(&dir, "*.tsv"))).await.to_string().ends_with(": no file matches `*.tsv`"));
    assert_eq!(message(&csv_spec(&at(&dir, "zero.csv")), &dir).await, "zero.csv: the file is empty: it has no columns");
    assert_eq!(
        message(&spec(Format::Parquet, &at(&dir, "zero.parquet")), &dir).await,
        "zero.parquet: the file is empty"
    );
    let error = refused(&spec(Format::Parquet, &at(&dir, "junk.parquet"))).await;
    assert_eq!(error.code, codes::FILE_UNREADABLE);
    assert!(error.to_string().contains("junk.parquet: "), "{error}");
}

#[tokio::test]
async fn parquet_any_name_and_glob() {
    let dir = folder(&[]);
    write_parquet(&dir.path().join("d/part one.dat"), vec![("n", ints(&[1, 2]))]);
    write_parquet(&dir.path().join("d/part-2"), vec![("n", ints(&[3]))]);
    write_parquet(&dir.path().join("d/other.x"), vec![("n", ints(&[100]))]);
    assert_eq!(rows(&spec(Format::Parquet, &at(&dir, "d/")), "select sum(n), count(*) from t").await, "106,4");
    assert_eq!(rows(&spec(Format::Parquet, &at(&dir, "d/part*")), "select sum(n) from t").await, "6");
    let mut several = spec(Format::Parquet, &at(&dir, "d/part-2"));
    several.locations.push(format!("file://{}/d/other.x", dir.path().display()));
    several.locations.push(at(&dir, "d/part-2"));
    assert_eq!(rows(&several, "select sum(n) from t").await, "103");
}

#[tokio::test]
async fn parquet_files_must_agree() {
    let dir = folder(&[]);
    write_parquet(&dir.path().join("a/1.parquet"), vec![("n", ints(&[1]))]);
    write_parquet(&dir.path().join("a/2.parquet"), vec![("n", Arc::new(Int32Array::from(vec![2])))]);
    write_parquet(&dir.path().join("b/1.parquet"), vec![("n", ints(&[1])), ("m", ints(&[1]))]);
    write_parquet(&dir.path().join("b/2.parquet"), vec![("n", ints(&[1]))]);
    write_parquet(&dir.path().join("c/1.parquet"), vec![("n", ints(&[1])), ("m", ints(&[5]))]);
    write_parquet(&dir.path().join("c/2.parquet"), vec![("m", ints(&[6])), ("n", ints(&[2]))]);
    let mut a = spec(Format::Parquet, &at(&dir, "a"));
    assert_eq!(message(&a, &dir).await, "a/2.parquet: `n` is Int32 here and Int64 in a/1.parquet");
    a.types = vec![("n".into(), DataType::Int64)];
    assert_eq!(rows(&a, "select sum(n) from t").await, "3");
    let b = spec(Format::Parquet, &at(&dir, "b"));
    assert_eq!(message(&b, &dir).await, "b/2.parquet: the column `m` is missing; b/1.parquet has it");
    assert_eq!(rows(&spec(Format::Parquet, &at(&dir, "c")), "select sum(n), sum(m) from t").await, "3,11");
}

#[tokio::test]
async fn parquet_declared_types_cast_and_never_lose() {
    let dir = folder(&[]);
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["9", "10"]));
    write_parquet(
        &dir.path().join("a.parquet"),
        vec![("s", texts), ("f", Arc::new(Float64Array::from(vec![1.5, 2.5])))],
    );
    let mut source = spec(Format::Parquet, &at(&dir, "a.parquet"));
    source.types = vec![("s".into(), DataType::Int64)];
    // Neither statistics nor pruning may compare the numbers as the texts they are in the file.
    assert_eq!(rows(&source, "select max(s), min(s), count(s) from t").await, "10,9,2");
    assert_eq!(rows(&source, "select count(*) from t where s > 9").await, "1");
    source.types = vec![("f".into(), DataType::Int64)];
    assert_eq!(refused(&source).await.code, codes::BAD_COLUMN_TYPE);
}

#[tokio::test]
async fn read_errors_name_the_file() {
    let dir = folder(&[]);
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["1", "x"]));
    write_parquet(&dir.path().join("p/1.parquet"), vec![("s", Arc::new(StringArray::from(vec!["1"])))]);
    write_parquet(&dir.path().join("p/2.parquet"), vec![("s", texts)]);
    let mut cast = spec(Format::Parquet, &at(&dir, "p"));
    cast.types = vec![("s".into(), DataType::Int64)];
    assert_eq!(explained(&cast).await.split(": ").next(), Some(format!("{}, row 1", at(&dir, "p/2.parquet")).as_str()));

    write_parquet(&dir.path().join("q/1.parquet"), vec![("n", ints(&[1; 10]))]);
    let broken = dir.path().join("q/2.parquet");
    write_parquet(&broken, vec![("n", Arc::new(Int64Array::from_iter_values((0..5000).map(|i| i * 7919 % 4999))))]);
    let mut bytes = std::fs::read(&broken).unwrap();
    bytes[4..400].fill(0xff);
    std::fs::write(&broken, bytes).unwrap();
    assert!(
        explained(&spec(Format::Parquet, &at(&dir, "q")))
            .await
            .starts_with(&format!("{}, row ", at(&dir, "q/2.parquet")))
    );
}

/// Reads all rows, which must fail, and asks for the reason.
async fn explained(spec: &SourceSpec) -> String {
    let ctx = SessionContext::new();
    let table = open(spec, &ctx).await.unwrap();
    let error = ctx.read_table(table).unwrap().collect().await.unwrap_err();
    explain_read_error(spec, &ctx, &error).await.unwrap().to_string()
}

#[tokio::test]
async fn hive_partitions_are_pruned() {
    let dir = folder(&[]);
    for (day, region, n) in
        [("2026-01-01", "east", 1), ("2026-01-02", "a%3Ab", 2), ("2026-01-02", "__HIVE_DEFAULT_PARTITION__", 4)]
    {
        write_parquet(&dir.path().join(format!("t/dt={day}/region={region}/x.parquet")), vec![("n", ints(&[n]))]);
    }
    let mut source = spec(Format::Parquet, &at(&dir, "t"));
    assert_eq!(refused(&source).await.help.as_deref(), Some("declare the folders: partition by dt, region"));
    source.partitions = vec![("dt".into(), DataType::Date32)];
    assert!(refused(&source).await.reason.contains("`region=…` is not declared"));
    source.partitions.push(("region".into(), DataType::Utf8));
    assert_eq!(
        rows(&source, "select n, dt, region from t order by n").await,
        "1,2026-01-01,east 2,2026-01-02,a:b 4,2026-01-02,"
    );
    assert_eq!(rows(&source, "select sum(n) from t where region is null").await, "4");
    assert_eq!(rows(&source, "select sum(n) from t where region <> 'east'").await, "2");
    assert_eq!(rows(&source, "select count(region), max(dt), count(*) from t").await, "2,2026-01-02,3");
    assert_eq!(rows(&source, "select count(*) from t where dt = '2030-01-01'").await, "0");

    let ctx = SessionContext::new();
    ctx.register_table("t", open(&source, &ctx).await.unwrap()).unwrap();
    let plan = rows_of(&ctx, "explain select sum(n) from t where dt = '2026-01-01' and n > 0").await;
    assert!(plan.contains("dt=2026-01-01") && !plan.contains("dt=2026-01-02"), "{plan}");

    source.partitions[0].1 = DataType::Int64;
    assert!(refused(&source).await.reason.contains("`dt=2026-01-01` does not fit the type Int64"));
}

async fn rows_of(ctx: &SessionContext, sql: &str) -> String {
    pretty_format_batches(&ctx.sql(sql).await.unwrap().collect().await.unwrap()).unwrap().to_string()
}

#[tokio::test]
async fn folders_are_taken_at_their_word() {
    let dir = folder(&[
        ("d/_delta_log/0.json", "{}"),
        ("d/a.csv", "n\n1\n"),
        ("n/a.csv", "n\n1\n"),
        ("n/deep/b.csv", "n\n2\n"),
    ]);
    assert!(refused(&csv_spec(&at(&dir, "d"))).await.reason.starts_with("this is a Delta Lake table"));
    assert_eq!(refused(&csv_spec(&at(&dir, "n"))).await.code, codes::BAD_LAYOUT);
    assert_eq!(rows(&csv_spec(&at(&dir, "n/**/*.csv")), "select sum(n) from t").await, "3");
    assert_eq!(rows(&csv_spec(&at(&dir, "n/*.csv")), "select sum(n) from t").await, "1");
}

#[tokio::test]
async fn json_types_and_broken_lines() {
    let json = |name: &str, dir: &TempDir| spec(Format::Json { compression: None }, &at(dir, name));
    let dir = folder(&[
        (
            "a.json",
            "{\"id\": 1, \"d\": \"2026-01-31\", \"code\": \"007\", \"x\": null}\n\n{\"id\": 2, \"extra\": 1.5}\n",
        ),
        ("bad.json", "{\"id\": 1}\n[1]\n"),
        ("cut.json", "{\"id\": 1}\n{\"id\": \n"),
        ("mixed.json", "{\"id\": 1}\n{\"id\": \"x\"}\n"),
        ("many/a.json", "{\"n\": 1}\n"),
        ("many/b.json", "{\"n\": 1.5, \"m\": true}\n"),
    ]);
    assert_eq!(
        rows(&json("a.json", &dir), "select id, d + interval '1 day', code, x, extra from t").await,
        "1,2026-02-01,007,, 2,,,,1.5"
    );
    assert_eq!(
        message(&json("bad.json", &dir), &dir).await,
        "bad.json, row 2: the line is not a JSON object; each line must hold one"
    );
    assert!(message(&json("cut.json", &dir), &dir).await.starts_with("cut.json, row 2: the line is not a JSON object"));
    assert_eq!(
        message(&json("mixed.json", &dir), &dir).await,
        "mixed.json, row 2: `id` is text here and a number in row 1"
    );
    assert_eq!(rows(&json("many", &dir), "select sum(n), count(m) from t").await, "2.5,1");
    let mut mixed = json("mixed.json", &dir);
    mixed.types = vec![("id".into(), DataType::Utf8View)];
    assert_eq!(rows(&mixed, "select id from t").await, "1 x");
}

#[tokio::test]
async fn arrow_files() {
    let dir = folder(&[]);
    let schema =
        Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, true), Field::new("s", DataType::Utf8, true)]));
    let columns: Vec<ArrayRef> = vec![ints(&[1, 2]), Arc::new(StringArray::from(vec!["10", "9"]))];
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
    let path = dir.path().join("a.arrow");
    let mut writer =
        datafusion::arrow::ipc::writer::FileWriter::try_new(std::fs::File::create(&path).unwrap(), &schema).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    let mut source = spec(Format::Arrow, &at(&dir, "a.arrow"));
    assert_eq!(rows(&source, "select sum(n), max(s) from t").await, "3,9");
    source.types = vec![("s".into(), DataType::Int64)];
    assert_eq!(rows(&source, "select max(s) from t where n > 0").await, "10");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 3]).unwrap();
    assert_eq!(refused(&source).await.code, codes::FILE_UNREADABLE);
}

#[tokio::test]
async fn stores_that_the_program_registered() {
    let ctx = SessionContext::new();
    let store = Arc::new(InMemory::new());
    store.put(&"o/a.csv".into(), "n\n1\n2\n".into()).await.unwrap();
    store.put(&"o/b.csv.gz".into(), [gz("n\n3\n"), gz("4\n")].concat().into()).await.unwrap();
    ctx.register_object_store(&url::Url::parse("s3://lake").unwrap(), store as Arc<dyn ObjectStore>);
    let sum = async |location: &str| {
        let table = open(&csv_spec(location), &ctx).await.unwrap();
        let batches = ctx.read_table(table).unwrap().collect().await.unwrap();
        batches
            .iter()
            .flat_map(|b| b.column(0).as_primitive::<datafusion::arrow::datatypes::Int64Type>().iter())
            .flatten()
            .sum::<i64>()
    };
    assert_eq!(sum("s3://lake/o/").await, 10);
    assert_eq!(sum("s3://lake/o/*.csv").await, 3);
    assert_eq!(sum("s3://lake/o/b.csv.gz").await, 7);
    let error = open(&csv_spec("s3://lake/no/"), &ctx).await.map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "s3://lake/no: the folder holds no file");
}

#[cfg(feature = "cloud")]
#[tokio::test]
async fn over_http() {
    let port = serve_once_and_again("n,s\n1,a\n2,b\n");
    assert_eq!(rows(&csv_spec(&format!("http://127.0.0.1:{port}/d/a.csv?sig=abc")), "select sum(n) from t").await, "3");
    let error = refused(&csv_spec(&format!("http://me:hunter22@127.0.0.1:{port}/forbidden.csv?sig=s3cr3t"))).await;
    let text = format!("{error} {:?}", error);
    assert!(!text.contains("hunter22") && !text.contains("s3cr3t"), "{text}");
    assert_eq!(error.code, codes::FILE_UNREADABLE);
}

/// A web server of a few lines: every path is the body, except those with `forbidden`.
#[cfg(feature = "cloud")]
fn serve_once_and_again(body: &'static str) -> u16 {
    use std::io::Read;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let dated = "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nConnection: close\r\n";
            let (status, body) = if request.contains("forbidden") { ("403 Forbidden", "") } else { ("200 OK", body) };
            let sent = if request.starts_with("HEAD") { "" } else { body };
            let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n{dated}\r\n{sent}", body.len());
        }
    });
    port
}

#[tokio::test]
async fn nanoseconds_are_kept() {
    let dir = folder(&[]);
    let moments: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![1_700_000_000_123_456_789]));
    write_parquet(&dir.path().join("a.parquet"), vec![("at", moments)]);
    let mut source = spec(Format::Parquet, &at(&dir, "a.parquet"));
    assert_eq!(types(&source).await, "Timestamp(ns)");
    source.types = vec![("at".into(), DataType::Timestamp(TimeUnit::Millisecond, None))];
    assert_eq!(refused(&source).await.code, codes::BAD_COLUMN_TYPE);
}

#[test]
fn opening_can_be_spawned() {
    fn is_send<T: Send>(_: T) {}
    let ctx = SessionContext::new();
    is_send(open(&csv_spec("x"), &ctx));
}
