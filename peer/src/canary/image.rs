//! An image of one file of some bytes, that no runtime can have yet.

use std::{env, io};

use serde_json::{Value, json};
use shoal_protocol::digest::{Algorithm, Digest};

use super::Part;
use crate::architecture;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// The one file in it.
const FILE: &str = "shoal-canary";

/// The image: a manifest, and the configuration and the layer that it names.
#[derive(Debug)]
pub(super) struct TinyImage {
    manifest: Part,
    config: Part,
    layer: Part,
}

impl TinyImage {
    /// An image of which nothing is the same as in any other, for this host's platform.
    pub(super) fn new(tag: &str) -> io::Result<Self> {
        let layer = part(LAYER, layer(tag)?);
        let config = part(CONFIG, config(tag, &layer.digest).to_string().into_bytes());
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(&config),
            "layers": [descriptor(&layer)],
        });
        Ok(Self { manifest: part(MANIFEST, manifest.to_string().into_bytes()), config, layer })
    }

    pub(super) fn manifest(&self) -> &Part {
        &self.manifest
    }

    /// What else it has, by digest.
    pub(super) fn blob(&self, digest: &Digest) -> Option<&Part> {
        [&self.config, &self.layer].into_iter().find(|part| part.digest == *digest)
    }
}

fn layer(tag: &str) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(tag.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, FILE, tag.as_bytes())?;
    archive.into_inner()
}

fn config(tag: &str, layer: &Digest) -> Value {
    json!({
        "architecture": architecture::of_this_machine(),
        "os": env::consts::OS,
        "config": { "Labels": { "shoal.canary": tag } },
        "rootfs": { "type": "layers", "diff_ids": [layer.to_string()] },
        "history": [{ "created_by": "shoal doctor" }],
    })
}

fn part(media_type: &'static str, bytes: Vec<u8>) -> Part {
    Part { media_type, digest: Digest::of(Algorithm::Sha256, &bytes), bytes: bytes.into() }
}

fn descriptor(part: &Part) -> Value {
    json!({ "mediaType": part.media_type, "digest": part.digest.to_string(), "size": part.bytes.len() })
}
