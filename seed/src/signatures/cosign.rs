//! Signatures of cosign in its older form: a small payload that names the digest, signed as it stands.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use shoal_protocol::digest::Digest;

use super::{Rejection, keys::PublicKey};

/// The annotation of a layer that holds the signature over that layer's bytes.
pub(super) const ANNOTATION: &str = "dev.cosignproject.cosign/signature";
/// What the payload calls itself.
const TYPE: &str = "cosign container image signature";

/// The payload, in the format of "simple signing".
#[derive(Deserialize)]
struct Payload {
    critical: Critical,
}

/// What a verifier has to understand. The image's name in it is not read: an image keeps its signatures when it is
/// copied to another registry.
#[derive(Deserialize)]
struct Critical {
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// The place among `keys` of the one that signed `payload`, if that is about `digest`.
pub(super) fn verify(
    payload: &[u8],
    signature: &str,
    digest: &Digest,
    keys: &[&PublicKey],
) -> Result<usize, Rejection> {
    let signature =
        STANDARD.decode(signature.trim()).map_err(|_| Rejection::Malformed("its signature is not Base64"))?;
    let place = keys.iter().position(|key| key.signed(payload, &signature)).ok_or(Rejection::UnknownKey)?;
    let read: Payload = serde_json::from_slice(payload)
        .map_err(|_| Rejection::Malformed("its payload is not that of cosign"))?;
    if read.critical.kind != TYPE {
        return Err(Rejection::Malformed("its payload is for something else than an image"));
    }
    if read.critical.image.digest == digest.to_string() { Ok(place) } else { Err(Rejection::OtherDigest) }
}
