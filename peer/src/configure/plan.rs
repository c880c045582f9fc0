//! What is to be written, found out whole before the first byte of it is.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::{
    ConfigureError, Root,
    runtime::Runtime,
    state::{State, Written, record},
    text::unified_diff,
    view::View,
    write::{self, NEW_FILE_MODE},
};

/// What a runtime's files should come to.
#[derive(Debug, Default)]
pub(super) struct Targets {
    /// By path: the whole text of each file that is to differ from what it would be without Shoal.
    pub(super) files: BTreeMap<PathBuf, String>,
    /// What an operator should know.
    pub(super) notes: Vec<String>,
}

impl Targets {
    /// Wants `text` in the file at `path`.
    pub(super) fn put(&mut self, path: impl Into<PathBuf>, text: String) {
        self.files.insert(path.into(), text);
    }

    /// Says something to the operator, once.
    pub(super) fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// Everything that will be done to a runtime's configuration.
#[derive(Debug)]
pub struct Plan {
    runtime: Runtime,
    changes: Vec<Change>,
    before: State,
    after: State,
    /// What an operator should know, in whole sentences.
    pub notes: Vec<String>,
    /// Files that hold something of Shoal's and stay as they are, as others changed the same lines since.
    pub left: Vec<PathBuf>,
}

/// One file that will be written or removed.
#[derive(Debug)]
struct Change {
    path: PathBuf,
    current: Option<String>,
    wanted: Option<String>,
}

impl Plan {
    /// How the files that `view` shows become what `targets` wants.
    pub(super) fn new(
        root: &Root,
        runtime: Runtime,
        before: State,
        view: &View<'_>,
        targets: Targets,
    ) -> Result<Self, ConfigureError> {
        let mut after = State::default();
        let mut wanted: BTreeMap<PathBuf, Option<String>> = BTreeMap::new();
        for path in before.files.keys() {
            wanted.insert(path.clone(), view.read(path)?);
        }
        for (path, text) in targets.files {
            let path = root.resolve(&path)?;
            let original = view.read(&path)?;
            if original.as_ref() != Some(&text) {
                after.files.insert(path.clone(), Written { original, written: text.clone() });
            }
            wanted.insert(path, Some(text));
        }
        for path in &view.entangled {
            wanted.remove(path);
            after.files.extend(before.files.get(path).map(|written| (path.clone(), written.clone())));
        }
        let mut changes = Vec::new();
        for (path, wanted) in wanted {
            let current = root.read(&path)?;
            if current != wanted {
                changes.push(Change { path, current, wanted });
            }
        }
        let mut plan =
            Self { runtime, changes, before, after, notes: targets.notes, left: view.entangled.clone() };
        plan.note_folders(root);
        Ok(plan)
    }

    /// Folders that this plan makes are remembered beside those of earlier ones that are still in use.
    fn note_folders(&mut self, root: &Root) {
        if self.after.files.is_empty() {
            return;
        }
        let in_use = |folder: &&PathBuf| self.after.files.keys().any(|path| path.starts_with(folder));
        let state = record(self.runtime);
        let mut folders: BTreeSet<PathBuf> = self.before.folders.iter().filter(in_use).cloned().collect();
        folders.extend(self.before.folders.iter().filter(|folder| state.starts_with(folder)).cloned());
        for path in self.after.files.keys() {
            folders.extend(write::missing_folders(root, path));
        }
        self.after.folders = folders;
        self.after.note_own_folders(root, self.runtime);
    }

    /// Whether the files are already what they should be.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.before == self.after
    }

    /// The differences, as a unified diff of each file. No secret is in it.
    pub fn diff(&self) -> String {
        let shown = |change: &Change| {
            let name = change.path.display().to_string();
            unified_diff(&name, change.current.as_deref(), change.wanted.as_deref())
        };
        self.changes.iter().map(shown).collect()
    }

    /// The command that makes the runtime read what has changed, if it does not do so by itself.
    pub fn command_after(&self) -> Option<&'static str> {
        self.runtime.command_after(self.changes.iter().map(|change| change.path.as_path()))
    }

    /// Carries it out. What is done is on record before it is done, so that an interruption can be undone.
    ///
    /// # Errors
    /// When a file or folder can't be written.
    pub fn apply(&self, root: &Root) -> Result<(), ConfigureError> {
        if self.is_empty() {
            return Ok(());
        }
        self.while_writing().save(root, self.runtime)?;
        self.changes.iter().try_for_each(|change| change.apply(root))?;
        let unused: Vec<_> = self.before.folders.difference(&self.after.folders).collect();
        unused.into_iter().rev().try_for_each(|folder| write::remove_empty_folder(root, folder))?;
        match self.after.files.is_empty() {
            true => self.before.forget(root, self.runtime),
            false => self.after.save(root, self.runtime),
        }
    }

    /// A record that undoes whatever part of this plan has been carried out.
    fn while_writing(&self) -> State {
        let mut state = self.before.clone();
        state.folders.extend(self.after.folders.iter().cloned());
        state.files.extend(self.after.files.iter().map(|(path, written)| (path.clone(), written.clone())));
        state
    }
}

impl Change {
    fn apply(&self, root: &Root) -> Result<(), ConfigureError> {
        self.still_as_planned(root)?;
        let Some(text) = &self.wanted else {
            return write::remove_file(root, &self.path);
        };
        for folder in write::missing_folders(root, &self.path) {
            write::make_folder(root, &folder, 0o755)?;
        }
        write::write_file(root, &self.path, text, NEW_FILE_MODE)
    }

    /// Between the plan and now the operator was asked, and somebody may have written.
    fn still_as_planned(&self, root: &Root) -> Result<(), ConfigureError> {
        if root.read(&self.path)? == self.current {
            return Ok(());
        }
        Err(ConfigureError::refused(&self.path, "it changed in the meantime", "run the same command again"))
    }
}
