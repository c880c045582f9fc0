//! What an endpoint answered, and what that says.

use std::time::SystemTime;

use http::StatusCode;
use reqwest::Response;

use super::{
    error::{OriginError, PublicUrl, Trouble},
    quiet::{Quiet, retry_after},
};

/// The answer of one endpoint.
pub(super) struct Reply {
    pub(super) response: Response,
    pub(super) was_redirected: bool,
}

/// What one endpoint came to, kept while the others are asked.
pub(super) struct Outcome {
    pub(super) endpoint: usize,
    pub(super) result: Result<Reply, OriginError>,
}

impl Reply {
    /// What the registry itself said: a redirect that was followed means that it had nothing against the request.
    pub(super) fn registry_status(&self) -> StatusCode {
        if self.was_redirected { StatusCode::TEMPORARY_REDIRECT } else { self.response.status() }
    }
}

impl Outcome {
    /// 0 when nobody else need be asked; else how much this says about the registry as a whole. An endpoint that can't
    /// be asked may have what others lack, and one that refuses may let others in.
    pub(super) fn weight(&self) -> u8 {
        match &self.result {
            Err(error) if error.is_temporary() => 3,
            Err(_) => 2,
            Ok(reply) => match reply.registry_status() {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => 2,
                StatusCode::NOT_FOUND | StatusCode::GONE => 1,
                _ => 0,
            },
        }
    }
}

/// Turns the statuses that mean "not now" into errors, and keeps quiet for as long as they ask.
pub(super) fn check_load(reply: &Reply, url: &PublicUrl, quiet: &Quiet) -> Result<(), OriginError> {
    let status = reply.response.status();
    if status != StatusCode::TOO_MANY_REQUESTS && !status.is_server_error() {
        return Ok(());
    }
    let retry_after = retry_after(reply.response.headers(), SystemTime::now());
    if let (Some(wait), false) = (retry_after, reply.was_redirected) {
        quiet.keep_for(wait);
    }
    let trouble = Trouble::new(url, format!("answered {status}"));
    Err(match status {
        StatusCode::TOO_MANY_REQUESTS => OriginError::TooManyRequests { trouble, retry_after },
        // "Not implemented" stays so, however often it is asked: a fallback may know another way.
        StatusCode::NOT_IMPLEMENTED => return Ok(()),
        _ => OriginError::Unavailable { trouble, retry_after },
    })
}

pub(super) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}
