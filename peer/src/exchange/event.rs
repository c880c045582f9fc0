//! What the exchange's task is told.

use std::sync::{Arc, atomic::AtomicBool};

use shoal_protocol::{
    bitfield::Bitfield,
    chain::Chain,
    digest::Digest,
    exchange::{Arrival, Fault, PieceOutcome, ReaderId, Refused},
    geometry::PieceIndex,
    identity::NodeId,
    reference::ImageName,
    wire::{CloseReason, LaneHeader, Message},
};
use tokio::sync::{mpsc, oneshot};

use super::{ProgressReceiver, serving::PieceFile};
use crate::{
    buffers::Buffer,
    lane::LaneReceiver,
    store::{CompleteBlob, PartialBlob, PartialError, StoreError},
    swarm::BoxStream,
};

/// One thing that happened.
pub(super) enum Event {
    /// Somebody on this node wants a blob.
    Fetch { digest: Digest, image: ImageName, reply: oneshot::Sender<Option<ProgressReceiver>> },
    /// The look-up before a fetch is done: pieces of an earlier run, if there are any.
    FetchReady { digest: Digest, image: ImageName, asked_by_seed: bool, resumed: Option<Resumed> },
    /// A reader waits for a piece, or is done.
    Reader { digest: Digest, reader: ReaderId, next: Option<PieceIndex> },

    /// A neighbour opened a control stream to us.
    ControlStream { from: NodeId, stream: BoxStream },
    /// Our control stream to a neighbour is open, or can't be opened.
    ControlOpened { node: NodeId, stream: Option<BoxStream> },
    /// A neighbour's message, on the connection of that epoch.
    Message { from: NodeId, epoch: u64, message: Message },
    /// A control stream of that epoch broke or ended.
    ControlClosed { node: NodeId, epoch: u64 },
    /// A node broke a rule outside the exchange's messages.
    Fault { node: NodeId, fault: Fault },
    /// The connection to a node broke.
    Disconnected { node: NodeId },

    /// A neighbour opened a lane to us.
    Lane { lane: LaneReceiver },
    /// A piece came: may it be verified?
    PieceArrived { from: NodeId, header: LaneHeader, reply: oneshot::Sender<Result<Expected, Refused>> },
    /// A piece was verified and stored, or not.
    PieceDone { from: NodeId, digest: Digest, piece: PieceIndex, len_bytes: u64, outcome: PieceOutcome },
    /// Bytes of pieces came from a neighbour.
    LaneProgress { from: NodeId },
    /// An upload ended.
    Uploaded { to: NodeId, digest: Digest, piece: PieceIndex, sent: bool },

    /// The store was looked through for a blob that a neighbour asks about.
    Found { digest: Digest, from: NodeId, source: Option<ImageName>, found: Option<(Chain, CompleteBlob)> },
    /// Room was made for the pieces of a blob.
    Begun { digest: Digest, result: Result<PartialBlob, StoreError> },
    /// Pieces were made durable, or could not be.
    Recorded { digest: Digest, result: Result<(), PartialError> },
    /// A blob was made durable under its final name, or could not be.
    Completed { digest: Digest, result: Result<CompleteBlob, PartialError> },

    /// This seed's pull from the origin has grown the chain over pieces that are stored.
    Authored { digest: Digest, chain: Chain, pieces: Vec<PieceIndex>, len_bytes: u64 },
    /// This seed's pull ended.
    PullEnded { digest: Digest, result: Result<(), CloseReason> },

    /// Say goodbye and stop.
    Stop { done: oneshot::Sender<()> },
}

/// How to verify a piece, and where it goes.
pub(super) struct Expected {
    pub(super) arrival: Arrival,
    pub(super) progress: ProgressReceiver,
}

/// What an earlier run left of a blob, verified again.
pub(super) struct Resumed {
    pub(super) partial: PartialBlob,
    pub(super) chain: Chain,
    pub(super) pieces: Bitfield,
}

/// A piece to send.
pub(super) struct UploadJob {
    pub(super) digest: Digest,
    pub(super) header: LaneHeader,
    pub(super) offset: u64,
    pub(super) file: PieceFile,
    pub(super) cancelled: Arc<AtomicBool>,
}

/// A piece that came over a lane and is to be verified.
pub(super) struct ReceivedPiece {
    pub(super) from: NodeId,
    pub(super) piece: PieceIndex,
    pub(super) bytes: Buffer,
    pub(super) expected: Expected,
}

/// Where control messages to a neighbour wait to be written.
pub(super) type ControlOutbox = mpsc::Sender<Message>;
