//! Every option of a node, defined once.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use shoal_protocol::reference::RegistryHost;
use shoal_seed::{
    config::{DockerConfigPlace, Endpoint, HelperName, ImagePattern, RegistryLimits},
    signatures::{CertificateSubject, SignatureMode},
    tags::TagsConfig,
};

use crate::{mirror::MirrorConfig, server::Limits};

use super::{
    parts,
    table::{Entry, Setting, settings},
    types::{HostPort, InputFile, LogFilter, LogFormat, Zone},
};

settings! {
    /// Everything a node is told.
    Config {
        /// Folder for the node's identity, its blobs and what it knows of the cluster.
        data_dir: PathBuf = PathBuf::from("/var/lib/shoal");
        /// File with the cluster key, which every node of the cluster holds; `shoal key new` makes one.
        cluster_key_file: Option<InputFile> = None;
        /// Where the node is, in a word: nodes of the same zone are near each other.
        zone: Zone = Zone::default();
    }

    /// The endpoint that container runtimes pull through.
    [mirror] Mirror {
        /// Address of the mirror. It asks no one who they are, so leave it on loopback.
        listen: SocketAddr = on(Ipv4Addr::LOCALHOST, 5020);
        /// Most connections of runtimes at a time; one more is turned away.
        max_connections: usize = Limits::default().max_connections;
        /// How long an image may take to be found in the cluster before the runtime is sent to the origin.
        answer_timeout: Duration = MirrorConfig::default().answer_timeout;
        /// How long a body may wait for its next bytes before the runtime is sent on.
        stall_timeout: Duration = MirrorConfig::default().stall_timeout;
        /// Whether a manifest's layers are fetched ahead of the runtime's requests for them.
        prefetch: bool = true;
    }

    /// Which images are for whom. Of several patterns that fit an image, the longest counts; what none fits is open.
    [access] Access {
        /// Images for whoever reaches the mirror: exceptions from the patterns below.
        open: Vec<ImagePattern> = Vec::new();
        /// Images for whoever reaches the mirror, as long as the registry lets the seeds' own login pull them.
        node: Vec<ImagePattern> = Vec::new();
        /// Images only for those whose own login the registry accepts, by the runtime's pull secrets.
        client: Vec<ImagePattern> = Vec::new();
        /// How long the registry's word about a login counts; a minute at least, for older runtimes.
        remember: Duration = MirrorConfig::default().proof_lifetime;
    }

    /// How nodes find and talk to each other.
    [swarm] Swarm {
        /// Address for the other nodes.
        listen: SocketAddr = on(Ipv4Addr::UNSPECIFIED, 5021);
        /// Nodes to meet first, by address or DNS name; a few seeds do.
        bootstrap: Vec<HostPort> = Vec::new();
        /// Addresses that others reach this node at; found out when empty.
        advertise: Vec<SocketAddr> = Vec::new();
    }

    /// The connections that carry the bytes of layers between nodes.
    [lane] Lane {
        /// Address for the lanes of other nodes.
        listen: SocketAddr = on(Ipv4Addr::UNSPECIFIED, 5022);
        /// Addresses that others reach the lanes at; found out when empty.
        advertise: Vec<SocketAddr> = Vec::new();
        /// Whether layers travel unencrypted to and from nodes that have this on, too. They are verified either way.
        plaintext: bool = false;
    }

    /// The endpoint for health, metrics and status.
    [admin] Admin {
        /// Address of /healthz, /readyz, /metrics and /api/v1/status.
        listen: SocketAddr = on(Ipv4Addr::LOCALHOST, 5023);
    }

    /// What only a seed does.
    [seed] Seed {
        /// How long a tag keeps its meaning before the origin is asked again.
        tag_fresh: Duration = Duration::from_millis(TagsConfig::default().fresh_ms);
        /// For how long a tag's last known meaning is given out while the origin is down.
        tag_stale: Duration = Duration::from_secs(TagsConfig::default().max_stale_s);
        /// Whether registries that are not in the list are asked too, without a login.
        allow_unlisted: bool = false;
    }

    /// What the node says about itself on standard error.
    [log] Log {
        /// Lines for people, or one JSON object a line.
        format: LogFormat = LogFormat::Human;
        /// Least severe level, and levels for single parts: `info,shoal_peer=debug`.
        level: LogFilter = LogFilter::default();
    }

    /// How the node stops.
    [shutdown] Shutdown {
        /// How long running pulls may go on after the first signal to stop.
        drain: Duration = Limits::default().stop_timeout;
    }

    @list "host=ghcr.io endpoints=https://one,https://two"
    /// A registry that the seeds fetch from. Only those in this list are asked, so naming one replaces the usual ones.
    [registry] Registry {
        /// The registry as images name it: `docker.io`, `registry.example:5000`.
        host: Option<RegistryHost> = None;
        /// Where it is, the first one that answers; https and the host's own name when empty.
        endpoints: Vec<Endpoint> = Vec::new();
        /// User to log in as; nobody in particular when not set.
        username: Option<String> = None;
        /// File with that user's password or token, read again when it changes.
        password_file: Option<InputFile> = None;
        /// Docker's list of logins: a config.json, .dockerconfigjson or .dockercfg, its folder, or `auto`.
        docker_config: Option<DockerConfigPlace> = None;
        /// Program that knows the login: `ecr-login` for docker-credential-ecr-login.
        credential_helper: Option<HelperName> = None;
        /// File with certificates (PEM) to trust besides the public ones.
        ca_file: Option<InputFile> = None;
        /// File with the certificate (PEM) that the registry asks for.
        client_cert_file: Option<InputFile> = None;
        /// File with that certificate's key (PEM).
        client_key_file: Option<InputFile> = None;
        /// Whether any certificate of the registry's is believed: only for a test, as anyone on the way can read along.
        insecure_skip_verify: bool = false;
        /// Proxy for everything that goes there; that of the environment when not set.
        proxy: Option<Endpoint> = None;
        /// Longest wait for a connection.
        connect_timeout: Duration = Duration::from_millis(RegistryLimits::default().connect_timeout_ms);
        /// Longest wait for the head of an answer.
        answer_timeout: Duration = Duration::from_millis(RegistryLimits::default().answer_timeout_ms);
        /// Longest silence within a body.
        idle_timeout: Duration = Duration::from_millis(RegistryLimits::default().idle_timeout_ms);
        /// Most requests at a time.
        max_concurrent_requests: usize = RegistryLimits::default().max_concurrent_requests;
        /// Most bytes of blobs in a second, of this seed; 0 for as many as come.
        max_bytes_per_s: u64 = RegistryLimits::default().max_bytes_per_s;
    } = parts::well_known();

    @list "images=registry.example/team cosign_keys=/etc/shoal/cosign.pub"
    /// Whose signatures count for which images. Seeds look for one before a manifest is handed out.
    [signature] Signature {
        /// The images. Of several patterns that fit one, the longest counts.
        images: Vec<ImagePattern> = Vec::new();
        /// Whether images without a valid signature are handed out: required, preferred or ignored.
        policy: SignatureMode = SignatureMode::Required;
        /// Files with public keys (PEM), each of which may sign with cosign.
        cosign_keys: Vec<InputFile> = Vec::new();
        /// Files with certificates (PEM) of the authorities for those who sign with Notation.
        notation_certificates: Vec<InputFile> = Vec::new();
        /// Who of those may sign, by parts of a certificate's subject: `O=Example/CN=Releases`. Anyone when empty.
        notation_subjects: Vec<CertificateSubject> = Vec::new();
    } = Vec::new();
}

fn on(address: Ipv4Addr, port: u16) -> SocketAddr {
    SocketAddr::from((address, port))
}
