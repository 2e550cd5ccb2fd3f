//! Private keys: ring's, but the host makes RSA signatures. An RSA signature is most of a handshake in
//! WebAssembly, which has no wide multiplication; a native library makes it several times faster.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::crypto::KeyProvider;
use rustls::pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};
use rustls::sign::{Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};

use crate::host;

#[derive(Debug)]
pub struct HostKeys;

impl KeyProvider for HostKeys {
    fn load_private_key(
        &self,
        key_der: PrivateKeyDer<'static>,
    ) -> Result<Arc<dyn SigningKey>, Error> {
        let ring = any_supported_type(&key_der)?;
        let key: Arc<dyn SigningKey> = match (ring.algorithm(), &key_der) {
            (SignatureAlgorithm::RSA, PrivateKeyDer::Pkcs8(der)) => Arc::new(HostRsaKey {
                ring,
                der: der.secret_pkcs8_der().into(),
            }),
            _ => ring,
        };
        #[cfg(feature = "hostile")]
        let key = Arc::new(ForeignKey(key));
        Ok(key)
    }
}

/// Signs for any certificate: rustls cannot tell that the key is not the certificate's.
#[cfg(feature = "hostile")]
#[derive(Debug)]
struct ForeignKey(Arc<dyn SigningKey>);

#[cfg(feature = "hostile")]
impl SigningKey for ForeignKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        self.0.choose_scheme(offered)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }
}

struct HostRsaKey {
    /// Knows the public key, and signs when the host cannot.
    ring: Arc<dyn SigningKey>,
    /// PKCS #8.
    der: Arc<[u8]>,
}

impl SigningKey for HostRsaKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(HostSigner {
            ring: self.ring.choose_scheme(offered)?,
            der: self.der.clone(),
        }))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        self.ring.public_key()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.ring.algorithm()
    }
}

struct HostSigner {
    ring: Box<dyn Signer>,
    der: Arc<[u8]>,
}

impl Signer for HostSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        match host::sign(self.scheme().into(), &self.der, message) {
            Some(signature) => Ok(signature),
            None => self.ring.sign(message),
        }
    }

    fn scheme(&self) -> SignatureScheme {
        self.ring.scheme()
    }
}

impl fmt::Debug for HostRsaKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HostRsaKey")
    }
}

impl fmt::Debug for HostSigner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HostSigner")
    }
}
