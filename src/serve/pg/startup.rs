//! The first words of a connection: who is there.

use std::collections::HashMap;
use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, PoisonError};

use async_trait::async_trait;
use futures::{Sink, SinkExt};
use pgwire::api::auth::sasl::SCRAM_SHA_256_METHOD;
use pgwire::api::auth::{
    ServerParameterProvider, StartupHandler, finish_authentication, protocol_negotiation,
    save_startup_parameters_to_metadata,
};
use pgwire::api::{
    ClientInfo, METADATA_USER, PgWireConnectionState, PidSecretKeyGenerator, RandomPidSecretKeyGenerator,
};
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::startup::{Authentication, PasswordMessageFamily, Startup};
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};

use super::Connection;
use super::errors::fatal;
use super::login::{Login, challenge};
use crate::serve::session::{Session, User};
use crate::serve::{Entrance, Event};

static KEYS: LazyLock<RandomPidSecretKeyGenerator> = LazyLock::new(RandomPidSecretKeyGenerator::default);

#[async_trait]
impl StartupHandler for Connection {
    async fn on_startup<C>(&self, client: &mut C, message: PgWireFrontendMessage) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        match message {
            PgWireFrontendMessage::Startup(startup) => self.begin(client, &startup).await,
            PgWireFrontendMessage::PasswordMessageFamily(message) => self.log_in(client, message).await,
            _ => Err(fatal("08P01", "expected the beginning of a login")),
        }
    }
}

impl Connection {
    async fn begin<C>(&self, client: &mut C, startup: &Startup) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        protocol_negotiation(client, startup).await?;
        save_startup_parameters_to_metadata(client, startup);
        if self.place.is_none() {
            return Err(fatal("53300", "sorry, too many connections already"));
        }
        if self.shared.tls_needed && !client.is_secure() {
            return Err(fatal("28000", "this server takes encrypted connections only: connect with sslmode=require"));
        }
        if self.shared.people.is_none() {
            let name = client.metadata().get(METADATA_USER).cloned().unwrap_or_default();
            return self.enter(client, User::new(name, None)).await;
        }
        client.set_state(PgWireConnectionState::AuthenticationInProgress);
        let methods = Authentication::SASL(vec![SCRAM_SHA_256_METHOD.to_string()]);
        client.send(PgWireBackendMessage::Authentication(methods)).await?;
        Ok(())
    }

    /// A message of a login by password.
    async fn log_in<C>(&self, client: &mut C, message: PasswordMessageFamily) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let Some(people) = &self.shared.people else { return Err(fatal("28000", "no password was asked for")) };
        let name = client.metadata().get(METADATA_USER).cloned().unwrap_or_default();
        let before = std::mem::replace(&mut *self.login.lock().unwrap_or_else(PoisonError::into_inner), Login::Over);
        match before {
            Login::Begun => {
                let first = message.into_sasl_initial_response()?;
                if first.auth_method != SCRAM_SHA_256_METHOD {
                    return Err(fatal("28000", "passwords are told by SCRAM-SHA-256"));
                }
                let first = first.data.unwrap_or_default();
                let users = people.known();
                let (challenge, answer) =
                    challenge(&first, users.verifier(&name)).map_err(|why| fatal("08P01", why))?;
                let challenged = Login::Challenged(Box::new(challenge), users.user(&name));
                *self.login.lock().unwrap_or_else(PoisonError::into_inner) = challenged;
                let answer = Authentication::SASLContinue(answer.into());
                client.send(PgWireBackendMessage::Authentication(answer)).await?;
                Ok(())
            }
            Login::Challenged(challenge, user) => {
                let last = message.into_sasl_response()?;
                // Of a name that nobody has, nothing is right.
                let (Some(proof), Some(user)) = (challenge.prove(&last.data), user) else {
                    self.turned_away(client.socket_addr(), &name);
                    return Err(fatal("28P01", &format!("password authentication failed for user \"{name}\"")));
                };
                client.send(PgWireBackendMessage::Authentication(Authentication::SASLFinal(proof.into()))).await?;
                self.enter(client, user).await
            }
            Login::Over => Err(fatal("08P01", "the login is over")),
        }
    }

    fn turned_away(&self, peer: SocketAddr, name: &str) {
        let reason = "wrong name or password";
        (self.shared.watch)(&Event::TurnedAway { entrance: Entrance::Pg, peer, user: Some(name), reason });
    }

    /// A session begins.
    async fn enter<C>(&self, client: &mut C, user: User) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let session = Session::open(&self.shared, user, Entrance::Pg)
            .map_err(|error| fatal("58000", &format!("cannot begin a session: {error}")))?;
        let session = Arc::new(session);
        let (pid, secret) = KEYS.generate(client);
        client.set_pid_and_secret_key(pid, secret.clone());
        self.callers.add(pid, &secret, &session);
        self.settings.begin(&session, client.metadata()).map_err(|error| PgWireError::UserError(Box::new(error)))?;
        let _ = self.session.set(session);
        finish_authentication(client, &Parameters(&self.settings)).await
    }

    /// The caller's session, which begins before any question.
    pub(super) fn session(&self) -> PgWireResult<&Arc<Session>> {
        let none = || {
            let info = ErrorInfo::new("FATAL".to_string(), "08003".to_string(), "there is no session".to_string());
            PgWireError::UserError(Box::new(info))
        };
        self.session.get().ok_or_else(none)
    }
}

/// What the server tells of itself.
struct Parameters<'s>(&'s super::settings::Settings);

impl ServerParameterProvider for Parameters<'_> {
    fn server_parameters<C: ClientInfo>(&self, _client: &C) -> Option<HashMap<String, String>> {
        Some(self.0.reported())
    }
}
