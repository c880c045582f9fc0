//! What manifests and indexes list, of any shape that a registry can send: they come from whoever pushed them.

use std::collections::BTreeSet;

use serde::Deserialize;
use shoal_protocol::{digest::Digest, geometry::Geometry};

/// A manifest or an index, as far as it matters here.
pub(crate) enum Document {
    /// What lists the blobs of one platform.
    Manifest(ImageManifest),
    /// What lists manifests, one a platform, and sometimes further indexes.
    Index(Vec<Entry>),
}

/// The blobs that a manifest lists, its config first.
pub(crate) struct ImageManifest(Vec<Descriptor>);

/// What runtimes make containers of; other things than images have configs of other types.
const CONFIG_TYPES: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// A blob that a registry has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ListedBlob {
    pub(crate) digest: Digest,
    pub(crate) size_bytes: u64,
}

/// A line of an index.
#[derive(Deserialize)]
pub(crate) struct Entry {
    /// Digest of a manifest or an index, as it is written there.
    pub(crate) digest: String,
    /// What the manifest is for; nothing for an index within the index, and for what is no image.
    pub(crate) platform: Option<EntryPlatform>,
}

/// A platform as an index names it.
#[derive(Deserialize)]
pub(crate) struct EntryPlatform {
    pub(crate) os: String,
    pub(crate) architecture: String,
    pub(crate) variant: Option<String>,
}

/// Why a document can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DocumentError {
    /// Not JSON, or not of that form.
    #[error("not a manifest: {0}")]
    Malformed(String),
    /// JSON, but of another kind, such as the manifests of Docker before 2015.
    #[error("neither an image manifest nor an index")]
    Neither,
    /// No blob can have such a name or length.
    #[error("the manifest lists a blob that can't be: {digest:?} of {size_bytes} bytes")]
    ImpossibleBlob {
        /// Its digest as written.
        digest: String,
        /// Its length as written.
        size_bytes: u64,
    },
}

#[derive(Deserialize)]
struct RawDocument {
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
struct Descriptor {
    #[serde(rename = "mediaType")]
    media_type: Option<String>,
    digest: String,
    size: u64,
    /// Where else the blob is: runtimes get such layers there, and registries need not have them.
    #[serde(default)]
    urls: Vec<String>,
}

impl Document {
    /// Reads a document.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        let raw: RawDocument =
            serde_json::from_slice(bytes).map_err(|error| DocumentError::Malformed(error.to_string()))?;
        match raw {
            RawDocument { config: Some(config), layers: Some(layers), manifests: None } => {
                Ok(Self::Manifest(ImageManifest(std::iter::once(config).chain(layers).collect())))
            }
            RawDocument { config: None, layers: None, manifests: Some(entries) } => Ok(Self::Index(entries)),
            _ => Err(DocumentError::Neither),
        }
    }
}

impl ImageManifest {
    /// Whether a runtime that got it will want all of it. Charts, signatures, models and whatever else registries keep are
    /// for programs that may want one layer of many, or none.
    pub(crate) fn is_for_containers(&self) -> bool {
        let media_type = self.0.first().and_then(|config| config.media_type.as_deref());
        media_type.is_none_or(|media_type| CONFIG_TYPES.contains(&media_type))
    }

    /// The config and the layers, each once, in their order; without those that are elsewhere than in a registry.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = Result<ListedBlob, DocumentError>> {
        let mut seen = BTreeSet::new();
        self.0
            .iter()
            .filter(|blob| blob.urls.is_empty())
            .map(Descriptor::listed)
            .filter(move |blob| blob.as_ref().map_or(true, |blob| seen.insert(blob.digest)))
    }
}

impl Descriptor {
    fn listed(&self) -> Result<ListedBlob, DocumentError> {
        let impossible =
            || DocumentError::ImpossibleBlob { digest: self.digest.clone(), size_bytes: self.size };
        Geometry::for_blob(self.size).map_err(|_| impossible())?;
        let digest = self.digest.parse().map_err(|_| impossible())?;
        Ok(ListedBlob { digest, size_bytes: self.size })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use shoal_protocol::digest::Algorithm;

    use super::*;

    fn digest(number: usize) -> Digest {
        Digest::of(Algorithm::Sha256, &number.to_be_bytes())
    }

    fn blob(number: usize) -> Value {
        json!({ "mediaType": "x/y", "digest": digest(number).to_string(), "size": 1000 })
    }

    fn listed(document: &Value) -> Result<Vec<Digest>, DocumentError> {
        match Document::parse(document.to_string().as_bytes())? {
            Document::Manifest(manifest) => manifest.blobs().map(|blob| Ok(blob?.digest)).collect(),
            Document::Index(_) => panic!("an index: {document}"),
        }
    }

    #[test]
    fn the_config_comes_first_and_then_the_layers_in_order() {
        let manifest = json!({ "config": blob(9), "layers": [blob(3), blob(1), blob(2)] });
        assert_eq!(listed(&manifest), Ok([9, 3, 1, 2].map(digest).to_vec()));
    }

    #[test]
    fn a_blob_is_listed_once_however_often_the_manifest_does() {
        let layers = vec![blob(1); 1000];
        assert_eq!(listed(&json!({ "config": blob(1), "layers": layers })), Ok(vec![digest(1)]));
    }

    #[test]
    fn layers_that_are_elsewhere_are_left_out() {
        let mut elsewhere = blob(2);
        elsewhere["urls"] = json!(["https://layers.example/2"]);
        let manifest = json!({ "config": blob(0), "layers": [elsewhere, blob(4)] });
        assert_eq!(listed(&manifest), Ok(vec![digest(0), digest(4)]));
    }

    #[test]
    fn blobs_that_can_not_be_are_errors_that_name_them() {
        let mut huge = blob(1);
        huge["size"] = json!(u64::MAX);
        let mut nameless = blob(3);
        nameless["digest"] = json!("sha256:../../etc/passwd");
        for wrong in [huge, nameless] {
            let error = listed(&json!({ "config": blob(0), "layers": [wrong] })).unwrap_err();
            assert!(error.to_string().contains(wrong["digest"].as_str().unwrap()), "{error}");
        }
    }

    #[test]
    fn an_index_lists_manifests_and_nonsense_nothing() {
        let index =
            json!({ "manifests": [{ "digest": "d", "platform": { "os": "o", "architecture": "a" } }] });
        let Ok(Document::Index(entries)) = Document::parse(index.to_string().as_bytes()) else {
            panic!("not read as an index")
        };
        assert_eq!((entries.len(), entries[0].digest.as_str()), (1, "d"));
        for document in ["", "null", "[]", r#"{"config":{},"layers":[]}"#, "{\"config\":", "{}"] {
            assert!(Document::parse(document.as_bytes()).is_err(), "{document}");
        }
        let both = json!({ "config": blob(0), "layers": [], "manifests": [] });
        assert_eq!(listed(&both), Err(DocumentError::Neither), "a runtime could read it either way");
    }

    proptest! {
        #[test]
        fn any_bytes_are_harmless(document in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(Document::Manifest(manifest)) = Document::parse(&document) {
                prop_assert!(manifest.blobs().count() <= document.len());
            }
        }
    }
}
