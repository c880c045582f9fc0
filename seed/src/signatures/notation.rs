//! Signatures of Notation in their JWS envelope, after the Notary Project's specifications "Signature Envelope JWS" and
//! "Trust Store and Trust Policy", with the signing scheme `notary.x509`.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, UnixTime};
use serde::Deserialize;
use shoal_protocol::digest::Digest;

use super::{Rejection, chain, trust::Authorities};

/// What a manifest of a signature, or its configuration, is called.
pub(super) const ARTIFACT_TYPE: &str = "application/vnd.cncf.notary.signature";
/// The media type of an envelope in JWS.
pub(super) const JWS_MEDIA_TYPE: &str = "application/jose+json";
const PAYLOAD_TYPE: &str = "application/vnd.cncf.notary.payload.v1+json";
/// The only scheme: who signs says who it is by an X.509 certificate.
const SCHEME: &str = "notary.x509";
const SCHEME_HEADER: &str = "io.cncf.notary.signingScheme";
const EXPIRY_HEADER: &str = "io.cncf.notary.expiry";
/// Most certificates that an envelope may bring; real chains have two to four.
const MAX_CERTIFICATES: usize = 10;

/// The envelope: the JSON serialization of JWS (RFC 7515), flattened.
#[derive(Deserialize)]
struct Envelope {
    payload: String,
    protected: String,
    header: Unprotected,
    signature: String,
}

#[derive(Deserialize)]
struct Unprotected {
    /// DER in Base64, that of the signer first.
    x5c: Vec<String>,
}

#[derive(Deserialize)]
struct Protected {
    alg: String,
    cty: String,
    #[serde(default)]
    crit: Vec<String>,
    #[serde(rename = "io.cncf.notary.signingScheme")]
    scheme: String,
    #[serde(default, rename = "io.cncf.notary.expiry")]
    expiry: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    target_artifact: Target,
}

#[derive(Deserialize)]
struct Target {
    digest: String,
}

/// The subject of the certificate that signed `envelope`, if all of it holds at `now` and it is about `digest`.
pub(super) fn verify(
    envelope: &[u8],
    digest: &Digest,
    authorities: &Authorities,
    now: SystemTime,
) -> Result<String, Rejection> {
    let envelope: Envelope =
        serde_json::from_slice(envelope).map_err(|_| Rejection::Malformed("it is no envelope in JWS"))?;
    let protected: Protected = from_base64_json(&envelope.protected)?;
    check_protected(&protected, now)?;
    let certificates = certificates(&envelope.header)?;
    let signer = chain::signer(&certificates, authorities, unix_time(now))?;
    let signature = URL_SAFE_NO_PAD
        .decode(&envelope.signature)
        .map_err(|_| Rejection::Malformed("its signature is not Base64"))?;
    let message = format!("{}.{}", envelope.protected, envelope.payload);
    if !signer.key.signed_jws(&protected.alg, message.as_bytes(), &signature) {
        return Err(Rejection::WrongSignature);
    }
    let payload: Payload = from_base64_json(&envelope.payload)?;
    if payload.target_artifact.digest != digest.to_string() {
        return Err(Rejection::OtherDigest);
    }
    Ok(signer.subject)
}

fn check_protected(protected: &Protected, now: SystemTime) -> Result<(), Rejection> {
    let is_critical = |name: &str| protected.crit.iter().any(|header| header == name);
    let is_known = |name: &String| [SCHEME_HEADER, EXPIRY_HEADER].contains(&name.as_str());
    if !protected.crit.iter().all(is_known) {
        return Err(Rejection::Malformed("it has a critical header that is not known here"));
    }
    if protected.scheme != SCHEME || !is_critical(SCHEME_HEADER) {
        return Err(Rejection::Malformed("its signing scheme is not notary.x509"));
    }
    if protected.cty != PAYLOAD_TYPE {
        return Err(Rejection::Malformed("its payload is of another kind"));
    }
    let Some(expiry) = &protected.expiry else { return Ok(()) };
    if !is_critical(EXPIRY_HEADER) {
        return Err(Rejection::Malformed("its expiry is not critical"));
    }
    let expiry: Timestamp =
        expiry.parse().map_err(|_| Rejection::Malformed("its expiry is no time in the form of RFC 3339"))?;
    if SystemTime::from(expiry) <= now { Err(Rejection::Expired) } else { Ok(()) }
}

fn certificates(header: &Unprotected) -> Result<Vec<CertificateDer<'static>>, Rejection> {
    if header.x5c.is_empty() || header.x5c.len() > MAX_CERTIFICATES {
        return Err(Rejection::Malformed("it has no certificates, or too many"));
    }
    let decode = |text: &String| STANDARD.decode(text).map(CertificateDer::from);
    let decoded: Result<_, _> = header.x5c.iter().map(decode).collect();
    decoded.map_err(|_| Rejection::Malformed("its certificates are not Base64"))
}

fn from_base64_json<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, Rejection> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok();
    let read = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    read.ok_or(Rejection::Malformed("its headers or its payload can't be read"))
}

/// A clock before 1970 finds every certificate not valid yet.
fn unix_time(now: SystemTime) -> UnixTime {
    UnixTime::since_unix_epoch(now.duration_since(UNIX_EPOCH).unwrap_or_default())
}
