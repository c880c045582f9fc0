//! Questions with one answer, each on a stream of its own.

use alloc::{string::String, vec::Vec};

use super::{
    announce::{InventoryList, SnapshotEntry},
    codec::{Reader, Wire, WireError, put_bytes, put_list, read_string},
    login::ClientLogin,
    preheat::{PreheatOrder, PreheatProgress},
};
use crate::{
    bounds::{MAX_FILTERS_BYTES, MAX_MANIFEST_BYTES, MAX_MEDIA_TYPE_BYTES, MAX_NODES},
    digest::Digest,
    listing::{ListQuery, Listing},
    reference::{ImageName, Reference, Tag},
};

/// A question to one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// What do you know of everyone?
    Snapshot,
    /// What do you hold yourself?
    Inventory,
    /// Which manifest does this tag stand for? Asked of the repository's owner.
    Resolve {
        /// The repository.
        image: ImageName,
        /// The tag in it.
        tag: Tag,
    },
    /// The manifest itself.
    Manifest {
        /// The repository.
        image: ImageName,
        /// The manifest's digest.
        digest: Digest,
    },
    /// How long is this blob?
    Stat {
        /// The repository.
        image: ImageName,
        /// The blob's digest.
        digest: Digest,
    },
    /// May this manifest be pulled? Asked of a seed, which asks the origin.
    Permission {
        /// The repository.
        image: ImageName,
        /// The manifest.
        wanted: Reference,
        /// Who wants it; without, the seed's own login is what decides.
        login: Option<ClientLogin>,
    },
    /// What does the repository list? Asked of its owner.
    List {
        /// The repository.
        image: ImageName,
        /// The list.
        listing: Listing,
        /// Which part of it.
        query: ListQuery,
    },
    /// Have this image, and tell how far it is.
    Preheat(PreheatOrder),
}

/// What a node answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To [`Query::Snapshot`]: one entry for each node, in order of their ids.
    Snapshot(Vec<SnapshotEntry>),
    /// To [`Query::Inventory`].
    Inventory(InventoryList),
    /// To [`Query::Resolve`].
    Resolved {
        /// What the tag stands for.
        descriptor: Descriptor,
        /// Seconds since the origin last confirmed it, when the origin can't be asked now.
        stale_s: Option<u32>,
    },
    /// To [`Query::Manifest`].
    Manifest {
        /// The media type that the origin gave.
        media_type: String,
        /// The manifest, whose digest the asker checks.
        bytes: Vec<u8>,
    },
    /// To [`Query::Stat`].
    Stat {
        /// Length of the blob.
        size_bytes: u64,
    },
    /// To [`Query::Permission`]: yes, by the origin's word just now. No is [`Refusal::Denied`].
    Permitted,
    /// To [`Query::List`].
    Listed(ListPage),
    /// To [`Query::Preheat`].
    Preheat(PreheatProgress),
    /// To any query.
    Refused(Refusal),
}

/// Why a query got no other answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// This node does not have it; another may.
    NotHere,
    /// The origin says that there is no such thing.
    NotFound,
    /// The origin denies access.
    Denied,
    /// The origin can't be reached or fails.
    OriginFailed,
    /// This node has too much to do: ask later, or another.
    Busy,
    /// The query can't be read.
    Malformed,
}

/// A list, or a page of it, as the origin gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPage {
    /// The JSON document.
    pub document: Vec<u8>,
    /// The filters that the origin applied (`OCI-Filters-Applied`): printable ASCII.
    pub filters: Option<String>,
    /// What the next page is asked for by, where there is one.
    pub next: Option<ListQuery>,
    /// Seconds since the origin gave it, when the origin can't be asked now.
    pub stale_s: Option<u32>,
}

/// What a tag stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// The manifest's media type: printable ASCII.
    pub media_type: String,
    /// The manifest's digest.
    pub digest: Digest,
    /// The manifest's length.
    pub size_bytes: u64,
}

