//! Debian's docker-registry behind doors of several kinds, each over the same stored images.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::net::TcpStream;

use crate::{ports::free_address, process::Process, token_service::SERVICE};

const START_WITHIN: Duration = Duration::from_secs(30);

/// The user that is let in.
pub const USER: &str = "robot";
/// That user's password.
pub const PASSWORD: &str = "s3cret";
/// The same as a line of a file of `htpasswd -B`.
const HTPASSWD: &str = "robot:$2y$05$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK\n";

/// What a registry asks of those who come.
#[derive(Clone, Debug)]
pub enum Door<'a> {
    /// Nothing.
    Open,
    /// [`USER`] and [`PASSWORD`].
    Password,
    /// The same, and then blobs are somewhere else: at this address.
    PasswordThenRedirect(SocketAddr),
    /// A token of the service at this address, which signs with this certificate.
    Token(SocketAddr, &'a Path),
    /// A client certificate of this authority, over TLS.
    Certificate(&'a Authority),
}

/// A running registry.
#[derive(Debug)]
pub struct Guarded {
    address: SocketAddr,
    _process: Process,
}

impl Guarded {
    /// Serves what is in `storage` to whom `door` lets in; its own files go to `folder`.
    pub async fn start(door: Door<'_>, storage: &Path, folder: &Path) -> Self {
        let address = free_address();
        let config = folder.join(format!("guarded-{}.yml", address.port()));
        let text = configuration(&door, storage, folder, address);
        fs::write(&config, text).expect("the registry's configuration");
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(&config);
        let mut process = Process::spawn("docker-registry", command, &config.with_extension("log"));
        process.ready(START_WITHIN, async || TcpStream::connect(address).await.ok()).await;
        Self { address, _process: process }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

fn configuration(door: &Door<'_>, storage: &Path, folder: &Path, address: SocketAddr) -> String {
    let mut text = format!(
        "version: 0.1\nlog: {{ level: error, accesslog: {{ disabled: true }} }}\n\
         storage: {{ filesystem: {{ rootdirectory: '{}' }}, maintenance: {{ uploadpurging: {{ enabled: false }} }} }}\n",
        storage.display()
    );
    let mut tls = String::new();
    match door {
        Door::Open => {}
        Door::Password => text += &htpasswd(folder),
        Door::PasswordThenRedirect(store) => {
            text += &htpasswd(folder);
            text += &format!(
                "middleware: {{ storage: [ {{ name: redirect, options: {{ baseurl: 'http://{store}/' }} }} ] }}\n"
            );
        }
        Door::Token(service, certificate) => {
            text += &format!(
                "auth: {{ token: {{ realm: 'http://{service}/token', service: {SERVICE}, issuer: {SERVICE}, \
                 rootcertbundle: '{}' }} }}\n",
                certificate.display()
            );
        }
        Door::Certificate(authority) => {
            let [certificate, key] = authority.issue("127.0.0.1");
            tls = format!(
                ", tls: {{ certificate: '{}', key: '{}', clientcas: ['{}'] }}",
                certificate.display(),
                key.display(),
                authority.certificate().display()
            );
        }
    }
    text + &format!("http: {{ addr: '{address}', secret: tests{tls} }}\n")
}

fn htpasswd(folder: &Path) -> String {
    let file = folder.join("htpasswd");
    fs::write(&file, HTPASSWD).expect("a file of passwords");
    format!("auth: {{ htpasswd: {{ realm: tests, path: '{}' }} }}\n", file.display())
}

/// An authority that nobody's system trusts.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

impl Authority {
    /// Makes one, whose files go to `folder`.
    pub fn new(folder: &Path) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let authority = Self { issuer, folder: folder.to_owned() };
        fs::write(authority.certificate(), authority.issuer.pem()).expect("a file for the authority");
        authority
    }

    /// Its certificate, for those who trust it.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("authority.pem")
    }

    /// Makes a certificate for `name`; returns its file and that of its key.
    pub fn issue(&self, name: &str) -> [PathBuf; 2] {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let files = ["pem", "key"].map(|kind| self.folder.join(format!("{name}.{kind}")));
        fs::write(&files[0], certificate.pem()).expect("a file for a certificate");
        fs::write(&files[1], key.serialize_pem()).expect("a file for a key");
        files
    }
}
