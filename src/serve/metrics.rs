//! What Prometheus reads of the server: counts and times, without names, texts or values.

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::{Entrance, Event};

type Labels = Vec<(&'static str, String)>;

/// Counters of what happens.
pub(super) struct Metrics {
    registry: Registry,
    questions: Family<Labels, Counter>,
    seconds: Family<Labels, Histogram>,
    rows: Family<Labels, Counter>,
    callers: Family<Labels, Gauge>,
    turned_away: Family<Labels, Counter>,
    readings: Family<Labels, Counter>,
    broken: Gauge,
    users_broken: Gauge,
    sessions: Family<Labels, Gauge>,
    running: Family<Labels, Gauge>,
    memory: Gauge,
}

/// Counts something for as long as it is there.
pub(super) struct Counted(Gauge);

impl Counted {
    fn by(gauge: &Family<Labels, Gauge>, entrance: Entrance) -> Counted {
        let gauge = gauge.get_or_create(&at(entrance)).clone();
        gauge.inc();
        Counted(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    pub(super) fn new() -> Metrics {
        let seconds: Family<Labels, Histogram> = Family::new_with_constructor(durations);
        let mut registry = Registry::with_prefix("bell");
        let (questions, rows, turned_away, readings) =
            (Family::default(), Family::default(), Family::default(), Family::default());
        let (callers, broken, users_broken) = (Family::default(), Gauge::default(), Gauge::default());
        let (sessions, running, memory) = (Family::default(), Family::default(), Gauge::default());
        registry.register("questions", "Questions by entrance and outcome", Family::clone(&questions));
        registry.register_with_unit(
            "question_duration",
            "How long questions took",
            Unit::Seconds,
            Family::clone(&seconds),
        );
        registry.register("rows_sent", "Rows that were sent", Family::clone(&rows));
        registry.register("callers", "Connections that are open", Family::clone(&callers));
        registry.register("turned_away", "Connections and logins that were refused", Family::clone(&turned_away));
        registry.register("readings", "How often the project was read again", Family::clone(&readings));
        registry.register("project_broken", "1 if the texts as they are now are not served", Gauge::clone(&broken));
        registry.register("users_broken", "1 if the file of users cannot be read", Gauge::clone(&users_broken));
        registry.register("sessions", "Callers who are let in", Family::clone(&sessions));
        registry.register("questions_running", "Questions that are being computed", Family::clone(&running));
        registry.register_with_unit("memory_reserved", "Memory of questions", Unit::Bytes, Gauge::clone(&memory));
        Metrics {
            registry,
            questions,
            seconds,
            rows,
            callers,
            turned_away,
            readings,
            broken,
            users_broken,
            sessions,
            running,
            memory,
        }
    }

    pub(super) fn saw(&self, event: &Event<'_>) {
        match event {
            Event::Connected { entrance, .. } => _ = self.callers.get_or_create(&at(*entrance)).inc(),
            Event::Left { entrance, .. } => _ = self.callers.get_or_create(&at(*entrance)).dec(),
            Event::TurnedAway { entrance, .. } => _ = self.turned_away.get_or_create(&at(*entrance)).inc(),
            Event::Asked { entrance, seconds, rows, outcome, .. } => {
                let labels = [at(*entrance), vec![("outcome", (*outcome).to_string())]].concat();
                self.questions.get_or_create(&labels).inc();
                self.seconds.get_or_create(&at(*entrance)).observe(*seconds);
                self.rows.get_or_create(&at(*entrance)).inc_by(*rows);
            }
            Event::Read { served, .. } => {
                self.readings.get_or_create(&vec![("served", served.to_string())]).inc();
                self.broken.set(i64::from(!served));
            }
            Event::Unread { .. } => _ = self.broken.set(1),
            Event::Users { .. } => _ = self.users_broken.set(0),
            Event::UsersUnread { .. } => _ = self.users_broken.set(1),
            Event::Listening { .. } | Event::Stopping => {}
        }
    }

    /// Somebody has a session.
    pub(super) fn session(&self, entrance: Entrance) -> Counted {
        Counted::by(&self.sessions, entrance)
    }

    /// Something is being computed.
    pub(super) fn running(&self, entrance: Entrance) -> Counted {
        Counted::by(&self.running, entrance)
    }

    /// As Prometheus reads it (OpenMetrics), with so many bytes of memory in use.
    pub(super) fn text(&self, memory: usize) -> String {
        self.memory.set(i64::try_from(memory).unwrap_or(i64::MAX));
        let mut text = String::new();
        // Writing to a text cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// From a millisecond to half a minute.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 16))
}

fn at(entrance: Entrance) -> Labels {
    vec![("entrance", entrance.name().to_string())]
}
