//! Transactions over the wire, as PostgreSQL has them: they fail, go back to savepoints, and take their settings with them.

use super::serve::{Client, Server, project};

/// A connection whose every answer is told with how the transaction stands after it.
struct Told {
    client: Client,
    prepared: bool,
}

impl Told {
    fn ask(&mut self, sql: &str) -> String {
        let answer = match self.prepared {
            true => self.client.prepared(sql, &[]),
            false => self.client.ask(sql),
        };
        let answer = answer.unwrap_or_else(|error| error[..5].to_string());
        format!("{} {answer}", self.client.status as char).trim_end().to_string()
    }

    fn each(&mut self, talk: &[(&str, &str)]) {
        for (sql, wanted) in talk {
            assert_eq!(self.ask(sql), *wanted, "{sql}");
        }
    }
}

/// The same for statements as texts and for prepared ones.
fn both_ways(talk: &[(&str, &str)]) {
    let folder = project();
    let server = Server::start(folder.path(), &[]);
    for prepared in [false, true] {
        Told { client: server.connect(), prepared }.each(talk);
    }
}

#[test]
fn after_an_error_only_the_end_is_heard() {
    both_ways(&[
        ("SELECT nothing", "I 42703"),
        ("BEGIN", "T"),
        ("SELECT 1", "T 1"),
        ("SELECT nothing", "E 42703"),
        ("SELECT 1", "E 25P02"),
        ("SHOW work_mem", "E 25P02"),
        ("BEGIN", "E 25P02"),
        ("COMMIT", "I"),
        ("SELECT 1", "I 1"),
        ("BEGIN", "T"),
        // It fails while its rows are sent.
        ("SELECT 1 / (a.value - 3) FROM generate_series(1, 3) a", "E 22000"),
        ("SAVEPOINT a", "E 25P02"),
        ("ROLLBACK AND CHAIN", "T"),
        ("SELECT 1", "T 1"),
        ("END", "I"),
    ]);
}

#[test]
fn savepoints_are_gone_back_to() {
    both_ways(&[
        ("SAVEPOINT a", "I 25P01"),
        ("BEGIN", "T"),
        ("SAVEPOINT a", "T"),
        ("SET work_mem = '1MB'", "T"),
        ("SAVEPOINT b", "T"),
        ("SET work_mem = '2MB'", "T"),
        ("DECLARE c CURSOR FOR SELECT 1", "T"),
        ("SELECT nothing", "E 42703"),
        ("ROLLBACK TO SAVEPOINT b", "T"),
        ("SHOW work_mem", "T 1MB"),
        ("ROLLBACK TO b", "T"),
        ("FETCH c", "E 34000"),
        ("ROLLBACK TO a", "T"),
        ("SHOW work_mem", "T 4MB"),
        ("ROLLBACK TO b", "E 3B001"),
        ("ROLLBACK TO a", "T"),
        ("RELEASE SAVEPOINT a", "T"),
        ("RELEASE a", "E 3B001"),
        ("COMMIT", "I"),
        ("SHOW work_mem", "I 4MB"),
    ]);
}

#[test]
fn what_a_transaction_sets_ends_as_it_does() {
    both_ways(&[
        ("SET LOCAL work_mem = '9MB'", "I"),
        ("SHOW work_mem", "I 4MB"),
        ("BEGIN", "T"),
        ("SET work_mem = '1MB'", "T"),
        ("SET LOCAL work_mem = '2MB'", "T"),
        ("SET bell.bi_compat = true", "T"),
        ("SELECT MAX(sales) FROM indicators", "T 6.50"),
        ("SHOW work_mem", "T 2MB"),
        ("COMMIT", "I"),
        ("SHOW work_mem", "I 1MB"),
        ("SELECT MAX(sales) FROM indicators", "I 6.50"),
        ("BEGIN", "T"),
        ("RESET bell.bi_compat", "T"),
        ("SET search_path = public", "T"),
        ("SET LOCAL TIME ZONE 'Asia/Shanghai'", "T"),
        ("DISCARD ALL", "E 25001"),
        ("ROLLBACK", "I"),
        ("SELECT MAX(sales) FROM indicators", "I 6.50"),
        ("SHOW TIME ZONE", "I UTC"),
        ("BEGIN", "T"),
        ("SET LOCAL bell.bi_compat = false", "T"),
        ("SELECT MAX(sales) FROM indicators", "E 42803"),
        // What has failed cannot be kept.
        ("COMMIT", "I"),
        ("SELECT MAX(sales) FROM indicators", "I 6.50"),
        ("DISCARD ALL", "I"),
        ("SELECT MAX(sales) FROM indicators", "I 42803"),
    ]);
}

#[test]
fn a_message_is_done_whole_or_not_at_all() {
    let folder = project();
    let server = Server::start(folder.path(), &[]);
    let mut told = Told { client: server.connect(), prepared: false };
    told.each(&[
        ("SET work_mem = '1MB'; SELECT nothing", "I 42703"),
        ("SHOW work_mem", "I 4MB"),
        ("SELECT 1; BEGIN; SELECT nothing; COMMIT", "E 42703"),
        ("SELECT 1", "E 25P02"),
        ("ROLLBACK; BEGIN; SET LOCAL work_mem = '1MB'", "T"),
        ("SHOW work_mem; COMMIT; SHOW work_mem", "I 1MB;4MB"),
        // Cursors that outlive a transaction are of one that ended well.
        ("BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 1; ROLLBACK; FETCH c", "I 34000"),
        ("BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT 1; COMMIT; FETCH c", "I 1"),
    ]);
    // What is odd is said, and done all the same.
    for odd in ["COMMIT", "SET LOCAL work_mem = '1MB'", "BEGIN; BEGIN"] {
        told.client.send(b'Q', &[odd.as_bytes(), b"\0"].concat());
        let messages = told.client.until_ready().unwrap();
        assert!(messages.iter().any(|(kind, _)| *kind == b'N'), "{odd}: {messages:?}");
    }
    // The word that is answered to a commit that is none.
    told.client.send(b'Q', b"SELECT nothing\0");
    assert!(told.client.until_ready().is_err());
    told.client.send(b'Q', b"COMMIT\0");
    assert!(told.client.until_ready().unwrap().contains(&(b'C', b"ROLLBACK\0".to_vec())));
}
