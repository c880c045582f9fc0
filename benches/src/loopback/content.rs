//! Blobs to move.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest as _, Sha256};
use shoal_peer::store::{RealDisk, Store};
use shoal_protocol::{
    chain::{Chain, ChainBuilder, ChainUpdate},
    digest::Digest,
    geometry::Geometry,
    identity::NodeKey,
    wire::Wire,
};

use crate::{cli::Failure, units::Bytes};

/// A blob in a store, with the chain of its pieces.
pub(super) struct StoredBlob {
    pub(super) digest: Digest,
    pub(super) geometry: Geometry,
    pub(super) chain: Chain,
    /// The file, as the store keeps it.
    pub(super) path: PathBuf,
}

impl StoredBlob {
    /// Makes a blob of incompressible bytes and puts it into the store in `folder`, with a chain by `author`.
    pub(super) fn make(folder: &Path, geometry: Geometry, author: &NodeKey) -> Result<Self, Failure> {
        let mut hash = Sha256::new();
        for_each_piece(geometry, |piece| {
            hash.update(piece);
            Ok(())
        })?;
        let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let digest: Digest = format!("sha256:{hex}").parse()?;
        std::fs::create_dir_all(folder)?;
        let (store, _) = Store::open(folder, Arc::new(RealDisk))?;
        let partial = store.begin(&digest, geometry)?;
        let mut builder = ChainBuilder::new(digest, geometry);
        for_each_piece(geometry, |piece| {
            partial.write_piece(builder.next_piece(), piece)?;
            Ok(builder.push(piece)?)
        })?;
        let chain = builder.sign(author, None);
        partial.complete(&encode(&chain), None)?;
        let path = folder.join("blobs/sha256").join(&hex[..2]).join(&hex);
        Ok(Self { digest, geometry, chain, path })
    }
}

/// How a blob is cut: as any node would, or in pieces of this length.
pub(super) fn geometry(blob: Bytes, piece: Option<Bytes>) -> Result<Geometry, Failure> {
    Ok(match piece {
        None => Geometry::for_blob(blob.0)?,
        Some(piece) => Geometry::new(blob.0, u32::try_from(piece.0)?)?,
    })
}

/// The chain as it is kept in files.
pub(super) fn encode(chain: &Chain) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(update) = chain.update_from(0) {
        update.encode(&mut bytes);
    }
    bytes
}

/// Reads what [`encode`] gave.
pub(super) fn decode(digest: Digest, bytes: &[u8]) -> Result<Chain, Failure> {
    Ok(Chain::from_update(digest, &ChainUpdate::decode(bytes)?)?)
}

/// The same bytes for every call with the same geometry: a random first piece, and one word more in each next one.
fn for_each_piece(
    geometry: Geometry,
    mut each: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut random = fastrand::Rng::with_seed(geometry.blob_bytes());
    let mut piece = vec![0; geometry.piece_bytes() as usize];
    random.fill(&mut piece);
    for index in 0..geometry.piece_count() {
        let number = index.to_le_bytes();
        piece.iter_mut().zip(number).for_each(|(byte, new)| *byte = new);
        each(&piece[..geometry.len(index) as usize])?;
    }
    Ok(())
}
