//! The binary form of the control messages: a tag, the sender's channel, and the rest by kind.

use alloc::vec::Vec;

use super::{
    codec::{Reader, Wire, WireError, put_list},
    control::{Channel, CloseReason, Message},
};
use crate::{
    bounds::{MAX_PIECES, MAX_PIECES_LISTED},
    geometry::PieceIndex,
};

const HELLO: u8 = 1;
const CHAIN: u8 = 2;
const BITFIELD: u8 = 3;
const HAVE: u8 = 4;
const OFFER: u8 = 5;
const WANT: u8 = 6;
const DONT_HAVE: u8 = 7;
const BUSY: u8 = 8;
const CANCEL: u8 = 9;
const CLOSE: u8 = 10;

impl Wire for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Hello { channel, digest, known_links, source } => {
                put_head(HELLO, *channel, out);
                digest.encode(out);
                known_links.encode(out);
                source.encode(out);
            }
            Self::Chain { channel, update } => {
                put_head(CHAIN, *channel, out);
                update.encode(out);
            }
            Self::Bitfield { channel, pieces } => {
                put_head(BITFIELD, *channel, out);
                pieces.encode(out);
            }
            Self::Offer { channel, piece, have } => {
                put_head(OFFER, *channel, out);
                piece.encode(out);
                put_list(have, out);
            }
            Self::Have { channel, pieces } => put_pieces(HAVE, *channel, pieces, out),
            Self::Want { channel, pieces } => put_pieces(WANT, *channel, pieces, out),
            Self::DontHave { channel, pieces } => put_pieces(DONT_HAVE, *channel, pieces, out),
            Self::Busy { channel, pieces } => put_pieces(BUSY, *channel, pieces, out),
            Self::Cancel { channel, pieces } => put_pieces(CANCEL, *channel, pieces, out),
            Self::Close { channel, reason } => {
                put_head(CLOSE, *channel, out);
                reason.encode(out);
            }
        }
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        let tag = u8::read(input)?;
        if !(HELLO..=CLOSE).contains(&tag) {
            return Err(WireError::UnknownTag(tag));
        }
        let channel = Channel(Wire::read(input)?);
        Ok(match tag {
            HELLO => Self::Hello {
                channel,
                digest: Wire::read(input)?,
                known_links: Wire::read(input)?,
                source: Wire::read(input)?,
            },
            CHAIN => Self::Chain { channel, update: Wire::read(input)? },
            BITFIELD => Self::Bitfield { channel, pieces: Wire::read(input)? },
            HAVE => Self::Have { channel, pieces: read_pieces(input)? },
            OFFER => Self::Offer {
                channel,
                piece: Option::<PieceIndex>::read(input)?.map(checked).transpose()?,
                have: read_pieces(input)?,
            },
            WANT => Self::Want { channel, pieces: read_pieces(input)? },
            DONT_HAVE => Self::DontHave { channel, pieces: read_pieces(input)? },
            BUSY => Self::Busy { channel, pieces: read_pieces(input)? },
            CANCEL => Self::Cancel { channel, pieces: read_pieces(input)? },
            _ => Self::Close { channel, reason: Wire::read(input)? },
        })
    }
}

fn put_head(tag: u8, channel: Channel, out: &mut Vec<u8>) {
    out.push(tag);
    channel.0.encode(out);
}

fn put_pieces(tag: u8, channel: Channel, pieces: &[PieceIndex], out: &mut Vec<u8>) {
    put_head(tag, channel, out);
    put_list(pieces, out);
}

fn read_pieces(input: &mut Reader<'_>) -> Result<Vec<PieceIndex>, WireError> {
    let pieces: Vec<PieceIndex> = input.list("pieces listed", MAX_PIECES_LISTED)?;
    pieces.into_iter().map(checked).collect()
}

fn checked(piece: PieceIndex) -> Result<PieceIndex, WireError> {
    if piece < MAX_PIECES { Ok(piece) } else { Err(WireError::Invalid("piece number")) }
}

impl Wire for CloseReason {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Done => 0,
            Self::NotHere => 1,
            Self::NotFound => 2,
            Self::Denied => 3,
            Self::OriginFailed => 4,
            Self::BadChain => 5,
            Self::Leaving => 6,
            Self::Full => 7,
        });
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match u8::read(input)? {
            0 => Self::Done,
            1 => Self::NotHere,
            2 => Self::NotFound,
            3 => Self::Denied,
            4 => Self::OriginFailed,
            5 => Self::BadChain,
            6 => Self::Leaving,
            7 => Self::Full,
            _ => return Err(WireError::Invalid("close reason")),
        })
    }
}
