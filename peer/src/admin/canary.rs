//! `/api/v1/canary`: images that `shoal doctor` has a runtime pull, and what the mirror saw of them.
//!
//! As for `preheat`, only programs of this host may start one, and no web page.

use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};

use super::{Page, check_sender, json, refuse};
use crate::{
    canary::{Canaries, REPOSITORY},
    server::{self, Connection},
};

const PATH: &str = "/api/v1/canary";

/// What is asked about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// A new one.
    New,
    /// The one with that tag.
    Known(String),
}

/// A canary that was started.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Started {
    /// Its repository, to be put behind a registry.
    pub(crate) repository: String,
    /// Its tag.
    pub(crate) tag: String,
}

impl Route {
    /// The route of a path; `None` for the paths of other pages.
    pub(super) fn of(path: &str) -> Option<Self> {
        match path.strip_prefix(PATH)? {
            "" => Some(Self::New),
            rest => rest.strip_prefix('/').map(|tag| Self::Known(tag.to_owned())),
        }
    }

    /// Answers a request for it.
    pub(super) fn answer(
        &self,
        canaries: &Canaries,
        request: &Request<Incoming>,
        connection: &Connection,
    ) -> Page {
        let allowed = HeaderValue::from_static(match self {
            Self::New => "POST",
            Self::Known(_) => "GET, HEAD, DELETE",
        });
        let answered = if server::announces_body(request.headers()) {
            Err((StatusCode::BAD_REQUEST, "there is no body here\n".to_owned()))
        } else {
            self.act(canaries, request.method(), request.headers(), connection)
        };
        answered.unwrap_or_else(|(status, why)| refuse(status, why, allowed))
    }

    fn act(
        &self,
        canaries: &Canaries,
        method: &Method,
        headers: &HeaderMap,
        connection: &Connection,
    ) -> Result<Page, (StatusCode, String)> {
        const WHAT: &str = "have a canary";
        let unknown = || (StatusCode::NOT_FOUND, "no such canary: it lives for a minute\n".to_owned());
        match (self, method) {
            (Self::New, &Method::POST) => {
                check_sender(headers, connection, WHAT)?;
                let busy = |error| (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n"));
                let tag = canaries.start().map_err(busy)?;
                Ok(json(StatusCode::CREATED, &Started { repository: REPOSITORY.to_owned(), tag }))
            }
            (Self::Known(tag), &Method::GET | &Method::HEAD) => {
                canaries.sighting(tag).map(|seen| json(StatusCode::OK, &seen)).ok_or_else(unknown)
            }
            (Self::Known(tag), &Method::DELETE) => {
                check_sender(headers, connection, WHAT)?;
                canaries.end(tag).then(|| json(StatusCode::OK, &())).ok_or_else(unknown)
            }
            _ => {
                Err((StatusCode::METHOD_NOT_ALLOWED, "the header Allow says what can be done here\n".into()))
            }
        }
    }
}
