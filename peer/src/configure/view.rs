//! The files as they would be had Shoal never touched them. Every plan starts from here, so a second one comes to
//! the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{
    ConfigureError, Root,
    leaves::{is_without, takes_back_only},
    root::Entry,
    runtime::Runtime,
    state::{State, Written},
    text::merge,
};

/// Reads files without what Shoal wrote into them.
pub(crate) struct View<'a> {
    root: &'a Root,
    /// Files that Shoal wrote, as they would be without it.
    without: BTreeMap<PathBuf, Option<String>>,
    folders: BTreeSet<PathBuf>,
    /// Files in which Shoal's part can't be told from what others wrote since.
    pub(super) entangled: Vec<PathBuf>,
    /// Files that others changed since, and from which Shoal's part comes out.
    pub(super) shared: Vec<PathBuf>,
}

impl<'a> View<'a> {
    /// The files below `root`, without what `state` says was written.
    pub(super) fn new(root: &'a Root, state: &State) -> Result<Self, ConfigureError> {
        let mut view = Self {
            root,
            without: BTreeMap::new(),
            folders: state.folders.clone(),
            entangled: Vec::new(),
            shared: Vec::new(),
        };
        for (path, written) in &state.files {
            let current = root.read(path)?;
            view.take_back(path, written, current);
        }
        Ok(view)
    }

    /// The files below `root` as they are, with what Shoal wrote.
    pub(crate) fn as_is(root: &'a Root) -> Self {
        Self {
            root,
            without: BTreeMap::new(),
            folders: BTreeSet::new(),
            entangled: Vec::new(),
            shared: Vec::new(),
        }
    }

    /// The files below `root`, without what was ever written for `runtime`.
    pub(crate) fn of(root: &'a Root, runtime: Runtime) -> Result<Self, ConfigureError> {
        Self::new(root, &State::load(root, runtime)?)
    }

    fn take_back(&mut self, path: &Path, Written { original, written }: &Written, current: Option<String>) {
        let without = match current {
            // Somebody removed it or took everything back, so nothing of Shoal's is in it.
            None => None,
            Some(current) if Some(&current) == original.as_ref() => original.clone(),
            Some(current) if current == *written => original.clone(),
            Some(current) => match without_own_part(path, written, original.as_deref(), &current) {
                Some(rest) => {
                    self.shared.push(path.to_owned());
                    (original.is_some() || !rest.trim().is_empty()).then_some(rest)
                }
                None => {
                    self.entangled.push(path.to_owned());
                    Some(current)
                }
            },
        };
        self.without.insert(path.to_owned(), without);
    }

    /// The text of a file, `None` where there would be none.
    pub(crate) fn read(&self, path: &Path) -> Result<Option<String>, ConfigureError> {
        let real = self.root.resolve(path)?;
        match self.without.get(&real) {
            Some(text) => Ok(text.clone()),
            None => self.root.read(&real),
        }
    }

    /// What is in a folder, without what is Shoal's alone.
    pub(super) fn entries(&self, folder: &Path) -> Result<Vec<Entry>, ConfigureError> {
        let real = self.root.resolve(folder)?;
        let mut kept = Vec::new();
        for entry in self.root.entries(folder)? {
            if !self.is_own(&real.join(&entry.name))? {
                kept.push(entry);
            }
        }
        Ok(kept)
    }

    /// The folders in a folder.
    pub(crate) fn folders(&self, folder: &Path) -> Result<Vec<String>, ConfigureError> {
        let entries = self.entries(folder)?;
        Ok(entries.into_iter().filter(|entry| entry.is_folder).map(|entry| entry.name).collect())
    }

    /// The files in a folder.
    pub(crate) fn files(&self, folder: &Path) -> Result<Vec<String>, ConfigureError> {
        let entries = self.entries(folder)?;
        Ok(entries.into_iter().filter(|entry| !entry.is_folder).map(|entry| entry.name).collect())
    }

    fn is_own(&self, path: &Path) -> Result<bool, ConfigureError> {
        if self.folders.contains(path) {
            return Ok(self.entries(path)?.is_empty());
        }
        Ok(matches!(self.without.get(path), Some(None)))
    }
}

/// `current` without what made `written` of `original`, or `None` where that can't be told.
fn without_own_part(path: &Path, written: &str, original: Option<&str>, current: &str) -> Option<String> {
    let original = original.unwrap_or_default();
    if is_without(path, written, original, current) {
        return Some(current.to_owned());
    }
    let rest = merge(written, current, original)?;
    takes_back_only(path, written, original, current, &rest).then_some(rest)
}
