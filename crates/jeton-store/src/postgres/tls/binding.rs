//! Channel binding, `tls-server-end-point` of RFC 5929: a login with a password is tied to the certificate that was shown,
//! so that nobody in between can pass it on, also where no certificate is checked.
//!
//! It is the certificate's hash, made with the hash of the signature on it, and SHA-256 for those that are too weak.

use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// 1.2.840.113549.1.1, signatures with RSA.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
/// 1.2.840.10045.4, signatures with ECDSA.
const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04];

/// `None` where it is not defined, as for Ed25519.
pub(super) fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let signature = signature_algorithm(certificate)?;
    let rsa = signature.strip_prefix(RSA);
    let ecdsa = signature.strip_prefix(ECDSA);
    match (rsa, ecdsa) {
        (Some([4 | 5 | 11]), _) | (_, Some([1] | [3, 2])) => Some(Sha256::digest(certificate).to_vec()),
        (Some([12]), _) | (_, Some([3, 3])) => Some(Sha384::digest(certificate).to_vec()),
        (Some([13]), _) | (_, Some([3, 4])) => Some(Sha512::digest(certificate).to_vec()),
        _ => None,
    }
}

/// The object identifier of the signature's algorithm: `Certificate ::= SEQUENCE { tbsCertificate SEQUENCE,
/// signatureAlgorithm SEQUENCE { algorithm OBJECT IDENTIFIER, … }, … }`.
fn signature_algorithm(certificate: &[u8]) -> Option<&[u8]> {
    let (content, _) = element(0x30, certificate)?;
    let (_, after) = element(0x30, content)?;
    let (algorithm, _) = element(0x30, after)?;
    element(0x06, algorithm).map(|(identifier, _)| identifier)
}

/// The content of an element with this tag at the beginning of these bytes, and what comes after it.
fn element(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[found, length], rest) = bytes.split_first_chunk()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};

    use super::*;

    #[test]
    fn the_hash_is_that_of_the_signature() {
        let certificate = |algorithm| {
            let key = KeyPair::generate_for(algorithm).unwrap();
            CertificateParams::new(["db".to_owned()]).unwrap().self_signed(&key).unwrap().der().to_vec()
        };
        let (short, long) = (certificate(&PKCS_ECDSA_P256_SHA256), certificate(&PKCS_ECDSA_P384_SHA384));
        assert_eq!(end_point(&short), Some(Sha256::digest(&short).to_vec()));
        assert_eq!(end_point(&long), Some(Sha384::digest(&long).to_vec()));
        assert_eq!(end_point(&certificate(&PKCS_ED25519)), None);
        for cut in 0..short.len().min(64) {
            assert_eq!(end_point(&short[..cut]), None);
        }
    }
}
