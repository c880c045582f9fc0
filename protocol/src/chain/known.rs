//! What a node knows of a chain so far.

use alloc::vec::Vec;
use core::fmt;

use super::{
    check::PieceCheck,
    state::State,
    update::{Author, ChainUpdate, LinksHash, signed_message},
};
use crate::{
    digest::Digest,
    geometry::{Geometry, PieceIndex},
    identity::Signature,
};

/// The links known so far, all under their author's signature.
#[derive(Clone, PartialEq, Eq)]
pub struct Chain {
    digest: Digest,
    geometry: Geometry,
    author: Author,
    links: Vec<u8>,
    links_hash: LinksHash,
    signature: Signature,
}

/// Why an update is refused. Only [`Self::Contradiction`] tells something about the author; the rest is the fault of
/// whoever sent the update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// The update begins past the links that are known.
    #[error(
        "a chain update begins after link {first_link}, but only {known_links} links are known; ask from there"
    )]
    Gap {
        /// Links that the update takes as known.
        first_link: u32,
        /// Links that are known.
        known_links: u32,
    },
    /// The links do not divide into whole states.
    #[error("{links_bytes} bytes of links are no whole number of {link_bytes}-byte links")]
    PartialLink {
        /// Length of the links.
        links_bytes: usize,
        /// Length of one link.
        link_bytes: usize,
    },
    /// More links than the blob has piece boundaries.
    #[error("a chain update reaches link {last_link}, but a blob of {piece_count} pieces has one link fewer")]
    TooManyLinks {
        /// The last link of the update.
        last_link: u64,
        /// Pieces of the blob.
        piece_count: u32,
    },
    /// The update has another author, or the same one in another role.
    #[error("a chain update is by another author than the chain it should extend")]
    OtherAuthor,
    /// The update cuts the blob differently.
    #[error("a chain update has another blob or piece length than the chain it should extend")]
    OtherGeometry,
    /// The author did not sign these links.
    #[error("a chain update does not carry its author's signature over these links")]
    Signature,
    /// The author signed two chains for one blob that differ: it lied in one of them.
    #[error("the author signed another link {link} before; its chain can't be trusted")]
    Contradiction {
        /// The first link that differs, counted from 1.
        link: u32,
    },
}

impl Chain {
    /// Starts a chain for `digest` with an update that begins at its first link.
    ///
    /// # Errors
    /// When the update begins later, has too many or partial links, or its signature is not its author's.
    pub fn from_update(digest: Digest, update: &ChainUpdate) -> Result<Self, ChainError> {
        let mut chain = Self {
            digest,
            geometry: update.geometry,
            author: update.author.clone(),
            links: Vec::new(),
            links_hash: LinksHash::default(),
            signature: update.signature,
        };
        chain.check_shape(update)?;
        chain.append(&update.links, update.signature)?;
        Ok(chain)
    }

    pub(super) const fn signed(
        digest: Digest,
        geometry: Geometry,
        author: Author,
        links: Vec<u8>,
        links_hash: LinksHash,
        signature: Signature,
    ) -> Self {
        Self { digest, geometry, author, links, links_hash, signature }
    }

    /// Adds what is new in `update`, and says how many links that were. Links known already must agree.
    ///
    /// # Errors
    /// When the update leaves a gap, is malformed, is about another chain, lacks the author's signature, or shows
    /// that the author signed two different chains. The chain is then as it was.
    pub fn extend(&mut self, update: &ChainUpdate) -> Result<u32, ChainError> {
        if update.author != self.author {
            return Err(ChainError::OtherAuthor);
        }
        if update.geometry != self.geometry {
            return Err(ChainError::OtherGeometry);
        }
        self.check_shape(update)?;
        let start_byte = update.first_link as usize * self.link_bytes();
        let known = &self.links[start_byte..];
        let overlap_bytes = known.len().min(update.links.len());
        let (overlap, new) = update.links.split_at(overlap_bytes);
        if *overlap != known[..overlap_bytes] {
            return Err(self.blame(update));
        }
        if new.is_empty() {
            return Ok(0);
        }
        let known_before = self.known_links();
        self.append(new, update.signature)?;
        Ok(self.known_links() - known_before)
    }

    /// The blob that the chain is of.
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Length of the blob and its pieces, as the author has it.
    pub const fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// Who made the chain.
    pub const fn author(&self) -> &Author {
        &self.author
    }

    /// How many links are known, from the first.
    pub fn known_links(&self) -> u32 {
        // `check_shape` keeps the count below the number of pieces.
        (self.links.len() / self.link_bytes()) as u32
    }

