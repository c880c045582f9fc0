//! Chains of one blob by different authors: how a seed goes on where another left off.

use super::{
    known::{Chain, ChainError},
    update::ChainUpdate,
};

impl Chain {
    /// The chain that `update`'s author signed, when the links before the update are those known here.
    ///
    /// # Errors
    /// When the update begins past the known links, cuts the blob differently, or its signature does not cover the
    /// known links and its own: then the two authors disagree, or the update is forged.
    pub fn succeeded_by(&self, update: &ChainUpdate) -> Result<Self, ChainError> {
        if update.geometry != self.geometry() {
            return Err(ChainError::OtherGeometry);
        }
        let known_links = self.known_links();
        if update.first_link > known_links {
            return Err(ChainError::Gap { first_link: update.first_link, known_links });
        }
        let prefix_bytes = update.first_link as usize * self.digest().algorithm().hash_bytes();
        let links = [&self.links().0[..prefix_bytes], &update.links].concat();
        Self::from_update(*self.digest(), &ChainUpdate { first_link: 0, links, ..update.clone() })
    }

    /// True when two chains of one blob say the same as far as both go.
    pub fn agrees_with(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.links().0, other.links().0);
        let common_bytes = mine.len().min(theirs.len());
        self.digest() == other.digest()
            && self.geometry() == other.geometry()
            && mine[..common_bytes] == theirs[..common_bytes]
    }
}
