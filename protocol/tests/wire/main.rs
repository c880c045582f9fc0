//! The binary form: every value has one, no bytes have two meanings, and no bytes do harm.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that unwraps says what it expects")]

mod bounds;
mod examples;
mod hostile;
mod round_trip;
mod values;

use shoal_protocol::wire::Wire;

fn encoded(value: &impl Wire) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.encode(&mut bytes);
    bytes
}
