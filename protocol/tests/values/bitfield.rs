//! The bitfield against a plain set of numbers.

use std::collections::BTreeSet;

use proptest::prelude::*;
use shoal_protocol::bitfield::{Bitfield, BitfieldError};

fn bitfield(len: u32, pieces: &BTreeSet<u32>) -> Bitfield {
    let mut field = Bitfield::empty(len);
    for piece in pieces {
        field.set(*piece);
    }
    field
}

/// A number of pieces and two sets of some of them.
fn sets() -> impl Strategy<Value = (u32, BTreeSet<u32>, BTreeSet<u32>)> {
    (0..200u32).prop_flat_map(|len| {
        let some = prop::collection::btree_set(0..len.max(1), 0..=len as usize);
        (Just(len), some.clone(), some)
    })
}

proptest! {
    #[test]
    fn it_behaves_like_a_set(len in 0..200u32, steps in prop::collection::vec((any::<bool>(), 0..220u32), 0..300)) {
        let mut field = Bitfield::empty(len);
        let mut model = BTreeSet::new();
        for (add, piece) in steps {
            let changed = match add {
                true => piece < len && model.insert(piece),
                false => model.remove(&piece),
            };
            prop_assert_eq!(if add { field.set(piece) } else { field.clear(piece) }, changed);
            prop_assert_eq!(field.has(piece), model.contains(&piece));
        }
        prop_assert!(field.iter().eq(model.iter().copied()));
        prop_assert_eq!(field.count() as usize, model.len());
        prop_assert_eq!(field.is_empty(), model.is_empty());
        prop_assert_eq!(field.is_full(), model.len() == len as usize);
        prop_assert_eq!(Bitfield::from_bytes(field.as_bytes().to_vec(), len), Ok(field));
    }

    #[test]
    fn minus_is_the_sets_difference((len, ours, theirs) in sets(), shorter in 0..200u32) {
        let ours_field = bitfield(len, &ours);
        let ours: BTreeSet<u32> = ours_field.iter().collect();
        let theirs_field = bitfield(len, &theirs);
        prop_assert!(ours_field.minus(&theirs_field).eq(ours.difference(&theirs).copied()));
        prop_assert_eq!(ours_field.minus(&ours_field).count(), 0);
        let short = bitfield(shorter, &theirs);
        let short_set: BTreeSet<u32> = short.iter().collect();
        prop_assert!(ours_field.minus(&short).eq(ours.difference(&short_set).copied()));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..30), len in 0..220u32) {
        let expected = (len as usize).div_ceil(8);
        let spare_set = (len..expected as u32 * 8)
            .any(|bit| bytes.get(bit as usize / 8).is_some_and(|byte| byte & (0x80 >> (bit % 8)) != 0));
        match Bitfield::from_bytes(bytes.clone(), len) {
            Ok(field) => {
                prop_assert_eq!(field.as_bytes(), &bytes[..]);
                prop_assert_eq!(field.iter().count(), field.count() as usize);
                prop_assert!(!spare_set);
            }
            Err(BitfieldError::SpareBits) => prop_assert!(spare_set),
            Err(error) => {
                prop_assert_eq!(error, BitfieldError::Length { expected, found: bytes.len() });
                prop_assert_ne!(expected, bytes.len());
            }
        }
    }
}

#[test]
fn a_full_set_has_every_piece_and_no_spare_bit() {
    for len in [0, 1, 7, 8, 9, 1000] {
        let full = Bitfield::full(len);
        assert!(full.is_full());
        assert_eq!((full.len(), full.count()), (len, len));
        assert_eq!(Bitfield::from_bytes(full.as_bytes().to_vec(), len).as_ref(), Ok(&full));
    }
    assert!(Bitfield::full(0).is_empty());
}

#[test]
fn piece_0_is_the_highest_bit_of_the_first_byte() {
    let mut field = Bitfield::empty(10);
    field.set(0);
    field.set(9);
    assert_eq!(field.as_bytes(), [0x80, 0x40]);
}
