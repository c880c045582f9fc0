//! `/api/v1/preheat`: orders of images to fetch, and how they stand.
//!
//! Who may give orders: any program of this host. Not other hosts, although they may be let in to read: the page has
//! no login, and orders fill a disk. Not a browser on behalf of some web page: it can't leave out `Origin`, nor claim
//! that it sends JSON without asking first, which is refused.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;

use super::{Page, check_sender, json, refuse};
use crate::{
    preheat::{Order, Preheat, StartError},
    server::{self, Connection},
};

const PATH: &str = "/api/v1/preheat";
/// What only this host may do, in a refusal.
const WHAT: &str = "preheat";
/// Names of as many images as an order may have, each as long as names are.
const MAX_BODY_BYTES: usize = 256 * 1024;
/// A body is one write of a program on this host.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What is asked about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// All jobs.
    Jobs,
    /// The job of that id.
    Job(String),
}

/// Why an order is not taken.
type Refusal = (StatusCode, String);

impl Route {
    /// The route of a path; `None` for the paths of other pages.
    pub(super) fn of(path: &str) -> Option<Self> {
        match path.strip_prefix(PATH)? {
            "" => Some(Self::Jobs),
            rest => rest.strip_prefix('/').map(|id| Self::Job(id.to_owned())),
        }
    }

    /// Answers a request for it.
    pub(super) async fn answer(
        self,
        preheat: &Preheat,
        request: Request<Incoming>,
        connection: &Connection,
    ) -> Page {
        let allowed = HeaderValue::from_static(match self {
            Self::Jobs => "GET, HEAD, POST",
            Self::Job(_) => "GET, HEAD, DELETE",
        });
        let is_order = matches!((&self, request.method()), (Self::Jobs, &Method::POST));
        let answered = if !is_order && server::announces_body(request.headers()) {
            Err((StatusCode::BAD_REQUEST, "only POST has a body here\n".to_owned()))
        } else {
            self.act(preheat, request, connection).await
        };
        answered.unwrap_or_else(|(status, why)| refuse(status, why, allowed))
    }

    async fn act(
        &self,
        preheat: &Preheat,
        request: Request<Incoming>,
        connection: &Connection,
    ) -> Result<Page, Refusal> {
        match (self, request.method().clone()) {
            (Self::Jobs, Method::GET | Method::HEAD) => Ok(json(StatusCode::OK, &preheat.list())),
            (Self::Jobs, Method::POST) => {
                check_sender(request.headers(), connection, WHAT)?;
                check_is_json(request.headers())?;
                start(preheat, &read(request.into_body()).await?)
            }
            (Self::Job(id), Method::GET | Method::HEAD) => {
                preheat.report(id).map(|report| json(StatusCode::OK, &report)).ok_or_else(|| no_job(id))
            }
            (Self::Job(id), Method::DELETE) => {
                check_sender(request.headers(), connection, WHAT)?;
                preheat.cancel(id).map(|report| json(StatusCode::OK, &report)).ok_or_else(|| no_job(id))
            }
            _ => {
                Err((StatusCode::METHOD_NOT_ALLOWED, "the header Allow says what can be done here\n".into()))
            }
        }
    }
}

fn start(preheat: &Preheat, body: &[u8]) -> Result<Page, Refusal> {
    let wrong = |error: &dyn std::error::Error| (StatusCode::BAD_REQUEST, format!("{error}\n"));
    let request = serde_json::from_slice(body).map_err(|error| wrong(&error))?;
    let order = Order::try_from(&request).map_err(|error| wrong(&error))?;
    let report = preheat.start(order).map_err(|error| {
        let status = match error {
            StartError::TooManyJobs => StatusCode::SERVICE_UNAVAILABLE,
            StartError::Spread(_) | StartError::TooMuch { .. } => StatusCode::CONFLICT,
        };
        (status, format!("{error}\n"))
    })?;
    let mut page = json(StatusCode::ACCEPTED, &report);
    if let Ok(location) = format!("{PATH}/{}", report.id).parse() {
        page.headers_mut().insert(header::LOCATION, location);
    }
    Ok(page)
}

fn check_is_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let media_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "send Content-Type: application/json\n".into()))
}

async fn read(body: Incoming) -> Result<Vec<u8>, Refusal> {
    let collecting = Limited::new(body, MAX_BODY_BYTES).collect();
    let collected = tokio::time::timeout(BODY_TIMEOUT, collecting).await;
    let late = |_| (StatusCode::REQUEST_TIMEOUT, "the body did not come in time\n".to_owned());
    match collected.map_err(late)? {
        Ok(body) => Ok(body.to_bytes().into()),
        Err(error) if error.is::<LengthLimitError>() => {
            let why = format!("the body is longer than {MAX_BODY_BYTES} bytes: split the order\n");
            Err((StatusCode::PAYLOAD_TOO_LARGE, why))
        }
        Err(error) => Err((StatusCode::BAD_REQUEST, format!("the body broke off: {error}\n"))),
    }
}

fn no_job(id: &str) -> Refusal {
    let why = format!("no job {id:?}: this node forgets old ones, and all of them when it restarts\n");
    (StatusCode::NOT_FOUND, why)
}
