//! A login that a client showed, on its way to the seed that has it checked.

use alloc::{string::String, vec::Vec};
use core::fmt;

use super::codec::{Reader, Wire, WireError, put_bytes};
use crate::bounds::{MAX_PASSWORD_BYTES, MAX_USERNAME_BYTES};

/// A user and what proves it. Nothing that is written out for people shows the password.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientLogin {
    /// The user: at most [`MAX_USERNAME_BYTES`].
    pub username: String,
    /// The password, or the token that takes its place: at most [`MAX_PASSWORD_BYTES`].
    pub password: String,
}

impl fmt::Debug for ClientLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientLogin(hidden)")
    }
}

impl Wire for ClientLogin {
    fn encode(&self, out: &mut Vec<u8>) {
        put_bytes(self.username.as_bytes(), out);
        put_bytes(self.password.as_bytes(), out);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            username: read_any(input, "user name", MAX_USERNAME_BYTES)?,
            password: read_any(input, "password", MAX_PASSWORD_BYTES)?,
        })
    }
}

/// Unlike other texts on the wire, a password may have any character.
fn read_any(input: &mut Reader<'_>, what: &'static str, max: usize) -> Result<String, WireError> {
    let bytes = input.bytes(what, max)?;
    core::str::from_utf8(bytes).map(String::from).map_err(|_| WireError::Invalid(what))
}
