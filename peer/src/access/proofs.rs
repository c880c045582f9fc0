//! What was proved a short while ago.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use shoal_protocol::{
    reference::{ImageName, Reference},
    wire::ClientLogin,
};

use super::token::TokenKey;

/// Most proofs, and most repositories, that are remembered. Past it all are forgotten, and proved again.
const MAX_REMEMBERED: usize = 4096;

/// Proofs, by a keyed hash of who proved what, and a manifest of each repository to prove the next one by.
pub(super) struct Proofs {
    key: TokenKey,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    until: HashMap<[u8; 32], Instant>,
    manifests: HashMap<ImageName, Reference>,
}

impl Proofs {
    pub(super) fn new(key: TokenKey) -> Self {
        Self { key, memory: Mutex::default() }
    }

    /// For how long a proof from before still counts.
    pub(super) fn left(&self, image: &ImageName, login: Option<&ClientLogin>) -> Duration {
        let proof = self.proof(image, login);
        let until = self.lock().until.get(&proof).copied();
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    pub(super) fn remember(&self, image: &ImageName, login: Option<&ClientLogin>, lifetime: Duration) {
        let proof = self.proof(image, login);
        let now = Instant::now();
        let mut memory = self.lock();
        if memory.until.len() >= MAX_REMEMBERED {
            memory.until.retain(|_, until| now < *until);
        }
        if memory.until.len() >= MAX_REMEMBERED {
            memory.until.clear();
        }
        memory.until.insert(proof, now + lifetime);
    }

    /// A manifest of `image` that somebody was given.
    pub(super) fn manifest_of(&self, image: &ImageName) -> Option<Reference> {
        self.lock().manifests.get(image).cloned()
    }

    pub(super) fn note_manifest(&self, image: &ImageName, manifest: &Reference) {
        let mut memory = self.lock();
        if memory.manifests.len() >= MAX_REMEMBERED && !memory.manifests.contains_key(image) {
            memory.manifests.clear();
        }
        memory.manifests.insert(image.clone(), manifest.clone());
    }

    fn proof(&self, image: &ImageName, login: Option<&ClientLogin>) -> [u8; 32] {
        let image = image.to_string();
        match login {
            None => self.key.hash(&[image.as_bytes()]),
            Some(login) => {
                self.key.hash(&[image.as_bytes(), login.username.as_bytes(), login.password.as_bytes()])
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
