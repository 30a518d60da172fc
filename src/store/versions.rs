//! Whether what a store says of a file tells it from any other that could take its place.
//!
//! Stores say a file's length, the time when it was written, and often a tag. Two files of one length may be written within
//! one tick of a clock: most stores tell seconds, and disks some milliseconds. Then what is known of the first would be
//! taken for the second's.

use std::time::Duration;

use chrono::{DateTime, Utc};
use datafusion::object_store::ObjectMeta;

/// Longer than any tick, and than clocks of two machines are apart.
const SETTLED: Duration = Duration::from_secs(60);

/// Whether a store's tags are made from the content or anew by each write. Those of disks and of many HTTP servers are made
/// from length and time, and tell no more than these.
pub(super) fn by_content(store: &str) -> bool {
    let kind = store.split_once(':').map_or(store, |(kind, _)| kind);
    matches!(kind, "s3" | "s3a" | "gs" | "gcs" | "az" | "azure" | "adl" | "abfs" | "abfss")
}

/// Whether what is written from now on has another time. Of a server that tells no times, they are those of 1970.
pub(super) fn is_settled(file: &ObjectMeta) -> bool {
    was_settled(file, Utc::now())
}

fn was_settled(file: &ObjectMeta, at: DateTime<Utc>) -> bool {
    let age = at.signed_duration_since(file.last_modified).to_std();
    file.last_modified > DateTime::UNIX_EPOCH && age.is_ok_and(|age| age > SETTLED)
}

/// What tells a version from all others beside length and time: its tag. Without one, and where another file could have its
/// time, the moment when it was listed: that equals no later one, so nobody takes the file for one that he knows.
pub(super) fn tag_of(file: &ObjectMeta, listed: DateTime<Utc>) -> Option<String> {
    let unknown = || (!was_settled(file, listed)).then(|| format!("none, listed {}", listed.to_rfc3339()));
    file.e_tag.clone().or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_just_been_written_and_what_has_no_time_is_not_settled() {
        let written = |last_modified: DateTime<Utc>| {
            let (location, e_tag) = ("a.csv".into(), Some("one".to_string()));
            ObjectMeta { location, last_modified, size: 1, e_tag, version: None }
        };
        let ago = |seconds: i64| is_settled(&written(Utc::now() - chrono::Duration::seconds(seconds)));
        assert_eq!([ago(-30), ago(0), ago(30), ago(90)], [false, false, false, true]);
        assert!(!is_settled(&written(DateTime::UNIX_EPOCH)));
    }

    #[test]
    fn what_could_be_another_file_is_told_from_every_one_that_is_listed_later() {
        let written = |last_modified: DateTime<Utc>, e_tag: Option<&str>| {
            let e_tag = e_tag.map(str::to_string);
            ObjectMeta { location: "a.csv".into(), last_modified, size: 1, e_tag, version: None }
        };
        let now = Utc::now();
        let hour = chrono::Duration::hours(1);
        assert_eq!(tag_of(&written(now, Some("one")), now).as_deref(), Some("one"));
        assert_eq!(tag_of(&written(now - hour, None), now), None);
        for time in [now, DateTime::UNIX_EPOCH] {
            let file = written(time, None);
            assert_ne!(tag_of(&file, now), tag_of(&file, now + chrono::Duration::seconds(1)));
        }
    }

    #[test]
    fn tags_of_disks_and_web_servers_may_be_made_from_times() {
        let stores = ["file:///", "http://a/", "https://a/", "s3://lake/", "az://lake/", "gs://lake/"];
        assert_eq!(stores.map(by_content), [false, false, false, true, true, true]);
    }
}
