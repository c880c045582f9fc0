//! A host in a folder, with the configuration of one node, and the doctor who looks at it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use shoal_peer::{
    config::{Flags, Inputs},
    configure::Root,
    doctor::{self, CheckReport, Context, Finding, Report, Situation, State},
};
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
        Self { folder: tempfile::tempdir().unwrap(), environment: Vec::new(), is_pre: true }
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
            inputs: Inputs {
                file: Some(self.config_file()),
                environment: self.environment.clone(),
                flags: Flags::default(),
            },
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

const CONFIG: &str = "/etc/shoal/shoal.toml";

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
