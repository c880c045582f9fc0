//! A plain HTTP client, as registries and mirrors see it.

use std::{net::SocketAddr, time::Duration};

use reqwest::{Client, Response};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::image::hex;

/// No exchange of a test takes longer, 1 GiB through a loaded machine included.
const EXCHANGE_WITHIN: Duration = Duration::from_secs(180);

/// A client that keeps no connection open between requests: what it talks to is killed and started again.
pub fn client() -> Client {
    // Fails only when another test of this process installed it before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .pool_max_idle_per_host(0)
        .no_proxy()
        .timeout(EXCHANGE_WITHIN)
        .build()
        .expect("an HTTP client")
}

/// What came of reading a body to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// Bytes that arrived.
    pub len_bytes: u64,
    /// Their digest.
    pub digest: String,
    /// Why it ended early, if it did.
    pub broken: Option<String>,
}

/// Reads a body and forgets it, but for its length and digest.
pub async fn drain(mut response: Response) -> Body {
    let mut hasher = Sha256::new();
    let mut len_bytes = 0;
    let broken = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                hasher.update(&chunk);
                len_bytes += chunk.len() as u64;
            }
            Ok(None) => break None,
            Err(error) => break Some(error.to_string()),
        }
    };
    Body { len_bytes, digest: format!("sha256:{}", hex(&hasher.finalize())), broken }
}

/// Sends bytes as they are and returns what comes back until the other side closes, or `within` has passed.
///
/// Half of the point is that the other side may close while we still write: that is no error here.
pub async fn raw(address: SocketAddr, request: &[u8], within: Duration) -> Vec<u8> {
    let mut answer = Vec::new();
    let exchange = async {
        let Ok(mut stream) = TcpStream::connect(address).await else { return };
        let (mut reader, mut writer) = stream.split();
        let read = async {
            let mut chunk = vec![0; 64 * 1024];
            while let Ok(count @ 1..) = reader.read(&mut chunk).await {
                answer.extend_from_slice(&chunk[..count]);
            }
        };
        let write = async {
            let _ = writer.write_all(request).await;
        };
        tokio::join!(read, write);
    };
    // What arrived until then is the answer.
    let _ = tokio::time::timeout(within, exchange).await;
    answer
}
