//! Answers to requests for a canary: from memory, before anything that is for real images.

use bytes::Bytes;

use super::{
    answer::{self, Answer},
    error::MirrorError,
    pull::Pull,
    route::Route,
};
use crate::{
    canary::{Canaries, Part, is_canary},
    content::{ContentError, Resolved},
};

/// The answer to a request for a canary; `None` for one for anything else.
pub(super) fn answer(
    canaries: &Canaries,
    route: &Route,
    head_only: bool,
    pull: &mut Pull,
) -> Option<Result<Answer, MirrorError>> {
    let (part, is_manifest) = match route {
        Route::Manifest(image, reference) if is_canary(image) => (canaries.manifest(image, reference), true),
        Route::Blob(image, digest) if is_canary(image) => (canaries.blob(image, digest), false),
        _ => return None,
    };
    let Some(part) = part else {
        return Some(Err(MirrorError::Content { kind: route.kind(), error: ContentError::NotFound }));
    };
    let bytes = if head_only { Bytes::new() } else { part.bytes.clone() };
    pull.sends(bytes.len());
    Some(if is_manifest { answer::manifest(&resolved(&part), bytes) } else { Ok(blob(&part, bytes)) })
}

fn resolved(part: &Part) -> Resolved {
    Resolved {
        media_type: part.media_type.to_owned(),
        digest: part.digest,
        size_bytes: part.bytes.len() as u64,
        stale: None,
    }
}

/// All of it, whatever part was asked for: it is shorter than the headers.
fn blob(part: &Part, bytes: Bytes) -> Answer {
    answer::small_blob(&part.digest, part.bytes.len() as u64, bytes)
}
