//! Where lanes come in over TCP.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use shoal_protocol::identity::NodeId;
use tokio::{
    io::BufReader,
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
    time::sleep,
};

use super::{LaneGate, LaneReceiver, places::Places};
use crate::secure::{self, Credentials, LaneStream};

/// Handshakes under way. While there are as many, newcomers wait in the kernel's queue.
const MAX_HANDSHAKES: usize = 256;
/// Handshakes under way from one address, so that no single host takes all the places.
const MAX_HANDSHAKES_PER_ADDRESS: usize = MAX_HANDSHAKES / 2;
/// Lanes that may wait to be taken.
const MAX_WAITING: usize = 64;
/// TLS asks for one record of 16 KiB at a time; several for each system call save a good tenth of what receiving costs.
const READ_BUFFER_BYTES: usize = 64 * 1024;
/// When accepting fails, for want of file descriptors mostly, trying again at once does not help.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts lanes from members. It stops when dropped.
#[derive(Debug)]
pub struct LaneListener {
    address: SocketAddr,
    lanes: mpsc::Receiver<LaneReceiver>,
    gate: LaneGate,
    /// Aborts the task when dropped.
    _task: JoinSet<()>,
}

struct Acceptor {
    listener: TcpListener,
    credentials: Credentials,
    gate: LaneGate,
    lanes: mpsc::Sender<LaneReceiver>,
    places: Arc<Semaphore>,
    per_address: Places<IpAddr>,
}

impl LaneListener {
    /// Listens on `address`; port 0 stands for any.
    ///
    /// # Errors
    /// When the address can't be bound.
    pub async fn bind(address: SocketAddr, credentials: Credentials) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let gate = LaneGate::new();
        let (sender, lanes) = mpsc::channel(MAX_WAITING);
        let acceptor = Acceptor {
            listener,
            credentials,
            gate: gate.clone(),
            lanes: sender,
            places: Arc::new(Semaphore::new(MAX_HANDSHAKES)),
            per_address: Places::new(MAX_HANDSHAKES_PER_ADDRESS),
        };
        let mut task = JoinSet::new();
        task.spawn(acceptor.run());
        Ok(Self { address, lanes, gate, _task: task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Admits lanes that come in another way, on streams of the swarm, under the same bounds.
    pub fn gate(&self) -> LaneGate {
        self.gate.clone()
    }

    /// The next lane that a member opened.
    pub async fn accept(&mut self) -> Option<(NodeId, LaneReceiver)> {
        let lane = self.lanes.recv().await?;
        Some((lane.node(), lane))
    }
}

impl Acceptor {
    async fn run(self) {
        let mut handshakes = JoinSet::new();
        loop {
            tokio::select! {
                (stream, from, place) = self.accept() => self.start_handshake(&mut handshakes, stream, from, place),
                Some(_) = handshakes.join_next() => {}
            }
        }
    }

    async fn accept(&self) -> (TcpStream, IpAddr, OwnedSemaphorePermit) {
        loop {
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else {
                return std::future::pending().await;
            };
            match self.listener.accept().await {
                Ok((stream, from)) => return (stream, from.ip(), place),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a lane, will retry");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn start_handshake(
        &self,
        handshakes: &mut JoinSet<()>,
        stream: TcpStream,
        from: IpAddr,
        place: OwnedSemaphorePermit,
    ) {
        let Some(of_address) = self.per_address.take(from) else {
            tracing::debug!(%from, "refused a lane: too many handshakes from this address");
            return;
        };
        let (credentials, gate, lanes) = (self.credentials.clone(), self.gate.clone(), self.lanes.clone());
        handshakes.spawn(async move {
            let lane = admit(stream, from, &credentials, &gate).await;
            drop((place, of_address));
            if let Some(lane) = lane {
                // An error means that the listener has been dropped.
                let _ = lanes.send(lane).await;
            }
        });
    }
}

async fn admit(
    stream: TcpStream,
    from: IpAddr,
    credentials: &Credentials,
    gate: &LaneGate,
) -> Option<LaneReceiver> {
    let secured = async {
        secure::tune(&stream)?;
        secure::accept_lane(BufReader::with_capacity(READ_BUFFER_BYTES, stream), credentials)
            .await
            .map_err(io::Error::other)
    };
    let admitted = match secured.await {
        Ok((node, LaneStream::Tls(stream))) => gate.admit(node, stream).map_err(io::Error::other),
        Ok((node, LaneStream::Plaintext(stream))) => {
            gate.admit(node, Box::new(stream)).map_err(io::Error::other)
        }
        Err(error) => Err(error),
    };
    admitted.inspect_err(|error| tracing::debug!(%from, %error, "refused a lane")).ok()
}
