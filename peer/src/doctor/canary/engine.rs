//! Docker Engine's API, on its socket.

use std::path::PathBuf;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use serde_json::Value;
use tokio::net::UnixStream;

use super::unix::{connect, first_of};
use crate::{
    doctor::Context,
    short_request::{self, ShortRequestError},
};

/// The progress of a pull of three tiny files.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// Where it listens.
const SOCKETS: [&str; 2] = ["/run/docker.sock", "/var/run/docker.sock"];

/// A Docker Engine on a socket.
pub(in crate::doctor) struct Engine {
    socket: PathBuf,
}

impl Engine {
    /// The one of this host, if it runs.
    pub(in crate::doctor) fn of(context: &Context) -> Option<Self> {
        first_of(context, &SOCKETS).map(|socket| Self { socket })
    }

    /// Pulls an image.
    pub(super) async fn pull(&self, name: &str, tag: &str) -> Result<(), String> {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("fromImage", name)
            .append_pair("tag", tag)
            .finish();
        let (status, body) = self.ask(Method::POST, &format!("/images/create?{query}")).await?;
        let lines =
            body.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        let mut messages =
            lines.filter_map(|line| line.get("error").or(line.get("message"))?.as_str().map(str::to_owned));
        match (messages.next(), status) {
            (Some(message), _) => Err(message),
            (None, StatusCode::OK) => Ok(()),
            (None, status) => Err(status.to_string()),
        }
    }

    /// Removes an image.
    pub(super) async fn remove(&self, image: &str) -> Result<(), String> {
        let (status, _) = self.ask(Method::DELETE, &format!("/images/{image}")).await?;
        if status == StatusCode::OK { Ok(()) } else { Err(status.to_string()) }
    }

    /// The mirrors of Docker Hub that count for it now.
    pub(in crate::doctor) async fn mirrors(&self) -> Result<Vec<String>, String> {
        let (status, body) = self.ask(Method::GET, "/info").await?;
        let info: Value = serde_json::from_slice(&body).map_err(|error| format!("{status}: {error}"))?;
        let mirrors = info["RegistryConfig"]["Mirrors"].as_array().into_iter().flatten();
        Ok(mirrors.filter_map(|mirror| mirror.as_str().map(str::to_owned)).collect())
    }

    async fn ask(&self, method: Method, path: &str) -> Result<(StatusCode, Bytes), String> {
        let stream = connect(&self.socket).await?;
        exchange(stream, method, path).await.map_err(|error| error.to_string())
    }
}

async fn exchange(
    stream: UnixStream,
    method: Method,
    path: &str,
) -> Result<(StatusCode, Bytes), ShortRequestError> {
    let request = Request::builder().method(method).uri(path).header(header::HOST, "docker");
    let answer = short_request::send(stream, request.body(Full::default())?, MAX_ANSWER_BYTES).await?;
    Ok((answer.status(), answer.into_body()))
}
