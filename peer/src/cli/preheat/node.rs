//! The node's side of the order: its HTTP API.

use std::{str::FromStr, time::Duration};

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::Full;
use tokio::{net::TcpStream, time::timeout};

use crate::{
    preheat::{JobReport, Request as Order},
    short_request::{self, ShortRequestError},
};

/// Longest wait for an answer, which the node has at once.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than the report of the largest job.
const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;
const DEFAULT_PORT: u16 = 5023;
const PATH: &str = "/api/v1/preheat";

/// A node's admin address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NodeApi {
    /// Host and port, as they stand in a URL.
    authority: String,
}

/// Why a node did not answer a question.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// Nobody is there, or the answer broke off.
    #[error(
        "can't reach a node at http://{node}: {reason}\n  \
         is `shoal peer` or `shoal seed` running there? --via names another address (its admin.listen)"
    )]
    Unreachable {
        /// Who was asked.
        node: String,
        /// What the system or the protocol says.
        reason: String,
    },
    /// The node said no.
    #[error("the node at http://{node} answered {status}: {why}")]
    Refused {
        /// Who was asked.
        node: String,
        /// Its answer.
        status: StatusCode,
        /// In its words.
        why: String,
    },
    /// What is there is no node, or one of another version.
    #[error("http://{node} does not answer as a node of this version does: {reason}")]
    Nonsense {
        /// Who was asked.
        node: String,
        /// What is wrong with the answer.
        reason: String,
    },
}

impl NodeApi {
    /// Starts a job.
    pub(super) async fn start(&self, order: &Order) -> Result<JobReport, AskError> {
        let body = serde_json::to_vec(order).map_err(|error| self.nonsense(&error))?;
        self.ask(Method::POST, PATH.to_owned(), body).await
    }

    /// Asks how a job stands.
    pub(super) async fn look(&self, id: &str) -> Result<JobReport, AskError> {
        self.ask(Method::GET, format!("{PATH}/{id}"), Vec::new()).await
    }

    /// Cancels a job.
    pub(super) async fn cancel(&self, id: &str) -> Result<JobReport, AskError> {
        self.ask(Method::DELETE, format!("{PATH}/{id}"), Vec::new()).await
    }

    async fn ask(&self, method: Method, path: String, body: Vec<u8>) -> Result<JobReport, AskError> {
        let asked = timeout(ANSWER_TIMEOUT, self.exchange(method, path, body)).await;
        let late = |_| self.unreachable(format!("no answer within {} s", ANSWER_TIMEOUT.as_secs()));
        let (status, answer) = asked.map_err(late)?.map_err(|error| self.unreachable(error.to_string()))?;
        if !status.is_success() {
            let why = String::from_utf8_lossy(&answer).trim().to_owned();
            return Err(AskError::Refused { node: self.authority.clone(), status, why });
        }
        serde_json::from_slice(&answer).map_err(|error| self.nonsense(&error))
    }

    /// One request on a connection of its own.
    async fn exchange(
        &self,
        method: Method,
        path: String,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Bytes), ShortRequestError> {
        let stream = TcpStream::connect(&self.authority).await?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.authority)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))?;
        let answer = short_request::send(stream, request, MAX_ANSWER_BYTES).await?;
        Ok((answer.status(), answer.into_body()))
    }

    fn unreachable(&self, reason: String) -> AskError {
        AskError::Unreachable { node: self.authority.clone(), reason }
    }

    fn nonsense(&self, error: &serde_json::Error) -> AskError {
        AskError::Nonsense { node: self.authority.clone(), reason: error.to_string() }
    }
}

impl FromStr for NodeApi {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected http://HOST:PORT, the node's admin.listen".to_owned();
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'));
        match (uri.scheme_str(), authority, uri.path(), uri.query()) {
            (Some("http"), Some(authority), "/" | "", None) => {
                let port = authority.port_u16().unwrap_or(DEFAULT_PORT);
                Ok(Self { authority: format!("{}:{port}", authority.host()) })
            }
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_url_of_host_and_port() {
        for (text, authority) in [
            ("http://127.0.0.1:5023", "127.0.0.1:5023"),
            ("http://seed.example:80/", "seed.example:80"),
            ("http://[::1]", "[::1]:5023"),
        ] {
            assert_eq!(text.parse(), Ok(NodeApi { authority: authority.into() }));
        }
        for text in
            ["", "127.0.0.1:5023", "https://a:1", "http://a:1/x", "http://u:p@a", "http://a?b", "http://"]
        {
            assert!(text.parse::<NodeApi>().is_err(), "{text}");
        }
    }
}
