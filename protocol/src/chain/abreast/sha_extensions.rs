//! SHA-256 with the SHA extensions of x86-64 processors, two streams in turns.
//!
//! A stream's state is in two registers, as the instructions want it: the words a, b, e, f and the words c, d, g, h of
//! FIPS 180-4, the first one in the highest lane. One instruction does two rounds; sixteen message words are four
//! registers, which are replaced by the next sixteen as the rounds go on.
//!
//! Plain loops, no closures: what a closure does is compiled for a processor without the instructions where it is not
//! inlined, and is then many times as slow.

use core::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_set_epi32, _mm_set_epi64x,
    _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi8, _mm_shuffle_epi32,
};

use super::Block;

/// The constants of the rounds (FIPS 180-4, 4.2.2), four by four.
const ROUND_CONSTANTS: [[u32; 4]; 16] = [
    [0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5],
    [0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5],
    [0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3],
    [0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174],
    [0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc],
    [0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da],
    [0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7],
    [0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967],
    [0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13],
    [0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85],
    [0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3],
    [0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070],
    [0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5],
    [0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3],
    [0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208],
    [0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2],
];

cpufeatures::new!(detected, "sha", "ssse3", "sse4.1");

/// Compresses as many blocks of each stream as both have; false, and nothing is done, where the processor lacks the
/// instructions.
#[allow(unsafe_code, reason = "the compiler can't know which instructions the processor has")]
pub(super) fn compress256_both(states: &mut [[u32; 8]; 2], streams: [&[Block]; 2]) -> bool {
    let is_able = detected::get();
    if is_able {
        // SAFETY: all that the call needs is a processor with the three features that the function is compiled for,
        // and `detected` has just said that it has them.
        unsafe { in_turns(states, streams) };
    }
    is_able
}

#[target_feature(enable = "sha,ssse3,sse4.1")]
fn in_turns(states: &mut [[u32; 8]; 2], [left, right]: [&[Block]; 2]) {
    let mut registers = [Registers::load(&states[0]), Registers::load(&states[1])];
    for (left, right) in left.iter().zip(right) {
        compress_one_each(&mut registers, [left, right]);
    }
    *states = [registers[0].words(), registers[1].words()];
}

#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn compress_one_each(registers: &mut [Registers; 2], blocks: [&Block; 2]) {
    let before = *registers;
    let mut messages = [load_block(blocks[0]), load_block(blocks[1])];
    for quarter in 0..4 {
        for group in 0..4 {
            let constants = ROUND_CONSTANTS[quarter * 4 + group];
            for stream in 0..2 {
                if quarter > 0 {
                    extend_message(&mut messages[stream], group);
                }
                registers[stream].four_rounds(messages[stream][group], constants);
            }
        }
    }
    registers[0].add(before[0]);
    registers[1].add(before[1]);
}

/// The state of one stream.
#[derive(Clone, Copy)]
struct Registers {
    abef: __m128i,
    cdgh: __m128i,
}

impl Registers {
    #[inline]
    #[target_feature(enable = "sse2")]
    fn load(state: &[u32; 8]) -> Self {
        let [a, b, c, d, e, f, g, h] = state.map(u32::cast_signed);
        Self { abef: _mm_set_epi32(a, b, e, f), cdgh: _mm_set_epi32(c, d, g, h) }
    }

    #[inline]
    #[target_feature(enable = "sse4.1")]
    fn words(self) -> [u32; 8] {
        let Self { abef, cdgh } = self;
        [
            _mm_extract_epi32::<3>(abef),
            _mm_extract_epi32::<2>(abef),
            _mm_extract_epi32::<3>(cdgh),
            _mm_extract_epi32::<2>(cdgh),
            _mm_extract_epi32::<1>(abef),
            _mm_extract_epi32::<0>(abef),
            _mm_extract_epi32::<1>(cdgh),
            _mm_extract_epi32::<0>(cdgh),
        ]
        .map(i32::cast_unsigned)
    }

    #[inline]
    #[target_feature(enable = "sha")]
    fn four_rounds(&mut self, words: __m128i, [k0, k1, k2, k3]: [u32; 4]) {
        let constants = _mm_set_epi32(k3.cast_signed(), k2.cast_signed(), k1.cast_signed(), k0.cast_signed());
        let sums = _mm_add_epi32(words, constants);
        self.cdgh = _mm_sha256rnds2_epu32(self.cdgh, self.abef, sums);
        self.abef = _mm_sha256rnds2_epu32(self.abef, self.cdgh, _mm_shuffle_epi32::<0b1110>(sums));
    }

    #[inline]
    #[target_feature(enable = "sse2")]
    fn add(&mut self, before: Self) {
        self.abef = _mm_add_epi32(self.abef, before.abef);
        self.cdgh = _mm_add_epi32(self.cdgh, before.cdgh);
    }
}

/// The sixteen big-endian words of a block, the first one in the lowest lane.
#[inline]
#[target_feature(enable = "ssse3")]
fn load_block(block: &Block) -> [__m128i; 4] {
    let swap_bytes = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    let mut words = [swap_bytes; 4];
    let halves = block.as_chunks().0;
    for index in 0..4 {
        let (low, high) = (halves[2 * index], halves[2 * index + 1]);
        let bytes = _mm_set_epi64x(i64::from_le_bytes(high), i64::from_le_bytes(low));
        words[index] = _mm_shuffle_epi8(bytes, swap_bytes);
    }
    words
}

/// Replaces four of the last sixteen message words by the four that come sixteen later (FIPS 180-4, 6.2.2).
#[inline]
#[target_feature(enable = "sha,ssse3")]
fn extend_message(message: &mut [__m128i; 4], group: usize) {
    let (first, second) = (message[group], message[(group + 1) % 4]);
    let (third, fourth) = (message[(group + 2) % 4], message[(group + 3) % 4]);
    let sums = _mm_add_epi32(_mm_sha256msg1_epu32(first, second), _mm_alignr_epi8::<4>(fourth, third));
    message[group] = _mm_sha256msg2_epu32(sums, fourth);
}
