//! Reading the bodies of answers, with bounds.

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _};
use http::{HeaderMap, HeaderValue, header::CONTENT_ENCODING};
use reqwest::Response;

use super::error::{OriginError, PublicUrl};

/// A whole body of at most `max_bytes`.
pub(super) async fn read_bounded(
    response: Response,
    url: &PublicUrl,
    max_bytes: usize,
) -> Result<Bytes, OriginError> {
    let too_long = || OriginError::refused(url, format!("sent more than {max_bytes} bytes"));
    if response.content_length().is_some_and(|length| length > max_bytes as u64) {
        return Err(too_long());
    }
    let mut body = std::pin::pin!(stream(response, url.clone()));
    let mut read = BytesMut::new();
    while let Some(bytes) = body.next().await.transpose()? {
        if read.len() + bytes.len() > max_bytes {
            return Err(too_long());
        }
        read.extend_from_slice(&bytes);
    }
    Ok(read.freeze())
}

/// A body as it comes.
pub(super) fn stream(
    response: Response,
    url: PublicUrl,
) -> impl Stream<Item = Result<Bytes, OriginError>> + Send + 'static {
    response.bytes_stream().map(move |bytes| bytes.map_err(|error| OriginError::from_client(&url, error)))
}

/// A digest covers the bytes as they were pushed: an encoded answer is another content.
pub(super) fn require_identity(headers: &HeaderMap, url: &PublicUrl) -> Result<(), OriginError> {
    let is_identity = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    match headers.get_all(CONTENT_ENCODING).iter().find(|value| !is_identity(value)) {
        None => Ok(()),
        Some(value) => Err(OriginError::refused(
            url,
            format!("sent Content-Encoding {value:?} where identity was asked for"),
        )),
    }
}
