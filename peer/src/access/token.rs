//! Tokens that this process issues and reads again: an end, and a keyed hash of it and of the repository.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, header::AUTHORIZATION};
use sha2::Sha256;
use shoal_protocol::reference::ImageName;

const END_BYTES: usize = 8;
const HASH_BYTES: usize = 32;

/// A secret of this process, of a block of SHA-256. With another start, all tokens end.
pub(super) struct TokenKey([u8; 64]);

impl TokenKey {
    pub(super) fn random() -> Result<Self, getrandom::Error> {
        let mut key = [0; 64];
        getrandom::fill(&mut key).map(|()| Self(key))
    }

    /// A token for pulls of one image until `lifetime` has passed.
    pub(super) fn issue(&self, image: &ImageName, lifetime: Duration) -> String {
        let end = millis(since_epoch() + lifetime).to_be_bytes();
        let mut token = end.to_vec();
        token.extend(self.hash(&[&end, image.to_string().as_bytes()]));
        URL_SAFE_NO_PAD.encode(token)
    }

    pub(super) fn is_valid(&self, token: &str, image: &ImageName) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(token) else { return false };
        let Some((end, hash)) = bytes.split_first_chunk::<END_BYTES>() else { return false };
        let is_ours = self.keyed(&[end, image.to_string().as_bytes()]).verify_slice(hash).is_ok();
        is_ours && u64::from_be_bytes(*end) > millis(since_epoch())
    }

    /// A hash that nobody without the key can make, of parts that can't be shifted against each other.
    pub(super) fn hash(&self, parts: &[&[u8]]) -> [u8; HASH_BYTES] {
        self.keyed(parts).finalize().into_bytes().into()
    }

    fn keyed(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut keyed = <Hmac<Sha256> as KeyInit>::new(&self.0.into());
        for part in parts {
            keyed.update(&(part.len() as u64).to_be_bytes());
            keyed.update(part);
        }
        keyed
    }
}

/// The token of `Authorization: Bearer …`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
