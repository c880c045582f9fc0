//! What is asked for.

use shoal_protocol::digest::Digest;

use super::cluster::Cluster;
use crate::rig::{Blob, REPOSITORY, RigError, blob};

/// A kind of content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thing {
    Manifest,
    Blob { name: &'static str, len_bytes: u64 },
}

impl Thing {
    /// A manifest, less than a piece, the first of more pieces, and some.
    pub(super) const ALL: [Self; 4] = [
        Self::Manifest,
        Self::Blob { name: "1kib", len_bytes: 1 << 10 },
        Self::Blob { name: "1mib", len_bytes: 1 << 20 },
        Self::Blob { name: "4mib", len_bytes: 4 << 20 },
    ];

    /// As it stands in the names of figures.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Blob { name, .. } => name,
        }
    }

    /// Makes some that never were, and puts them into the origin.
    pub(super) fn make(self, cluster: &mut Cluster, count: u32) -> Result<Vec<Blob>, RigError> {
        let made = (0..count).map(|number| {
            let path = cluster.folder().join(format!("made-{number}"));
            let blob = match self {
                Self::Manifest => blob::manifest(&path)?,
                Self::Blob { len_bytes, .. } => blob::random(&path, len_bytes)?,
            };
            cluster.origin.add(blob.clone());
            Ok(blob)
        });
        made.collect()
    }

    /// Where it is at a mirror or registry whose URL for pulls is `base`.
    pub(super) fn url(self, base: &str, digest: &Digest) -> String {
        let kind = if self == Self::Manifest { "manifests" } else { "blobs" };
        base.replace("{what}", &format!("v2/{REPOSITORY}/{kind}/{digest}"))
    }
}
