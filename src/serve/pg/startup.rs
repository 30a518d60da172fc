//! The first words of a connection: who is there.

use std::collections::HashMap;
use std::fmt::Debug;

use async_trait::async_trait;
use futures::{Sink, SinkExt};
use pgwire::api::auth::{
    ServerParameterProvider, StartupHandler, finish_authentication, protocol_negotiation,
    save_startup_parameters_to_metadata,
};
use pgwire::api::{ClientInfo, METADATA_USER, PidSecretKeyGenerator, RandomPidSecretKeyGenerator};
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::startup::Startup;
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use std::sync::{Arc, LazyLock};

use super::Connection;
use super::errors::fatal;
use crate::serve::Entrance;
use crate::serve::session::{Session, User};

static KEYS: LazyLock<RandomPidSecretKeyGenerator> = LazyLock::new(RandomPidSecretKeyGenerator::default);

#[async_trait]
impl StartupHandler for Connection {
    async fn on_startup<C>(&self, client: &mut C, message: PgWireFrontendMessage) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let PgWireFrontendMessage::Startup(startup) = &message else { return Ok(()) };
        match self.begin(client, startup).await {
            Ok(()) => Ok(()),
            Err(PgWireError::UserError(error)) => {
                // After such an error PostgreSQL hangs up.
                client.send(PgWireBackendMessage::ErrorResponse((*error).into())).await?;
                client.close().await?;
                Ok(())
            }
            Err(other) => Err(other),
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
        let name = client.metadata().get(METADATA_USER).cloned().unwrap_or_default();
        let user = User { name, roles: None };
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
