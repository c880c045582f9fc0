//! The registry and the client of the demo, against each other.

use std::{
    net::Ipv4Addr,
    sync::atomic::{AtomicU64, Ordering},
};

use shoal_protocol::reference::{ImageName, Reference};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    image::{MadeImage, REPOSITORY, TAG},
    origin::Origin,
    pull::{PullError, Watch, pull},
};

#[derive(Default)]
struct Seen {
    total: AtomicU64,
    advanced: AtomicU64,
}

impl Watch for Seen {
    fn total(&self, bytes: u64) {
        self.total.store(bytes, Ordering::Relaxed);
    }

    fn advanced(&self, bytes: u64) {
        self.advanced.fetch_add(bytes, Ordering::Relaxed);
    }
}

struct Setting {
    image: MadeImage,
    origin: Origin,
    name: ImageName,
    _folder: tempfile::TempDir,
}

async fn setting() -> Setting {
    let folder = tempfile::tempdir().unwrap();
    let image = MadeImage::make(folder.path(), 1024 * 1024, 1).unwrap();
    let origin = Origin::serve((Ipv4Addr::LOCALHOST, 0).into(), None).await.unwrap();
    image.put_into(&origin);
    let registry = origin.address().to_string().parse().unwrap();
    let name = ImageName { registry, repository: REPOSITORY.parse().unwrap() };
    Setting { image, origin, name, _folder: folder }
}

impl Setting {
    async fn pull(&self, reference: &str) -> Result<super::pull::Pulled, PullError> {
        let reference: Reference = reference.parse().unwrap();
        pull(self.origin.address(), &self.name, &reference, &Seen::default()).await
    }

    /// The answer to a request whose line and headers, each with its line break, are `head`.
    async fn raw(&self, head: &str) -> String {
        let mut stream = TcpStream::connect(self.origin.address()).await.unwrap();
        let request = format!("{head}Host: a\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

#[tokio::test]
async fn a_pull_takes_each_blob_once_and_all_of_its_bytes() {
    let setting = setting().await;
    let watch = Seen::default();
    let reference = TAG.parse().unwrap();
    let pulled = pull(setting.origin.address(), &setting.name, &reference, &watch).await.unwrap();
    assert_eq!(pulled.digest, setting.image.manifest.digest);
    assert_eq!(pulled.size_bytes, setting.image.blobs.iter().map(|blob| blob.len_bytes).sum::<u64>());
    assert_eq!(watch.total.into_inner(), pulled.size_bytes);
    assert_eq!(watch.advanced.into_inner(), pulled.size_bytes);
    let tally = setting.origin.tally();
    assert_eq!(tally.blob_bytes, pulled.size_bytes);
    assert!(pulled.blobs.iter().all(|blob| tally.gets_by_blob[blob] == 1));
    assert_eq!(tally.manifest_requests, 2);
}

#[tokio::test]
async fn by_digest_nothing_is_resolved() {
    let setting = setting().await;
    setting.pull(&setting.image.manifest.digest.to_string()).await.unwrap();
    assert_eq!(setting.origin.tally().manifest_requests, 1);
}

#[tokio::test]
async fn what_is_not_there_is_an_error_that_names_it() {
    let error = setting().await.pull("other").await.unwrap_err().to_string();
    assert!(error.starts_with("/v2/demo/image/manifests/other?ns=127.0.0.1%3A"), "{error}");
    assert!(error.ends_with("the mirror answered 404 Not Found"), "{error}");
}

#[tokio::test]
async fn damaged_bytes_fail_the_pull() {
    let setting = setting().await;
    let layer = &setting.image.blobs[1].path;
    let mut bytes = std::fs::read(layer).unwrap();
    bytes[1000] ^= 1;
    std::fs::write(layer, bytes).unwrap();
    let error = setting.pull(TAG).await.unwrap_err().to_string();
    assert!(error.ends_with("the bytes have another digest"), "{error}");
}

#[tokio::test]
async fn a_part_of_a_blob_can_be_asked_for() {
    let setting = setting().await;
    let blob = &setting.image.blobs[1];
    let path = format!("/v2/{REPOSITORY}/blobs/{}", blob.digest);
    let part = setting.raw(&format!("GET {path} HTTP/1.1\r\nRange: bytes=5-9\r\n")).await;
    assert!(part.starts_with("HTTP/1.1 206"), "{part}");
    assert!(part.contains(&format!("content-range: bytes 5-9/{}", blob.len_bytes)), "{part}");
    let outside = setting.raw(&format!("GET {path} HTTP/1.1\r\nRange: bytes={}-\r\n", blob.len_bytes)).await;
    assert!(outside.starts_with("HTTP/1.1 416"), "{outside}");
    assert_eq!(setting.origin.tally().blob_bytes, 5);
}

#[tokio::test]
async fn the_registry_is_read_only() {
    let answer = setting().await.raw("DELETE /v2/demo/image/manifests/latest HTTP/1.1\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
}

#[tokio::test]
async fn nobody_listening_is_an_error_that_names_the_mirror() {
    let setting = setting().await;
    let address = setting.origin.address();
    let (name, reference) = (setting.name.clone(), TAG.parse().unwrap());
    drop(setting);
    let error = pull(address, &name, &reference, &Seen::default()).await.unwrap_err().to_string();
    assert!(error.contains(&address.to_string()), "{error}");
}
