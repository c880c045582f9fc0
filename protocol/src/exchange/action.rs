//! What the exchange asks its surroundings to do.

use alloc::vec::Vec;

use crate::{
    chain::PieceCheck,
    digest::Digest,
    geometry::{Geometry, PieceIndex},
    identity::NodeId,
    reference::ImageName,
    wire::{Channel, CloseReason, Message},
};

/// One thing to do, handed out by [`super::Exchange::poll_action`] in the order they must happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open a control stream to that node; answer with `handle_connected` or `handle_connect_failed`.
    Connect {
        /// The node.
        node: NodeId,
    },
    /// Send a control message.
    Send {
        /// To this neighbour.
        to: NodeId,
        /// The message.
        message: Message,
    },
    /// Send a piece over the lane; answer with `handle_uploaded`.
    Upload {
        /// To this neighbour.
        to: NodeId,
        /// The blob.
        digest: Digest,
        /// Our number for the blob, which the lane's header carries.
        channel: Channel,
        /// The piece.
        piece: PieceIndex,
    },
    /// Drop an upload that has not begun; it is no longer wanted. `handle_uploaded` is still owed.
    CancelUpload {
        /// From this neighbour.
        to: NodeId,
        /// The blob.
        digest: Digest,
        /// The piece.
        piece: PieceIndex,
    },
    /// A neighbour names a blob that the exchange does not know. Answer with `handle_hold`, `handle_fetch` or
    /// `handle_absent`.
    Lookup {
        /// The blob.
        digest: Digest,
        /// Who asks.
        from: NodeId,
        /// Where a seed would get it.
        source: Option<ImageName>,
    },
    /// The length is known and pieces are about to come: make room for them.
    Begin {
        /// The blob.
        digest: Digest,
        /// Its length and that of its pieces.
        geometry: Geometry,
    },
    /// Every piece is verified and the chain is closed.
    Complete {
        /// The blob.
        digest: Digest,
    },
    /// The chain was false. What was received under it is worthless; the fetch starts over.
    Discard {
        /// The blob.
        digest: Digest,
        /// Who signed the chain.
        author: NodeId,
    },
    /// The fetch ended without the blob. What was verified can be kept for another try.
    Failed {
        /// The blob.
        digest: Digest,
        /// Why.
        reason: FetchError,
    },
    /// This node's turn to ask the origin: pull the blob from where its chain ends; answer with
    /// `handle_author_chain` as it comes and `handle_pull_ended`.
    Pull {
        /// The blob.
        digest: Digest,
    },
    /// A seed's fetch lacks pieces that no neighbour has: get them from the origin. Answer as for `Pull`.
    PullPieces {
        /// The blob.
        digest: Digest,
        /// The pieces, in order.
        pieces: Vec<PieceIndex>,
    },
    /// A neighbour broke a rule.
    Strike {
        /// The neighbour.
        node: NodeId,
        /// What it did.
        fault: Fault,
    },
}

/// A piece that may arrive: what it belongs to, and how to tell that it is good.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The blob.
    pub digest: Digest,
    /// Verifies the piece, on any thread.
    pub check: PieceCheck,
}

/// What became of a piece that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PieceOutcome {
    /// Verified and stored.
    Stored,
    /// It does not fit the chain.
    Corrupt,
    /// It broke off on the way or could not be stored.
    Lost,
}

/// Why a piece on a lane is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It was wanted once, but no longer: read over it.
    #[error("a piece that is no longer wanted")]
    Late,
    /// It was never wanted: a strike.
    #[error("a piece that nobody asked for")]
    Unasked,
    /// It has another length than the geometry gives it: a strike, and the lane can't be trusted.
    #[error("a piece of the wrong length")]
    Length,
}

/// Why a fetch ended without the blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// No neighbour has it and there is no seed to ask.
    #[error("no peer has it and no seed can be reached")]
    NoSource,
    /// Nothing came for too long.
    #[error("nothing came in time")]
    Stalled,
    /// Every seed that was asked gave up; the last one's reason.
    #[error("the seeds could not get it ({0:?})")]
    Seeds(CloseReason),
    /// As many blobs are being fetched as this node may.
    #[error("too many blobs are being fetched")]
    TooMany,
}

/// What a neighbour did wrong. Three strikes and this node no longer talks to it for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Fault {
    /// A message about a channel that it has not opened, or opened for another blob.
    #[error("a message on a channel that is not open")]
    UnknownChannel,
    /// More channels than allowed.
    #[error("too many open channels")]
    TooManyChannels,
    /// A piece number past the end, or a bitfield of the wrong length.
    #[error("a piece that the blob does not have")]
    NoSuchPiece,
    /// A chain that does not verify.
    #[error("a chain with a wrong signature or shape")]
    InvalidChain,
    /// Author of a chain that proved false.
    #[error("signed a false chain")]
    FalseChain,
    /// Sent a piece that did not fit a chain which later closed on the digest.
    #[error("sent corrupt pieces")]
    CorruptPiece,
    /// A piece nobody asked for, or of the wrong length.
    #[error("sent a piece that was not asked for")]
    UnaskedPiece,
    /// A frame, a header or a gossip message that can't be read.
    #[error("sent what can't be read")]
    Malformed,
    /// A record or a role token that does not verify, or news in another node's name.
    #[error("sent a forged record")]
    Forged,
}
