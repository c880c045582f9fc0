//! Names of images in files: a plain list, or Kubernetes manifests.

use saphyr_parser::{Event, Parser, ScanError};

/// Why a file gives no names.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// Not YAML.
    #[error("line {line}: {reason}")]
    Yaml {
        /// Counted from 1.
        line: usize,
        /// What the parser says.
        reason: String,
    },
    /// YAML or a list, but without any image.
    #[error("it names no image: expected one name a line, or YAML with `image:` in it")]
    Nothing,
}

/// The names of images in `text`, in their order, each as often as it is there.
///
/// A text with one word a line is a list; `#` begins a comment. Any other is YAML, of which JSON is a part: the value
/// of each `image:` counts, wherever it is, so Pods and whatever makes Pods need not be told apart; and `reference:`
/// within `image:`, which is the form of image volumes.
///
/// # Errors
/// When the text is not YAML, or there is no name.
pub fn images_of(text: &str) -> Result<Vec<String>, ListError> {
    let images = match plain_list(text) {
        Some(images) => images,
        None => images_of_yaml(text).map_err(|error| ListError::Yaml {
            line: error.marker().line(),
            reason: error.info().to_owned(),
        })?,
    };
    if images.is_empty() { Err(ListError::Nothing) } else { Ok(images) }
}

/// The words of a text that has one a line; `None` for any other text.
fn plain_list(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    for line in text.lines() {
        let line = line.split_once('#').map_or(line, |(before, _)| before).trim();
        let is_yaml =
            line.contains(char::is_whitespace) || line.starts_with(['{', '[', '-']) || line.ends_with(':');
        if is_yaml {
            return None;
        }
        if !line.is_empty() {
            names.push(line.to_owned());
        }
    }
    Some(names)
}

/// Values are read from the parser's events, so anchors are never expanded and depth costs no stack.
fn images_of_yaml(text: &str) -> Result<Vec<String>, ScanError> {
    let mut reader = Reader::default();
    for event in Parser::new_from_str(text) {
        match event?.0 {
            Event::Scalar(value, ..) => reader.scalar(&value),
            // What it stands for was read where it is written.
            Event::Alias(_) => reader.scalar(""),
            Event::SequenceStart(..) => {
                reader.begin();
                reader.open.push(Open::Sequence);
            }
            Event::MappingStart(..) => {
                let is_image = reader.begin().is_some_and(|key| key == IMAGE);
                reader.open.push(Open::Mapping { key: None, is_image });
            }
            Event::SequenceEnd | Event::MappingEnd => drop(reader.open.pop()),
            _ => {}
        }
    }
    Ok(reader.images)
}

/// The key whose value names an image.
const IMAGE: &str = "image";
/// The key of the name where the value of [`IMAGE`] is a mapping.
const REFERENCE: &str = "reference";

/// What was found, and where in a document the parser is.
#[derive(Default)]
struct Reader {
    images: Vec<String>,
    /// The mappings and sequences that are open, the innermost last.
    open: Vec<Open>,
}

enum Open {
    Sequence,
    /// The key whose value comes next, and whether the mapping itself is the value of [`IMAGE`].
    Mapping {
        key: Option<String>,
        is_image: bool,
    },
}

impl Reader {
    /// A scalar: a key, a value, or part of a sequence.
    fn scalar(&mut self, value: &str) {
        let Some(Open::Mapping { key, is_image }) = self.open.last_mut() else { return };
        match key.take() {
            None => *key = Some(value.to_owned()),
            Some(key) if value.is_empty() || (key != IMAGE && !(*is_image && key == REFERENCE)) => {}
            Some(_) => self.images.push(value.to_owned()),
        }
    }

    /// A collection begins: the key whose value it is. One that is itself a key stands for no name.
    fn begin(&mut self) -> Option<String> {
        match self.open.last_mut()? {
            Open::Sequence => None,
            Open::Mapping { key, .. } if key.is_some() => key.take(),
            Open::Mapping { key, .. } => {
                *key = Some(String::new());
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WORKLOADS: &str = r#"
# two workloads
apiVersion: v1
kind: Pod
metadata: { name: a, annotations: { image: "quay.io/annotated:1" } }
spec:
  initContainers:
  - name: first
    image: docker.io/library/busybox:1.36   # small
  containers:
  - image: 'registry.example:5000/app@sha256:0000'
    imagePullPolicy: Always
  - {name: flow, image: ghcr.io/a/b:v1}
  volumes:
  - image: { reference: quay.io/data:2, pullPolicy: Always }
---
kind: ConfigMap
data:
  script: |
    image: not-an-image
---
apiVersion: apps/v1
kind: Deployment
spec: &spec
  template: { spec: { containers: [ { "image": "nginx" } ] } }
copy: *spec
"#;

    #[test]
    fn every_image_of_every_document_is_found_and_text_within_text_is_not() {
        assert_eq!(
            images_of(WORKLOADS).unwrap(),
            [
                "quay.io/annotated:1",
                "docker.io/library/busybox:1.36",
                "registry.example:5000/app@sha256:0000",
                "ghcr.io/a/b:v1",
                "quay.io/data:2",
                "nginx",
            ]
        );
    }

    #[test]
    fn json_as_kubectl_prints_it_is_read_too() {
        let pods = r#"{"items":[{"spec":{"containers":[{"image":"a:1","imageID":"x"},{"image":"b"}]}}]}"#;
        assert_eq!(images_of(pods).unwrap(), ["a:1", "b"]);
        let pretty: serde_json::Value = serde_json::from_str(pods).unwrap();
        assert_eq!(images_of(&format!("{pretty:#}")).unwrap(), ["a:1", "b"]);
    }

    #[test]
    fn a_list_has_one_name_a_line() {
        let list =
            "# ours\ndebian:stable\n\n  registry.example:5000/app   # with a port\r\nlocalhost:5000/a:1\n";
        assert_eq!(
            images_of(list).unwrap(),
            ["debian:stable", "registry.example:5000/app", "localhost:5000/a:1"]
        );
    }

    #[test]
    fn a_file_without_names_says_what_was_expected() {
        for text in ["", "# nothing\n", "kind: Service\nspec: {}\n", "image:\n", "- a\n- b\n"] {
            let error = images_of(text).unwrap_err().to_string();
            assert!(error.contains("names no image"), "{text:?}: {error}");
        }
        let error = images_of("kind: Pod\nspec: [ unclosed\n").unwrap_err().to_string();
        assert!(error.starts_with("line "), "{error}");
    }

    proptest! {
        #[test]
        fn any_text_is_harmless(text in r#"([a-z]{0,4}|image|[-:{}\[\]&*!|>'"\n #,?]){0,60}"#) {
            if let Ok(images) = images_of(&text) {
                prop_assert!(images.len() <= text.len());
            }
        }
    }
}
