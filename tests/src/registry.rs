//! Debian's docker-registry on loopback: the origin of the tests.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use tokio::net::TcpStream;

use crate::{cri::Login, ports::free_address, process::Process};

const START_WITHIN: Duration = Duration::from_secs(30);

/// Who may pull, and how.
#[derive(Clone, Debug)]
pub enum Access {
    /// Anyone, over plain HTTP.
    Open,
    /// Only who logs in as [`login`], over plain HTTP.
    Login,
    /// Anyone, over TLS.
    Tls {
        /// File with its certificate (PEM).
        certificate: PathBuf,
        /// File with the key of that (PEM).
        key: PathBuf,
    },
}

/// The only one that a registry with [`Access::Login`] knows.
pub fn login() -> Login {
    Login { username: "shoal".to_owned(), password: "swordfish".to_owned() }
}

/// The login in the form of htpasswd: the password's bcrypt hash, of few rounds.
const HTPASSWD: &str = "shoal:$2b$05$NDG6ftsOwmzwr31jH/cg3uzKiiGCppVlUc/8RiRBbiHNykIU24Qx6\n";

/// A registry and its access log.
#[derive(Debug)]
pub struct Registry {
    address: SocketAddr,
    config: PathBuf,
    log: PathBuf,
    process: Process,
}

/// One line of the access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedRequest {
    /// `GET`, `HEAD`, …
    pub method: String,
    /// Path and query.
    pub target: String,
    /// What the registry answered.
    pub status: u16,
    /// Length of the body it sent.
    pub sent_bytes: u64,
    /// Who asked: the program's name and version.
    pub agent: String,
}

impl Registry {
    /// Serves what is in `storage` (several registries may share one that nobody writes to); its own files go to
    /// `folder`.
    pub async fn start(storage: &Path, folder: &Path) -> Self {
        Self::start_with(storage, folder, &Access::Open).await
    }

    /// Serves what is in `storage` to those who may have it.
    pub async fn start_with(storage: &Path, folder: &Path, access: &Access) -> Self {
        let address = free_address();
        let config = folder.join(format!("registry-{}.yml", address.port()));
        let log = folder.join(format!("registry-{}.log", address.port()));
        fs::write(&config, configuration(storage, address) + &access.to_yaml(folder))
            .expect("the registry's configuration");
        let mut registry = Self { address, process: spawn(&config, &log), config, log };
        registry.wait_ready().await;
        registry
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process, to stop and go on.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Ends it; its port refuses connections from then on.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again at the same address.
    pub async fn restart(&mut self) {
        self.process.kill();
        self.process = spawn(&self.config, &self.log);
        self.wait_ready().await;
    }

    /// All requests it answered, in order. A request is logged when its answer has been sent.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        let log = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&log).lines().filter_map(LoggedRequest::parse).collect()
    }

    /// How many times each blob was asked for by GET.
    pub fn blob_gets(&self) -> BTreeMap<String, usize> {
        let mut gets = BTreeMap::new();
        for request in self.requests() {
            if let Some(digest) = request.blob().filter(|_| request.method == "GET") {
                *gets.entry(digest.to_owned()).or_default() += 1;
            }
        }
        gets
    }

    async fn wait_ready(&mut self) {
        let address = self.address;
        self.process.ready(START_WITHIN, async || TcpStream::connect(address).await.ok()).await;
    }
}

impl Access {
    /// What the registry's configuration says of it, after its section `http`.
    fn to_yaml(&self, folder: &Path) -> String {
        match self {
            Self::Open => String::new(),
            Self::Login => {
                let file = folder.join("htpasswd");
                fs::write(&file, HTPASSWD).expect("a file for the login");
                format!("auth: {{ htpasswd: {{ realm: tests, path: '{}' }} }}\n", file.display())
            }
            Self::Tls { certificate, key } => {
                let (certificate, key) = (certificate.display(), key.display());
                format!("  tls: {{ certificate: '{certificate}', key: '{key}' }}\n")
            }
        }
    }
}

impl LoggedRequest {
    /// The digest, when a blob was asked for.
    pub fn blob(&self) -> Option<&str> {
        let path = self.target.split('?').next()?;
        let (_, digest) = path.rsplit_once("/blobs/")?;
        digest.starts_with("sha").then_some(digest)
    }

    /// Combined log format: `host - - [time] "METHOD target HTTP/1.1" status bytes "referrer" "agent"`.
    fn parse(line: &str) -> Option<Self> {
        let (_, rest) = line.split_once("] \"")?;
        let (request, rest) = rest.split_once("\" ")?;
        let mut words = request.split(' ');
        let (method, target) = (words.next()?, words.next()?);
        let mut words = rest.split(' ');
        Some(Self {
            method: method.to_owned(),
            target: target.to_owned(),
            status: words.next()?.parse().ok()?,
            sent_bytes: words.next()?.parse().ok()?,
            agent: words.nth(1)?.trim_matches('"').to_owned(),
        })
    }
}

fn spawn(config: &Path, log: &Path) -> Process {
    let mut command = Command::new("docker-registry");
    command.arg("serve").arg(config);
    Process::spawn("docker-registry", command, log)
}

fn configuration(storage: &Path, address: SocketAddr) -> String {
    format!(
        "version: 0.1
log: {{ level: error, accesslog: {{ disabled: false }} }}
storage: {{ filesystem: {{ rootdirectory: '{}' }}, maintenance: {{ uploadpurging: {{ enabled: false }} }} }}
http:
  addr: '{address}'
  secret: tests
",
        storage.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_access_log_is_read() {
        let line = "127.0.0.1 - - [21/Nov/2026:20:19:37 +0000] \
                    \"GET /v2/a/blobs/sha256:00?ns=x HTTP/1.1\" 200 12 \"\" \"containerd/1.6\"";
        let request = LoggedRequest::parse(line).unwrap();
        assert_eq!(request.blob(), Some("sha256:00"));
        assert_eq!((request.status, request.sent_bytes), (200, 12));
        assert_eq!(request.agent, "containerd/1.6");
        assert_eq!(LoggedRequest::parse("level=info msg=started"), None);
    }
}
