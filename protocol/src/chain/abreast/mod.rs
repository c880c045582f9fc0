//! Two streams of SHA-256 abreast on one core.
//!
//! Each round of a stream needs the result of the round before, so a single stream leaves the processor's SHA unit
//! idle most of the time. A second, independent stream fills the gaps.

#[cfg(target_arch = "x86_64")]
mod sha_extensions;

use sha2::block_api::compress256;

/// Bytes that SHA-256 compresses at a time.
pub(super) type Block = [u8; 64];

/// Compresses each of `streams` into its state. They may have different lengths.
pub(super) fn compress256_both(states: &mut [[u32; 8]; 2], streams: [&[Block]; 2]) {
    let common_blocks = abreast(states, streams);
    for (state, stream) in states.iter_mut().zip(streams) {
        compress256(state, &stream[common_blocks..]);
    }
}

/// Compresses what both streams have, if this processor gains by it, and says how many blocks of each that were.
#[cfg(target_arch = "x86_64")]
fn abreast(states: &mut [[u32; 8]; 2], streams: [&[Block]; 2]) -> usize {
    let common_blocks = streams[0].len().min(streams[1].len());
    if sha_extensions::compress256_both(states, streams) { common_blocks } else { 0 }
}

#[cfg(not(target_arch = "x86_64"))]
fn abreast(_states: &mut [[u32; 8]; 2], _streams: [&[Block]; 2]) -> usize {
    0
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn blocks() -> impl Strategy<Value = Vec<Block>> {
        vec(any::<[u8; 64]>(), 0..20)
    }

    proptest! {
        #[test]
        fn two_streams_abreast_end_in_the_states_of_each_alone(
            states in any::<[[u32; 8]; 2]>(),
            left in blocks(),
            right in blocks(),
        ) {
            let mut alone = states;
            compress256(&mut alone[0], &left);
            compress256(&mut alone[1], &right);
            let mut both = states;
            compress256_both(&mut both, [&left, &right]);
            prop_assert_eq!(both, alone);
        }
    }
}
