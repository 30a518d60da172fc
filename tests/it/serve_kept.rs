//! Plans that a server keeps give what planning again would: with other settings, parameters, data and definitions.

use std::time::{Duration, Instant};

use super::runs::write;
use super::serve::{Server, project};

const OTHER: &str = "
package other
source r { from csv 'o.csv'  key id  time day  columns { x decimal(10, 2) } }
indicator sales = sum(r.x) * 100
";

#[test]
fn what_was_set_decides() {
    let folder = project();
    write(folder.path(), "other.bell", OTHER);
    let server = Server::start(folder.path(), &[]);
    let question = "SELECT MEASURE(sales) FROM indicators";
    let (mut ann, mut bob) = (server.connect(), server.connect());
    bob.ask("SET search_path TO other").unwrap();
    for _ in 0..3 {
        assert_eq!(ann.ask(question).unwrap(), "6.50");
        assert_eq!(bob.ask(question).unwrap(), "650.00");
    }
    ann.ask("SET search_path TO other").unwrap();
    assert_eq!(ann.ask(question).unwrap(), "650.00");
    ann.ask("RESET ALL").unwrap();
    assert_eq!(ann.ask(question).unwrap(), "6.50");
    // What is refused with one setting is answered with another.
    let largest = "SELECT MAX(sales) FROM indicators";
    bob.ask("SET bell.bi_compat = true").unwrap();
    assert_eq!(bob.ask(largest).unwrap(), "650.00");
    assert_eq!(bob.ask(largest).unwrap(), "650.00");
    assert!(ann.ask(largest).is_err());
}

#[test]
fn parameters_and_the_clock_are_not_kept() {
    let folder = project();
    let server = Server::start(folder.path(), &[]);
    let mut client = server.connect();
    let by_region = "SELECT MEASURE(sales) FROM indicators WHERE region = $1";
    for _ in 0..2 {
        assert_eq!(client.prepared(by_region, &["华东"]).unwrap(), "4.50");
        assert_eq!(client.prepared(by_region, &["华南"]).unwrap(), "2.00");
        assert_eq!(client.prepared("SELECT MEASURE(n) FROM indicators", &[]).unwrap(), "3");
    }
    let now = "SELECT now(), MEASURE(n) FROM indicators GROUP BY 1";
    assert_ne!(client.ask(now).unwrap(), client.ask(now).unwrap());
}

#[test]
fn other_data_and_other_definitions_are_seen() {
    let folder = project();
    let server = Server::start(folder.path(), &["--refresh", "1s"]);
    let mut client = server.connect();
    let question = "SELECT MEASURE(sales) FROM indicators";
    let becomes = |client: &mut super::serve::Client, value: &str| {
        let since = Instant::now();
        while client.ask(question).as_deref() != Ok(value) {
            assert!(since.elapsed() < Duration::from_secs(60), "{value} is not seen");
            std::thread::sleep(Duration::from_millis(100));
        }
    };
    becomes(&mut client, "6.50");
    let model = std::fs::read_to_string(folder.path().join("model.bell")).unwrap();
    write(folder.path(), "model.bell", &model.replace("sum(o.x)", "max(o.x)"));
    becomes(&mut client, "3.00");
    write(folder.path(), "o.csv", "id,region,x,day\n1,华东,7.25,2026-01-01\n");
    becomes(&mut client, "7.25");
    assert_eq!(server.connect().ask(question).unwrap(), "7.25");
}
