//! Docker's credential helpers: programs that are told a server on their input and answer with a login.

use std::{
    collections::HashMap,
    fmt, io,
    process::{ExitStatus, Stdio},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, Command},
    time::{Instant, timeout},
};

use super::{Freshness, Login, host::Server};
use crate::{
    config::{HelperName, Secret},
    single_flight::SingleFlight,
};

/// Longest wait for a helper: some ask a cloud over the network.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest answer that is read; real ones have up to a few KiB.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// How long an answer serves without asking again.
const MEMORY: Duration = Duration::from_secs(60);
/// A helper is not asked again sooner than this, also when what it said is refused.
const PAUSE: Duration = Duration::from_secs(1);
/// Most answers remembered for a registry.
const MAX_REMEMBERED: usize = 64;
/// How a helper says, on its output, that it has no login for a server.
const NOT_FOUND: &str = "credentials not found in native keychain";

type Key = (HelperName, Server);
type Outcome = Result<Option<Login>, HelperError>;

/// Why a helper gave no login. Has nothing of what it printed: that may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the credential helper {program} {what}; try it: echo {server} | {program} get")]
pub(in crate::origin) struct HelperError {
    program: String,
    server: String,
    what: String,
}

/// Asks helpers, and remembers for a moment what they said.
#[derive(Default)]
pub(super) struct Helpers {
    remembered: Mutex<HashMap<Key, (Instant, Outcome)>>,
    flights: SingleFlight<Key, Outcome>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Username")]
    username: String,
    #[serde(rename = "Secret")]
    secret: Secret,
}

impl Helpers {
    /// What the helper says of the server; `None` where it has no login. One call serves all who ask at a time.
    pub(super) async fn ask(&self, name: &HelperName, server: &Server, freshness: Freshness) -> Outcome {
        let key = (name.clone(), server.clone());
        let ask = || async {
            if let Some(outcome) = self.recall(&key, freshness) {
                return outcome;
            }
            let outcome = call(name, server).await;
            self.remember(key.clone(), outcome.clone());
            outcome
        };
        self.flights.run(key.clone(), ask).await
    }

    fn recall(&self, key: &Key, freshness: Freshness) -> Option<Outcome> {
        let known = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let (asked_at, outcome) = known.get(key)?;
        let serves_for = if freshness == Freshness::Anew || outcome.is_err() { PAUSE } else { MEMORY };
        (asked_at.elapsed() < serves_for).then(|| outcome.clone())
    }

    fn remember(&self, key: Key, outcome: Outcome) {
        let mut known = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_REMEMBERED {
            known.clear();
        }
        known.insert(key, (Instant::now(), outcome));
    }
}

impl fmt::Debug for Helpers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Helpers")
    }
}

async fn call(name: &HelperName, server: &Server) -> Outcome {
    let (program, server) = (name.program(), server.for_helper());
    let fail = |what: String| HelperError { program: program.clone(), server: server.to_owned(), what };
    let spawned = Command::new(&program)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let child = spawned.map_err(|error| fail(format!("can't be started ({})", error.kind())))?;
    let talked = timeout(PATIENCE, talk(child, server)).await;
    let (status, printed) = talked
        .map_err(|_| fail(format!("gave no answer within {PATIENCE:?}")))?
        .map_err(|error| fail(format!("broke off ({})", error.kind())))?;
    if printed.len() > MAX_ANSWER_BYTES {
        return Err(fail(format!("printed more than {MAX_ANSWER_BYTES} bytes")));
    }
    if !status.success() {
        let has_none = String::from_utf8_lossy(&printed).contains(NOT_FOUND);
        return if has_none { Ok(None) } else { Err(fail(format!("failed ({status})"))) };
    }
    let answer: Answer =
        serde_json::from_slice(&printed).map_err(|_| fail("printed no login in JSON".to_owned()))?;
    let is_empty = answer.username.is_empty() || answer.secret.reveal().is_empty();
    Ok((!is_empty).then(|| Login::of_helper(answer.username, answer.secret)))
}

async fn talk(mut child: Child, server: &str) -> io::Result<(ExitStatus, Vec<u8>)> {
    if let Some(mut input) = child.stdin.take() {
        // A helper that knows only one server may not read.
        let _ = input.write_all(format!("{server}\n").as_bytes()).await;
    }
    let mut printed = Vec::new();
    if let Some(output) = child.stdout.take() {
        output.take(MAX_ANSWER_BYTES as u64 + 1).read_to_end(&mut printed).await?;
    }
    if printed.len() > MAX_ANSWER_BYTES {
        child.kill().await?;
    }
    Ok((child.wait().await?, printed))
}
