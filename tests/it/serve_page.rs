//! The page of `bell serve`: what it says without a browser, and what people do with it in Chromium, where it can be had.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::runs::write;
use super::serve::{Server, verifier};

const MODEL: &str = "
package shop
source o { from csv 'o.csv'  key id  time day  columns { x decimal(10, 2) } }
source p { from csv 'p.csv'  key id }
dimension region \"区域\" label en \"Region\" = o.region
/// What was <script>alert('told')</script>.
indicator sales \"<script>alert('label')</script>\" label zh \"销售额\" = sum(o.x)
indicator few   \"Few\" = sum(o.x) where region = 'nowhere'
indicator days  \"Days\" = count(distinct o.day)
indicator buyers \"Buyers\" = count(distinct o.buyer)
indicator things \"Things\" = count(*) of p
target sales { between 2 and 5  every month }
policy east on o to role east where region = '华东'
policy who on o mask buyer except role privacy
";

fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "model.bell", MODEL);
    let rows = "id,region,x,day,buyer\n1,华东,1.50,2026-01-01,a\n2,华南,2,2026-01-31,b\n3,华东,3,2026-02-01,a\n4,<script>alert('value')</script>,1,2026-02-02,b\n5,,1,2026-04-02,b\n";
    write(folder.path(), "o.csv", rows);
    write(folder.path(), "p.csv", "id\n1\n2\n");
    folder
}

/// An answer over HTTP.
struct Answer {
    head: String,
    body: String,
}

impl Answer {
    fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    #[track_caller]
    fn says(&self, text: &str) {
        assert!(self.body.contains(text), "{text} is not in\n{}\n{}", self.head, self.body);
    }

    #[track_caller]
    fn does_not_say(&self, text: &str) {
        assert!(!self.body.contains(text), "{text} is in\n{}", self.body);
    }
}

/// What a browser gets.
fn get(server: &Server, place: &str, headers: &[(&str, &str)]) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", server.http)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request =
        format!("GET {place} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAccept: text/html\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    Answer { head: head.to_string(), body: body.to_string() }
}

#[test]
fn nothing_that_is_named_becomes_a_part_of_the_page() {
    let folder = project();
    let server = Server::start(folder.path(), &[]);
    let hostile = "%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    for place in [
        "/".to_string(),
        "/i/sales?by=region".to_string(),
        format!("/i/sales?only=region%3A{hostile}"),
        "/why/sales?current=2026-02&by=region&find=true".to_string(),
        format!("/why/sales?current={hostile}"),
        format!("/?q={hostile}"),
        format!("/sql?q=SELECT+%27{hostile}%27"),
        format!("/i/{hostile}"),
        format!("/i/sales?grain={hostile}"),
    ] {
        let answer = get(&server, &place, &[]);
        answer.says("&lt;script&gt;");
        answer.does_not_say("<script");
        answer.does_not_say("style=\"");
        let policy = "content-security-policy: default-src 'none'; style-src 'self'";
        assert!(answer.head.contains(policy) && answer.head.contains("nosniff"), "{place}: {}", answer.head);
    }
}

#[test]
fn the_reader_is_spoken_to_in_their_language() {
    let folder = project();
    let server = Server::start(folder.path(), &[]);
    let place = "/i/sales?by=region";
    let chinese = get(&server, place, &[("Accept-Language", "zh-CN,zh;q=0.9,en;q=0.8")]);
    for said in ["lang=\"zh\"", "<title>销售额 · Bellwether</title>", "拆分维度", "按区域", "目标"] {
        chinese.says(said);
    }
    let english = get(&server, place, &[("Accept-Language", "en-GB")]);
    english.says("lang=\"en\"");
    english.says("Slices by");
    english.says("Region");
    // Between two values there is a band.
    english.says("target 2–5");
}

#[test]
fn what_cannot_be_shown_is_refused_with_the_fix() {
    let folder = project();
    let server = Server::start(folder.path(), &[]);
    for (place, status, said) in [
        ("/nothing", 404, "there is nothing here"),
        ("/i/saless", 404, "there is no indicator"),
        ("/scenario/x", 404, "all are at /scenarios"),
        ("/scorecard/x", 404, "the first page names all"),
        // Left out, it would show other numbers than were asked for.
        ("/i/sales?only=regon%3Aa", 400, "has no slices by `regon`; it has them by: region"),
        ("/i/sales?grain=hour", 400, "there are day, week, month, quarter, year"),
        ("/why/sales?only=regon%3Aa", 400, "has no slices by `regon`"),
        ("/why/sales?current=2026-99", 200, "write `2026`, `2026-Q1`, `2026-01`"),
        ("/sql?q=SELECT+regon+FROM+shop.indicators", 200, "did you mean `region`?"),
        ("/sql?q=DROP+TABLE+o", 200, "role=\"alert\""),
    ] {
        let answer = get(&server, place, &[]);
        answer.says(said);
        answer.says("<h1>");
        assert_eq!(answer.status(), status, "{place}");
    }
    get(&server, "/sql?q=SELECT+regon+FROM+shop.indicators", &[]).says("B0103");
    let program = get(&server, "/nothing", &[("Accept", "application/json")]);
    assert!(program.head.contains("404"), "{}", program.head);
}

