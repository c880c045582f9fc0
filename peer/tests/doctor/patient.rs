//! A host in a folder, with the configuration of one node, and the doctor who looks at it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, SystemTime},
};

use shoal_peer::{
    config::{self, Flags, Inputs},
    configure::Root,
    doctor::{self, CheckReport, Context, Finding, Report, Situation, State},
    node::Node,
};
use shoal_protocol::membership::{ClusterKey, Role};
use tempfile::TempDir;

/// A host. Its file system, as far as there is one, is below a folder.
pub(crate) struct Patient {
    folder: TempDir,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) is_pre: bool,
}

impl Patient {
    /// One on which no node runs yet.
    pub(crate) fn before_start() -> Self {
        Self { folder: folder(), environment: Vec::new(), is_pre: true }
    }

    /// Where a path of this host is.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path.trim_start_matches('/'))
    }

    /// Writes a file of this host; `{root}` in it stands for the folder that is its root.
    pub(crate) fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text.replace("{root}", self.folder.path().to_str().unwrap())).unwrap();
        path
    }

    /// Writes the node's configuration.
    pub(crate) fn configure(&self, text: &str) -> PathBuf {
        self.write(CONFIG, text)
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.path(CONFIG)
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Runs those checks, with what they build on; all of them when none is named.
    pub(crate) async fn examine(&self, names: &[&str]) -> Report {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let context = Context::new(Situation {
            root: Root::new(self.folder.path()),
            inputs: self.inputs(),
            is_pre: self.is_pre,
        });
        doctor::diagnose(&Arc::new(context), &doctor::select(&doctor::all(), &names).unwrap()).await
    }

    /// Runs one check, which has to find one thing.
    pub(crate) async fn found(&self, name: &str) -> Finding {
        let report = self.examine(&[name]).await;
        match &of(&report, name).state {
            State::Wrong(findings) if findings.len() == 1 => findings[0].clone(),
            state => panic!("{name}: {state:?}"),
        }
    }

    /// Runs one check, which has to be well; with what it measured.
    pub(crate) async fn is_well(&self, name: &str) -> String {
        let report = self.examine(&[name]).await;
        match &of(&report, name).state {
            State::Well(measured) => measured.clone(),
            state => panic!("{name}: {state:?}"),
        }
    }
}

/// A name that a shell takes for two words: commands have to quote it.
fn folder() -> TempDir {
    TempDir::with_prefix("a host-").unwrap()
}

const CONFIG: &str = "/etc/shoal/shoal.toml";

/// Addresses that the system chooses.
pub(crate) const ANY_PORTS: &str = "\
data_dir = '{root}/data'
cluster_key_file = '{root}/cluster.key'
[mirror]
listen = '127.0.0.1:0'
[admin]
listen = '127.0.0.1:0'
[lane]
listen = '127.0.0.1:0'
";

impl Patient {
    /// One whose node runs, with this for `[swarm]` and what follows. Its configuration says afterwards which addresses
    /// the node has.
    pub(crate) async fn with_node(role: Role, key: &ClusterKey, rest: &str) -> (Self, Node) {
        Self::with_node_told(role, key, rest, &[]).await
    }

    /// The same, with these variables in its environment.
    pub(crate) async fn with_node_told(
        role: Role,
        key: &ClusterKey,
        rest: &str,
        variables: &[(&str, &str)],
    ) -> (Self, Node) {
        let mut patient = Self::before_start();
        patient.is_pre = false;
        patient.environment =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        patient.write_key(&key.to_text());
        let text = format!("{ANY_PORTS}[swarm]\nlisten = '127.0.0.1:0'\n{rest}");
        patient.configure(&text);
        let config = config::load(&patient.inputs()).unwrap().config();
        let node = Node::start(config, role).await.unwrap();
        let text = text.replacen("127.0.0.1:0", &node.mirror().to_string(), 1).replacen(
            "127.0.0.1:0",
            &node.admin().to_string(),
            1,
        );
        patient.configure(&text);
        patient.date_configuration(SystemTime::now() - Duration::from_secs(3600));
        (patient, node)
    }

    /// Writes the cluster's key, for its owner only.
    pub(crate) fn write_key(&self, text: &str) -> PathBuf {
        let path = self.write("/cluster.key", text);
        self.chmod("/cluster.key", 0o600);
        path
    }

    /// As if the configuration had been written then.
    pub(crate) fn date_configuration(&self, when: SystemTime) {
        fs::File::options().write(true).open(self.config_file()).unwrap().set_modified(when).unwrap();
    }

    pub(crate) fn chmod(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn inputs(&self) -> Inputs {
        Inputs {
            file: Some(self.config_file()),
            environment: self.environment.clone(),
            flags: Flags::default(),
        }
    }
}

/// What came of one check.
pub(crate) fn of<'a>(report: &'a Report, name: &str) -> &'a CheckReport {
    report.checks.iter().find(|report| report.check.id == name).unwrap()
}

/// Does what a finding says, with this build's `shoal`.
pub(crate) fn mend(finding: &Finding) {
    let shoal = Path::new(env!("CARGO_BIN_EXE_shoal")).parent().unwrap().to_owned();
    let path = std::env::join_paths([shoal, "/usr/bin".into(), "/bin".into()]).unwrap();
    assert!(!finding.mend.commands.is_empty(), "{finding:?}");
    for command in &finding.mend.commands {
        let status = Command::new("sh").args(["-c", command]).env("PATH", &path).status().unwrap();
        assert!(status.success(), "{command}: {status}");
    }
}
