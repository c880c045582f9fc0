//! Short questions to the HTTP endpoints of a node.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::Full;
use tokio::{net::TcpStream, time::timeout};

use crate::short_request::{self, ShortRequestError};

/// Longest wait for an answer, which a node of this host has at once.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(1500);
/// Longer than any page of a node.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// An endpoint of this host's node.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    address: SocketAddr,
}

/// What it said.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, of up to 4 MiB.
    pub body: Bytes,
}

/// Why it said nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PageError {
    /// Nobody listens there, or nobody can be reached.
    #[error("can't connect to {address}: {reason}")]
    Unreachable {
        /// Who was called.
        address: SocketAddr,
        /// The system's reason.
        reason: String,
    },
    /// Somebody listens and does not speak HTTP, or broke off.
    #[error("{address} does not answer in HTTP: {reason}")]
    NotHttp {
        /// Who was called.
        address: SocketAddr,
        /// What was wrong.
        reason: String,
    },
    /// Somebody listens and is silent.
    #[error("{address} did not answer within {} ms", ANSWER_TIMEOUT.as_millis())]
    Silent {
        /// Who was called.
        address: SocketAddr,
    },
}

impl Page {
    /// What listens on `listen`. Where that is every address of this host, it is asked on loopback.
    pub fn new(listen: SocketAddr) -> Self {
        let ip = match listen.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        Self { address: SocketAddr::new(ip, listen.port()) }
    }

    /// Who is asked.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks for a path.
    ///
    /// # Errors
    /// When nobody answers in HTTP within a second and a half.
    pub async fn get(&self, path: &str) -> Result<Answer, PageError> {
        self.send(Method::GET, path).await
    }

    /// Sends a request without a body.
    ///
    /// # Errors
    /// When nobody answers in HTTP within a second and a half.
    pub async fn send(&self, method: Method, path: &str) -> Result<Answer, PageError> {
        let silent = |_| PageError::Silent { address: self.address };
        timeout(ANSWER_TIMEOUT, self.exchange(method, path)).await.map_err(silent)?
    }

    async fn exchange(&self, method: Method, path: &str) -> Result<Answer, PageError> {
        let address = self.address;
        let stream = TcpStream::connect(address)
            .await
            .map_err(|error| PageError::Unreachable { address, reason: error.to_string() })?;
        self.ask(stream, method, path)
            .await
            .map_err(|error| PageError::NotHttp { address, reason: error.to_string() })
    }

    async fn ask(&self, stream: TcpStream, method: Method, path: &str) -> Result<Answer, ShortRequestError> {
        let request =
            Request::builder().method(method).uri(path).header(header::HOST, self.address.to_string());
        let request = request.body(Full::default())?;
        let (head, body) = short_request::send(stream, request, MAX_ANSWER_BYTES).await?.into_parts();
        Ok(Answer { status: head.status, headers: head.headers, body })
    }
}
