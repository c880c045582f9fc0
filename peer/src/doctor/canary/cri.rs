//! The image service of containerd and CRI-O, as the kubelet calls it: gRPC, with the two messages that are needed.
//!
//! A library for gRPC would be many times this file, for one string in each message.

use std::path::PathBuf;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use percent_encoding::percent_decode_str;
use tokio::net::UnixStream;
use tokio_util::task::AbortOnDropHandle;

use super::unix::connect;
use crate::short_request::ShortRequestError;

/// An answer has the name of an image.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// The name of the status in an answer's trailers, and its value when all is well.
const STATUS: &str = "grpc-status";
const OK: &str = "0";

/// An image service on a socket.
pub(super) struct Cri {
    socket: PathBuf,
}

impl Cri {
    pub(super) fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// `PullImage`.
    pub(super) async fn pull(&self, image: &str) -> Result<(), String> {
        self.call("PullImage", image).await
    }

    /// `RemoveImage`.
    pub(super) async fn remove(&self, image: &str) -> Result<(), String> {
        self.call("RemoveImage", image).await
    }

    async fn call(&self, method: &str, image: &str) -> Result<(), String> {
        let stream = connect(&self.socket).await?;
        self.exchange(stream, method, image).await.map_err(|error| error.to_string())?
    }

    async fn exchange(
        &self,
        stream: UnixStream,
        method: &str,
        image: &str,
    ) -> Result<Result<(), String>, ShortRequestError> {
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        let _driver = AbortOnDropHandle::new(tokio::spawn(connection));
        let request = Request::post(format!("http://localhost/runtime.v1.ImageService/{method}"))
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers")
            .body(Full::new(frame(image)))?;
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await?;
        let trailers = body.trailers().filter(|trailers| trailers.contains_key(STATUS));
        Ok(verdict(trailers.unwrap_or(&head.headers)))
    }
}

fn verdict(headers: &HeaderMap) -> Result<(), String> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match text(STATUS) {
        OK => Ok(()),
        "" => Err("it is no CRI image service".to_owned()),
        code => Err(match percent_decode_str(text("grpc-message")).decode_utf8_lossy() {
            message if message.is_empty() => format!("status {code}"),
            message => message.into_owned(),
        }),
    }
}

/// A request that names an image: `{1: {1: image}}`, not compressed.
fn frame(image: &str) -> Bytes {
    let message = field(&field(image.as_bytes()));
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.put_slice(&message);
    frame.freeze()
}

/// Field 1 with `content`, whose length stands before it.
fn field(content: &[u8]) -> Vec<u8> {
    const FIELD_1_OF_BYTES: u8 = 0x0a;
    let mut field = vec![FIELD_1_OF_BYTES];
    let mut rest = content.len();
    while rest >= 0x80 {
        field.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    field.push(rest as u8);
    field.extend_from_slice(content);
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_encoded_as_protobuf_says() {
        assert_eq!(&frame("a:b")[..], b"\0\0\0\0\x07\x0a\x05\x0a\x03a:b");
        let long = "x".repeat(200);
        let frame = frame(&long);
        assert_eq!(&frame[..11], b"\0\0\0\0\xce\x0a\xcb\x01\x0a\xc8\x01");
        assert_eq!(frame.len(), 211);
    }

    #[test]
    fn a_status_is_read_from_trailers() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            let pairs = pairs.iter().map(|(name, value)| {
                (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
            });
            pairs.collect::<HeaderMap>()
        };
        assert_eq!(verdict(&headers(&[("grpc-status", "0")])), Ok(()));
        let failed = headers(&[("grpc-status", "2"), ("grpc-message", "failed to pull %22x%22")]);
        assert_eq!(verdict(&failed), Err("failed to pull \"x\"".to_owned()));
        assert!(verdict(&headers(&[])).is_err());
    }
}
