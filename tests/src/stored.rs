//! Images as a registry stores them, read from its folder: what a test expects to see pulled.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::image::{Descriptor, INDEX, architecture};

/// The registry's name in image references. Nobody resolves it: runtimes and nodes are told where it is.
pub const REGISTRY_HOST: &str = "registry.test:5000";

/// Another name of the same registry: one without a port can be part of a path.
pub const PLAIN_REGISTRY_HOST: &str = "registry.example";

/// An image in the registry.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its repository.
    pub repository: String,
    /// Its tag.
    pub tag: String,
    /// What the tag names: a manifest, or an index.
    pub digest: String,
    /// Length of the document that the digest is of.
    pub document_bytes: u64,
    /// Configuration and layers for this machine.
    pub blobs: Vec<Descriptor>,
    /// Those of other platforms.
    pub other_blobs: Vec<Descriptor>,
}

impl Image {
    /// Reads what a registry that uses `storage` says of an image.
    pub fn stored(storage: &Path, repository: &str, tag: &str) -> Self {
        let registry = storage.join("docker/registry/v2");
        let link = format!("repositories/{repository}/_manifests/tags/{tag}/current/link");
        let digest = fs::read_to_string(registry.join(link)).expect("the link of a tag");
        let mut image = Self {
            repository: repository.to_owned(),
            tag: tag.to_owned(),
            digest: digest.clone(),
            document_bytes: fs::metadata(blob_file(storage, &digest)).expect("a stored manifest").len(),
            blobs: Vec::new(),
            other_blobs: Vec::new(),
        };
        let document = read_json(storage, &digest);
        if document["mediaType"] != INDEX {
            image.blobs = blobs_of(&document);
            return image;
        }
        for entry in document["manifests"].as_array().expect("manifests") {
            let blobs = blobs_of(&read_json(storage, entry["digest"].as_str().expect("a digest")));
            let ours = entry["platform"]["architecture"] == architecture();
            if ours { image.blobs = blobs } else { image.other_blobs.extend(blobs) }
        }
        image
    }

    /// How a user asks for it by tag.
    pub fn by_tag(&self) -> String {
        format!("{REGISTRY_HOST}/{}:{}", self.repository, self.tag)
    }

    /// How a user asks for it by digest.
    pub fn by_digest(&self) -> String {
        format!("{REGISTRY_HOST}/{}@{}", self.repository, self.digest)
    }

    /// The largest blob.
    pub fn largest(&self) -> &Descriptor {
        self.blobs.iter().max_by_key(|blob| blob.size_bytes).expect("an image has blobs")
    }

    /// Length of its blobs, each counted once.
    pub fn size_bytes(&self) -> u64 {
        self.blobs.iter().map(|blob| blob.size_bytes).sum()
    }
}

/// Where a registry that uses `storage` keeps the content of a blob.
pub fn blob_file(storage: &Path, digest: &str) -> PathBuf {
    let hex = digest.strip_prefix("sha256:").expect("a SHA-256 digest");
    storage.join("docker/registry/v2/blobs/sha256").join(&hex[..2]).join(hex).join("data")
}

fn read_json(storage: &Path, digest: &str) -> Value {
    let bytes = fs::read(blob_file(storage, digest)).expect("a stored manifest");
    serde_json::from_slice(&bytes).expect("a manifest in JSON")
}

fn blobs_of(manifest: &Value) -> Vec<Descriptor> {
    let layers = manifest["layers"].as_array().expect("layers");
    std::iter::once(&manifest["config"]).chain(layers).map(descriptor).collect()
}

fn descriptor(json: &Value) -> Descriptor {
    let text = |key: &str| json[key].as_str().expect("a text").to_owned();
    let size_bytes = json["size"].as_u64().expect("a size");
    Descriptor { media_type: text("mediaType"), digest: text("digest"), size_bytes }
}
