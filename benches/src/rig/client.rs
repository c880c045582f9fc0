//! The client whose times count: asks a mirror as a runtime does and checks what it gets.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use super::check::{Check, Expected};

/// Longest silence that is waited out, before an answer and within one.
const SILENCE: Duration = Duration::from_secs(120);
/// Longest page of metrics and the like.
const MAX_PAGE_BYTES: usize = 8 << 20;
const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, */*";

/// A connection to a mirror.
#[derive(Debug)]
pub struct Client {
    host: String,
    sender: http1::SendRequest<Empty<Bytes>>,
    _connection: AbortOnDropHandle<()>,
}

/// A body that came and was the right one. Times count from when the request was sent.
#[derive(Clone, Copy, Debug)]
pub struct Got {
    /// Its length.
    pub len_bytes: u64,
    /// When the first byte of the body came.
    pub first_byte: Duration,
    /// When the last byte had come and all of them were checked.
    pub last_byte: Duration,
}

/// A page of text.
#[derive(Clone, Debug)]
pub struct Page {
    /// The answer's status.
    pub status: u16,
    /// All of it.
    pub text: String,
}

/// Why a pull failed.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// Not a URL of ours.
    #[error("{0:?} is no URL that can be measured: it has to be http://HOST:PORT/PATH")]
    Url(String),
    /// Nobody there.
    #[error("cannot connect to {host}: {source}")]
    Connect {
        /// Where.
        host: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// No HTTP, or not to its end.
    #[error("{url}: the answer broke off: {reason}")]
    Broken {
        /// What was asked for.
        url: String,
        /// What was seen.
        reason: String,
    },
    /// Nothing came for too long.
    #[error("{url}: nothing came for {} s", SILENCE.as_secs())]
    Silent {
        /// What was asked for.
        url: String,
    },
    /// Not the content.
    #[error("{url}: the answer was {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// It.
        status: StatusCode,
    },
    /// Other content.
    #[error("{url}: {len_bytes} bytes came, and they are others than were asked for")]
    Other {
        /// What was asked for.
        url: String,
        /// How many.
        len_bytes: u64,
    },
    /// What it was to be compared with.
    #[error("{url}: cannot read the file that it has to be the same as: {source}")]
    File {
        /// What was asked for.
        url: String,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// Gets a page, whatever its status.
///
/// # Errors
/// When no whole answer comes.
pub async fn page(url: &str) -> Result<Page, PullError> {
    let mut client = Client::connect(url).await?;
    let answer = client.ask(url).await?;
    let status = answer.status().as_u16();
    let body = Limited::new(answer.into_body(), MAX_PAGE_BYTES).collect();
    let body = timeout(SILENCE, body).await.map_err(|_| PullError::Silent { url: url.into() })?;
    let bytes = body.map_err(|error| PullError::Broken { url: url.into(), reason: error.to_string() })?;
    Ok(Page { status, text: String::from_utf8_lossy(&bytes.to_bytes()).into_owned() })
}

impl Client {
    /// Connects to the host of `url`.
    ///
    /// # Errors
    /// When that is not possible.
    pub async fn connect(url: &str) -> Result<Self, PullError> {
        let uri = parsed(url)?;
        let host = uri.authority().map(ToString::to_string).unwrap_or_default();
        let target = (uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(80));
        let connected = timeout(SILENCE, TcpStream::connect(target)).await;
        let stream = connected
            .map_err(|_| PullError::Silent { url: url.into() })?
            .map_err(|source| PullError::Connect { host: host.clone(), source })?;
        let _ = stream.set_nodelay(true);
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|error| broken(url, &error))?;
        let connection = AbortOnDropHandle::new(tokio::spawn(async move {
            // What breaks the connection breaks the answer too, where it is reported.
            let _ = connection.await;
        }));
        Ok(Self { host, sender, _connection: connection })
    }

    /// Gets the content of `url`, tells `arrived` of each length that came, and checks that it is what was `expected`.
    ///
    /// # Errors
    /// When the answer is anything else than the whole content.
    pub async fn pull(
        &mut self,
        url: &str,
        expected: Expected<'_>,
        mut arrived: impl FnMut(u64),
    ) -> Result<Got, PullError> {
        let began = Instant::now();
        let mut answer = self.ask(url).await?;
        if answer.status() != StatusCode::OK {
            return Err(PullError::Status { url: url.into(), status: answer.status() });
        }
        let mut check = Check::begin(expected, content_length(&answer));
        let unread = |source| PullError::File { url: url.into(), source };
        let (mut len_bytes, mut first_byte) = (0, None);
        while let Some(chunk) = next_chunk(&mut answer, url).await? {
            first_byte.get_or_insert_with(|| began.elapsed());
            len_bytes += chunk.len() as u64;
            arrived(chunk.len() as u64);
            check.update(chunk).await.map_err(unread)?;
        }
        if !check.finish().await.map_err(unread)? {
            return Err(PullError::Other { url: url.into(), len_bytes });
        }
        let last_byte = began.elapsed();
        Ok(Got { len_bytes, first_byte: first_byte.unwrap_or(last_byte), last_byte })
    }

    async fn ask(&mut self, url: &str) -> Result<Response<Incoming>, PullError> {
        let uri = parsed(url)?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::get(path)
            .header(header::HOST, &self.host)
            .header(header::ACCEPT, HeaderValue::from_static(ACCEPT))
            .body(Empty::new())
            .map_err(|_| PullError::Url(url.into()))?;
        let answer = async {
            self.sender.ready().await?;
            self.sender.send_request(request).await
        };
        let answer = timeout(SILENCE, answer).await.map_err(|_| PullError::Silent { url: url.into() })?;
        answer.map_err(|error| broken(url, &error))
    }
}

async fn next_chunk(answer: &mut Response<Incoming>, url: &str) -> Result<Option<Bytes>, PullError> {
    loop {
        let frame = timeout(SILENCE, answer.body_mut().frame()).await;
        let Some(frame) = frame.map_err(|_| PullError::Silent { url: url.into() })? else {
            return Ok(None);
        };
        if let Ok(data) = frame.map_err(|error| broken(url, &error))?.into_data() {
            return Ok(Some(data));
        }
    }
}

fn content_length(answer: &Response<Incoming>) -> Option<u64> {
    answer.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn parsed(url: &str) -> Result<Uri, PullError> {
    let uri = url.parse::<Uri>().ok();
    let uri = uri.filter(|uri| uri.scheme_str() == Some("http") && uri.host().is_some());
    uri.ok_or_else(|| PullError::Url(url.into()))
}

fn broken(url: &str, error: &hyper::Error) -> PullError {
    PullError::Broken { url: url.into(), reason: error.to_string() }
}
