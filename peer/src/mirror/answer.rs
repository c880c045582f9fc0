//! The answers, with exactly the headers that runtimes look at.

use std::{ops::Range, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::{Either, Full};
use serde_json::json;
use shoal_protocol::{digest::Digest, listing::Listing};

use super::{body::BlobBody, error::MirrorError};
use crate::{
    access::Issued,
    content::{Listed, Resolved},
};

pub(super) type Answer = Response<Either<Full<Bytes>, BlobBody>>;

const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");
/// Seconds since the origin last confirmed what a tag stands for, or a list, where it could not be asked now.
const STALE_SECONDS: HeaderName = HeaderName::from_static("shoal-stale-seconds");
const STALE_WARNING: HeaderValue = HeaderValue::from_static("110 - \"Response is Stale\"");
const ALLOWED_METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const OCI_INDEX: HeaderValue = HeaderValue::from_static("application/vnd.oci.image.index.v1+json");
const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// The answer to `/v2/`: yes, this is a registry, and no, it wants no credentials.
pub(super) fn ping() -> Answer {
    let mut answer = plain(StatusCode::OK, JSON, Bytes::from_static(b"{}"));
    set(&mut answer, header::CONTENT_LENGTH, 2);
    answer
}

/// A token, in the form of Docker's token specification and of OAuth2.
pub(super) fn token(issued: &Issued) -> Answer {
    let text = json!({
        "token": issued.token,
        "access_token": issued.token,
        "expires_in": issued.lifetime.as_secs(),
    })
    .to_string();
    let len_bytes = text.len() as u64;
    let mut answer = plain(StatusCode::OK, JSON, text.into());
    set(&mut answer, header::CONTENT_LENGTH, len_bytes);
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// A manifest; `document` is empty where only its head was asked for.
pub(super) fn manifest(head: &Resolved, document: Bytes) -> Result<Answer, MirrorError> {
    let media_type = HeaderValue::from_str(&head.media_type).map_err(|_| MirrorError::MediaType)?;
    let mut answer = plain(StatusCode::OK, media_type, document);
    set(&mut answer, header::CONTENT_LENGTH, head.size_bytes);
    set_digest(&mut answer, &head.digest);
    set_stale(&mut answer, head.stale);
    Ok(answer)
}

/// A list, or the head of its answer alone; `next` is where the next page is.
pub(super) fn list(listing: &Listing, listed: &Listed, next: Option<&str>, head_only: bool) -> Answer {
    let media_type = match listing {
        Listing::Tags => JSON,
        Listing::Referrers(_) => OCI_INDEX,
    };
    let document = if head_only { Bytes::new() } else { listed.document.clone() };
    let mut answer = plain(StatusCode::OK, media_type, document);
    set(&mut answer, header::CONTENT_LENGTH, listed.document.len() as u64);
    if let Some(filters) = &listed.filters {
        set_text(&mut answer, FILTERS_APPLIED, filters);
    }
    if let Some(next) = next {
        set_text(&mut answer, header::LINK, &format!("<{next}>; rel=\"next\""));
    }
    set_stale(&mut answer, listed.stale);
    answer
}

/// The head of a whole blob.
pub(super) fn blob_head(digest: &Digest, len_bytes: u64) -> Answer {
    let mut answer = plain(StatusCode::OK, OCTETS, Bytes::new());
    set(&mut answer, header::CONTENT_LENGTH, len_bytes);
    set_digest(&mut answer, digest);
    accept_ranges(&mut answer);
    answer
}

/// A blob that is at hand as a whole; `bytes` is empty where only its head was asked for.
pub(super) fn small_blob(digest: &Digest, len_bytes: u64, bytes: Bytes) -> Answer {
    blob_head(digest, len_bytes).map(|_| Either::Left(Full::new(bytes)))
}

/// A blob, or the `part` of it, of a blob of `len_bytes`.
pub(super) fn blob(digest: &Digest, len_bytes: u64, part: Option<Range<u64>>, body: BlobBody) -> Answer {
    let mut answer = blob_head(digest, len_bytes).map(|_| Either::Right(body));
    if let Some(part) = part {
        *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
        set(&mut answer, header::CONTENT_LENGTH, part.end - part.start);
        let range = format!("bytes {}-{}/{len_bytes}", part.start, part.end - 1);
        set_text(&mut answer, header::CONTENT_RANGE, &range);
    }
    answer
}

/// What went wrong, in the registry's form.
pub(super) fn error(error: &MirrorError, detail: &serde_json::Value) -> Answer {
    let errors = json!({
        "errors": [{ "code": error.code(), "message": error.to_string(), "detail": detail }]
    });
    let text = errors.to_string();
    let len_bytes = text.len() as u64;
    let mut answer = plain(error.status(), JSON, text.into());
    set(&mut answer, header::CONTENT_LENGTH, len_bytes);
    match error {
        MirrorError::Method(_) => {
            answer.headers_mut().insert(header::ALLOW, ALLOWED_METHODS);
        }
        MirrorError::LoginNeeded { image, realm } => {
            let scope = format!("repository:{}:pull", image.repository);
            let challenge = format!("Bearer realm=\"{realm}\",service=\"shoal\",scope=\"{scope}\"");
            set_text(&mut answer, header::WWW_AUTHENTICATE, &challenge);
        }
        MirrorError::OutsideRange { len_bytes } => {
            set_text(&mut answer, header::CONTENT_RANGE, &format!("bytes */{len_bytes}"));
            accept_ranges(&mut answer);
        }
        _ => {}
    }
    if error.ends_connection() {
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

/// The entity tag of content: its digest, in quotes.
pub(super) fn entity_tag(digest: &Digest) -> String {
    format!("\"{digest}\"")
}

fn plain(status: StatusCode, media_type: HeaderValue, body: Bytes) -> Answer {
    let mut answer = Response::new(Either::Left(Full::new(body)));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
    headers.insert(header::CONTENT_TYPE, media_type);
    answer
}

fn accept_ranges(answer: &mut Answer) {
    answer.headers_mut().insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
}

fn set_stale(answer: &mut Answer, stale: Option<Duration>) {
    if let Some(age) = stale {
        answer.headers_mut().insert(header::WARNING, STALE_WARNING);
        set(answer, STALE_SECONDS, age.as_secs());
    }
}

fn set_digest(answer: &mut Answer, digest: &Digest) {
    set_text(answer, CONTENT_DIGEST, &digest.to_string());
    set_text(answer, header::ETAG, &entity_tag(digest));
}

fn set(answer: &mut Answer, name: HeaderName, number: u64) {
    answer.headers_mut().insert(name, HeaderValue::from(number));
}

/// Sets a header to a text that has only visible ASCII, by how it was made.
fn set_text(answer: &mut Answer, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        answer.headers_mut().insert(name, value);
    }
}
