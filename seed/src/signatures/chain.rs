//! Whether a chain of certificates leads to an authority that is trusted, for signing code.

use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage};
use x509_parser::{certificate::X509Certificate, prelude::FromDer as _};

use super::{Rejection, keys::PublicKey, trust::Authorities};

/// id-kp-codeSigning (RFC 5280), in DER without its head.
const CODE_SIGNING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x03];

/// Who signed.
pub(super) struct Signer {
    pub(super) key: PublicKey,
    /// The subject of its certificate.
    pub(super) subject: String,
}

/// The holder of the first certificate, if the others lead from it to one of the authorities, all are valid at `now`
/// and are for signing code, and it is one of the subjects that may sign.
///
/// Nobody is asked whether one was revoked.
pub(super) fn signer(
    certificates: &[CertificateDer<'static>],
    authorities: &Authorities,
    now: UnixTime,
) -> Result<Signer, Rejection> {
    let (leaf, others) = certificates.split_first().ok_or(Rejection::Malformed("it has no certificate"))?;
    let (_, parsed) = X509Certificate::from_der(leaf)
        .map_err(|_| Rejection::Malformed("the signer's certificate can't be read"))?;
    EndEntityCert::try_from(leaf)
        .and_then(|end| {
            let usage = KeyUsage::required_if_present(CODE_SIGNING);
            let anchors = authorities.anchors(now);
            end.verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, others, now, usage, None, None).map(drop)
        })
        .map_err(|error| Rejection::Chain(error.to_string()))?;
    if !may_sign(&parsed) {
        return Err(Rejection::Chain("the signer's certificate is not for digital signatures".to_owned()));
    }
    let subject = parsed.subject().to_string();
    if !authorities.accept(parsed.subject()) {
        return Err(Rejection::Subject(subject));
    }
    let key = PublicKey::from_spki(parsed.public_key().raw)
        .map_err(|error| Rejection::Chain(format!("the signer's key can't be used: {error}")))?;
    Ok(Signer { key, subject })
}

fn may_sign(certificate: &X509Certificate<'_>) -> bool {
    let usage = certificate.key_usage().ok().flatten();
    usage.is_some_and(|usage| usage.value.digital_signature())
}
