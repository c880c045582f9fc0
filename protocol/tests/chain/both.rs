//! Two pieces at once get the verdicts that each gets alone.

use proptest::{prelude::*, sample::Index};
use shoal_protocol::chain::PieceCheck;

use crate::blobs::{Blob, blobs};

/// What happened to a piece on its way.
#[derive(Clone, Copy, Debug)]
enum Damage {
    None,
    FlippedBit(Index, u8),
    LostByte,
    ExtraByte,
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        2 => Just(Damage::None),
        2 => (any::<Index>(), 0..8u8).prop_map(|(at, bit)| Damage::FlippedBit(at, bit)),
        1 => Just(Damage::LostByte),
        1 => Just(Damage::ExtraByte),
    ]
}

/// The bytes that came, and whether they are those of the piece.
fn arrived(blob: &Blob, piece: u32, damage: Damage) -> (Vec<u8>, bool) {
    let mut bytes = blob.piece(piece).to_vec();
    match damage {
        Damage::ExtraByte => bytes.push(0),
        Damage::LostByte if !bytes.is_empty() => drop(bytes.pop()),
        Damage::FlippedBit(at, bit) if !bytes.is_empty() => {
            bytes[at.index(blob.piece(piece).len())] ^= 1 << bit;
        }
        _ => return (bytes, true),
    }
    (bytes, false)
}

fn any_piece(blob: &Blob, any: Index) -> u32 {
    any.index(blob.geometry.piece_count() as usize) as u32
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn two_pieces_of_two_blobs_are_judged_as_each_alone(
        blobs in [blobs(), blobs()],
        at in any::<[Index; 2]>(),
        damage in [damage(), damage()],
    ) {
        let pieces = [0, 1].map(|index| any_piece(&blobs[index], at[index]));
        let checks = [0, 1].map(|index| blobs[index].whole_chain().check(pieces[index]).unwrap());
        let arrived = [0, 1].map(|index| arrived(&blobs[index], pieces[index], damage[index]));
        let both = [0, 1].map(|index| (&checks[index], &arrived[index].0[..]));
        prop_assert_eq!(PieceCheck::verify_both(both), [arrived[0].1, arrived[1].1]);
        prop_assert_eq!(both.map(|(check, bytes)| check.verify(bytes)), [arrived[0].1, arrived[1].1]);
    }
}
