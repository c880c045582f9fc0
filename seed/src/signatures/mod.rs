//! Whether an image may be handed out, by who signed it.
//!
//! A policy names images and whose signatures count for them. What is handed out of these is first looked for at the
//! origin with a signature: cosign's, under a tag or as a referrer, in its older and its newer form, and Notation's. A
//! signed index vouches for what it lists. A verdict is remembered by digest, and found once for all who ask.
//!
//! Nothing but keys and certificates from files is trusted: certificates of Fulcio and the log of Rekor are not looked
//! at.

use std::{
    fmt,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use shoal_protocol::{digest::Digest, reference::ImageName};
use tokio::time::timeout;

use crate::{metrics::OriginMetrics, origin::Origins, single_flight::SingleFlight};

mod bundle;
mod chain;
mod cosign;
mod keys;
mod memory;
mod notation;
mod parents;
mod policy;
mod search;
#[cfg(test)]
mod tests;
mod trust;

pub use parents::Parents;
pub use policy::{SignatureMode, SignaturePolicy, SignatureRules};
pub use trust::{CertificateSubject, TrustError};

use memory::{Key, Memory};
use search::Search;
use trust::Trust;

/// Longest search for the signatures of one digest: whoever waits has been promised an answer within 8 s.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(6);
/// Most entries of one index that are remembered; the largest indexes in use have some 40.
const MAX_LISTED: usize = 256;
/// How deep indexes may lie within a signed one.
const MAX_DEPTH: usize = 3;

/// Judges what is handed out.
pub struct Signatures {
    rules: SignatureRules,
    /// For each policy, in the same order.
    trust: Vec<Trust>,
    origins: Arc<Origins>,
    parents: Arc<dyn Parents>,
    memory: Memory,
    flights: SingleFlight<Key, Verdict>,
    metrics: OriginMetrics,
}

/// What was found out about a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Valid(Proof),
    /// Nobody signed whose signature counts; in words.
    Invalid(String),
    /// The origin could not be asked; in words.
    Unknown(String),
}

/// Why a digest is believed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// A signature by the key in that file.
    Cosign(PathBuf),
    /// A signature by the holder of a certificate with that subject.
    Notation(String),
    /// A signed index lists it.
    ListedBy(Digest),
}

/// Why a signature does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Rejection {
    #[error("{0}")]
    Malformed(&'static str),
    #[error("it is by none of the keys of the policy")]
    UnknownKey,
    #[error("it does not fit what it signs")]
    WrongSignature,
    #[error("it is for another image")]
    OtherDigest,
    #[error("it has expired")]
    Expired,
    #[error("its certificate does not count: {0}")]
    Chain(String),
    #[error("{0} is not among the policy's notation_subjects")]
    Subject(String),
    #[error("its envelope is not in JWS, the only form that is read here")]
    Envelope,
    #[error("it is not there, or too long")]
    Unreadable,
}

/// Why something is not handed out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A policy requires a signature, and there is none that counts.
    #[error("a policy requires a signature of {image}@{digest}, and {why}; sign it, or change the policy")]
    Unsigned {
        /// The repository.
        image: ImageName,
        /// The manifest or index.
        digest: Digest,
        /// What was found.
        why: String,
    },
    /// A policy requires a signature, and the origin could not be asked for one.
    #[error("a policy requires a signature of {image}@{digest}, and it can't be looked for now: {why}")]
    Unknown {
        /// The repository.
        image: ImageName,
        /// The manifest or index.
        digest: Digest,
        /// What is wrong.
        why: String,
    },
}

impl Signatures {
    /// Reads the keys and certificates of the policies. `parents` remembers what lists what.
    ///
    /// # Errors
    /// When a file can't be read, or a policy names nobody.
    pub fn new(
        rules: SignatureRules,
        origins: Arc<Origins>,
        parents: Arc<dyn Parents>,
        metrics: OriginMetrics,
    ) -> Result<Self, TrustError> {
        let trust = rules.policies().iter().map(Trust::load).collect::<Result<_, _>>()?;
        let (memory, flights) = Default::default();
        Ok(Self { rules, trust, origins, parents, memory, flights, metrics })
    }

