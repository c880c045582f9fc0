//! What Shoal did to a runtime's configuration, so that it can be undone.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    ConfigureError, Root,
    runtime::Runtime,
    write::{self, PRIVATE_FILE_MODE},
};

/// Where the records are, one folder for each set of files.
///
/// Not within a node's `data_dir`: whoever the node runs as owns that, and what stands here is written to `/etc` by root.
const HOME: &str = "/var/lib/shoal-configure";

/// The layout of the record; another one is not guessed at.
const VERSION: u32 = 1;

/// What was done, by file. Contents are kept whole, as backups.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    version: u32,
    /// Files that were written.
    pub(super) files: BTreeMap<PathBuf, Written>,
    /// Folders that were made.
    pub(super) folders: BTreeSet<PathBuf>,
}

/// One file that was written.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    /// What it held before; `None` where it was not there.
    pub(super) original: Option<String>,
    /// What it holds since.
    pub(super) written: String,
}

impl Default for State {
    fn default() -> Self {
        Self { version: VERSION, files: BTreeMap::new(), folders: BTreeSet::new() }
    }
}

impl State {
    /// The record for `runtime`; an empty one where nothing was done.
    pub(super) fn load(root: &Root, runtime: Runtime) -> Result<Self, ConfigureError> {
        let path = record(runtime);
        let Some(text) = root.read(&path)? else {
            return Ok(Self::default());
        };
        let invalid = |line, message| ConfigureError::Invalid { path: path.clone(), line, message };
        let state: Self =
            serde_json::from_str(&text).map_err(|error| invalid(error.line(), error.to_string()))?;
        match state.version {
            VERSION => Ok(state),
            other => Err(invalid(1, format!("the record has layout {other}, this shoal writes {VERSION}"))),
        }
    }

    /// Keeps the record, in folders that only their owner may look into.
    pub(super) fn save(&self, root: &Root, runtime: Runtime) -> Result<(), ConfigureError> {
        let path = record(runtime);
        for folder in write::missing_folders(root, &path) {
            let is_ours = folder.starts_with(HOME);
            write::make_folder(root, &folder, if is_ours { 0o700 } else { 0o755 })?;
        }
        // Strings and numbers always have a form in JSON.
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        write::write_file(root, &path, &(text + "\n"), PRIVATE_FILE_MODE)
    }

    /// Removes the record, and the folders that [`save`](Self::save) made for it where nothing else is in them.
    pub(super) fn forget(&self, root: &Root, runtime: Runtime) -> Result<(), ConfigureError> {
        let path = record(runtime);
        write::remove_file(root, &path)?;
        let own = path.ancestors().skip(1).take_while(|folder| folder.starts_with(HOME));
        let made = self.folders.iter().rev().map(PathBuf::as_path);
        own.chain(made).try_for_each(|folder| write::remove_empty_folder(root, folder))
    }

    /// Notes the folders that [`save`](Self::save) will have to make outside of its own.
    pub(super) fn note_own_folders(&mut self, root: &Root, runtime: Runtime) {
        let outside = write::missing_folders(root, &record(runtime));
        self.folders.extend(outside.into_iter().filter(|folder| !folder.starts_with(HOME)));
    }
}

/// The file with what was done for `runtime`.
pub(super) fn record(runtime: Runtime) -> PathBuf {
    Path::new(HOME).join(runtime.files()).join("state.json")
}