    /// True when every link is known, so that every piece can be verified.
    pub fn is_whole(&self) -> bool {
        self.known_links() == self.geometry.last_piece()
    }

    /// How many pieces can be verified, from the first.
    pub fn verifiable_pieces(&self) -> u32 {
        if self.is_whole() { self.geometry.piece_count() } else { self.known_links() }
    }

    /// What `piece` is verified with; `None` as long as the links around it are not known, and past the end.
    pub fn check(&self, piece: PieceIndex) -> Option<PieceCheck> {
        let before = self.state_before(piece)?;
        let is_last = piece == self.geometry.last_piece();
        let after = if is_last { State::of_digest(&self.digest) } else { self.state_before(piece + 1)? };
        Some(PieceCheck::new(self.geometry, piece, before, after))
    }

    /// The links after `first_link`, for a node that knows those before; `None` when there is nothing new to it.
    ///
    /// From link 0 there is always something new: the geometry and the author.
    pub fn update_from(&self, first_link: u32) -> Option<ChainUpdate> {
        if first_link > 0 && first_link >= self.known_links() {
            return None;
        }
        Some(ChainUpdate {
            geometry: self.geometry,
            author: self.author.clone(),
            first_link,
            links: self.links[first_link as usize * self.link_bytes()..].to_vec(),
            signature: self.signature,
        })
    }

    pub(super) fn links(&self) -> (&[u8], LinksHash) {
        (&self.links, self.links_hash)
    }

    /// The state before `piece`: link 0 is the initial value, which no update carries.
    pub(super) fn state_before(&self, piece: PieceIndex) -> Option<State> {
        let algorithm = self.digest.algorithm();
        let Some(index) = piece.checked_sub(1) else {
            return Some(State::initial(algorithm));
        };
        let link = self.links.chunks_exact(self.link_bytes()).nth(index as usize)?;
        Some(State::from_bytes(algorithm, link))
    }

    const fn link_bytes(&self) -> usize {
        self.digest.algorithm().hash_bytes()
    }

    /// Checks everything about an update that needs no hashing, so that later steps can count on it.
    fn check_shape(&self, update: &ChainUpdate) -> Result<(), ChainError> {
        let (links_bytes, link_bytes) = (update.links.len(), self.link_bytes());
        if !links_bytes.is_multiple_of(link_bytes) {
            return Err(ChainError::PartialLink { links_bytes, link_bytes });
        }
        if update.first_link > self.known_links() {
            return Err(ChainError::Gap { first_link: update.first_link, known_links: self.known_links() });
        }
        let last_link = u64::from(update.first_link) + (links_bytes / link_bytes) as u64;
        let piece_count = self.geometry.piece_count();
        if last_link >= u64::from(piece_count) {
            return Err(ChainError::TooManyLinks { last_link, piece_count });
        }
        Ok(())
    }

    /// Appends links that follow the known ones, if `signature` covers them.
    fn append(&mut self, new: &[u8], signature: Signature) -> Result<(), ChainError> {
        let links_hash = self.links_hash.with(new, self.link_bytes());
        let link_count = self.known_links() + (new.len() / self.link_bytes()) as u32;
        if !self.is_signed(link_count, links_hash, &signature) {
            return Err(ChainError::Signature);
        }
        self.links.extend_from_slice(new);
        self.links_hash = links_hash;
        self.signature = signature;
        Ok(())
    }

    /// Who is at fault when an update disagrees with known links: the author if it signed both, else the sender.
    fn blame(&self, update: &ChainUpdate) -> ChainError {
        let link_bytes = self.link_bytes();
        let (before, known) = self.links.split_at(update.first_link as usize * link_bytes);
        let links_hash = LinksHash::default().with(before, link_bytes).with(&update.links, link_bytes);
        let link_count = update.first_link + (update.links.len() / link_bytes) as u32;
        if !self.is_signed(link_count, links_hash, &update.signature) {
            return ChainError::Signature;
        }
        let agreeing = known.iter().zip(&update.links).take_while(|(ours, theirs)| ours == theirs).count();
        ChainError::Contradiction { link: update.first_link + (agreeing / link_bytes) as u32 + 1 }
    }

    fn is_signed(&self, link_count: u32, links_hash: LinksHash, signature: &Signature) -> bool {
        let role = self.author.role.as_ref();
        let message = signed_message(&self.digest, &self.geometry, role, link_count, links_hash);
        self.author.node.verify(&message, signature)
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chain")
            .field("digest", &self.digest)
            .field("geometry", &self.geometry)
            .field("author", &self.author)
            .field("known_links", &self.known_links())
            .finish_non_exhaustive()
    }
}
