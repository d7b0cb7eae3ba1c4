//! One TLS configuration for REST and the stream: which provider of cryptography, whose certificates.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, KeyProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::SigningKey;
use rustls::{ClientConfig, RootCertStore};

use crate::error::{InvalidInput, Result};

/// The certificates that are trusted to sign servers' certificates.
#[derive(Debug, Clone, Default)]
pub(crate) struct Roots {
    own: Vec<Vec<u8>>,
}

impl Roots {
    pub(crate) fn add(&mut self, der: &[u8]) {
        self.own.push(der.to_vec());
    }

    /// The certificates that replace those of the web, as DER; none: those of the web.
    pub(crate) fn own(&self) -> &[Vec<u8>] {
        &self.own
    }

    fn store(&self) -> Result<RootCertStore> {
        if self.own.is_empty() {
            return Ok(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() });
        }
        let mut store = RootCertStore::empty();
        for der in &self.own {
            let added = store.add(CertificateDer::from(der.as_slice()));
            added.map_err(|e| InvalidInput::new("root_certificate", e.to_string()))?;
        }
        Ok(store)
    }
}

/// The provider is named, never looked up: where two of them are linked, a look-up panics.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider { key_provider: &NoKeys, ..ring::default_provider() })
}

/// Reads no private key, for no certificate of a client is ever shown: a program is linked without what signs with one.
#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        Err(rustls::Error::General("certificates of clients are not supported".to_owned()))
    }
}

/// The configuration of a client's connections.
pub(crate) fn client_config(roots: &Roots) -> Result<Arc<ClientConfig>> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| InvalidInput::new("root_certificate", e.to_string()))?
        .with_root_certificates(roots.store()?)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_certificates_of_ones_own_those_of_the_web_are_trusted() {
        let web = webpki_roots::TLS_SERVER_ROOTS.len();
        assert!(web > 50, "{web}");
        assert_eq!(Roots::default().store().unwrap().len(), web);
        // What a configuration trusts is shown as a number alone.
        let trusted = |roots: &Roots| format!("{:?}", client_config(roots).unwrap());
        assert!(trusted(&Roots::default()).contains(&format!("({web} roots)")), "{}", trusted(&Roots::default()));

        let mut own = Roots::default();
        let key = rcgen::KeyPair::generate().unwrap();
        own.add(rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap().der());
        assert_eq!(own.store().unwrap().len(), 1, "they take the place of those");
        assert!(trusted(&own).contains("(1 roots)"));
    }
}
