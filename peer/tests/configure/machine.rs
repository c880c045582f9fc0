//! A machine in a folder.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use shoal_peer::configure::{self, ConfigureError, Plan, Request, Root, Runtime};
use tempfile::TempDir;

/// A file system below a folder of its own.
pub(crate) struct Machine {
    folder: TempDir,
}

/// What one entry of a file system is, with its mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Folder(u32),
    File(u32, String),
    Link(PathBuf),
}

impl Machine {
    /// One on which nothing has been configured.
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// One with the files of a fixture.
    pub(crate) fn with(fixture: &str) -> Self {
        let machine = Self::empty();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configure/fixtures").join(fixture);
        copy(&source, machine.folder.path());
        machine
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn root(&self) -> Root {
        Root::new(self.folder.path())
    }

    fn on_disk(&self, path: &str) -> PathBuf {
        self.root().on_disk(Path::new(path))
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.on_disk(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn chmod(&self, path: &str, mode: u32) {
        fs::set_permissions(self.on_disk(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(crate) fn link(&self, path: &str, target: &str) {
        let path = self.on_disk(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    pub(crate) fn delete(&self, path: &str) {
        fs::remove_file(self.on_disk(path)).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.on_disk(path)).unwrap()
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        self.on_disk(path).exists()
    }

    /// Everything there is, by path.
    pub(crate) fn snapshot(&self) -> BTreeMap<PathBuf, Entry> {
        let mut found = BTreeMap::new();
        collect(self.folder.path(), &mut found);
        found
    }

    pub(crate) fn plan(&self, request: &Request) -> Result<Plan, ConfigureError> {
        configure::plan(&self.root(), request)
    }

    /// Configures a runtime for all registries.
    pub(crate) fn configure(&self, runtime: Runtime) -> Plan {
        self.configure_as(&for_all(runtime))
    }

    pub(crate) fn configure_as(&self, request: &Request) -> Plan {
        let plan = self.plan(request).unwrap();
        plan.apply(&self.root()).unwrap();
        plan
    }

    pub(crate) fn remove(&self, runtime: Runtime) -> Plan {
        let plan = configure::plan_removal(&self.root(), runtime).unwrap();
        plan.apply(&self.root()).unwrap();
        plan
    }
}

/// All registries, by the usual mirror.
pub(crate) fn for_all(runtime: Runtime) -> Request {
    let mirror = "http://127.0.0.1:5020".parse().unwrap();
    Request { runtime, registries: Vec::new(), mirror, containerd_store: false }
}

/// Only `hosts`.
pub(crate) fn for_hosts(runtime: Runtime, hosts: &[&str]) -> Request {
    Request { registries: hosts.iter().map(|host| host.parse().unwrap()).collect(), ..for_all(runtime) }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn collect(folder: &Path, found: &mut BTreeMap<PathBuf, Entry>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        let mode = metadata.permissions().mode() & 0o7777;
        let entry = match metadata.file_type() {
            kind if kind.is_symlink() => Entry::Link(fs::read_link(&path).unwrap()),
            kind if kind.is_dir() => Entry::Folder(mode),
            _ => Entry::File(mode, fs::read_to_string(&path).unwrap()),
        };
        if matches!(entry, Entry::Folder(_)) {
            collect(&path, found);
        }
        found.insert(path, entry);
    }
}
