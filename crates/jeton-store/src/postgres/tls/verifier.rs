//! Whose certificate is believed: anybody's, that of whoever was signed by a root, or that of whoever was signed for the
//! name. The signature of the handshake is checked in every case.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::super::encryption::{Roots, Trust};
use super::{TlsError, certificates};

#[derive(Debug)]
pub(super) struct Verifier {
    /// `None` believes anybody.
    roots: Option<RootCertStore>,
    /// What stands in the file itself: a server's own certificate may be named there, as libpq takes it, also one that
    /// could sign others.
    named: Vec<CertificateDer<'static>>,
    /// Whether the name counts.
    for_the_name: bool,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    pub(super) fn new(trust: &Trust, provider: Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let (file, for_the_name) = match trust {
            Trust::Anybody => {
                return Ok(Self { roots: None, named: Vec::new(), for_the_name: false, provider });
            }
            Trust::SignedBy(file) => (Some(file), false),
            Trust::Named(Roots::File(file)) => (Some(file), true),
            Trust::Named(Roots::System) => (None, true),
        };
        let mut roots = RootCertStore::empty();
        let named = match file {
            Some(file) => certificates("sslrootcert", file)?,
            None => Vec::new(),
        };
        for certificate in &named {
            let added = roots.add(certificate.clone());
            added.map_err(|error| TlsError::File {
                word: "sslrootcert",
                path: file.cloned().unwrap_or_default(),
                why: error.to_string(),
                content: "certificates",
            })?;
        }
        if file.is_none() {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        if roots.is_empty() {
            return Err(TlsError::NoRoots);
        }
        Ok(Self { roots: Some(roots), named, for_the_name, provider })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(roots) = &self.roots else { return Ok(ServerCertVerified::assertion()) };
        let certificate = ParsedCertificate::try_from(end_entity)?;
        if !self.named.contains(end_entity) {
            let known = self.provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&certificate, roots, intermediates, now, known)?;
        }
        if self.for_the_name {
            verify_server_name(&certificate, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
