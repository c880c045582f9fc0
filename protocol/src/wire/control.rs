//! The exchange's control messages: small, on one long-lived stream per neighbour, for all blobs.

use alloc::vec::Vec;

use crate::{
    bitfield::Bitfield, chain::ChainUpdate, digest::Digest, geometry::PieceIndex, reference::ImageName,
};

/// A short name for a blob in what one side sends to the other. Each side numbers its own, by [`Message::Hello`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel(pub u32);

/// One message about one blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Opens the sender's channel for a blob. The other side answers with a `Hello` of its own or with `Close`.
    Hello {
        /// The sender's number for the blob.
        channel: Channel,
        /// The blob.
        digest: Digest,
        /// Links of the piece chain that the sender knows already.
        known_links: u32,
        /// Where the blob comes from, when the sender asks a seed to get it.
        source: Option<ImageName>,
    },
    /// More of the piece chain.
    Chain {
        /// The sender's number for the blob.
        channel: Channel,
        /// The links and their author's signature.
        update: ChainUpdate,
    },
    /// All the pieces that the sender has.
    Bitfield {
        /// The sender's number for the blob.
        channel: Channel,
        /// The pieces.
        pieces: Bitfield,
    },
    /// Pieces that the sender has since its last `Bitfield`, `Have` or `Offer`.
    Have {
        /// The sender's number for the blob.
        channel: Channel,
        /// The pieces.
        pieces: Vec<PieceIndex>,
    },
    /// The sender has a free upload slot. The other side answers with `Want` or `Busy`.
    Offer {
        /// The sender's number for the blob.
        channel: Channel,
        /// The piece offered; without it, any that the sender has.
        piece: Option<PieceIndex>,
        /// As in `Have`: what the sender has not yet announced to this neighbour.
        have: Vec<PieceIndex>,
    },
    /// Asks for pieces, in this order.
    Want {
        /// The sender's number for the blob.
        channel: Channel,
        /// The pieces.
        pieces: Vec<PieceIndex>,
    },
    /// The sender does not have these pieces, and won't send them.
    DontHave {
        /// The sender's number for the blob.
        channel: Channel,
        /// The pieces.
        pieces: Vec<PieceIndex>,
    },
    /// No room now: for the pieces wanted or, without any, for the offer made.
    Busy {
        /// The sender's number for the blob.
        channel: Channel,
        /// The pieces that were wanted.
        pieces: Vec<PieceIndex>,
    },
    /// The sender no longer wants these pieces, or no longer sends them.
    Cancel {
        /// The sender's number for the blob.
        channel: Channel,
        /// The pieces.
        pieces: Vec<PieceIndex>,
    },
    /// The sender is done with the blob and frees its channel.
    Close {
        /// The sender's number for the blob.
        channel: Channel,
        /// Why.
        reason: CloseReason,
    },
}

impl Message {
    /// The sender's number for the blob that the message is about.
    pub const fn channel(&self) -> Channel {
        match self {
            Self::Hello { channel, .. }
            | Self::Chain { channel, .. }
            | Self::Bitfield { channel, .. }
            | Self::Have { channel, .. }
            | Self::Offer { channel, .. }
            | Self::Want { channel, .. }
            | Self::DontHave { channel, .. }
            | Self::Busy { channel, .. }
            | Self::Cancel { channel, .. }
            | Self::Close { channel, .. } => *channel,
        }
    }
}

/// Why a channel was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// Not interested any more: nothing is wrong.
    Done,
    /// The blob is not here and this node does not fetch it.
    NotHere,
    /// The origin says that there is no such blob.
    NotFound,
    /// The origin denies access.
    Denied,
    /// The origin can't be reached or fails.
    OriginFailed,
    /// The chain under which pieces were exchanged proved false.
    BadChain,
    /// This node stops.
    Leaving,
    /// A bound of this node is reached.
    Full,
}
