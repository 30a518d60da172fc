//! Passwords by SCRAM-SHA-256 (RFC 5802): who is there proves to know the password without sending it, and the server
//! proves to know its verifier.
//!
//! `pgwire` has this for servers that know the salted password, with which one can log in; a verifier is not enough for it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac};

use crate::serve::session::User;
use crate::serve::users::{Verifier, random};

/// How far a login has come.
#[derive(Default)]
pub(super) enum Login {
    /// Nothing was said.
    #[default]
    Begun,
    /// The server has answered the first message; who it is, if they prove it and the name is known.
    Challenged(Box<Challenge>, Option<User>),
    /// It is over, well or not.
    Over,
}

/// What the client's last message is checked with.
pub(super) struct Challenge {
    verifier: Verifier,
    /// The client's header, which it repeats.
    header: String,
    client_first: String,
    server_first: String,
    nonce: String,
}

/// The first message, and the server's answer to it.
///
/// # Errors
/// A sentence, if it cannot be read or wants what the server does not have.
pub(super) fn challenge(first: &[u8], verifier: Verifier) -> Result<(Challenge, String), &'static str> {
    let first = std::str::from_utf8(first).map_err(|_| "a login is UTF-8")?;
    let mut parts = first.splitn(3, ',');
    let (Some(binding), Some(name), Some(bare)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("this is no login");
    };
    if !matches!(binding, "n" | "y") {
        return Err("the login is not bound to a channel here");
    }
    let said = bare.split(',').find_map(|part| part.strip_prefix("r=")).filter(|nonce| !nonce.is_empty());
    let said = said.ok_or("this is no login")?;
    let own = STANDARD.encode(random::<18>().map_err(|()| "there is no randomness")?);
    let nonce = format!("{said}{own}");
    let server_first = format!("r={nonce},s={},i={}", STANDARD.encode(&verifier.salt), verifier.iterations);
    let header = STANDARD.encode(format!("{binding},{name},"));
    let challenge =
        Challenge { verifier, header, client_first: bare.to_string(), server_first: server_first.clone(), nonce };
    Ok((challenge, server_first))
}

impl Challenge {
    /// The server's proof, if the client's is right.
    pub(super) fn prove(&self, last: &[u8]) -> Option<String> {
        let last = std::str::from_utf8(last).ok()?;
        let (said, proof) = last.rsplit_once(",p=")?;
        let proof = STANDARD.decode(proof).ok()?;
        if said != format!("c={},r={}", self.header, self.nonce) {
            return None;
        }
        let signed = format!("{},{},{said}", self.client_first, self.server_first);
        let key = |bytes: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let signature = hmac::sign(&key(&self.verifier.stored_key), signed.as_bytes());
        if proof.len() != signature.as_ref().len() {
            return None;
        }
        let client_key: Vec<u8> = proof.iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
        let stored = digest::digest(&digest::SHA256, &client_key);
        // By a comparison that takes as long wherever they differ.
        let compared = hmac::sign(&key(&self.verifier.salt), &self.verifier.stored_key);
        hmac::verify(&key(&self.verifier.salt), stored.as_ref(), compared.as_ref()).ok()?;
        let server = hmac::sign(&key(&self.verifier.server_key), signed.as_bytes());
        Some(format!("v={}", STANDARD.encode(server.as_ref())))
    }
}
