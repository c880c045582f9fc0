//! One copy to another process, and what it cost.

use std::{
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use super::{
    bare,
    cpu::CpuTime,
    other_side::OtherSide,
    receiver::{Listening, Received},
    way::Way,
};
use crate::cli::Failure;

/// What a copy brought and cost.
pub(super) struct Copied {
    pub(super) elapsed: Duration,
    /// Of this process.
    pub(super) sender: CpuTime,
    pub(super) received: Received,
}

impl Copied {
    /// Starts the receiving side, with `more` arguments than the way, and has `send` send it `len_bytes`.
    pub(super) async fn measure(
        way: Way,
        len_bytes: u64,
        more: &[String],
        send: impl AsyncFnOnce(SocketAddr) -> Result<(), Failure>,
    ) -> Result<Self, Failure> {
        let mut receiver =
            OtherSide::start(&[&["receive".into(), format!("--way={}", way.name())], more].concat())?;
        let Listening { address } = receiver.hear()?;
        let (began, before) = (Instant::now(), CpuTime::own());
        send(address).await?;
        let received: Received = receiver.hear()?;
        let copied = Self { elapsed: began.elapsed(), sender: CpuTime::own() - before, received };
        receiver.end()?;
        let received_bytes = copied.received.bytes;
        if received_bytes != len_bytes {
            return Err(format!("{} brought {received_bytes} of {len_bytes} bytes", way.name()).into());
        }
        Ok(copied)
    }

    /// Copies the file over bare TLS, encrypted as on lanes.
    pub(super) async fn by_tls(path: &Path) -> Result<Self, Failure> {
        let way = Way::Tls;
        let send = async |to| bare::send_tls(path, to, &way.credentials(1)?).await;
        Self::measure(way, path.metadata()?.len(), &[], send).await
    }

    /// Processor time of both sides, in seconds.
    pub(super) fn cpu_s(&self) -> f64 {
        self.sender.total_s() + self.received.cpu_s
    }
}
