//! The piece chain: how any piece of a blob is verified alone, in any order, against the blob's one digest.
//!
//! SHA-2 compresses a blob block by block, and its state after a piece depends on nothing but the state before it.
//! A *link* is that state at a piece boundary. Piece *i* is good if compressing it from link *i* gives link *i + 1*;
//! link 0 is the algorithm's initial value, and the last piece has to give the digest itself, padding included. So
//! the chain of a blob of *n* pieces has *n − 1* links, and a blob of one piece needs none.
//!
//! Invariant: when every piece passes its check, the content has the blob's digest, whoever wrote the links. Until
//! then links are only their author's word: a liar can make garbage pass and honest pieces fail, but never a wrong
//! blob close. That is why a chain is signed, and why the author is blamed when it does not close.
//!
//! - [`ChainBuilder`] makes a chain while hashing a blob in order (a seed, as bytes arrive from the origin).
//! - [`ChainUpdate`] carries links from node to node, under the author's signature.
//! - [`Chain`] is what a node knows of a chain so far; it grows by updates.
//! - [`PieceCheck`] verifies one piece, on any thread.

mod abreast;
mod builder;
mod check;
mod known;
mod state;
mod succession;
mod update;

pub use builder::{ChainBuildError, ChainBuilder};
pub use check::PieceCheck;
pub use known::{Chain, ChainError};
pub use update::{Author, ChainUpdate};
