//! One canary: from the node, through a runtime, and what came of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::{Method, StatusCode};
use serde::de::DeserializeOwned;

use super::{cri::Cri, engine::Engine, podman::Podman};
use crate::{
    admin::Started,
    canary::Sighting,
    doctor::{Check, Context, Finding, Outcome, Page},
};

/// A pull of some hundred bytes takes a tenth of a second; a registry that is asked in vain may take this long.
const PULL_WITHIN: Duration = Duration::from_secs(10);
const REMOVE_WITHIN: Duration = Duration::from_secs(4);
const PATH: &str = "/api/v1/canary";

/// What pulls.
pub(super) enum Client {
    /// containerd or CRI-O, as the kubelet calls them.
    Cri(Cri),
    /// Docker Engine.
    Engine(Engine),
    /// Podman's command.
    Podman(Podman),
}

impl Client {
    async fn pull(&self, name: &str, tag: &str) -> Result<(), String> {
        let pull = async {
            match self {
                Self::Cri(cri) => cri.pull(&format!("{name}:{tag}")).await,
                Self::Engine(engine) => engine.pull(name, tag).await,
                Self::Podman(podman) => podman.pull(&format!("{name}:{tag}")).await,
            }
        };
        let late = |_| Err(format!("no end after {} s", PULL_WITHIN.as_secs()));
        tokio::time::timeout(PULL_WITHIN, pull).await.unwrap_or_else(late)
    }

    /// Best effort: an image that was not pulled is not there.
    async fn remove(&self, name: &str, tag: &str) {
        let image = format!("{name}:{tag}");
        let remove = async {
            match self {
                Self::Cri(cri) => cri.remove(&image).await,
                Self::Engine(engine) => engine.remove(&image).await,
                Self::Podman(podman) => podman.remove(&image).await,
            }
        };
        if let Ok(Err(error)) = tokio::time::timeout(REMOVE_WITHIN, remove).await {
            tracing::debug!(image, error, "the canary was not removed");
        }
    }
}

/// Has `client` pull a canary below `place`, a registry and perhaps a part of it; `checks` are those of its files.
pub(super) async fn fly(context: &Arc<Context>, client: &Client, place: &str, checks: &[Check]) -> Outcome {
    let node = context.admin();
    let started: Started = match ask(&node, Method::POST, PATH).await {
        Ok(started) => started,
        Err(why) => return Outcome::skipped(format!("the node gives no canary: {why}")),
    };
    let (name, path) = (format!("{place}/{}", started.repository), format!("{PATH}/{}", started.tag));
    let begun = Instant::now();
    let pulled = client.pull(&name, &started.tag).await;
    let took = begun.elapsed();
    let seen: Result<Sighting, String> = ask(&node, Method::GET, &path).await;
    client.remove(&name, &started.tag).await;
    let _: Result<(), String> = ask(&node, Method::DELETE, &path).await;
    match (pulled, seen) {
        (_, Err(why)) => Outcome::skipped(format!("the node does not say what it saw: {why}")),
        (Ok(()), Ok(seen)) if seen.total().manifests > 0 => {
            Outcome::well(format!("{name} came through Shoal in {} ms", took.as_millis()))
        }
        (Err(why), Ok(seen)) if seen.total().manifests > 0 => Outcome::wrong(broke_off(&name, &why)),
        (pulled, Ok(_)) => Outcome::wrong(past(context, &name, pulled, checks).await),
    }
}

async fn ask<T: DeserializeOwned>(node: &Page, method: Method, path: &str) -> Result<T, String> {
    let answer = node.send(method, path).await.map_err(|error| error.to_string())?;
    if !matches!(answer.status, StatusCode::OK | StatusCode::CREATED) {
        return Err(format!("{}: {}", answer.status, String::from_utf8_lossy(&answer.body).trim_end()));
    }
    serde_json::from_slice(&answer.body).map_err(|error| format!("its answer is not understood ({error})"))
}

fn broke_off(name: &str, why: &str) -> Finding {
    let what = format!("the runtime asked Shoal for {name} and did not finish: {why}");
    Finding::new(what, "Look into the runtime's log; Shoal had the whole image at hand.")
}

/// What the pull took another way for, as far as files tell.
async fn past(context: &Arc<Context>, name: &str, pulled: Result<(), String>, checks: &[Check]) -> Finding {
    let said = match pulled {
        Ok(()) => "it got the image elsewhere".to_owned(),
        Err(why) => format!("it said: {why}"),
    };
    let mut what = format!("the runtime was told to pull {name} and did not ask Shoal; {said}");
    let mut commands = Vec::new();
    for check in checks {
        if let Outcome::Wrong(findings) = (check.probe)(Arc::clone(context)).await {
            what += &format!("; see {}", check.id);
            commands.extend(findings.into_iter().flat_map(|finding| finding.mend.commands));
        }
    }
    let mend = match commands.is_empty() {
        true => {
            "Nothing in its files explains that. Restart it, so that it reads them again, and look at its log."
        }
        false => "Mend what these checks found.",
    };
    commands.dedup();
    commands.into_iter().fold(Finding::new(what, mend), Finding::run)
}
