//! The binary form: fixed-width big-endian integers, counted lists, and nothing that can be written in two ways.

use alloc::{string::String, vec::Vec};
use core::str::FromStr;

/// A value with exactly one binary form.
pub trait Wire: Sized {
    /// Appends the binary form to `out`.
    fn encode(&self, out: &mut Vec<u8>);

    /// Reads one value off the front of `input`.
    ///
    /// # Errors
    /// When the bytes are not the binary form of a value, or exceed a bound.
    fn read(input: &mut Reader<'_>) -> Result<Self, WireError>;

    /// Reads `bytes` as exactly one value.
    ///
    /// # Errors
    /// As [`Self::read`], and when bytes are left over.
    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut input = Reader::new(bytes);
        let value = Self::read(&mut input)?;
        match input.remaining() {
            0 => Ok(value),
            left => Err(WireError::TrailingBytes(left)),
        }
    }
}

/// Why bytes are not a message of this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A message of a kind that this node does not know: skip the frame and read on.
    #[error("unknown message tag {0}: a newer node may use it, skip the frame")]
    UnknownTag(u8),
    /// The bytes end inside a value.
    #[error("the message ends inside a value: {0} bytes are missing")]
    Truncated(usize),
    /// Bytes follow the message.
    #[error("{0} bytes follow the end of the message")]
    TrailingBytes(usize),
    /// More than a bound allows.
    #[error("{what}: {found} exceeds the bound of {max}")]
    TooLong {
        /// What is counted.
        what: &'static str,
        /// The bound.
        max: usize,
        /// What the message has.
        found: usize,
    },
    /// A value that its type does not have, or that is written in another form than the only one allowed.
    #[error("not a valid {0}")]
    Invalid(&'static str),
}

/// Reads values off the front of some bytes. Lengths are checked against a bound and against the bytes there are
/// before anything is allocated for them.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Bytes not yet read.
    pub const fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// The next `len_bytes` bytes.
    pub(super) fn take(&mut self, len_bytes: usize) -> Result<&'a [u8], WireError> {
        let missing = len_bytes.saturating_sub(self.bytes.len());
        let (taken, rest) = self.bytes.split_at_checked(len_bytes).ok_or(WireError::Truncated(missing))?;
        self.bytes = rest;
        Ok(taken)
    }

    /// A count of at most `max`.
    pub(super) fn count(&mut self, what: &'static str, max: usize) -> Result<usize, WireError> {
        let found = usize::try_from(u32::read(self)?).unwrap_or(usize::MAX);
        if found > max { Err(WireError::TooLong { what, max, found }) } else { Ok(found) }
    }

    /// A counted run of bytes.
    pub(super) fn bytes(&mut self, what: &'static str, max: usize) -> Result<&'a [u8], WireError> {
        let len_bytes = self.count(what, max)?;
        self.take(len_bytes)
    }

    /// A counted run of printable ASCII.
    pub(super) fn text(&mut self, what: &'static str, max: usize) -> Result<&'a str, WireError> {
        let bytes = self.bytes(what, max)?;
        core::str::from_utf8(bytes).ok().filter(|text| is_printable(text)).ok_or(WireError::Invalid(what))
    }

    /// A text that its type's own grammar accepts.
    pub(super) fn parsed<T: FromStr>(&mut self, what: &'static str, max: usize) -> Result<T, WireError> {
        self.text(what, max)?.parse().map_err(|_| WireError::Invalid(what))
    }

    /// A counted list. It grows as items are read, so a false count allocates nothing.
    pub(super) fn list<T: Wire>(&mut self, what: &'static str, max: usize) -> Result<Vec<T>, WireError> {
        let count = self.count(what, max)?;
        (0..count).map(|_| T::read(self)).collect::<Result<Vec<T>, _>>()
    }

    /// A counted list whose items stand in strictly ascending order of `key`: a set or map in its only form.
    pub(super) fn ascending<T: Wire, K: Ord>(
        &mut self,
        what: &'static str,
        max: usize,
        key: impl Fn(&T) -> K,
    ) -> Result<Vec<T>, WireError> {
        let items = self.list(what, max)?;
        if items.is_sorted_by(|left, right| key(left) < key(right)) {
            Ok(items)
        } else {
            Err(WireError::Invalid(what))
        }
    }
}

/// True for what may stand in a text: it ends up in logs, labels and headers.
pub(super) fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Appends a counted run of bytes.
pub(super) fn put_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    put_count(bytes.len(), out);
    out.extend_from_slice(bytes);
}

/// Appends a counted list.
pub(super) fn put_list<T: Wire>(items: &[T], out: &mut Vec<u8>) {
    put_count(items.len(), out);
    items.iter().for_each(|item| item.encode(out));
}

/// A count that does not fit is written as one that every reader refuses.
fn put_count(count: usize, out: &mut Vec<u8>) {
    u32::try_from(count).unwrap_or(u32::MAX).encode(out);
}

/// Appends `message` as it travels on a stream: its length, then its binary form.
pub fn encode_frame(message: &impl Wire, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    message.encode(out);
    let len_bytes = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&len_bytes.to_be_bytes());
}

/// The length of the frame that follows `prefix` on a stream.
///
/// # Errors
/// When it exceeds `max_bytes`, the bound for this kind of stream in [`crate::bounds`].
pub fn frame_len_bytes(prefix: [u8; 4], max_bytes: usize) -> Result<usize, WireError> {
    Reader::new(&prefix).count("frame length", max_bytes)
}

macro_rules! wire_integer {
    ($($integer:ty),*) => {$(
        impl Wire for $integer {
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }

            fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
                <[u8; size_of::<$integer>()]>::read(input).map(<$integer>::from_be_bytes)
            }
        }
    )*};
}

wire_integer!(u8, u16, u32, u64);

impl<const N: usize> Wire for [u8; N] {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        let mut array = [0; N];
        array.copy_from_slice(input.take(N)?);
        Ok(array)
    }
}

impl Wire for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        match u8::read(input)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(WireError::Invalid("flag")),
        }
    }
}

impl<T: Wire> Wire for Option<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.is_some().encode(out);
        if let Some(value) = self {
            value.encode(out);
        }
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        if bool::read(input)? { T::read(input).map(Some) } else { Ok(None) }
    }
}

/// Reads a text into an owned string.
pub(super) fn read_string(
    input: &mut Reader<'_>,
    what: &'static str,
    max: usize,
) -> Result<String, WireError> {
    input.text(what, max).map(String::from)
}
