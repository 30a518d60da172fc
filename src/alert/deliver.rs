//! Telling what is due: printing, and posting to webhooks.

use std::time::Duration;

use async_trait::async_trait;

use super::event::Event;
use super::journal::{Journal, PRINTED};
use crate::error::{Error, Result};

/// Carries events to webhooks.
#[async_trait]
pub trait Courier: Sync {
    /// Posts a text under a key, by which a receiver knows one that it has already.
    ///
    /// # Errors
    /// Why it did not arrive, as far as it is known.
    async fn post(&self, address: &str, key: &str, body: &str) -> std::result::Result<(), String>;
}

/// What could not be told.
#[derive(Debug)]
pub struct Undelivered {
    /// Of which event.
    pub key: String,
    /// To whom.
    pub to: String,
    /// Why.
    pub reason: String,
}

/// Tells everything that is due: `print` each event, post it to its webhooks. What fails stays due.
///
/// # Errors
/// If the journal cannot be written, or `print` fails: then nobody else is told.
pub async fn deliver(
    journal: &mut Journal,
    courier: &impl Courier,
    print: &mut (impl FnMut(&str) -> Result<()> + Send),
) -> Result<Vec<Undelivered>> {
    let mut undelivered = Vec::new();
    for (event, receivers) in journal.due() {
        let body = text(&event)?;
        for to in receivers {
            if to == PRINTED {
                print(&body)?;
            } else if let Err(reason) = post(courier, &to, &event.key, &body).await {
                undelivered.push(Undelivered { key: event.key.clone(), to, reason });
                continue;
            }
            journal.told(&event.key, &to)?;
        }
    }
    Ok(undelivered)
}

/// The event on one line.
///
/// # Errors
/// None that a caller could bring about.
pub fn text(event: &Event) -> Result<String> {
    serde_json::to_string(event).map_err(|error| Error::Data(error.to_string()))
}

async fn post(courier: &impl Courier, to: &str, key: &str, body: &str) -> std::result::Result<(), String> {
    let address = with_variables(to)?;
    courier.post(&address, key, body).await
}

/// The address with `${NAME}` replaced from the environment: secrets stay out of files, events and journals.
fn with_variables(address: &str) -> std::result::Result<String, String> {
    let mut found = String::new();
    let mut rest = address;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, behind)) = after.split_once('}') else { return Err("`${` is not closed".to_string()) };
        let value = std::env::var(name).map_err(|_| format!("the environment variable `{name}` is not set"))?;
        found += before;
        found += &value;
        rest = behind;
    }
    Ok(found + rest)
}

/// How often and how patiently a webhook is tried.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// At most so many times.
    pub attempts: u32,
    /// How long after the first one; twice as long after each further one.
    pub pause: Duration,
    /// How long an answer is waited for.
    pub timeout: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { attempts: 4, pause: Duration::from_millis(500), timeout: Duration::from_secs(10) }
    }
}

/// For builds without the cargo feature `webhooks`: posts nothing.
#[derive(Debug, Clone, Copy)]
pub struct NoWebhooks;

#[async_trait]
impl Courier for NoWebhooks {
    async fn post(&self, _address: &str, _key: &str, _body: &str) -> std::result::Result<(), String> {
        Err("this build has no webhooks (cargo feature `webhooks`)".to_string())
    }
}

#[cfg(feature = "webhooks")]
pub use http::Webhooks;

#[cfg(feature = "webhooks")]
mod http {
    use std::time::Duration;

    use async_trait::async_trait;
    use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
    use reqwest::{Client, Response, StatusCode};

    use super::{Courier, Patience};

    /// Posts by HTTP.
    #[derive(Debug)]
    pub struct Webhooks {
        client: Client,
        patience: Patience,
    }

    /// Nobody waits longer for a receiver that asks for it.
    const LONGEST: Duration = Duration::from_secs(60);

    impl Webhooks {
        /// A client with that patience.
        ///
        /// # Errors
        /// If the system has no certificates, or none that can be read.
        pub fn new(patience: Patience) -> Result<Webhooks, String> {
            let client = Client::builder().timeout(patience.timeout).build().map_err(|error| told(&error))?;
            Ok(Webhooks { client, patience })
        }

        async fn try_once(&self, address: &str, key: &str, body: &str) -> Result<(), Refused> {
            let request = self.client.post(address).header(CONTENT_TYPE, "application/json");
            let sent = request.header("Idempotency-Key", key).body(body.to_string()).send().await;
            match sent {
                Ok(response) if response.status().is_success() => Ok(()),
                Ok(response) => Err(Refused::by(&response)),
                Err(error) => Err(Refused { reason: told(&error), for_now: !error.is_builder(), wait: None }),
            }
        }
    }

    #[async_trait]
    impl Courier for Webhooks {
        async fn post(&self, address: &str, key: &str, body: &str) -> Result<(), String> {
            let mut pause = self.patience.pause;
            let mut attempt = 1;
            loop {
                match self.try_once(address, key, body).await {
                    Ok(()) => return Ok(()),
                    Err(refused) if !refused.for_now || attempt >= self.patience.attempts => {
                        return Err(refused.reason);
                    }
                    Err(refused) => tokio::time::sleep(refused.wait.unwrap_or(pause).min(LONGEST)).await,
                }
                pause *= 2;
                attempt += 1;
            }
        }
    }

    /// Why it did not arrive.
    struct Refused {
        reason: String,
        /// Whether it may arrive later.
        for_now: bool,
        /// How long the receiver wants to be left alone.
        wait: Option<Duration>,
    }

    impl Refused {
        fn by(response: &Response) -> Refused {
            let status = response.status();
            let for_now = status.is_server_error()
                || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
            let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
            Refused { reason: format!("it answered {status}"), for_now, wait: wait.map(Duration::from_secs) }
        }
    }

    /// What went wrong, with its reasons but without the address, which may hold a secret.
    fn told(error: &reqwest::Error) -> String {
        let mut text = match (error.is_timeout(), error.is_connect()) {
            (true, _) => "no answer in time".to_string(),
            (_, true) => "no connection".to_string(),
            _ => "the request failed".to_string(),
        };
        let mut cause = std::error::Error::source(error);
        while let Some(inner) = cause {
            text += &format!(": {inner}");
            cause = inner.source();
        }
        text
    }
}
