//! What a pull needs to know of manifests and indexes.

use serde::Deserialize;
use shoal_protocol::digest::Digest;

use crate::architecture;

/// A manifest or an index, as far as it matters here.
pub(super) enum Document {
    /// The config, then the layers.
    Manifest(Vec<Descriptor>),
    /// The manifest for this machine.
    Index(Digest),
}

/// A blob that a manifest lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Descriptor {
    pub(super) digest: Digest,
    pub(super) size_bytes: u64,
}

#[derive(Deserialize)]
struct RawDocument {
    config: Option<RawDescriptor>,
    #[serde(default)]
    layers: Vec<RawDescriptor>,
    #[serde(default)]
    manifests: Vec<RawDescriptor>,
}

#[derive(Deserialize)]
struct RawDescriptor {
    digest: String,
    size: u64,
    platform: Option<RawPlatform>,
}

#[derive(Deserialize)]
struct RawPlatform {
    os: String,
    architecture: String,
}

impl Document {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let raw: RawDocument =
            serde_json::from_slice(bytes).map_err(|error| format!("not a manifest: {error}"))?;
        if let Some(config) = &raw.config {
            let mut blobs: Vec<Descriptor> = Vec::with_capacity(1 + raw.layers.len());
            for part in std::iter::once(config).chain(&raw.layers) {
                let blob = part.descriptor()?;
                if !blobs.contains(&blob) {
                    blobs.push(blob);
                }
            }
            return Ok(Self::Manifest(blobs));
        }
        let architecture = architecture::of_this_machine();
        let is_ours =
            |platform: &RawPlatform| platform.os == "linux" && platform.architecture == architecture;
        let ours = raw.manifests.iter().find(|entry| entry.platform.as_ref().is_some_and(is_ours));
        let ours = ours.ok_or_else(|| format!("the index has no manifest for linux/{architecture}"))?;
        ours.descriptor().map(|descriptor| Self::Index(descriptor.digest))
    }
}

impl RawDescriptor {
    fn descriptor(&self) -> Result<Descriptor, String> {
        let digest = self.digest.parse().map_err(|error| format!("{:?}: {error}", self.digest))?;
        Ok(Descriptor { digest, size_bytes: self.size })
    }
}
