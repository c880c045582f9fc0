//! The state of SHA-2 between two blocks (FIPS 180-4).

use alloc::vec::Vec;

use sha2::block_api::{compress256, compress512};

use super::abreast::compress256_both;
use crate::digest::{Algorithm, Digest};

const INITIAL_256: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];
const INITIAL_512: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

/// What SHA-2 carries from one block to the next. After the last block it is the digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Sha256([u32; 8]),
    Sha512([u64; 8]),
}

impl State {
    /// The state before the first byte.
    pub(super) const fn initial(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(INITIAL_256),
            Algorithm::Sha512 => Self::Sha512(INITIAL_512),
        }
    }

    /// The state that a hash of this algorithm ends in, or that a link states; missing bytes count as zero.
    pub(super) fn from_bytes(algorithm: Algorithm, bytes: &[u8]) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(words(bytes, u32::from_be_bytes)),
            Algorithm::Sha512 => Self::Sha512(words(bytes, u64::from_be_bytes)),
        }
    }

    /// The state that finishing the whole blob must end in.
    pub(super) fn of_digest(digest: &Digest) -> Self {
        Self::from_bytes(digest.algorithm(), digest.hash())
    }

    /// Appends the state as a link: its words in big-endian order, as in a digest.
    pub(super) fn append_to(self, links: &mut Vec<u8>) {
        match self {
            Self::Sha256(words) => words.iter().for_each(|word| links.extend(word.to_be_bytes())),
            Self::Sha512(words) => words.iter().for_each(|word| links.extend(word.to_be_bytes())),
        }
    }

    /// The state after `piece`, which more bytes follow. Only whole blocks count.
    pub(super) fn compress(self, piece: &[u8]) -> Self {
        match self {
            Self::Sha256(mut words) => {
                compress256(&mut words, piece.as_chunks().0);
                Self::Sha256(words)
            }
            Self::Sha512(mut words) => {
                compress512(&mut words, piece.as_chunks().0);
                Self::Sha512(words)
            }
        }
    }

    /// The states after two pieces. Two of SHA-256 take little longer than one.
    pub(super) fn compress_both(pieces: [(Self, &[u8]); 2]) -> [Self; 2] {
        match pieces {
            [(Self::Sha256(left), left_bytes), (Self::Sha256(right), right_bytes)] => {
                let mut states = [left, right];
                compress256_both(&mut states, [left_bytes.as_chunks().0, right_bytes.as_chunks().0]);
                states.map(Self::Sha256)
            }
            _ => pieces.map(|(state, bytes)| state.compress(bytes)),
        }
    }

    /// The digest of a message of `message_bytes`, when this is the state after the whole blocks of `last_piece`.
    pub(super) fn finish(self, last_piece: &[u8], message_bytes: u64) -> Self {
        let message_bits = u128::from(message_bytes) * 8;
        match self {
            Self::Sha256(_) => {
                let (padding, used) = pad::<64, 128>(last_piece, &message_bits.to_be_bytes()[8..]);
                self.compress(&padding[..used])
            }
            Self::Sha512(_) => {
                let (padding, used) = pad::<128, 256>(last_piece, &message_bits.to_be_bytes());
                self.compress(&padding[..used])
            }
        }
    }
}

/// The last one or two blocks of a message: what `last_piece` leaves over a whole block, a one bit, zeros, the length.
fn pad<const BLOCK: usize, const TWO_BLOCKS: usize>(
    last_piece: &[u8],
    message_bits: &[u8],
) -> ([u8; TWO_BLOCKS], usize) {
    let rest = last_piece.as_chunks::<BLOCK>().1;
    let fits_one_block = rest.len() + 1 + message_bits.len() <= BLOCK;
    let used = if fits_one_block { BLOCK } else { TWO_BLOCKS };
    let mut padding = [0; TWO_BLOCKS];
    padding[..rest.len()].copy_from_slice(rest);
    padding[rest.len()] = 0x80;
    padding[used - message_bits.len()..used].copy_from_slice(message_bits);
    (padding, used)
}

/// Big-endian words of `WIDTH` bytes each.
fn words<Word: Default + Copy, const WIDTH: usize>(bytes: &[u8], read: fn([u8; WIDTH]) -> Word) -> [Word; 8] {
    let mut words = [Word::default(); 8];
    words.iter_mut().zip(bytes.as_chunks().0).for_each(|(word, bytes)| *word = read(*bytes));
    words
}
