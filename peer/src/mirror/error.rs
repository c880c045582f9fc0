//! The one place where what went wrong becomes an answer in the registry's own form.

use http::{Method, StatusCode};
use shoal_protocol::{listing::Listing, reference::ImageName};

use super::route::RouteError;
use crate::{
    content::ContentError,
    metrics::{Outcome, RequestKind},
};

/// Why a request gets no content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum MirrorError {
    #[error("{0} is not supported: this mirror is read-only, push to the registry itself")]
    Method(Method),
    #[error("GET and HEAD have no body here")]
    RequestBody,
    #[error("a request names one Host")]
    Host,
    #[error(transparent)]
    Route(#[from] RouteError),
    #[error("{error}")]
    Content { kind: RequestKind, error: ContentError },
    #[error("{listing}: {error}")]
    List { listing: Listing, error: ContentError },
    #[error("no answer in time")]
    TooLate(RequestKind),
    #[error("the media type from the origin can't be a header")]
    MediaType,
    #[error(
        "this node gives {image} only to those whose own login the registry accepts: log in, or pull from the registry"
    )]
    LoginNeeded { image: ImageName, realm: String },
    #[error("no login came with the request for a token: give the runtime one for this registry")]
    NoLogin,
    #[error("the login gets no token: {0}")]
    BadLogin(ContentError),
    #[error("this is no request for a token: {0}")]
    TokenAsk(&'static str),
    #[error("the range lies outside the {len_bytes} bytes of the blob")]
    OutsideRange { len_bytes: u64 },
}

impl MirrorError {
    /// The status.
    ///
    /// What is not here is always 404, also where access is denied: every runtime goes on to the origin then, which
    /// tells the user itself. What lacks a signature is 403: runtimes that may go on do so all the same, and one that
    /// has nowhere to go shows it to the user. Never 408 or 429, which containerd repeats at once.
    ///
    /// For a list, 404 is the origin's own word: whoever is told that there are no referrers, or no referrers API, may
    /// take an image for unsigned.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::OutsideRange { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::Content { error: ContentError::Overloaded(_), .. }
            | Self::List { error: ContentError::Overloaded(_) | ContentError::NotHere(_), .. }
            | Self::TooLate(RequestKind::Tags | RequestKind::Referrers) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Content { error: ContentError::Unsigned(_), .. }
            | Self::List { error: ContentError::Denied(_) | ContentError::Unsigned(_), .. } => {
                StatusCode::FORBIDDEN
            }
            // No manifest has such a name, so the specification's answer is that there is none.
            Self::Route(RouteError::NoEndpoint | RouteError::Reference(_))
            | Self::Content { .. }
            | Self::List { .. }
            | Self::TooLate(_)
            | Self::MediaType => StatusCode::NOT_FOUND,
            Self::LoginNeeded { .. } | Self::NoLogin | Self::BadLogin(_) => StatusCode::UNAUTHORIZED,
            Self::RequestBody | Self::Host | Self::TokenAsk(_) | Self::Route(_) => StatusCode::BAD_REQUEST,
        }
    }

    /// The code, of those in the OCI distribution specification where one fits.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Method(_) | Self::RequestBody | Self::Host | Self::Route(RouteError::NoEndpoint) => {
                "UNSUPPORTED"
            }
            Self::Route(RouteError::Reference(_)) => "MANIFEST_UNKNOWN",
            Self::Route(RouteError::Digest(_)) => "DIGEST_INVALID",
            Self::Route(RouteError::ListQuery(_)) => "UNSUPPORTED",
            Self::Route(_) => "NAME_INVALID",
            Self::Content { error: ContentError::Denied(_) | ContentError::Unsigned(_), .. }
            | Self::List { error: ContentError::Denied(_) | ContentError::Unsigned(_), .. } => "DENIED",
            Self::Content { error: ContentError::Overloaded(_), .. }
            | Self::List { error: ContentError::Overloaded(_) | ContentError::NotHere(_), .. } => {
                "UNAVAILABLE"
            }
            Self::List { listing: Listing::Tags, .. } => "NAME_UNKNOWN",
            // Not that the repository is unknown: clients would not look for referrers by tag then.
            Self::List { listing: Listing::Referrers(_), .. } => "UNSUPPORTED",
            Self::MediaType => "MANIFEST_UNKNOWN",
            Self::Content { kind, .. } | Self::TooLate(kind) => match kind {
                RequestKind::Manifest => "MANIFEST_UNKNOWN",
                RequestKind::Tags | RequestKind::Referrers => "UNAVAILABLE",
                _ => "BLOB_UNKNOWN",
            },
            Self::OutsideRange { .. } => "SIZE_INVALID",
            Self::LoginNeeded { .. } | Self::NoLogin => "UNAUTHORIZED",
            Self::BadLogin(_) => "DENIED",
            Self::TokenAsk(_) => "UNSUPPORTED",
        }
    }

    /// Whether the connection may carry another request: not when it is unclear where this one ends.
    pub(super) fn ends_connection(&self) -> bool {
        matches!(self, Self::Method(_) | Self::RequestBody | Self::Host | Self::TokenAsk(_))
    }

    /// How the request is counted.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Method(_) => Outcome::Refused("method"),
            Self::RequestBody => Outcome::Refused("request_body"),
            Self::Host => Outcome::Refused("host"),
            Self::Route(RouteError::NoEndpoint) => Outcome::Refused("no_endpoint"),
            Self::Route(_) => Outcome::Refused("malformed"),
            Self::OutsideRange { .. } => Outcome::Refused("range"),
            Self::LoginNeeded { .. } | Self::NoLogin => Outcome::HandedOver("login_needed"),
            Self::BadLogin(_) => Outcome::HandedOver("login_refused"),
            Self::TokenAsk(_) => Outcome::Refused("token_ask"),
            Self::MediaType => Outcome::HandedOver("media_type"),
            Self::TooLate(_) => Outcome::HandedOver("too_late"),
            Self::Content { error, .. } | Self::List { error, .. } => Outcome::HandedOver(match error {
                ContentError::NotHere(_) => "not_here",
                ContentError::NotFound => "not_found",
                ContentError::Denied(_) => "denied",
                ContentError::Unsigned(_) => "unsigned",
                ContentError::Overloaded(_) => "overloaded",
            }),
        }
    }
}
