//! A TCP relay on loopback, as a link that can be slow, stand still or break.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Mutex, watch},
    task::{JoinHandle, JoinSet},
    time::Instant,
};

use crate::{ports::free_address, wait::eventually};

/// Small against the rates that tests ask for, so that the rate is kept evenly.
const CHUNK_BYTES: usize = 32 * 1024;

/// The state of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Up,
    /// Connections stay open and nothing moves.
    Frozen,
    /// Connections break and new ones are refused.
    Down,
}

/// When connections stand still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Hold {
    /// Goes up with each change: bytes are counted from then.
    change: u64,
    /// What a connection lets through to the client; 0 is all.
    after_bytes: u64,
}

/// A link to one address. Dropping it breaks it for good.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    link: watch::Sender<Link>,
    /// Towards the client; 0 is no limit.
    rate_bytes_per_s: AtomicU64,
    /// Of one connection, towards the client; 0 is no limit.
    connection_rate_bytes_per_s: AtomicU64,
    hold: watch::Sender<Hold>,
    /// How many times all connections were broken.
    breaks: watch::Sender<u64>,
    passed_bytes: AtomicU64,
    /// When the link is free for the next chunk.
    free_at: Mutex<Instant>,
}

impl Relay {
    /// A link to `target` without limits.
    pub async fn start(target: SocketAddr) -> Self {
        let address = free_address();
        let shared = Arc::new(Shared {
            target,
            link: watch::Sender::new(Link::Up),
            rate_bytes_per_s: AtomicU64::new(0),
            connection_rate_bytes_per_s: AtomicU64::new(0),
            hold: watch::Sender::new(Hold::default()),
            breaks: watch::Sender::new(0),
            passed_bytes: AtomicU64::new(0),
            free_at: Mutex::new(Instant::now()),
        });
        let listener = TcpListener::bind(address).await.expect("a port for the relay");
        let task = tokio::spawn(serve(listener, address, Arc::clone(&shared)));
        Self { address, shared, task }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets at most this many bytes a second through to clients, all connections together; 0 is no limit.
    pub fn limit(&self, rate_bytes_per_s: u64) {
        self.shared.rate_bytes_per_s.store(rate_bytes_per_s, Ordering::Relaxed);
    }

    /// Lets each connection have at most this many bytes a second; 0 is no limit.
    pub fn limit_each(&self, rate_bytes_per_s: u64) {
        self.shared.connection_rate_bytes_per_s.store(rate_bytes_per_s, Ordering::Relaxed);
    }

    /// From now on lets each connection have this many bytes, and no more until this is called again; 0 is no limit.
    pub fn hold_each_after(&self, after_bytes: u64) {
        self.shared.hold.send_modify(|hold| *hold = Hold { change: hold.change + 1, after_bytes });
    }

    /// Bytes that went through to clients so far.
    pub fn passed_bytes(&self) -> u64 {
        self.shared.passed_bytes.load(Ordering::Relaxed)
    }

    /// Waits until this many bytes went through since the relay was started.
    pub async fn passed(&self, bytes: u64, within: Duration) {
        let what = format!("{bytes} bytes through the relay");
        eventually(&what, within, async || (self.passed_bytes() >= bytes).then_some(())).await;
    }

    /// Breaks all connections and goes on taking new ones.
    pub fn break_connections(&self) {
        self.shared.breaks.send_modify(|count| *count += 1);
    }

    /// Breaks all connections and refuses new ones.
    pub fn cut(&self) {
        self.shared.link.send_replace(Link::Down);
    }

    /// Lets nothing through, and breaks nothing.
    pub fn freeze(&self) {
        self.shared.link.send_replace(Link::Frozen);
    }

    /// Works again.
    pub fn mend(&self) {
        self.shared.link.send_replace(Link::Up);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Listens while the link is not down; connections live in the set, and die with it.
async fn serve(listener: TcpListener, address: SocketAddr, shared: Arc<Shared>) {
    let mut link = shared.link.subscribe();
    let mut breaks = shared.breaks.subscribe();
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        let Some(open) = &listener else {
            until(&mut link, |link| link != Link::Down).await;
            listener = TcpListener::bind(address).await.ok();
            continue;
        };
        tokio::select! {
            Ok((client, _)) = open.accept() => { connections.spawn(connect(client, Arc::clone(&shared))); }
            () = until(&mut link, |link| link == Link::Down) => {
                connections.shutdown().await;
                listener = None;
            }
            Ok(()) = breaks.changed() => connections.shutdown().await,
            Some(_) = connections.join_next() => {}
            else => return,
        }
    }
}

async fn until(link: &mut watch::Receiver<Link>, state: impl Fn(Link) -> bool) {
    // Fails only when the relay is gone, and the task that waits with it.
    let _ = link.wait_for(|link| state(*link)).await;
}

async fn connect(mut client: TcpStream, shared: Arc<Shared>) {
    let Ok(mut server) = TcpStream::connect(shared.target).await else { return };
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let up = async {
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
        let _ = to_server.shutdown().await;
    };
    let down = async {
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut held = Held { hold: shared.hold.subscribe(), change: 0, had_bytes: 0 };
        while let Ok(count @ 1..) = from_server.read(&mut chunk).await {
            held.pass(count).await;
            shared.pass_on_connection(count).await;
            shared.pass(count).await;
            if to_client.write_all(&chunk[..count]).await.is_err() {
                break;
            }
        }
        let _ = to_client.shutdown().await;
    };
    // A client that goes takes its server connection with it; a server that has said all ends both.
    tokio::select! {
        () = down => {}
        () = async { up.await; std::future::pending().await } => {}
    }
}

impl Shared {
    /// Waits for as long as one connection takes for this chunk.
    async fn pass_on_connection(&self, count: usize) {
        let rate_bytes_per_s = self.connection_rate_bytes_per_s.load(Ordering::Relaxed);
        if rate_bytes_per_s > 0 {
            tokio::time::sleep(Duration::from_secs_f64(count as f64 / rate_bytes_per_s as f64)).await;
        }
    }

    /// Waits for this chunk's turn on the link.
    async fn pass(&self, count: usize) {
        let mut link = self.link.subscribe();
        let rate_bytes_per_s = self.rate_bytes_per_s.load(Ordering::Relaxed);
        if rate_bytes_per_s > 0 {
            let takes = Duration::from_secs_f64(count as f64 / rate_bytes_per_s as f64);
            let mut free_at = self.free_at.lock().await;
            let turn = (*free_at).max(Instant::now()) + takes;
            *free_at = turn;
            drop(free_at);
            tokio::time::sleep_until(turn).await;
        }
        until(&mut link, |link| link == Link::Up).await;
        self.passed_bytes.fetch_add(count as u64, Ordering::Relaxed);
    }
}

/// What one connection was let through since the hold was changed.
struct Held {
    hold: watch::Receiver<Hold>,
    change: u64,
    had_bytes: u64,
}

impl Held {
    /// Waits until the connection may have this chunk.
    async fn pass(&mut self, count: usize) {
        let Self { hold, change, had_bytes } = self;
        let may_pass = |now: &Hold| {
            if now.change != *change {
                (*change, *had_bytes) = (now.change, 0);
            }
            now.after_bytes == 0 || *had_bytes + count as u64 <= now.after_bytes
        };
        // Fails only when the relay is gone, and the connection with it.
        let _ = hold.wait_for(may_pass).await;
        self.had_bytes += count as u64;
    }
}
