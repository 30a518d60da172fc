//! Who may connect: names, verifiers of their passwords or tokens, roles.
//!
//! A password's verifier is PostgreSQL's own for SCRAM-SHA-256 (RFC 5802, RFC 7677): with it a password can be checked, but
//! neither told nor used. A token is for programs that speak HTTP: 32 random bytes, of which a hash is kept; nobody
//! guesses them, so that one round of hashing is enough.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use pgwire::api::auth::sasl::scram::gen_salted_password;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac};

use super::session::User;

/// How often a password is hashed, as PostgreSQL does it.
const ITERATIONS: u32 = 4096;
const METHOD: &str = "SCRAM-SHA-256";
const TOKEN: &str = "TOKEN-SHA-256$";

/// Who may connect.
#[derive(Debug)]
pub struct Users {
    known: BTreeMap<String, Known>,
    /// By the hash of a token.
    tokens: HashMap<Vec<u8>, User>,
    marks: HashSet<Mark>,
    /// What salts of names that nobody has are made from, so that they look like all others.
    secret: hmac::Key,
}

#[derive(Debug)]
struct Known {
    verifier: Verifier,
    user: User,
}

/// What tells a line of the file from all others: a hash of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Mark([u8; 32]);

/// What a password is checked with.
#[derive(Clone)]
pub struct Verifier {
    pub(super) iterations: u32,
    pub(super) salt: Vec<u8>,
    pub(super) stored_key: Vec<u8>,
    pub(super) server_key: Vec<u8>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

impl Users {
    /// Reads users, one a line: a name, a verifier of a password or a token, and roles with commas between them or `*` for
    /// who sees everything. Somebody may have one password and several tokens. Lines that begin with `#` say nothing.
    ///
    /// # Errors
    /// A sentence with the number of the first line that cannot be read; it does not quote the line.
    pub fn read(text: &str) -> Result<Users, String> {
        // The same at every start, like those of names that are known; who knows the file knows these anyway.
        let secret = digest::digest(&digest::SHA256, text.as_bytes());
        let (mut known, mut tokens, mut marks) = (BTreeMap::new(), HashMap::new(), HashSet::new());
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |what: &str| format!("line {}: {what}", at + 1);
            let mut parts = line.split_whitespace();
            let (Some(name), Some(verifier)) = (parts.next(), parts.next()) else {
                return Err(wrong("a name and a verifier are needed; `bell password` makes one"));
            };
            let roles = match parts.next() {
                Some("*") => None,
                roles => Some(roles.into_iter().flat_map(|roles| roles.split(',')).map(str::to_string).collect()),
            };
            if parts.next().is_some() {
                return Err(wrong("roles have commas between them, and no blanks"));
            }
            let mark = Mark::of(line);
            marks.insert(mark.clone());
            let user = User { name: name.to_string(), roles, mark: Some(mark) };
            if let Some(hash) = read_token(verifier) {
                if tokens.insert(hash, user).is_some() {
                    return Err(wrong("this token was there before"));
                }
                continue;
            }
            let verifier = Verifier::read(verifier)
                .ok_or_else(|| wrong("this is no verifier; `bell password` and `bell token` make them"))?;
            if known.insert(name.to_string(), Known { verifier, user }).is_some() {
                return Err(wrong("this name has a password already"));
            }
        }
        Ok(Users { known, tokens, marks, secret: hmac::Key::new(hmac::HMAC_SHA256, secret.as_ref()) })
    }

    /// What to check a password with, for names that nobody has, too: those fail in the end, like wrong passwords.
    pub(super) fn verifier(&self, name: &str) -> Verifier {
        if let Some(known) = self.known.get(name) {
            return known.verifier.clone();
        }
        let made = |what: &str| hmac::sign(&self.secret, format!("{what} {name}").as_bytes()).as_ref().to_vec();
        Verifier {
            iterations: ITERATIONS,
            salt: made("salt")[..16].to_vec(),
            stored_key: made("key"),
            server_key: made("server"),
        }
    }

    /// Who it is, if the name is known and the password is right.
    pub(super) fn with_password(&self, name: &str, password: &str) -> Option<User> {
        // Of names that nobody has, as much is computed.
        let right = self.verifier(name).fits(password);
        self.user(name).filter(|_| right)
    }

    /// Whose token it is.
    pub(super) fn with_token(&self, token: &str) -> Option<User> {
        self.tokens.get(digest::digest(&digest::SHA256, token.as_bytes()).as_ref()).cloned()
    }

    /// Who has a password by this name.
    pub(super) fn user(&self, name: &str) -> Option<User> {
        self.known.get(name).map(|known| known.user.clone())
    }

    /// Whether somebody who was let in by these users, or others, would still be: with that password or token, and those
    /// roles.
    pub(super) fn has(&self, user: &User) -> bool {
        user.mark.as_ref().is_none_or(|mark| self.marks.contains(mark))
    }
}

impl Mark {
    fn of(line: &str) -> Mark {
        let words = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut mark = Mark([0; 32]);
        mark.0.copy_from_slice(digest::digest(&digest::SHA256, words.as_bytes()).as_ref());
        mark
    }
}

impl Verifier {
    /// The verifier of a password, with a salt of its own.
    ///
    /// # Errors
    /// If the machine has no randomness.
    pub fn of(password: &str) -> Result<Verifier, String> {
        let salt = random::<16>().map_err(|()| "there is no randomness".to_string())?.to_vec();
        let (stored_key, server_key) = keys(password, &salt, ITERATIONS);
        Ok(Verifier { iterations: ITERATIONS, salt, stored_key, server_key })
    }