/// A chart of a part of the slices would not add up, and nobody would see it.
#[test]
fn a_part_is_never_shown_as_the_whole() {
    let folder = project();
    let row = |number: usize| format!("a{number},r{number},1,2026-01-01,a\nb{number},r{number},2,2026-02-01,a\n");
    write(folder.path(), "o.csv", &("id,region,x,day,buyer\n".to_string() + &(0..5001).map(row).collect::<String>()));
    let server = Server::start(folder.path(), &[]);
    get(&server, "/why/sales?current=2026-02&by=region", &[]).says("more than 5000 rows");
    get(&server, "/i/sales?by=region", &[]).says("Only the first slices are shown");
    let listed = get(&server, "/sql?q=SELECT+value+FROM+generate_series(1,501)", &[]);
    listed.says("Only the first rows are shown");
    listed.does_not_say("<td class=\"number\">501</td>");
}

#[test]
fn values_are_of_what_is_looked_at() {
    let folder = project();
    let server = Server::start(folder.path(), &[]);
    // What has no tree is explained by its first dimension.
    get(&server, "/why/sales?current=2026-02", &[]).says("<h2>By Region</h2>");
    // Of a slice, not of the whole, and in the last period in which it has one.
    let slice = get(&server, "/i/sales?only=region%3A%E5%8D%8E%E5%8D%97", &[]);
    slice.says("<span class=\"value\">2</span>");
    slice.says("2026-01 · ");
    get(&server, "/i/sales?only=region", &[]).says("2026-04");
    let none = get(&server, "/i/few", &[]);
    none.says("It has no value here.");
    none.does_not_say("role=\"alert\"");
    let timeless = get(&server, "/i/things", &[]);
    timeless.says("<span class=\"value\">2</span>");
    timeless.says("It has no time axis");
    timeless.does_not_say("role=\"alert\"");
    timeless.does_not_say("/why/");
}

#[test]
fn the_page_shows_what_its_reader_may_see() {
    let folder = project();
    let users = format!("ann {} east\nbob {} *\ncarl {}\n", verifier("geheim"), verifier("secret"), verifier("x"));
    write(folder.path(), "users", &users);
    let server = Server::start(folder.path(), &["--users", folder.path().join("users").to_str().unwrap()]);
    let place = "/i/sales?by=region&grain=year";
    let as_user = |place: &str, pair: &str| {
        get(&server, place, &[("Authorization", &format!("Basic {}", STANDARD.encode(pair)))])
    };
    let stranger = get(&server, place, &[]);
    assert_eq!(stranger.status(), 401);
    assert!(stranger.head.to_lowercase().contains("www-authenticate: basic"), "{}", stranger.head);
    assert_eq!(as_user(place, "ann:Geheim").status(), 401);
    let ann = as_user(place, "ann:geheim");
    ann.says("华东");
    ann.does_not_say("华南");
    ann.says(">4.50<");
    let bob = as_user(place, "bob:secret");
    bob.says("华南");
    bob.says(">8.50<");
    // What is masked is not counted, but refused.
    let masked = as_user("/i/buyers", "ann:geheim");
    masked.says("role=\"alert\"");
    masked.says("buyer");
    as_user("/i/buyers", "bob:secret").does_not_say("role=\"alert\"");
    let carl = as_user("/i/sales", "carl:x");
    carl.says("you may see no rows of `o`");
    carl.does_not_say("class=\"value\"");
}

#[test]
fn people_get_where_they_want_in_a_browser() {
    let Some((modules, chromium)) = browser() else { return };
    let shots = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page-screenshots");
    std::fs::create_dir_all(&shots).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let serve = |example: &str| Server::start(&root.join("examples").join(example), &[]);
    let (retail, fulfilment) = (serve("retail"), serve("fulfilment"));
    let place = |server: &Server| format!("http://127.0.0.1:{}", server.http);
    let output = Command::new("node")
        .arg(root.join("tests/page/flows.mjs"))
        .args([&modules, &chromium])
        .args([place(&retail), place(&fulfilment)])
        .arg(&shots)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    println!("{said}screenshots are in {}", shots.display());
}

/// Where playwright-core and Chromium are, fetched if need be.
fn browser() -> Option<(PathBuf, PathBuf)> {
    let modules = Path::new(env!("CARGO_TARGET_TMPDIR")).join("playwright");
    std::fs::create_dir_all(&modules).unwrap();
    let known = || modules.join("node_modules/playwright-core/package.json").is_file();
    if !known() {
        let fetch = ["install", "--no-audit", "--no-fund", "playwright-core@1", "--prefix"];
        let _ = Command::new("npm").args(fetch).arg(&modules).output();
    }
    let chromium = PathBuf::from("/usr/bin/chromium");
    if !chromium.is_file() && is_root() {
        let _ = Command::new("apt-get").args(["install", "-y", "--no-install-recommends", "chromium"]).output();
    }
    let found = known() && chromium.is_file() && Command::new("node").arg("--version").output().is_ok();
    if !found {
        println!("skipped: node, playwright-core or Chromium cannot be had here");
    }
    found.then_some((modules, chromium))
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
