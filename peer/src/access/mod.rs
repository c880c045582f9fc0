//! Who may have which image from this node.
//!
//! Content is found by its digest, so a node that holds a private layer could hand it to a pod that has no right to it.
//! Rules say for which images somebody has to prove that the origin lets it pull them: the cluster, by the seeds' login
//! (`node`), or whoever asks, by its own (`client`). A client proves it at the mirror's own token service, which has a
//! seed ask the origin, and gets a token for that repository and a short time.
//!
//! Logins are neither kept nor logged. What is remembered of a proof is a keyed hash of it.

mod apart;
mod proofs;
mod rules;
mod token;

use std::{sync::Arc, time::Duration};

use http::HeaderMap;
use shoal_protocol::{
    reference::{ImageName, Reference},
    wire::ClientLogin,
};

pub(crate) use self::apart::Apart;
pub use self::rules::{AccessRules, Mode};
use self::{proofs::Proofs, token::TokenKey};
use crate::content::{Content, ContentError};

/// Any proof counts that has not ended.
const NO_TIME: Duration = Duration::ZERO;

/// Decides who gets what.
pub(crate) struct Access {
    rules: AccessRules,
    lifetime: Duration,
    key: TokenKey,
    proofs: Proofs,
    content: Arc<dyn Content>,
}

/// A token that was issued.
pub(crate) struct Issued {
    pub(crate) token: String,
    pub(crate) lifetime: Duration,
}

/// Why somebody gets nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It has to show a token first.
    LoginNeeded {
        /// The manifest that its login can be checked by, if one is known.
        wanted: Option<Reference>,
    },
    /// The origin does not let the cluster pull it, or can't be asked.
    Origin(ContentError),
}

impl Access {
    /// Asks the origin through `content`. A proof counts for `lifetime`.
    ///
    /// # Errors
    /// When the system has no randomness for the tokens' key.
    pub(crate) fn new(
        rules: AccessRules,
        lifetime: Duration,
        content: Arc<dyn Content>,
    ) -> Result<Self, getrandom::Error> {
        let key = TokenKey::random()?;
        Ok(Self { rules, lifetime, proofs: Proofs::new(TokenKey::random()?), key, content })
    }

    /// Lets a request for content of `image` pass, or says why not. `wanted` is the manifest that it asks for, if it
    /// asks for one.
    pub(crate) async fn admit(
        &self,
        image: &ImageName,
        wanted: Option<&Reference>,
        headers: &HeaderMap,
    ) -> Result<(), Refusal> {
        match self.rules.mode(image) {
            Mode::Open => Ok(()),
            Mode::Node => self.prove(image, wanted, None, NO_TIME).await.map(drop).map_err(Refusal::Origin),
            Mode::Client if token::bearer(headers).is_some_and(|token| self.key.is_valid(token, image)) => {
                Ok(())
            }
            Mode::Client => {
                let wanted = wanted.cloned().or_else(|| self.proofs.manifest_of(image));
                Err(Refusal::LoginNeeded { wanted })
            }
        }
    }

    /// A token for whoever has `login`, if the origin gives it the manifest `wanted`.
    pub(crate) async fn issue(
        &self,
        image: &ImageName,
        wanted: Option<&Reference>,
        login: &ClientLogin,
    ) -> Result<Issued, ContentError> {
        // A token ends with the proof that it was given for: who may pull no more has none for longer than that.
        let lifetime = self.prove(image, wanted, Some(login), self.lifetime / 2).await?;
        Ok(Issued { token: self.key.issue(image, lifetime), lifetime })
    }

    /// The origin's word, remembered if it counts for longer than `at_least`, or just now. Tells for how long it counts.
    async fn prove(
        &self,
        image: &ImageName,
        wanted: Option<&Reference>,
        login: Option<&ClientLogin>,
        at_least: Duration,
    ) -> Result<Duration, ContentError> {
        let left = self.proofs.left(image, login);
        if left > at_least {
            return Ok(left);
        }
        let wanted = wanted.cloned().or_else(|| self.proofs.manifest_of(image));
        let wanted = wanted.ok_or_else(|| {
            ContentError::NotHere(format!(
                "no manifest of {image} was asked for lately, to ask the registry about"
            ))
        })?;
        self.content.permission(image, &wanted, login).await?;
        self.proofs.remember(image, login, self.lifetime);
        self.proofs.note_manifest(image, &wanted);
        Ok(self.lifetime)
    }
}

#[cfg(test)]
mod tests;
