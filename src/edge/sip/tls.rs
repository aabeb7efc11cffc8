//! SIP over TLS (RFC 3261 section 26.3.1, RFC 5630) with rustls: our certificate, whom we trust, and who must show one.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// Files, as configured; all PEM.
#[derive(Debug, Clone, Default)]
pub struct TlsFiles {
    /// Our certificate with its chain, and its key: needed for a `tls:` listener; shown to trunks that ask for one, too.
    pub cert: Option<PathBuf>,
    pub key: Option<PathBuf>,
    /// Callers must show a certificate that one of these signed.
    pub client_ca: Option<PathBuf>,
    /// Trusted beside the system's authorities when we call or register.
    pub ca: Option<PathBuf>,
}

/// How often the certificate's file is looked at for a newer one.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// What listening needs.
///
/// # Errors
/// A sentence that names the file.
pub(super) fn server(files: &TlsFiles) -> Result<Arc<ServerConfig>, String> {
    let (Some(cert), Some(key)) = (&files.cert, &files.key) else {
        return Err(
            "a tls: listener needs a certificate: set [sip] tls_cert and tls_key to PEM files"
                .into(),
        );
    };
    let kept = Kept::load(cert, key)?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?;
    let builder = match &files.client_ca {
        Some(path) => {
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots(path)?), provider())
                    .build()
                    .map_err(|e| format!("{}: {e}", path.display()))?;
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    Ok(Arc::new(builder.with_cert_resolver(Arc::new(kept))))
}

/// What calling out needs.
///
/// # Errors
/// A sentence that names the file.
pub(super) fn client(files: &TlsFiles) -> Result<Arc<ClientConfig>, String> {
    let mut trusted = match &files.ca {
        Some(path) => roots(path)?,
        None => RootCertStore::empty(),
    };
    let system = rustls_native_certs::load_native_certs();
    trusted.add_parsable_certificates(system.certs);
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(trusted);
    let config = match (&files.cert, &files.key) {
        (Some(cert), Some(key)) => builder
            .with_client_auth_cert(chain(cert)?, private(key)?)
            .map_err(|e| format!("{}: {e}", cert.display()))?,
        _ => builder.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let bad = |why: String| format!("cannot read the certificate {}: {why}", path.display());
    let certs: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .map_err(|e| bad(e.to_string()))?
        .collect();
    let certs = certs.map_err(|e| bad(e.to_string()))?;
    if certs.is_empty() {
        return Err(bad("no certificate is in it".into()));
    }
    Ok(certs)
}

fn private(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|e| format!("cannot read the private key {}: {e}", path.display()))
}

fn roots(path: &Path) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    for cert in chain(path)? {
        store
            .add(cert)
            .map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(store)
}

/// The certificate in use. Renewed files are taken up without a restart: certificates of today live for weeks, lines for months.
#[derive(Debug)]
struct Kept {
    cert: PathBuf,
    key: PathBuf,
    now: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    key: Arc<CertifiedKey>,
    written: Option<SystemTime>,
    looked: Instant,
}

impl Kept {
    fn load(cert: &Path, key: &Path) -> Result<Self, String> {
        let current = Current {
            key: certified(cert, key)?,
            written: written(cert),
            looked: Instant::now(),
        };
        Ok(Self {
            cert: cert.to_owned(),
            key: key.to_owned(),
            now: Mutex::new(current),
        })
    }
}

fn certified(cert: &Path, key: &Path) -> Result<Arc<CertifiedKey>, String> {
    CertifiedKey::from_der(chain(cert)?, private(key)?, &provider())
        .map(Arc::new)
        .map_err(|e| format!("{} and {}: {e}", cert.display(), key.display()))
}

fn written(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).ok()?.modified().ok()
}

impl ResolvesServerCert for Kept {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if now.looked.elapsed() > LOOK_AGAIN {
            now.looked = Instant::now();
            let stamp = written(&self.cert);
            if stamp != now.written {
                match certified(&self.cert, &self.key) {
                    Ok(key) => {
                        now.key = key;
                        now.written = stamp;
                        tracing::info!("the SIP certificate was renewed");
                    }
                    // The old one serves on; the new one may still be half written.
                    Err(why) => tracing::warn!("the new SIP certificate is not taken up: {why}"),
                }
            }
        }
        Some(now.key.clone())
    }
}