impl Wire for Query {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Snapshot => out.push(1),
            Self::Inventory => out.push(2),
            Self::Resolve { image, tag } => {
                out.push(3);
                image.encode(out);
                tag.encode(out);
            }
            Self::Manifest { image, digest } => {
                out.push(4);
                image.encode(out);
                digest.encode(out);
            }
            Self::Stat { image, digest } => {
                out.push(5);
                image.encode(out);
                digest.encode(out);
            }
            Self::Permission { image, wanted, login } => {
                out.push(6);
                image.encode(out);
                wanted.encode(out);
                login.encode(out);
            }
            Self::List { image, listing, query } => {
                out.push(7);
                image.encode(out);
                listing.encode(out);
                query.encode(out);
            }
            Self::Preheat(order) => {
                out.push(8);
                order.encode(out);
            }
        }
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match u8::read(input)? {
            1 => Self::Snapshot,
            2 => Self::Inventory,
            3 => Self::Resolve { image: Wire::read(input)?, tag: Wire::read(input)? },
            4 => Self::Manifest { image: Wire::read(input)?, digest: Wire::read(input)? },
            5 => Self::Stat { image: Wire::read(input)?, digest: Wire::read(input)? },
            6 => Self::Permission {
                image: Wire::read(input)?,
                wanted: Wire::read(input)?,
                login: Wire::read(input)?,
            },
            7 => Self::List {
                image: Wire::read(input)?,
                listing: Wire::read(input)?,
                query: Wire::read(input)?,
            },
            8 => Self::Preheat(Wire::read(input)?),
            tag => return Err(WireError::UnknownTag(tag)),
        })
    }
}

impl Wire for Answer {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Refused(refusal) => {
                out.push(0);
                refusal.encode(out);
            }
            Self::Snapshot(entries) => {
                out.push(1);
                put_list(entries, out);
            }
            Self::Inventory(list) => {
                out.push(2);
                list.encode(out);
            }
            Self::Resolved { descriptor, stale_s } => {
                out.push(3);
                descriptor.encode(out);
                stale_s.encode(out);
            }
            Self::Manifest { media_type, bytes } => {
                out.push(4);
                put_bytes(media_type.as_bytes(), out);
                put_bytes(bytes, out);
            }
            Self::Stat { size_bytes } => {
                out.push(5);
                size_bytes.encode(out);
            }
            Self::Permitted => out.push(6),
            Self::Listed(page) => {
                out.push(7);
                page.encode(out);
            }
            Self::Preheat(progress) => {
                out.push(8);
                progress.encode(out);
            }
        }
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match u8::read(input)? {
            0 => Self::Refused(Wire::read(input)?),
            1 => Self::Snapshot(
                input.ascending("snapshot", MAX_NODES, |entry: &SnapshotEntry| entry.record.node)?,
            ),
            2 => Self::Inventory(Wire::read(input)?),
            3 => Self::Resolved { descriptor: Wire::read(input)?, stale_s: Wire::read(input)? },
            4 => Self::Manifest {
                media_type: read_media_type(input)?,
                bytes: input.bytes("manifest", MAX_MANIFEST_BYTES)?.to_vec(),
            },
            5 => Self::Stat { size_bytes: Wire::read(input)? },
            6 => Self::Permitted,
            7 => Self::Listed(Wire::read(input)?),
            8 => Self::Preheat(Wire::read(input)?),
            tag => return Err(WireError::UnknownTag(tag)),
        })
    }
}

impl Wire for Descriptor {
    fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(self.media_type.as_bytes(), out);
        self.digest.encode(out);
        self.size_bytes.encode(out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            media_type: read_media_type(input)?,
            digest: Wire::read(input)?,
            size_bytes: Wire::read(input)?,
        })
    }
}

impl Wire for ListPage {
    fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(&self.document, out);
        self.filters.is_some().encode(out);
        if let Some(filters) = &self.filters {
            put_bytes(filters.as_bytes(), out);
        }
        self.next.encode(out);
        self.stale_s.encode(out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        let document = input.bytes("list", MAX_MANIFEST_BYTES)?.to_vec();
        let has_filters = bool::read(input)?;
        let filters = has_filters.then(|| read_string(input, "filters of a list", MAX_FILTERS_BYTES));
        Ok(Self {
            document,
            filters: filters.transpose()?,
            next: Wire::read(input)?,
            stale_s: Wire::read(input)?,
        })
    }
}

fn read_media_type(input: &mut Reader<'_>) -> Result<String, WireError> {
    read_string(input, "media type", MAX_MEDIA_TYPE_BYTES)
}

impl Wire for Refusal {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::NotHere => 0,
            Self::NotFound => 1,
            Self::Denied => 2,
            Self::OriginFailed => 3,
            Self::Busy => 4,
            Self::Malformed => 5,
        });
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(match u8::read(input)? {
            0 => Self::NotHere,
            1 => Self::NotFound,
            2 => Self::Denied,
            3 => Self::OriginFailed,
            4 => Self::Busy,
            5 => Self::Malformed,
            _ => return Err(WireError::Invalid("refusal")),
        })
    }
}
