//! What is written is what is read, and nothing shorter or longer is read at all.

use std::fmt::Debug;

use proptest::prelude::*;
use shoal_protocol::wire::{Announcement, LaneHeader, Wire, WireError, encode_frame, frame_len_bytes};

use crate::{encoded, values};

fn check<T: Wire + Debug + PartialEq>(value: &T) -> Result<(), TestCaseError> {
    let mut bytes = encoded(value);
    let decoded = T::decode(&bytes);
    prop_assert_eq!(decoded.as_ref(), Ok(value));
    for end in 0..bytes.len() {
        let is_refused = matches!(T::decode(&bytes[..end]), Err(WireError::Truncated(_)));
        prop_assert!(is_refused, "{end} of {} bytes were read as a whole message", bytes.len());
    }
    bytes.push(0);
    prop_assert_eq!(T::decode(&bytes), Err(WireError::TrailingBytes(1)));
    Ok(())
}

proptest! {
    #[test]
    fn control_messages(message in values::message()) {
        check(&message)?;
    }

    #[test]
    fn queries(query in values::query()) {
        check(&query)?;
    }

    #[test]
    fn answers(answer in values::answer()) {
        check(&answer)?;
    }

    #[test]
    fn announcements(announcement in values::announcement()) {
        check::<Announcement>(&announcement)?;
    }

    #[test]
    fn lane_headers(header in values::lane_header()) {
        check(&header)?;
        prop_assert_eq!(LaneHeader::from_bytes(&header.to_bytes()), Ok(header));
    }

    #[test]
    fn frames_say_how_long_they_are(first in values::message(), second in values::message()) {
        let mut stream = Vec::new();
        encode_frame(&first, &mut stream);
        let first_end = stream.len();
        encode_frame(&second, &mut stream);
        let prefix = stream[first_end..first_end + 4].try_into().unwrap();
        let len_bytes = frame_len_bytes(prefix, 4096).unwrap();
        prop_assert_eq!(&stream[first_end + 4..], encoded(&second));
        prop_assert_eq!(len_bytes, stream.len() - first_end - 4);
        prop_assert!(frame_len_bytes(prefix, len_bytes - 1).is_err());
    }
}
