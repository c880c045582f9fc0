//! Whether somebody else's login may pull from a repository, by the registry's own word.
//!
//! Nothing of such a login is kept: not the login, not a token that it got, not the verdict.

use http::{Method, StatusCode};
use shoal_protocol::reference::{ImageName, Reference};

use super::{
    Origins,
    credentials::{Login, Source},
    error::OriginError,
    head_is_unsupported, manifest_ask,
};
use crate::{config::Secret, metrics::Kind};

/// A login that a client sent. No log or error shows its secret.
#[derive(Clone, Debug)]
pub struct ClientCredentials(Login);

impl ClientCredentials {
    /// A user with a password, or with what takes its place.
    pub fn password(username: impl Into<String>, password: Secret) -> Self {
        Self(Login::Password { username: username.into(), password })
    }

    /// A token that the registry's token service takes in place of a password (`identitytoken`).
    pub fn identity_token(token: Secret) -> Self {
        Self(Login::Identity { username: None, token })
    }
}

/// What the registry says of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It gets the manifest; so does anybody, where the repository is public.
    Allowed,
    /// It does not.
    Denied,
}

impl Origins {
    /// Asks the registry for the manifest with `credentials` alone: neither this seed's own login nor a token that it
    /// has is used. Without credentials, with this seed's own.
    ///
    /// # Errors
    /// When the registry can't be asked, or says that there is no such manifest. Many say so to whoever may not pull,
    /// so that is no permission.
    pub async fn may_pull(
        &self,
        image: &ImageName,
        wanted: &Reference,
        credentials: Option<ClientCredentials>,
    ) -> Result<Verdict, OriginError> {
        let registry = self.registry(&image.registry)?;
        let item = match wanted {
            Reference::Tag(tag) => format!("manifests/{tag}"),
            Reference::Digest(digest) => format!("manifests/{digest}"),
        };
        for method in [Method::HEAD, Method::GET] {
            let ask = manifest_ask(Kind::Permission, method.clone(), image, &item);
            let answer = match &credentials {
                Some(ClientCredentials(login)) => {
                    let source = Source::fixed(image.registry.clone(), login.clone());
                    registry.ask_with(source, &ask).await
                }
                None => registry.ask(&ask).await,
            };
            let answer = match answer {
                Err(OriginError::Denied(_)) => return Ok(Verdict::Denied),
                answer => answer?,
            };
            if method == Method::HEAD && head_is_unsupported(&answer) {
                continue;
            }
            return match answer.response.status() {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Ok(Verdict::Denied),
                _ => answer.success().map(|_| Verdict::Allowed),
            };
        }
        Ok(Verdict::Denied)
    }
}
