//! The binary form of records, announcements, lists and snapshots.

use alloc::vec::Vec;

use super::{
    announce::{Announcement, Change, Holding, InventoryList, NodeRecord, SnapshotEntry},
    codec::{Reader, Wire, WireError, put_list, read_string},
};
use crate::{
    bounds::{MAX_ADDRESSES, MAX_BLOBS_PER_NODE, MAX_CHANGES_LISTED, MAX_LIFETIME_MS, MAX_ZONE_BYTES},
    digest::Digest,
};

impl Wire for NodeRecord {
    fn encode(&self, out: &mut Vec<u8>) {
        self.encode_unsigned(out);
        self.signature.encode(out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            node: Wire::read(input)?,
            incarnation: Wire::read(input)?,
            role: Wire::read(input)?,
            zone: read_string(input, "zone", MAX_ZONE_BYTES)?,
            swarm_addresses: input.list("swarm addresses", MAX_ADDRESSES)?,
            lane_addresses: input.list("lane addresses", MAX_ADDRESSES)?,
            signature: Wire::read(input)?,
        })
    }
}

impl Wire for Announcement {
    fn encode(&self, out: &mut Vec<u8>) {
        self.node.encode(out);
        self.incarnation.encode(out);
        self.seq.encode(out);
        self.lifetime_ms.encode(out);
        self.record.encode(out);
        put_list(&self.changes, out);
        self.total.encode(out);
        self.set_hash.encode(out);
        self.leaving.encode(out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            node: Wire::read(input)?,
            incarnation: Wire::read(input)?,
            seq: Wire::read(input)?,
            lifetime_ms: read_lifetime(input)?,
            record: Wire::read(input)?,
            changes: input.ascending("changes", MAX_CHANGES_LISTED, |change: &Change| change.digest)?,
            total: Wire::read(input)?,
            set_hash: Wire::read(input)?,
            leaving: Wire::read(input)?,
        })
    }
}

impl Wire for InventoryList {
    fn encode(&self, out: &mut Vec<u8>) {
        self.record.encode(out);
        self.seq.encode(out);
        self.lifetime_ms.encode(out);
        put_list(&self.holdings, out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            record: Wire::read(input)?,
            seq: Wire::read(input)?,
            lifetime_ms: read_lifetime(input)?,
            holdings: read_holdings(input)?,
        })
    }
}

impl Wire for SnapshotEntry {
    fn encode(&self, out: &mut Vec<u8>) {
        self.record.encode(out);
        self.seq.encode(out);
        self.silent_ms.encode(out);
        self.lifetime_ms.encode(out);
        self.holdings.is_some().encode(out);
        if let Some(holdings) = &self.holdings {
            put_list(holdings, out);
        }
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            record: Wire::read(input)?,
            seq: Wire::read(input)?,
            silent_ms: Wire::read(input)?,
            lifetime_ms: read_lifetime(input)?,
            holdings: if bool::read(input)? { Some(read_holdings(input)?) } else { None },
        })
    }
}

fn read_lifetime(input: &mut Reader<'_>) -> Result<u32, WireError> {
    let lifetime_ms = u32::read(input)?;
    if lifetime_ms <= MAX_LIFETIME_MS { Ok(lifetime_ms) } else { Err(WireError::Invalid("lifetime")) }
}

fn read_holdings(input: &mut Reader<'_>) -> Result<Vec<(Digest, Holding)>, WireError> {
    input.ascending("blobs of a node", MAX_BLOBS_PER_NODE, |(digest, _): &(Digest, Holding)| *digest)
}

impl Wire for (Digest, Holding) {
    fn encode(&self, out: &mut Vec<u8>) {
        Change { digest: self.0, holding: Some(self.1) }.encode(out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        let Change { digest, holding } = Wire::read(input)?;
        Ok((digest, holding.ok_or(WireError::Invalid("holding"))?))
    }
}

impl Wire for Change {
    fn encode(&self, out: &mut Vec<u8>) {
        self.digest.encode(out);
        out.push(match self.holding {
            None => 0,
            Some(Holding::Holds) => 1,
            Some(Holding::Fetching) => 2,
        });
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        let digest = Wire::read(input)?;
        let holding = match u8::read(input)? {
            0 => None,
            1 => Some(Holding::Holds),
            2 => Some(Holding::Fetching),
            _ => return Err(WireError::Invalid("holding")),
        };
        Ok(Self { digest, holding })
    }
}
