//! Which documents are manifests, and that a document is what it is called.
//!
//! The same bytes read as a manifest by one program and as an index by another are an attack (CVE-2021-41190), so a
//! document whose header, `mediaType` and fields disagree is refused.

use http::{HeaderMap, header::CONTENT_TYPE};
use serde::{Deserialize, de::IgnoredAny};

const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// What is asked for when a manifest is. `*/*` comes last, as some registries answer 404 to artifacts without it.
pub(super) const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.docker.distribution.manifest.v2+json, */*;q=0.1";

/// Why a document can't be passed on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum MediaTypeError {
    #[error("answered with a Docker schema 1 manifest, which runtimes no longer take")]
    Schema1,
    #[error("answered with a document that is not a JSON object: {0}")]
    NotJson(String),
    #[error("calls a document {header:?} which calls itself {own:?}")]
    Contradiction { header: String, own: String },
    #[error("answered with a document called {0:?} which has the fields of another type, or of several")]
    WrongFields(String),
    #[error("answered with {0:?}, which is no type of manifest")]
    NotAManifest(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Manifest,
    Index,
}

#[derive(Deserialize)]
struct Fields {
    #[serde(rename = "mediaType")]
    media_type: Option<String>,
    manifests: Option<IgnoredAny>,
    config: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
    #[serde(rename = "fsLayers")]
    fs_layers: Option<IgnoredAny>,
}

/// The media type of a HEAD's answer; `None` when only the document itself can tell.
pub(super) fn of_head(headers: &HeaderMap) -> Option<String> {
    named(headers).filter(|media_type| shape_of(media_type).is_some())
}

/// The media type of a document, from its answer's headers and from what it says itself.
pub(super) fn of_document(headers: &HeaderMap, document: &[u8]) -> Result<String, MediaTypeError> {
    let header = named(headers);
    if header.as_deref().is_some_and(is_schema_1) {
        return Err(MediaTypeError::Schema1);
    }
    let fields: Fields =
        serde_json::from_slice(document).map_err(|error| MediaTypeError::NotJson(error.to_string()))?;
    if fields.fs_layers.is_some() {
        return Err(MediaTypeError::Schema1);
    }
    let media_type = match (header, fields.media_type.clone()) {
        (Some(header), Some(own)) if header != own => {
            return Err(MediaTypeError::Contradiction { header, own });
        }
        (Some(media_type), _) | (None, Some(media_type)) => media_type,
        // The OCI specification does not insist on a mediaType, and Docker's manifests always have one.
        (None, None) if fields.manifests.is_some() => OCI_INDEX.to_owned(),
        (None, None) => OCI_MANIFEST.to_owned(),
    };
    check_fields(&media_type, &fields)?;
    Ok(media_type)
}

fn check_fields(media_type: &str, fields: &Fields) -> Result<(), MediaTypeError> {
    let is_index = fields.manifests.is_some();
    let is_manifest = fields.config.is_some() || fields.layers.is_some();
    let fits = match shape_of(media_type) {
        Some(Shape::Index) => is_index && !is_manifest,
        Some(Shape::Manifest) => is_manifest && !is_index,
        // An artifact of a kind not known here: passed on as it is, when it says itself what it is.
        None if fields.media_type.is_none() => {
            return Err(MediaTypeError::NotAManifest(media_type.to_owned()));
        }
        None => !(is_index && is_manifest),
    };
    if fits { Ok(()) } else { Err(MediaTypeError::WrongFields(media_type.to_owned())) }
}

fn shape_of(media_type: &str) -> Option<Shape> {
    match media_type {
        DOCKER_MANIFEST | OCI_MANIFEST => Some(Shape::Manifest),
        DOCKER_LIST | OCI_INDEX => Some(Shape::Index),
        _ => None,
    }
}

fn is_schema_1(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.docker.distribution.manifest.v1+")
}

/// The type in the headers, unless it says nothing about the document.
pub(super) fn named(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let media_type = text.split(';').next()?.trim();
    let says_nothing = matches!(
        media_type,
        "" | "application/json" | "application/octet-stream" | "binary/octet-stream" | "text/plain"
    );
    (!says_nothing).then(|| media_type.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: Option<&str>, document: &str) -> Result<String, MediaTypeError> {
        let headers = header.map(|value| (CONTENT_TYPE, value.parse().expect("a header")));
        of_document(&headers.into_iter().collect(), document.as_bytes())
    }

    #[test]
    fn the_header_decides_where_the_document_is_silent() {
        let document = r#"{"config": {}, "layers": []}"#;
        let with_charset = format!("{DOCKER_MANIFEST}; charset=utf-8");
        assert_eq!(read(Some(&with_charset), document), Ok(DOCKER_MANIFEST.to_owned()));
        assert_eq!(read(None, document), Ok(OCI_MANIFEST.to_owned()));
        assert_eq!(read(Some("application/json"), r#"{"manifests": []}"#), Ok(OCI_INDEX.to_owned()));
    }

    #[test]
    fn a_document_names_itself_where_the_header_is_silent() {
        let document = format!(r#"{{"mediaType": "{DOCKER_LIST}", "manifests": []}}"#);
        assert_eq!(read(Some("text/plain"), &document), Ok(DOCKER_LIST.to_owned()));
    }

    #[test]
    fn contradictions_are_refused() {
        let index = format!(r#"{{"mediaType": "{OCI_INDEX}", "manifests": []}}"#);
        assert!(matches!(read(Some(OCI_MANIFEST), &index), Err(MediaTypeError::Contradiction { .. })));
        let both = r#"{"manifests": [], "layers": []}"#;
        for media_type in [OCI_MANIFEST, OCI_INDEX, DOCKER_LIST, DOCKER_MANIFEST] {
            assert!(
                matches!(read(Some(media_type), both), Err(MediaTypeError::WrongFields(_))),
                "{media_type}"
            );
        }
        assert!(matches!(read(None, r#"{"layers": [], "layers": []}"#), Err(MediaTypeError::NotJson(_))));
    }

    #[test]
    fn an_unknown_artifact_passes_only_when_it_names_itself() {
        const ARTIFACT: &str = "application/vnd.example.artifact.v1+json";
        let document = format!(r#"{{"mediaType": "{ARTIFACT}"}}"#);
        assert_eq!(read(Some(ARTIFACT), &document), Ok(ARTIFACT.to_owned()));
        assert!(matches!(read(Some("text/html"), "{}"), Err(MediaTypeError::NotAManifest(_))));
        assert!(matches!(read(Some("text/html"), "<html>"), Err(MediaTypeError::NotJson(_))));
    }

    #[test]
    fn schema_1_is_refused() {
        let signed = "application/vnd.docker.distribution.manifest.v1+prettyjws";
        assert_eq!(read(Some(signed), "{}"), Err(MediaTypeError::Schema1));
        assert_eq!(read(None, r#"{"fsLayers": []}"#), Err(MediaTypeError::Schema1));
    }
}
