//! Bytes from someone who means harm.

use proptest::{collection::vec, prelude::*, sample::Index};
use shoal_protocol::wire::{Announcement, Answer, LaneHeader, Message, Query, Wire};

use crate::{encoded, values};

/// A change to one place of an encoding.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    CutOff(Index),
}

fn damage() -> impl Strategy<Value = Vec<Damage>> {
    let one = prop_oneof![
        4 => (any::<Index>(), 1u8..).prop_map(|(at, mask)| Damage::Flip(at, mask)),
        1 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        1 => any::<Index>().prop_map(Damage::Remove),
        1 => any::<Index>().prop_map(Damage::CutOff),
    ];
    vec(one, 1..4)
}

fn inflict(damage: &[Damage], mut bytes: Vec<u8>) -> Vec<u8> {
    for one in damage {
        if bytes.is_empty() {
            break;
        }
        match one {
            Damage::Flip(at, mask) => {
                let at = at.index(bytes.len());
                bytes[at] ^= *mask;
            }
            Damage::Insert(at, byte) => bytes.insert(at.index(bytes.len()), *byte),
            Damage::Remove(at) => {
                bytes.remove(at.index(bytes.len()));
            }
            Damage::CutOff(at) => bytes.truncate(at.index(bytes.len())),
        }
    }
    bytes
}

/// What can be read is written again as the same bytes: nothing has two forms.
fn check<T: Wire>(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(value) = T::decode(bytes) {
        prop_assert_eq!(encoded(&value), bytes);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..300), tag in 0u8..12) {
        let mut tagged = vec![tag];
        tagged.extend_from_slice(&bytes);
        for bytes in [&bytes, &tagged] {
            check::<Message>(bytes)?;
            check::<Query>(bytes)?;
            check::<Answer>(bytes)?;
            check::<Announcement>(bytes)?;
            check::<LaneHeader>(bytes)?;
        }
    }

    #[test]
    fn damaged_messages(message in values::message(), damage in damage()) {
        check::<Message>(&inflict(&damage, encoded(&message)))?;
    }

    #[test]
    fn damaged_queries(query in values::query(), damage in damage()) {
        check::<Query>(&inflict(&damage, encoded(&query)))?;
    }

    #[test]
    fn damaged_answers(answer in values::answer(), damage in damage()) {
        check::<Answer>(&inflict(&damage, encoded(&answer)))?;
    }

    #[test]
    fn damaged_announcements(announcement in values::announcement(), damage in damage()) {
        check::<Announcement>(&inflict(&damage, encoded(&announcement)))?;
    }
}
