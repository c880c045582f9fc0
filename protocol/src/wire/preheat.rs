//! Images that one node has another one fetch before anyone asks for them.

use alloc::{string::String, vec::Vec};

use super::codec::{Reader, Wire, WireError, put_bytes, put_list, read_string};
use crate::{
    bounds::{MAX_PLATFORM_BYTES, MAX_PLATFORMS, MAX_REASON_BYTES},
    digest::Digest,
    reference::{ImageName, Reference},
};

/// An image to fetch, and the question how far it is. Asked again and again until it has ended: a node stops fetching
/// what nobody asks about any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreheatOrder {
    /// The asker's own name for the job.
    pub job: u64,
    /// The image's place in it.
    pub place: u32,
    /// Whether the image is not wanted any more.
    pub cancel: bool,
    /// The repository.
    pub image: ImageName,
    /// The manifest or index.
    pub reference: Reference,
    /// Platforms, or `all`; none for the asked node's own. At most [`MAX_PLATFORMS`].
    pub platforms: Vec<PlatformName>,
}

/// A platform in words, `linux/arm64`: printable ASCII of at most [`MAX_PLATFORM_BYTES`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformName(pub String);

/// How an image stands on the node that was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreheatProgress {
    /// How it stands.
    pub state: PreheatState,
    /// Why it failed: printable ASCII of at most [`MAX_REASON_BYTES`].
    pub reason: Option<String>,
    /// What its tag stands for, once that is known.
    pub digest: Option<Digest>,
    /// Configs and layers that the node has.
    pub blobs_done: u32,
    /// All of them; 0 until they are known.
    pub blobs_total: u32,
    /// Bytes of configs and layers that the node has.
    pub bytes_done: u64,
    /// Length of all of them; 0 until it is known.
    pub bytes_total: u64,
}

/// How far an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreheatState {
    /// Its turn has not come, or its manifests are being asked for, or its blobs are coming.
    Running,
    /// The node has all of it.
    Done,
    /// It can't be had, or not all of it.
    Failed,
    /// It was cancelled before its end.
    Cancelled,
}

impl Wire for PreheatOrder {
    fn encode(&self, out: &mut Vec<u8>) {
        self.job.encode(out);
        self.place.encode(out);
        self.cancel.encode(out);
        self.image.encode(out);
        self.reference.encode(out);
        put_list(&self.platforms, out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            job: Wire::read(input)?,
            place: Wire::read(input)?,
            cancel: Wire::read(input)?,
            image: Wire::read(input)?,
            reference: Wire::read(input)?,
            platforms: input.list("platforms", MAX_PLATFORMS)?,
        })
    }
}

impl Wire for PlatformName {
    fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(self.0.as_bytes(), out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        read_string(input, "platform", MAX_PLATFORM_BYTES).map(Self)
    }
}

impl Wire for PreheatProgress {
    fn encode(&self, out: &mut Vec<u8>) {
        self.state.encode(out);
        self.reason.is_some().encode(out);
        if let Some(reason) = &self.reason {
            put_bytes(reason.as_bytes(), out);
        }
        self.digest.encode(out);
        self.blobs_done.encode(out);
        self.blobs_total.encode(out);
        self.bytes_done.encode(out);
        self.bytes_total.encode(out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        let state = Wire::read(input)?;
        let has_reason = bool::read(input)?;
        let reason = has_reason.then(|| read_string(input, "reason", MAX_REASON_BYTES));
        Ok(Self {
            state,
            reason: reason.transpose()?,
            digest: Wire::read(input)?,
            blobs_done: Wire::read(input)?,
            blobs_total: Wire::read(input)?,
            bytes_done: Wire::read(input)?,
            bytes_total: Wire::read(input)?,
        })
    }
}

impl Wire for PreheatState {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Running => 0,
            Self::Done => 1,
            Self::Failed => 2,
            Self::Cancelled => 3,
        });
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        match u8::read(input)? {
            0 => Ok(Self::Running),
            1 => Ok(Self::Done),
            2 => Ok(Self::Failed),
            3 => Ok(Self::Cancelled),
            _ => Err(WireError::Invalid("state of an image")),
        }
    }
}
