//! Looking for a signature at the origin, in each place where cosign and Notation put one.

use std::time::SystemTime;

use serde::Deserialize;
use shoal_protocol::{
    digest::Digest,
    reference::{ImageName, Tag},
};

use super::{Proof, Rejection, bundle, cosign, notation, trust::Trust};
use crate::origin::{Manifest, OriginError, Origins};

/// Most manifests of signatures that are read for one digest, and most signatures in one of them.
const MAX_TRIED: usize = 16;
/// Most signatures in all that are tried for one digest.
const MAX_REJECTED: usize = 32;
/// Longest payload, bundle or envelope; real ones have up to some 20 KiB.
const MAX_SIGNATURE_BYTES: usize = 256 * 1024;

/// One search, and what came of it so far.
pub(super) struct Search<'a> {
    pub(super) origins: &'a Origins,
    pub(super) trust: &'a Trust,
    pub(super) image: &'a ImageName,
    pub(super) digest: &'a Digest,
    pub(super) now: SystemTime,
    /// How many signatures did not count.
    pub(super) rejected: usize,
    /// Why the last of them did not.
    pub(super) last: Option<Rejection>,
}

/// An index, or the manifest of a signature, as far as it matters here.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Document {
    artifact_type: Option<String>,
    config: Option<Entry>,
    layers: Vec<Entry>,
    manifests: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default)]
    media_type: String,
    digest: String,
    #[serde(default)]
    artifact_type: Option<String>,
    #[serde(default)]
    annotations: std::collections::BTreeMap<String, String>,
}

/// The forms in which signatures are stored.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Layers of payloads, each with its signature in an annotation.
    Cosign,
    Bundle,
    Notation,
}

impl Search<'_> {
    /// Who signed; `None` when nobody did whose signature counts.
    ///
    /// # Errors
    /// When the origin can't be asked, so that nothing is known.
    pub(super) async fn run(&mut self) -> Result<Option<Proof>, OriginError> {
        let at_tag = format!("sha256-{}.sig", self.digest.hex());
        if !self.trust.keys.is_empty()
            && let Some(manifest) = self.tagged(&at_tag).await?
            && let Some(proof) = self.layers(&read(&manifest), Form::Cosign).await?
        {
            return Ok(Some(proof));
        }
        let referring = match found(self.origins.referrers(self.image, self.digest).await)? {
            Some(index) => candidates(&serde_json::from_slice(&index).unwrap_or_default()),
            None => Vec::new(),
        };
        if let Some(proof) = self.artifacts(&referring).await? {
            return Ok(Some(proof));
        }
        // Where a registry has no list of referrers, whoever adds one keeps it under a tag.
        let at_tag = at_tag.trim_end_matches(".sig");
        let Some(index) = self.tagged(at_tag).await? else { return Ok(None) };
        let mut others = candidates(&read(&index));
        others.retain(|one| !referring.contains(one));
        self.artifacts(&others).await
    }

    /// Tries what refers to the digest, up to a bound.
    async fn artifacts(&mut self, digests: &[Digest]) -> Result<Option<Proof>, OriginError> {
        for digest in digests.iter().take(MAX_TRIED) {
            let Some(manifest) = found(self.origins.manifest(self.image, digest).await)? else { continue };
            let document = read(&manifest);
            let own_type = document.artifact_type.as_deref();
            let config_type = document.config.as_ref().map(|config| config.media_type.as_str());
            let Some(form) = own_type.or(config_type).and_then(Form::of) else { continue };
            if let Some(proof) = self.layers(&document, form).await? {
                return Ok(Some(proof));
            }
        }
        Ok(None)
    }

    /// Tries the signatures of one manifest, up to a bound.
    async fn layers(&mut self, document: &Document, form: Form) -> Result<Option<Proof>, OriginError> {
        let wanted = match form {
            Form::Cosign | Form::Bundle => !self.trust.keys.is_empty(),
            Form::Notation => !self.trust.authorities.is_empty(),
        };
        let left = MAX_REJECTED.saturating_sub(self.rejected).min(MAX_TRIED);
        for layer in document.layers.iter().filter(|_| wanted).take(left) {
            match self.layer(layer, form).await? {
                Ok(proof) => return Ok(Some(proof)),
                Err(rejection) => {
                    tracing::debug!(image = %self.image, digest = %self.digest, %rejection, "a signature does not count");
                    self.rejected += 1;
                    self.last = Some(rejection);
                }
            }
        }
        Ok(None)
    }

    async fn layer(&self, layer: &Entry, form: Form) -> Result<Result<Proof, Rejection>, OriginError> {
        let Ok(digest) = layer.digest.parse::<Digest>() else {
            return Ok(Err(Rejection::Malformed("its digest is none")));
        };
        let blob = self.origins.small_blob(self.image, &digest, MAX_SIGNATURE_BYTES).await;
        let Some(bytes) = found(blob)? else { return Ok(Err(Rejection::Unreadable)) };
        let keys: Vec<_> = self.trust.keys.iter().map(|named| &named.key).collect();
        let by_key = |place: usize| Proof::Cosign(self.trust.keys[place].path.clone());
        Ok(match form {
            Form::Cosign => match layer.annotations.get(cosign::ANNOTATION) {
                Some(signature) => cosign::verify(&bytes, signature, self.digest, &keys).map(by_key),
                None => Err(Rejection::Malformed("it has no annotation with a signature")),
            },
            Form::Bundle => bundle::verify(&bytes, self.digest, &keys).map(by_key),
            Form::Notation if layer.media_type != notation::JWS_MEDIA_TYPE => Err(Rejection::Envelope),
            Form::Notation => {
                notation::verify(&bytes, self.digest, &self.trust.authorities, self.now).map(Proof::Notation)
            }
        })
    }

    async fn tagged(&self, tag: &str) -> Result<Option<Manifest>, OriginError> {
        let Ok(tag) = tag.parse::<Tag>() else { return Ok(None) };
        found(self.origins.tagged(self.image, &tag).await)
    }
}

impl Form {
    fn of(artifact_type: &str) -> Option<Self> {
        const COSIGN: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";
        match artifact_type {
            COSIGN => Some(Self::Cosign),
            notation::ARTIFACT_TYPE => Some(Self::Notation),
            other if other.starts_with(bundle::MEDIA_TYPE_START) => Some(Self::Bundle),
            _ => None,
        }
    }
}

/// What an index lists that could be a signature; one that does not say what it is could.
fn candidates(index: &Document) -> Vec<Digest> {
    let could_be = |entry: &&Entry| entry.artifact_type.as_deref().is_none_or(|own| Form::of(own).is_some());
    index.manifests.iter().filter(could_be).filter_map(|entry| entry.digest.parse().ok()).collect()
}

/// A document of another shape lists nothing.
fn read(manifest: &Manifest) -> Document {
    serde_json::from_slice(&manifest.bytes).unwrap_or_default()
}

/// What the origin has; nothing, too, where it does not let the seed have it or sends what can't be a signature. An
/// origin that can't be asked now is an error: who signed is not known then.
fn found<T>(answer: Result<T, OriginError>) -> Result<Option<T>, OriginError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(OriginError::NotFound(_) | OriginError::Denied(_) | OriginError::Refused(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
