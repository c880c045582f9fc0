//! The mirror as a token service: the Docker token protocol, for images that need a client's own login.
//!
//! A login comes by GET with Basic, or by POST as a form (OAuth2), as containerd prefers. The image and the manifest to
//! prove the right to it by stand in the realm's own query, so they come back as they were given out.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use shoal_protocol::{
    reference::{ImageName, Reference},
    wire::ClientLogin,
};

use super::error::MirrorError;

/// Where tokens are issued.
pub(super) const PATH: &str = "/token";
/// Largest form: a password at its longest with every byte escaped, and some.
const MAX_FORM_BYTES: usize = 64 * 1024;
/// A client that takes longer to send its form has other plans.
const FORM_TIMEOUT: Duration = Duration::from_secs(10);

/// What a client wants a token for, and who it is.
pub(super) struct TokenAsk {
    pub(super) image: ImageName,
    pub(super) wanted: Option<Reference>,
    pub(super) login: ClientLogin,
}

/// The URL at which a client that reached the mirror as `host` gets a token.
pub(super) fn realm(host: &str, image: &ImageName, wanted: Option<&Reference>) -> String {
    let wanted = wanted.map(|wanted| format!("&manifest={wanted}")).unwrap_or_default();
    format!("http://{host}{PATH}?registry={}&repository={}{wanted}", image.registry, image.repository)
}

/// Reads a request for a token.
pub(super) async fn read(request: Request<Incoming>) -> Result<TokenAsk, MirrorError> {
    let query = pairs(request.uri().query().unwrap_or_default().as_bytes());
    let parsed = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let (Some(registry), Some(repository)) = (parsed("registry"), parsed("repository")) else {
        return Err(MirrorError::TokenAsk("it names no registry and repository"));
    };
    let (Ok(registry), Ok(repository)) = (registry.parse(), repository.parse()) else {
        return Err(MirrorError::TokenAsk("its registry or repository is no name of one"));
    };
    let wanted = parsed("manifest").map(str::parse).transpose();
    let wanted = wanted.map_err(|_| MirrorError::TokenAsk("its manifest is neither a tag nor a digest"))?;
    let login = match *request.method() {
        Method::POST => login_of_form(&form(request).await?),
        Method::GET => basic(request.headers()),
        _ => return Err(MirrorError::Method(request.method().clone())),
    };
    Ok(TokenAsk {
        image: ImageName { registry, repository },
        wanted,
        login: login.ok_or(MirrorError::NoLogin)?,
    })
}

async fn form(request: Request<Incoming>) -> Result<Bytes, MirrorError> {
    let body = Limited::new(request.into_body(), MAX_FORM_BYTES).collect();
    match tokio::time::timeout(FORM_TIMEOUT, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        _ => Err(MirrorError::TokenAsk("its form is too long, or came too slowly")),
    }
}

fn login_of_form(form: &[u8]) -> Option<ClientLogin> {
    let mut fields = pairs(form);
    let mut take = |name: &str| {
        let place = fields.iter().position(|(key, _)| key == name)?;
        Some(fields.swap_remove(place).1)
    };
    match take("grant_type")?.as_str() {
        "password" => Some(ClientLogin { username: take("username")?, password: take("password")? }),
        // An identity token has no user.
        "refresh_token" => Some(ClientLogin { username: String::new(), password: take("refresh_token")? }),
        _ => None,
    }
}

fn basic(headers: &HeaderMap) -> Option<ClientLogin> {
    let (scheme, encoded) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (username, password) = decoded.split_once(':')?;
    scheme
        .eq_ignore_ascii_case("basic")
        .then(|| ClientLogin { username: username.into(), password: password.into() })
}

/// The pairs of a query or a form. What has no value has an empty one.
fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}
