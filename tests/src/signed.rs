//! Images that cosign and notation signed, as a registry held them afterwards: see the README beside them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    image::{Descriptor, INDEX, digest_of},
    push::Pusher,
};

/// A repository of the fixtures below `team/`.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Its name, with `team/`.
    pub repository: String,
    /// What its tag `v1` stands for.
    pub digest: String,
    folder: PathBuf,
}

/// A key or a certificate that the signatures of the fixtures are verified with.
pub fn trust(file: &str) -> PathBuf {
    fixtures().join("trust").join(file)
}

impl Signed {
    /// The repository of that name.
    pub fn named(name: &str) -> Self {
        let repository = format!("team/{name}");
        let folder = fixtures().join("repositories").join(&repository);
        let digest = fs::read_to_string(folder.join("tags/v1")).expect("what the tag stands for");
        Self { repository, digest, folder }
    }

    /// The manifests that its index lists.
    pub fn listed(&self) -> Vec<String> {
        let index = self.folder.join("manifests").join(self.digest.trim_start_matches("sha256:"));
        let index: Value = serde_json::from_slice(&fs::read(index).expect("the index")).expect("JSON");
        let entries = index["manifests"].as_array().expect("an index").iter();
        entries.map(|entry| entry["digest"].as_str().expect("a digest").to_owned()).collect()
    }

    /// Pushes the image and its signatures.
    pub async fn push(&self, pusher: &Pusher) {
        for (_, content) in files(&self.folder.join("blobs")) {
            let descriptor = Descriptor {
                media_type: String::new(),
                digest: digest_of(&content),
                size_bytes: content.len() as u64,
            };
            pusher.push_blob(&self.repository, &descriptor, content.into()).await;
        }
        let mut manifests: Vec<_> =
            files(&self.folder.join("manifests")).into_iter().map(|(_, content)| content).collect();
        // The registry takes an index only after what it lists.
        manifests.sort_by_key(|content| media_type(content) == INDEX);
        let tags = files(&self.folder.join("tags"));
        for content in manifests {
            let digest = digest_of(&content);
            let named = tags.iter().filter(|(_, stands_for)| *stands_for == digest.as_bytes());
            for reference in named.map(|(tag, _)| tag.clone()).chain([digest.clone()]) {
                let bytes = content.clone().into();
                pusher.put_manifest(&self.repository, &reference, &media_type(&content), bytes).await;
            }
        }
    }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../seed/tests/signatures/fixtures")
}

/// The names and contents of the files in a folder.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).expect("a folder of the fixtures").flatten();
    let read = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().expect("a plain name");
        (name, fs::read(entry.path()).expect("a file of the fixtures"))
    };
    entries.map(read).collect()
}

fn media_type(manifest: &[u8]) -> String {
    let manifest: Value = serde_json::from_slice(manifest).expect("a manifest in JSON");
    manifest["mediaType"].as_str().expect("a media type").to_owned()
}