    fn fits(&self, password: &str) -> bool {
        let (stored_key, _) = keys(password, &self.salt, self.iterations);
        same(&stored_key, &self.stored_key)
    }

    /// Reads PostgreSQL's form.
    fn read(text: &str) -> Option<Verifier> {
        let (method, rest) = text.split_once('$')?;
        let (hashed, keys) = rest.split_once('$')?;
        let ((iterations, salt), (stored_key, server_key)) = (hashed.split_once(':')?, keys.split_once(':')?);
        let decode = |text: &str| STANDARD.decode(text).ok();
        let verifier = Verifier {
            iterations: iterations.parse().ok()?,
            salt: decode(salt)?,
            stored_key: decode(stored_key)?,
            server_key: decode(server_key)?,
        };
        let right = method == METHOD && verifier.iterations >= ITERATIONS && !verifier.salt.is_empty();
        (right && verifier.stored_key.len() == 32 && verifier.server_key.len() == 32).then_some(verifier)
    }
}

impl fmt::Display for Verifier {
    /// As PostgreSQL writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encode = |bytes: &[u8]| STANDARD.encode(bytes);
        let (salt, stored, server) = (encode(&self.salt), encode(&self.stored_key), encode(&self.server_key));
        write!(f, "{METHOD}${}:{salt}${stored}:{server}", self.iterations)
    }
}

/// The stored key and the server's key of a password.
fn keys(password: &str, salt: &[u8], iterations: u32) -> (Vec<u8>, Vec<u8>) {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &gen_salted_password(password, salt, iterations as usize));
    let client_key = hmac::sign(&key, b"Client Key");
    let stored_key = digest::digest(&digest::SHA256, client_key.as_ref());
    (stored_key.as_ref().to_vec(), hmac::sign(&key, b"Server Key").as_ref().to_vec())
}

/// Whether two keys are the same, found out in a time that does not tell how much of them is.
fn same(one: &[u8], other: &[u8]) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"same");
    hmac::verify(&key, one, hmac::sign(&key, other).as_ref()).is_ok()
}

/// A new token, and what it is checked with.
///
/// # Errors
/// If the machine has no randomness.
pub fn token() -> Result<(String, String), String> {
    let bytes = random::<32>().map_err(|()| "there is no randomness".to_string())?;
    let token = format!("bell_{}", URL_SAFE_NO_PAD.encode(bytes));
    let hash = digest::digest(&digest::SHA256, token.as_bytes());
    Ok((token, format!("{TOKEN}{}", STANDARD.encode(hash.as_ref()))))
}

/// The hash in the verifier of a token; `None` if it is none.
fn read_token(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.strip_prefix(TOKEN)?).ok().filter(|hash| hash.len() == 32)
}

/// Bytes that nobody can guess.
pub(super) fn random<const N: usize>() -> Result<[u8; N], ()> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| ())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_names_verifiers_and_roles() {
        let verifier = Verifier::of("geheim").unwrap();
        let users =
            Users::read(&format!("# who\nann {verifier} east,privacy\nbob {verifier} *\ncarl {verifier}\n")).unwrap();
        let roles = |name: &str| users.user(name).map(|user| user.roles);
        assert_eq!(roles("ann").unwrap().unwrap().len(), 2);
        assert_eq!((roles("bob"), roles("carl")), (Some(None), Some(Some(Default::default()))));
        assert_eq!(roles("dora"), None);
        assert_eq!(users.verifier("dora").salt, users.verifier("dora").salt);
        for wrong in
            ["ann", "ann secret", &format!("ann {verifier} east, west"), &format!("ann {verifier}\nann {verifier}")]
        {
            assert!(Users::read(wrong).is_err(), "{wrong}");
        }
        let bob = users.with_password("bob", "geheim").unwrap();
        assert!(users.with_password("bob", "Geheim").is_none() && users.with_password("dora", "geheim").is_none());
        // Others stay who they are when somebody goes, or gets other roles.
        let later = Users::read(&format!("bob  {verifier}\t*\nann {verifier} east\n")).unwrap();
        assert!(later.has(&bob) && !later.has(&users.user("ann").unwrap()) && !later.has(&users.user("carl").unwrap()));
    }

    #[test]
    fn tokens_are_told_by_their_hash() {
        let (token, verifier) = token().unwrap();
        let users = Users::read(&format!("bot {verifier} east")).unwrap();
        let bot = users.with_token(&token).unwrap();
        assert_eq!((bot.name.as_str(), bot.roles.unwrap().len()), ("bot", 1));
        assert!(users.with_token(&verifier).is_none() && users.user("bot").is_none());
        assert!(Users::read(&format!("bot {verifier}\nbot {verifier}")).is_err());
    }

    #[test]
    fn verifiers_are_postgresqls() {
        // Made by PostgreSQL for the password `pencil`.
        let text = "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
        let known = Verifier::read(text).unwrap();
        let salted = gen_salted_password("pencil", &known.salt, known.iterations as usize);
        let key = hmac::Key::new(hmac::HMAC_SHA256, &salted);
        assert_eq!(hmac::sign(&key, b"Server Key").as_ref(), known.server_key);
        assert_eq!(known.to_string(), text);
    }
}
