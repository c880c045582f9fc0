//! The binary form of the words that messages share.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::codec::{Reader, Wire, WireError, put_bytes};
use crate::{
    bitfield::Bitfield,
    bounds::{MAX_LIST_QUERY_BYTES, MAX_NAME_BYTES, MAX_PIECES, MAX_TAG_BYTES},
    chain::{Author, ChainUpdate},
    digest::{Algorithm, Digest},
    geometry::Geometry,
    identity::{NodeId, Signature},
    listing::{ListQuery, Listing},
    membership::{Role, RoleToken},
    reference::{ImageName, Reference, Tag},
};

/// All the links that the longest chain of the longest states has.
const MAX_LINKS_BYTES: usize = MAX_PIECES as usize * Algorithm::Sha512.hash_bytes();

impl Wire for Digest {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self.algorithm() {
            Algorithm::Sha256 => 1,
            Algorithm::Sha512 => 2,
        });
        out.extend_from_slice(self.hash());
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        match u8::read(input)? {
            1 => Wire::read(input).map(Self::Sha256),
            2 => Wire::read(input).map(Self::Sha512),
            _ => Err(WireError::Invalid("digest algorithm")),
        }
    }
}

impl Wire for NodeId {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        Wire::read(input).map(Self)
    }
}

impl Wire for Signature {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        Wire::read(input).map(Self)
    }
}

impl Wire for RoleToken {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self.role {
            Role::Peer => 0,
            Role::Seed => 1,
        });
        self.signature.encode(out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        let role = match u8::read(input)? {
            0 => Role::Peer,
            1 => Role::Seed,
            _ => return Err(WireError::Invalid("role")),
        };
        Ok(Self { role, signature: Wire::read(input)? })
    }
}

impl Wire for SocketAddr {
    fn encode(&self, out: &mut Vec<u8>) {
        match self.ip() {
            IpAddr::V4(address) => {
                out.push(4);
                address.octets().encode(out);
            }
            IpAddr::V6(address) => {
                out.push(6);
                address.octets().encode(out);
            }
        }
        self.port().encode(out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        let address = match u8::read(input)? {
            4 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::read(input)?)),
            6 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::read(input)?)),
            _ => return Err(WireError::Invalid("address family")),
        };
        Ok(Self::new(address, Wire::read(input)?))
    }
}

impl Wire for Tag {
    fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(self.as_str().as_bytes(), out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        input.parsed("tag", MAX_TAG_BYTES)
    }
}

impl Wire for Reference {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Tag(tag) => {
                out.push(0);
                tag.encode(out);
            }
            Self::Digest(digest) => {
                out.push(1);
                digest.encode(out);
            }
        }
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        match u8::read(input)? {
            0 => Wire::read(input).map(Self::Tag),
            1 => Wire::read(input).map(Self::Digest),
            _ => Err(WireError::Invalid("reference")),
        }
    }
}

impl Wire for Listing {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Tags => out.push(0),
            Self::Referrers(subject) => {
                out.push(1);
                subject.encode(out);
            }
        }
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        match u8::read(input)? {
            0 => Ok(Self::Tags),
            1 => Wire::read(input).map(Self::Referrers),
            _ => Err(WireError::Invalid("list")),
        }
    }
}

impl Wire for ListQuery {
    fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(self.as_str().as_bytes(), out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        input.parsed("query of a list", MAX_LIST_QUERY_BYTES)
    }
}

impl Wire for ImageName {
    fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(self.registry.as_str().as_bytes(), out);
        put_bytes(self.repository.as_str().as_bytes(), out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            registry: input.parsed("registry host", MAX_NAME_BYTES)?,
            repository: input.parsed("repository name", MAX_NAME_BYTES)?,
        })
    }
}

impl Wire for Geometry {
    fn encode(&self, out: &mut Vec<u8>) {
        self.blob_bytes().encode(out);
        self.piece_bytes().encode(out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        Self::new(Wire::read(input)?, Wire::read(input)?).map_err(|_| WireError::Invalid("piece geometry"))
    }
}

impl Wire for Bitfield {
    fn encode(&self, out: &mut Vec<u8>) {
        self.len().encode(out);
        out.extend_from_slice(self.as_bytes());
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        let len = input.count("bitfield", MAX_PIECES as usize)?;
        let bytes = input.take(len.div_ceil(8))?.to_vec();
        let len = u32::try_from(len).map_err(|_| WireError::Invalid("bitfield"))?;
        Self::from_bytes(bytes, len).map_err(|_| WireError::Invalid("bitfield"))
    }
}

impl Wire for ChainUpdate {
    fn encode(&self, out: &mut Vec<u8>) {
        self.geometry.encode(out);
        self.author.node.encode(out);
        self.author.role.encode(out);
        self.first_link.encode(out);
        put_bytes(&self.links, out);
        self.signature.encode(out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            geometry: Wire::read(input)?,
            author: Author { node: Wire::read(input)?, role: Wire::read(input)? },
            first_link: Wire::read(input)?,
            links: input.bytes("chain links", MAX_LINKS_BYTES)?.to_vec(),
            signature: Wire::read(input)?,
        })
    }
}
