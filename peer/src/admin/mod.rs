//! The admin page: is this node alive, is it ready, what does it do; and what it is to fetch ahead.
//!
//! There is no credential. So all but `preheat` and `canary` is read-only, and these take orders from this host alone.

mod canary;
mod preheat;
mod readiness;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use prometheus::{Registry, TextEncoder};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(crate) use self::canary::Started;
pub use self::readiness::{Condition, Readiness};
use crate::{
    canary::Canaries,
    metrics::Metrics,
    preheat::Preheat,
    server::{self, Connection, Limits},
};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const METRICS: HeaderValue = HeaderValue::from_static(prometheus::TEXT_FORMAT);
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PAGES: &str = "/healthz, /readyz, /metrics, /api/v1/status, /api/v1/preheat and /api/v1/canary";
/// Scrapers and probes are few.
const MAX_CONNECTIONS: usize = 64;

/// What a node tells of itself at `/api/v1/status`.
pub trait StatusSource: Send + Sync + 'static {
    /// The status now. Must not block.
    fn status(&self) -> serde_json::Value;
}

/// The admin page of a node.
#[derive(Clone)]
pub struct Admin {
    readiness: Readiness,
    registry: Registry,
    status: Arc<dyn StatusSource>,
    preheat: Preheat,
    canaries: Canaries,
}

impl Admin {
    /// The page that shows these, and hands orders on to `preheat`.
    pub fn new(
        readiness: Readiness,
        registry: Registry,
        status: Arc<dyn StatusSource>,
        preheat: Preheat,
    ) -> Self {
        Self { readiness, registry, status, preheat, canaries: Canaries::default() }
    }

    /// With the canaries that the mirror answers for.
    #[must_use]
    pub fn with_canaries(self, canaries: Canaries) -> Self {
        Self { canaries, ..self }
    }

    /// Answers on `listener` until `shutdown`.
    pub async fn serve(self, listener: TcpListener, metrics: &Metrics, shutdown: CancellationToken) {
        let connections = metrics.connections("admin");
        let limits = Limits { max_connections: MAX_CONNECTIONS, ..Limits::default() };
        server::serve(listener, self, limits, connections, shutdown).await;
    }

    fn answer(&self, path: &str) -> Page {
        match path {
            "/healthz" => page(StatusCode::OK, TEXT, "ok\n"),
            "/readyz" => self.readyz(),
            "/metrics" => self.metrics(),
            "/api/v1/status" => page(StatusCode::OK, JSON, self.status.status().to_string()),
            _ => page(StatusCode::NOT_FOUND, TEXT, format!("no such page; there are {PAGES}\n")),
        }
    }

    fn readyz(&self) -> Page {
        let status = if self.readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        page(status, TEXT, self.readiness.to_string())
    }

    fn metrics(&self) -> Page {
        match TextEncoder::new().encode_to_string(&self.registry.gather()) {
            Ok(text) => page(StatusCode::OK, METRICS, text),
            Err(error) => page(
                StatusCode::INTERNAL_SERVER_ERROR,
                TEXT,
                format!("could not write the metrics: {error}\n"),
            ),
        }
    }
}

type Page = Response<Full<Bytes>>;

impl server::Handler for Admin {
    type Body = Full<Bytes>;

    async fn handle(&self, request: Request<Incoming>, connection: Connection) -> Page {
        if let Some(route) = preheat::Route::of(request.uri().path()) {
            return route.answer(&self.preheat, request, &connection).await;
        }
        if let Some(route) = canary::Route::of(request.uri().path()) {
            return route.answer(&self.canaries, &request, &connection);
        }
        let refusal = if !matches!(*request.method(), Method::GET | Method::HEAD) {
            (StatusCode::METHOD_NOT_ALLOWED, "read-only: GET and HEAD\n")
        } else if server::announces_body(request.headers()) {
            (StatusCode::BAD_REQUEST, "GET and HEAD have no body here\n")
        } else {
            return self.answer(request.uri().path());
        };
        refuse(refusal.0, refusal.1, HeaderValue::from_static("GET, HEAD"))
    }
}

/// Lets programs of this host pass. Not other hosts, which may be let in to read, and not a browser on behalf of some
/// web page: it can't leave out `Origin`. `what` is what they want to do.
fn check_sender(
    headers: &HeaderMap,
    connection: &Connection,
    what: &str,
) -> Result<(), (StatusCode, String)> {
    if headers.contains_key(header::ORIGIN) {
        return Err((StatusCode::FORBIDDEN, format!("no web page may {what}\n")));
    }
    if !connection.is_from_here {
        let why = format!(
            "only programs of this host may {what}: run `shoal` here, or come by `ssh -L` or `kubectl port-forward`\n"
        );
        return Err((StatusCode::FORBIDDEN, why));
    }
    Ok(())
}

fn json(status: StatusCode, value: &impl Serialize) -> Page {
    match serde_json::to_vec(value) {
        Ok(bytes) => page(status, JSON, bytes),
        Err(error) => page(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("no answer: {error}\n")),
    }
}

/// A refusal that ends the connection, as whatever body there is stays unread.
fn refuse(status: StatusCode, why: impl Into<Bytes>, allowed: HeaderValue) -> Page {
    let mut page = page(status, TEXT, why);
    page.headers_mut().insert(header::ALLOW, allowed);
    page.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    page
}

fn page(status: StatusCode, media_type: HeaderValue, body: impl Into<Bytes>) -> Page {
    let mut page = Response::new(Full::new(body.into()));
    *page.status_mut() = status;
    page.headers_mut().insert(header::CONTENT_TYPE, media_type);
    page
}
