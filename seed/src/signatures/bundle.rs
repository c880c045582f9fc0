//! Signatures of cosign in its newer form: a Sigstore bundle around a statement that names the digest.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use shoal_protocol::digest::Digest;

use super::{Rejection, keys::PublicKey};

/// What begins the media type of every version of a bundle.
pub(super) const MEDIA_TYPE_START: &str = "application/vnd.dev.sigstore.bundle";
/// What the payload is: the only kind of statement that cosign signs.
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// What a statement says that is a signature. Others are about the image, and do not recommend it.
const PREDICATE_TYPE: &str = "https://sigstore.dev/cosign/sign/v1";
/// Most signatures of one envelope that are tried.
const MAX_SIGNATURES: usize = 4;

/// A bundle, as far as a known key needs it: certificates and transparency logs are not looked at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    dsse_envelope: Envelope,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signature>,
}

#[derive(Deserialize)]
struct Signature {
    sig: String,
}

/// A statement of in-toto.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    predicate_type: String,
    subject: Vec<Subject>,
}

#[derive(Deserialize)]
struct Subject {
    digest: std::collections::BTreeMap<String, String>,
}

/// The place among `keys` of the one that signed `bundle`, if that is about `digest`.
pub(super) fn verify(bundle: &[u8], digest: &Digest, keys: &[&PublicKey]) -> Result<usize, Rejection> {
    let Bundle { dsse_envelope: envelope } = serde_json::from_slice(bundle)
        .map_err(|_| Rejection::Malformed("it is no bundle with a signed statement"))?;
    let payload =
        STANDARD.decode(&envelope.payload).map_err(|_| Rejection::Malformed("its payload is not Base64"))?;
    let message = pre_authentication(&envelope.payload_type, &payload);
    let signatures = envelope.signatures.iter().take(MAX_SIGNATURES);
    let signatures: Vec<_> = signatures.filter_map(|one| STANDARD.decode(&one.sig).ok()).collect();
    let is_signer = |key: &&PublicKey| signatures.iter().any(|signature| key.signed(&message, signature));
    let place = keys.iter().position(is_signer).ok_or(Rejection::UnknownKey)?;
    check_statement(&envelope.payload_type, &payload, digest)?;
    Ok(place)
}

/// What an envelope's signatures are over (DSSE 1.0.2, "PAE").
fn pre_authentication(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

fn check_statement(payload_type: &str, payload: &[u8], digest: &Digest) -> Result<(), Rejection> {
    if payload_type != PAYLOAD_TYPE {
        return Err(Rejection::Malformed("its payload is no statement of in-toto"));
    }
    let statement: Statement = serde_json::from_slice(payload)
        .map_err(|_| Rejection::Malformed("its payload is no statement of in-toto"))?;
    if statement.predicate_type != PREDICATE_TYPE {
        return Err(Rejection::Malformed("it attests to something else than a signature"));
    }
    let algorithm = digest.algorithm().name();
    let is_it = |subject: &Subject| subject.digest.get(algorithm).is_some_and(|hex| *hex == digest.hex());
    if statement.subject.iter().any(is_it) { Ok(()) } else { Err(Rejection::OtherDigest) }
}
