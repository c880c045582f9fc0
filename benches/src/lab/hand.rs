//! The lab's end of the line to an agent.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{ChildStdin, ChildStdout},
    time::timeout,
};

use super::{
    agent::{Answer, Order, Pulled, Tally},
    network::{Host, Network},
    progress::Share,
};
use crate::rig::{Blob, Metrics, Process, RigError};

/// How long an agent may take for anything but a pull.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// An agent on a host. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Hand {
    host: Host,
    process: Process,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Hand {
    /// Starts an agent; its complaints go to a file in `folder`.
    pub(super) fn reach(network: &Network, host: Host, folder: &Path) -> Result<Self, RigError> {
        let program = std::env::current_exe().map_err(RigError::system("find this program"))?;
        let mut command = network.command(host, &program);
        command.arg("lab-agent");
        let name = format!("the agent on {}", host.name());
        let log: PathBuf = folder.join(format!("agent-{}.log", host.name()));
        let (process, orders, answers) = Process::spawn_piped(&name, command, &log)?;
        let named = || RigError::system(format!("talk to {name}"));
        let orders = ChildStdin::from_std(orders).map_err(named())?;
        let answers = BufReader::new(ChildStdout::from_std(answers).map_err(named())?).lines();
        Ok(Self { host, process, orders, answers })
    }

    /// Where it is.
    pub(super) fn host(&self) -> Host {
        self.host
    }

    /// Lets it serve a blob on `port`.
    pub(super) async fn serve(&mut self, blob: &Blob, port: u16) -> Result<(), RigError> {
        let order = Order::Serve {
            listen: self.host.address(port),
            file: blob.path.clone(),
            digest: blob.digest.to_string(),
        };
        match self.ask(&order).await? {
            Answer::Serving => Ok(()),
            other => Err(self.unexpected(other)),
        }
    }

    /// What it served so far.
    pub(super) async fn tally(&mut self) -> Result<Tally, RigError> {
        match self.ask(&Order::Tally).await? {
            Answer::Served(tally) => Ok(tally),
            other => Err(self.unexpected(other)),
        }
    }

    /// Whether something on its host answers this URL with HTTP, whatever the status.
    pub(super) async fn is_answered(&mut self, url: &str) -> Result<bool, RigError> {
        Ok(matches!(self.ask(&Order::Page { url: url.into() }).await?, Answer::Page { .. }))
    }

    /// What a node of Shoal on its host shows; `None` while there is none.
    pub(super) async fn metrics(&mut self, url: &str) -> Result<Option<Metrics>, RigError> {
        match self.ask(&Order::Page { url: url.into() }).await? {
            Answer::Page { status: 200, text } => Ok(Some(Metrics::new(text))),
            _ => Ok(None),
        }
    }

    /// Pulls and checks a blob; the inner error is the pull's own.
    pub(super) async fn pull(
        &mut self,
        url: &str,
        blob: &Blob,
        within: Duration,
        progress: &Share,
    ) -> Result<Result<Pulled, String>, RigError> {
        let (url, file) = (url.into(), blob.path.clone());
        self.tell(&Order::Pull { url, file, within_s: within.as_secs_f64() }).await?;
        loop {
            match self.next(within + ANSWER_WITHIN).await? {
                Answer::Arriving { len_bytes } => progress.reached(len_bytes),
                Answer::Pulled(pulled) => {
                    progress.reached(blob.len_bytes);
                    return Ok(Ok(pulled));
                }
                Answer::Failed { reason } => return Ok(Err(format!("{}: {reason}", self.host.name()))),
                other => return Err(self.unexpected(other)),
            }
        }
    }

    async fn ask(&mut self, order: &Order) -> Result<Answer, RigError> {
        self.tell(order).await?;
        self.next(ANSWER_WITHIN).await
    }

    async fn tell(&mut self, order: &Order) -> Result<(), RigError> {
        self.process.check()?;
        let mut line = serde_json::to_vec(order).unwrap_or_default();
        line.push(b'\n');
        let named = RigError::system(format!("tell the agent on {} what to do", self.host.name()));
        self.orders.write_all(&line).await.map_err(named)
    }

    async fn next(&mut self, within: Duration) -> Result<Answer, RigError> {
        let late = |_| RigError::Late { what: format!("the agent on {}", self.host.name()), within };
        let named = RigError::system(format!("read what the agent on {} did", self.host.name()));
        let line = timeout(within, self.answers.next_line()).await.map_err(late)?.map_err(named)?;
        let Some(line) = line else {
            self.process.check()?;
            return Err(self.refused("it answers no more".into()));
        };
        serde_json::from_str(&line).map_err(|error| self.refused(error.to_string()))
    }

    fn unexpected(&self, answer: Answer) -> RigError {
        match answer {
            Answer::Failed { reason } => self.refused(reason),
            other => self.refused(format!("an answer to another question: {other:?}")),
        }
    }

    fn refused(&self, reason: String) -> RigError {
        RigError::Helper { who: format!("the agent on {}", self.host.name()), reason }
    }
}
