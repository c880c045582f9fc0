//! The admin page: is this node alive, is it ready, what does it do; and what it is to fetch ahead.
//!
//! There is no credential. So all but `preheat` is read-only, and that takes orders from this host alone.

mod preheat;
mod readiness;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use prometheus::{Registry, TextEncoder};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use self::readiness::{Condition, Readiness};
use crate::{
    metrics::Metrics,
    preheat::Preheat,
    server::{self, Connection, Limits},
};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const METRICS: HeaderValue = HeaderValue::from_static(prometheus::TEXT_FORMAT);
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PAGES: &str = "/healthz, /readyz, /metrics, /api/v1/status and /api/v1/preheat";
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
}

impl Admin {
    /// The page that shows these, and hands orders on to `preheat`.
    pub fn new(
        readiness: Readiness,
        registry: Registry,
        status: Arc<dyn StatusSource>,
        preheat: Preheat,
    ) -> Self {
        Self { readiness, registry, status, preheat }
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
