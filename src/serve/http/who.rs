//! Who asks over HTTP: by token, by name and password, or, where nobody was said, everybody on this machine.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine as _, alphabet};
use ring::hmac;

use super::Http;
use super::refusal::Refusal;
use crate::serve::failed::Failed;
use crate::serve::session::{Session, Shared, User};
use crate::serve::users::{Users, random};
use crate::serve::{Entrance, Event};

/// How many callers are remembered to have said the right password.
const REMEMBERED: usize = 1000;

/// Remembers who said the right password, since finding out is dear on purpose and browsers say it with every request.
pub(in crate::serve) struct Doorkeeper {
    key: hmac::Key,
    right: Mutex<HashMap<Vec<u8>, User>>,
}

impl Default for Doorkeeper {
    fn default() -> Self {
        // Without randomness nothing is remembered, as no two keys are the same then either.
        let key = random::<32>().unwrap_or_default();
        Doorkeeper { key: hmac::Key::new(hmac::HMAC_SHA256, &key), right: Mutex::default() }
    }
}

impl Doorkeeper {
    /// A session of whoever makes a request.
    ///
    /// # Errors
    /// If they do not say who they are, or it is not true.
    pub(in crate::serve) fn session(
        &self,
        shared: &Arc<Shared>,
        headers: &HeaderMap,
        host: Option<&str>,
        peer: Option<SocketAddr>,
        entrance: Entrance,
    ) -> Result<Arc<Session>, Refusal> {
        let user = match &shared.people {
            Some(people) => self.admit(&people.known(), headers).map_err(|reason| {
                if let Some(peer) = peer {
                    let user = named(headers);
                    (shared.watch)(&Event::TurnedAway { entrance, peer, user: user.as_deref(), reason });
                }
                Refusal::new(StatusCode::UNAUTHORIZED, reason)
            })?,
            None => stranger(headers, host)?,
        };
        let session = Session::open(shared, user, entrance);
        session.map(Arc::new).map_err(|error| Failed::of(error).into())
    }

    /// Who it is by what the request says.
    fn admit(&self, users: &Users, headers: &HeaderMap) -> Result<User, &'static str> {
        let Some(said) = headers.get(AUTHORIZATION) else {
            return Err("say who you are: a token, or a name and a password");
        };
        let said = said.to_str().map_err(|_| WRONG)?;
        let (way, secret) = said.split_once(' ').ok_or(WRONG)?;
        if way.eq_ignore_ascii_case("bearer") {
            return users.with_token(secret.trim()).ok_or(WRONG);
        }
        if !way.eq_ignore_ascii_case("basic") {
            return Err(WRONG);
        }
        let mark = hmac::sign(&self.key, secret.as_bytes()).as_ref().to_vec();
        let mut right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(user) = right.get(&mark).filter(|user| users.has(user)) {
            return Ok(user.clone());
        }
        let user = by_password(users, secret).ok_or(WRONG)?;
        if right.len() >= REMEMBERED {
            right.clear();
        }
        right.insert(mark, user.clone());
        Ok(user)
    }
}

/// Some clients leave out the padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const WRONG: &str = "wrong name, password or token";

fn by_password(users: &Users, encoded: &str) -> Option<User> {
    let (name, password) = pair(encoded)?;
    users.with_password(&name, &password)
}

/// The name and the password in what follows `Basic`.
fn pair(encoded: &str) -> Option<(String, String)> {
    let pair = String::from_utf8(BASE64.decode(encoded.trim()).ok()?).ok()?;
    pair.split_once(':').map(|(name, password)| (name.to_string(), password.to_string()))
}

/// The name that somebody gave.
fn named(headers: &HeaderMap) -> Option<String> {
    let (way, secret) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    way.eq_ignore_ascii_case("basic").then(|| pair(secret)).flatten().map(|(name, _)| name)
}

/// A session of who asks; every request has its own.
pub(in crate::serve) struct Asking(pub(in crate::serve) Arc<Session>);

impl FromRequestParts<Arc<Http>> for Asking {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, http: &Arc<Http>) -> Result<Asking, Refusal> {
        let peer = parts.extensions.get::<SocketAddr>().copied();
        // HTTP/2 says it in the address.
        let host = parts.uri.authority().map(|authority| authority.as_str());
        http.doorkeeper.session(&http.shared, &parts.headers, host, peer, Entrance::Http).map(Asking)
    }
}

/// Where nobody was said, everybody may ask; but not pages of others, which a browser would show this server under a name
/// of theirs.
fn stranger(headers: &HeaderMap, host: Option<&str>) -> Result<User, Refusal> {
    let said = headers.get(HOST).and_then(|host| host.to_str().ok()).or(host).unwrap_or("localhost");
    let name = said.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(said, |(name, _)| name);
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    match address.is_ok() || name.eq_ignore_ascii_case("localhost") {
        true => Ok(User::new("anonymous", None)),
        false => Err(Refusal::new(
            StatusCode::MISDIRECTED_REQUEST,
            "without --users this server is asked by its address, 127.0.0.1 or localhost, only",
        )),
    }
}
