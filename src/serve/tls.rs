//! Encryption: the server's certificate and key, for every entrance.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::{Error, Result};

/// What the server shows of itself.
#[derive(Debug, Clone)]
pub struct Tls {
    config: ServerConfig,
}

impl Tls {
    /// Reads a certificate, with those that vouch for it after it, and its key, both as PEM.
    ///
    /// # Errors
    /// If a file cannot be read, or the two do not belong together. Nothing of the key is told.
    pub fn read(certificate: &Path, key: &Path) -> Result<Tls> {
        let wrong = |path: &Path, why: String| Error::Data(format!("{}: {why}", path.display()));
        let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let chain = chain.map_err(|error| wrong(certificate, error.to_string()))?;
        if chain.is_empty() {
            return Err(wrong(certificate, "there is no certificate in it".to_string()));
        }
        let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, error.to_string()))?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, secret))
            .map_err(|error| wrong(key, error.to_string()))?;
        Ok(Tls { config })
    }

    /// What meets callers who speak one of these protocols, the best first.
    pub(super) fn acceptor(&self, protocols: &[&str]) -> TlsAcceptor {
        let mut config = self.config.clone();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}
