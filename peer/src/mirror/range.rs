//! The `Range` header of HTTP (RFC 9110, section 14), as far as runtimes use it.

use std::ops::Range;

/// What to send of a blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Selection {
    /// All of it, with 200.
    Whole,
    /// Part of it, with 206. Never empty.
    Part(Range<u64>),
    /// Nothing: the range lies outside, 416.
    Outside,
}

/// Reads a `Range` header for a blob of `len_bytes`.
///
/// What is not one well-formed range of bytes is ignored, as the RFC allows: the whole blob is always a right answer.
pub(super) fn select(header: &str, len_bytes: u64) -> Selection {
    let Some(spec) = header.trim().strip_prefix("bytes=") else {
        return Selection::Whole;
    };
    let Some((first, last)) = spec.trim().split_once('-') else {
        return Selection::Whole;
    };
    match (position(first), position(last)) {
        (Some(first), None) if last.is_empty() => from(first, u64::MAX, len_bytes),
        (Some(first), Some(last)) if first <= last => from(first, last, len_bytes),
        (None, Some(suffix)) if first.is_empty() => tail(suffix, len_bytes),
        _ => Selection::Whole,
    }
}

fn from(first: u64, last: u64, len_bytes: u64) -> Selection {
    match (first, len_bytes) {
        // No part of an empty blob can be named in Content-Range; runtimes ask `bytes=0-` for anything.
        (0, 0) => Selection::Whole,
        _ if first >= len_bytes => Selection::Outside,
        _ => Selection::Part(first..last.saturating_add(1).min(len_bytes)),
    }
}

fn tail(suffix_bytes: u64, len_bytes: u64) -> Selection {
    match (suffix_bytes, len_bytes) {
        (0, _) => Selection::Outside,
        (_, 0) => Selection::Whole,
        _ => Selection::Part(len_bytes.saturating_sub(suffix_bytes)..len_bytes),
    }
}

/// A number; one too large for any blob counts as the largest.
fn position(digits: &str) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_form_selects_what_the_standard_says() {
        use Selection::{Outside, Part, Whole};
        let cases: &[(&str, u64, Selection)] = &[
            ("bytes=0-", 10, Part(0..10)),
            ("bytes=0-0", 10, Part(0..1)),
            ("bytes=3-", 10, Part(3..10)),
            ("bytes=3-5", 10, Part(3..6)),
            ("bytes=3-999", 10, Part(3..10)),
            ("bytes=9-9", 10, Part(9..10)),
            ("bytes=10-", 10, Outside),
            ("bytes=10-12", 10, Outside),
            ("bytes=-4", 10, Part(6..10)),
            ("bytes=-10", 10, Part(0..10)),
            ("bytes=-11", 10, Part(0..10)),
            ("bytes=-0", 10, Outside),
            ("bytes=0-18446744073709551615", 10, Part(0..10)),
            ("bytes=99999999999999999999-", 10, Outside),
            ("bytes=-99999999999999999999", 10, Part(0..10)),
            ("bytes=0-", 0, Whole),
            ("bytes=-1", 0, Whole),
            ("bytes=1-", 0, Outside),
            ("bytes=5-3", 10, Whole),
            ("bytes=0-1,3-4", 10, Whole),
            ("bytes=0-1,", 10, Whole),
            ("bytes=", 10, Whole),
            ("bytes=-", 10, Whole),
            ("bytes=+1-2", 10, Whole),
            ("bytes=1--2", 10, Whole),
            ("bytes=0x1-2", 10, Whole),
            ("bytes=a-b", 10, Whole),
            ("bytes 0-1", 10, Whole),
            ("items=0-1", 10, Whole),
            ("", 10, Whole),
        ];
        for (header, len_bytes, expected) in cases {
            assert_eq!(select(header, *len_bytes), *expected, "{header:?} of {len_bytes}");
        }
    }

    proptest! {
        #[test]
        fn a_part_lies_within_the_blob(header in "(bytes=)?[0-9a-z,+-]{0,24}", len_bytes: u64) {
            if let Selection::Part(part) = select(&header, len_bytes) {
                prop_assert!(part.start < part.end && part.end <= len_bytes);
            }
        }

        #[test]
        fn resuming_gives_exactly_the_rest(len_bytes in 1_u64.., at: u64) {
            let at = at % len_bytes;
            prop_assert_eq!(select(&format!("bytes={at}-"), len_bytes), Selection::Part(at..len_bytes));
        }
    }
}
