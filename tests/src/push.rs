//! Writing images to a registry over its own API.

use std::net::SocketAddr;

use bytes::Bytes;
use reqwest::{
    Client,
    header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION},
};
use serde_json::json;

use crate::image::{Descriptor, INDEX, Manifest, digest_of};

/// Writes images to a registry.
#[derive(Debug)]
pub struct Pusher {
    client: Client,
    registry: SocketAddr,
}

impl Pusher {
    /// For the registry at this address.
    pub fn new(registry: SocketAddr) -> Self {
        Self { client: crate::http::client(), registry }
    }

    /// Pushes one image; returns the digest of its manifest.
    pub async fn push(&self, repository: &str, tag: &str, manifest: &Manifest) -> String {
        self.push_blobs(repository, manifest).await;
        self.put_manifest(repository, tag, manifest.media_type, manifest.bytes.clone()).await
    }

    /// Pushes several platforms under one tag; returns the digest of their index.
    pub async fn push_index(&self, repository: &str, tag: &str, manifests: &[Manifest]) -> String {
        for manifest in manifests {
            self.push_blobs(repository, manifest).await;
            let digest = digest_of(&manifest.bytes);
            self.put_manifest(repository, &digest, manifest.media_type, manifest.bytes.clone()).await;
        }
        let index = json!({
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": manifests.iter().map(Manifest::to_json).collect::<Vec<_>>(),
        });
        self.put_manifest(repository, tag, INDEX, Bytes::from(index.to_string())).await
    }

    /// Pushes a blob; returns its digest.
    pub async fn push_bytes(&self, repository: &str, content: Bytes) -> String {
        let digest = digest_of(&content);
        let size_bytes = content.len() as u64;
        let descriptor = Descriptor { media_type: String::new(), digest: digest.clone(), size_bytes };
        self.push_blob(repository, &descriptor, content.into()).await;
        digest
    }

    async fn push_blobs(&self, repository: &str, manifest: &Manifest) {
        let config = manifest.config_descriptor();
        self.push_blob(repository, &config, reqwest::Body::from(manifest.config.clone())).await;
        for layer in &manifest.layers {
            let file = tokio::fs::File::open(&layer.file).await.expect("a layer's file");
            self.push_blob(repository, &layer.descriptor, reqwest::Body::from(file)).await;
        }
    }

    pub(crate) async fn push_blob(&self, repository: &str, descriptor: &Descriptor, content: reqwest::Body) {
        let start = format!("http://{}/v2/{repository}/blobs/uploads/", self.registry);
        let upload = self.client.post(start).send().await.expect("an upload");
        let location = upload.headers()[LOCATION].to_str().expect("the upload's address").to_owned();
        let separator = if location.contains('?') { '&' } else { '?' };
        let request = self
            .client
            .put(format!("{location}{separator}digest={}", descriptor.digest))
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, descriptor.size_bytes)
            .body(content);
        expect_created(request.send().await.expect("a blob pushed"), &descriptor.digest).await;
    }

    /// Pushes any document as a manifest; returns its digest.
    pub async fn put_manifest(
        &self,
        repository: &str,
        reference: &str,
        media_type: &str,
        bytes: Bytes,
    ) -> String {
        let digest = digest_of(&bytes);
        let url = format!("http://{}/v2/{repository}/manifests/{reference}", self.registry);
        let request = self.client.put(url).header(CONTENT_TYPE, media_type).body(bytes);
        expect_created(request.send().await.expect("a manifest pushed"), &digest).await;
        digest
    }
}

async fn expect_created(response: reqwest::Response, digest: &str) {
    let status = response.status();
    let text = response.text().await.unwrap_or_default();
    assert_eq!(status.as_u16(), 201, "the registry did not take {digest}: {text}");
}
