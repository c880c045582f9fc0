//! What stands for Docker Hub: a registry under its name and a certificate for it, reached through a proxy.
//!
//! Docker's classic image store asks mirrors for images of Docker Hub only, and goes to Docker Hub when they have
//! nothing. The daemon is told of the proxy and the certificate by its environment, so nothing of the machine changes.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};

use crate::{
    ports::free_address,
    registry::{Access, Registry},
};

/// Where Docker Hub's registry is, for the daemon.
const NAME: &str = "registry-1.docker.io";
/// A request for a tunnel is far shorter.
const MAX_HEAD_BYTES: usize = 8 * 1024;

/// A registry that Docker daemons take for Docker Hub. It ends with the last copy.
#[derive(Clone, Debug)]
pub struct Hub {
    proxy: SocketAddr,
    certificate: PathBuf,
    running: Arc<Running>,
}

#[derive(Debug)]
struct Running {
    registry: Registry,
    proxy: AbortHandle,
}

impl Hub {
    /// Serves what is in `storage`, without a login; its own files go to `folder`.
    pub async fn start(storage: &Path, folder: &Path) -> Self {
        let made = rcgen::generate_simple_self_signed(vec![NAME.to_owned()]).expect("a certificate");
        let (certificate, key) = (folder.join("hub.pem"), folder.join("hub.key"));
        std::fs::write(&certificate, made.cert.pem()).expect("a file for the certificate");
        std::fs::write(&key, made.signing_key.serialize_pem()).expect("a file for the key");
        let access = Access::Tls { certificate: certificate.clone(), key };
        let registry = Registry::start_with(storage, folder, &access).await;

        let proxy = free_address();
        let listener = TcpListener::bind(proxy).await.expect("a port for the proxy");
        let task = tokio::spawn(serve(listener, registry.address()));
        let running = Arc::new(Running { registry, proxy: task.abort_handle() });
        Self { proxy, certificate, running }
    }

    /// The registry.
    pub fn registry(&self) -> &Registry {
        &self.running.registry
    }

    /// Makes a daemon take it for Docker Hub; addresses on loopback it still reaches directly.
    pub(crate) fn stands_in_for(&self, daemon: &mut Command) {
        daemon.env("HTTPS_PROXY", format!("http://{}", self.proxy));
        daemon.env("SSL_CERT_FILE", &self.certificate);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.proxy.abort();
    }
}

/// Leads every tunnel to `target`, whatever it asks for; tunnels live in the set, and die with it.
async fn serve(listener: TcpListener, target: SocketAddr) {
    let mut tunnels = JoinSet::new();
    loop {
        tokio::select! {
            Ok((client, _)) = listener.accept() => { tunnels.spawn(tunnel(client, target)); }
            Some(_) = tunnels.join_next() => {}
            else => return,
        }
    }
}

async fn tunnel(mut client: TcpStream, target: SocketAddr) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < MAX_HEAD_BYTES {
        head.push(client.read_u8().await?);
    }
    let mut server = TcpStream::connect(target).await?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}