    /// Lets a manifest or an index be handed out, or says why not.
    ///
    /// # Errors
    /// When a policy requires a signature, and there is none or it can't be looked for.
    pub async fn admit(&self, image: &ImageName, digest: &Digest) -> Result<(), SignatureError> {
        let Some(place) = self.rules.place(image) else { return Ok(()) };
        let mode = self.rules.policies()[place].mode;
        let verdict = self.verdict(place, image, digest, MAX_DEPTH).await;
        self.metrics.judged(mode, &verdict);
        let (image, digest) = (image.clone(), *digest);
        match verdict {
            Verdict::Invalid(why) if mode == SignatureMode::Required => {
                Err(SignatureError::Unsigned { image, digest, why })
            }
            Verdict::Unknown(why) if mode == SignatureMode::Required => {
                Err(SignatureError::Unknown { image, digest, why })
            }
            _ => Ok(()),
        }
    }

    /// Whether this is an index that counts and that [`Self::vouch`] has not been told the content of.
    pub fn wants_content(&self, image: &ImageName, index: &Digest) -> bool {
        let is_open = |place| self.memory.is_open(&(place, *index), Instant::now());
        self.rules.place(image).and_then(is_open).is_some_and(|is_open| !is_open)
    }

    /// `document` is handed out, with that digest: what it lists as an index is admitted from now on if it is signed.
    pub async fn vouch(&self, image: &ImageName, digest: &Digest, document: &[u8]) {
        let Some(place) = self.rules.place(image) else { return };
        let now = Instant::now();
        if !self.memory.open(&(place, *digest), now) {
            return;
        }
        for listed in parents::listed(document).into_iter().take(MAX_LISTED) {
            if !matches!(self.memory.recall(&(place, listed), now), Some(Verdict::Valid(_))) {
                self.memory.remember((place, listed), &Verdict::Valid(Proof::ListedBy(*digest)), now);
                self.parents.save(image, &listed, digest).await;
            }
        }
    }

    async fn verdict(&self, place: usize, image: &ImageName, digest: &Digest, depth: usize) -> Verdict {
        let key = (place, *digest);
        if let Some(verdict) = self.memory.recall(&key, Instant::now()) {
            return verdict;
        }
        let judge = || async {
            let search = Box::pin(self.judge(place, image, digest, depth));
            let judged = timeout(SEARCH_TIMEOUT, search).await;
            let late = |_| Verdict::Unknown(format!("{} did not answer in time", image.registry));
            let verdict = judged.unwrap_or_else(late);
            self.memory.remember(key, &verdict, Instant::now());
            self.tell(place, image, digest, &verdict);
            verdict
        };
        self.flights.run(key, judge).await
    }

    async fn judge(&self, place: usize, image: &ImageName, digest: &Digest, depth: usize) -> Verdict {
        match self.search(place, image, digest).await {
            valid @ Verdict::Valid(_) => valid,
            own => self.through_parent(place, image, digest, depth).await.unwrap_or(own),
        }
    }

    async fn search(&self, place: usize, image: &ImageName, digest: &Digest) -> Verdict {
        let mut search = Search {
            origins: &self.origins,
            trust: &self.trust[place],
            image,
            digest,
            now: SystemTime::now(),
            rejected: 0,
            last: None,
        };
        match (search.run().await, search.rejected, search.last) {
            (Ok(Some(proof)), ..) => Verdict::Valid(proof),
            (Err(error), ..) => Verdict::Unknown(error.to_string()),
            (Ok(None), rejected, Some(last)) => {
                Verdict::Invalid(format!("none of {rejected} found counts (the last: {last})"))
            }
            (Ok(None), ..) => Verdict::Invalid(format!("{} has none", image.registry)),
        }
    }

    fn tell(&self, place: usize, image: &ImageName, digest: &Digest, verdict: &Verdict) {
        let policy = self.rules.policies()[place].mode;
        match verdict {
            Verdict::Valid(proof) => tracing::info!(%image, %digest, %proof, "a signature was found"),
            Verdict::Invalid(why) => {
                tracing::warn!(%image, %digest, %policy, why, "no signature that counts");
            }
            Verdict::Unknown(why) => {
                tracing::warn!(%image, %digest, %policy, why, "signatures can't be looked for");
            }
        }
    }
}

impl Verdict {
    /// What metrics call it.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Valid(_) => "valid",
            Self::Invalid(_) => "invalid",
            Self::Unknown(_) => "unknown",
        }
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cosign(path) => write!(f, "cosign with {}", path.display()),
            Self::Notation(subject) => write!(f, "Notation by {subject}"),
            Self::ListedBy(index) => write!(f, "the signed index {index}"),
        }
    }
}

impl fmt::Debug for Signatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signatures").field("rules", &self.rules).finish_non_exhaustive()
    }
}
