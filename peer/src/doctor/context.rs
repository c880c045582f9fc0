//! The world as probes see it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    config::{self, Config, Inputs, Problem},
    configure::Root,
};

use super::{memo::Memo, page::Page};

/// Where and about what a doctor was asked.
#[derive(Debug)]
pub struct Situation {
    /// Where this host's files are: those of runtimes and of the kernel. Paths in Shoal's own configuration are taken
    /// as they are.
    pub root: Root,
    /// What the node's configuration is made from.
    pub inputs: Inputs,
    /// The node is not to run yet.
    pub is_pre: bool,
}

/// The world as probes see it. They share it, so it is read-only but for what they remember.
#[derive(Debug)]
pub struct Context {
    situation: Situation,
    config: Config,
    has_own_registries: bool,
    mistakes: Vec<Problem>,
    memo: Memo,
}

impl Context {
    /// Reads the configuration.
    pub fn new(situation: Situation) -> Self {
        let (effective, mistakes) = config::examine(&situation.inputs);
        let (config, has_own_registries) = (effective.config(), effective.names_registries());
        Self { situation, config, has_own_registries, mistakes, memo: Memo::default() }
    }

    /// The world of a node that runs with this configuration: of this very process.
    pub(super) fn within(config: Config) -> Self {
        let situation = Situation { root: Root::new("/"), inputs: Inputs::default(), is_pre: true };
        Self { situation, config, has_own_registries: false, mistakes: Vec::new(), memo: Memo::default() }
    }

    /// Where this host's files are.
    pub fn root(&self) -> &Root {
        &self.situation.root
    }

    /// Whether the node is not to run yet (`--pre`).
    pub fn is_pre(&self) -> bool {
        self.situation.is_pre
    }

    /// What the node is told; where something of it can't be understood, see [`Self::mistakes`], the default.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The file with the configuration, where there is one.
    pub fn config_file(&self) -> Option<&Path> {
        self.situation.inputs.file.as_deref()
    }

    /// Whether somebody named the registries, so that they are not the usual public ones.
    pub fn names_registries(&self) -> bool {
        self.has_own_registries
    }

    /// What can't be understood in the configuration.
    pub fn mistakes(&self) -> &[Problem] {
        &self.mistakes
    }

    /// A variable of the environment.
    pub fn variable(&self, name: &str) -> Option<&str> {
        let variables = self.situation.inputs.environment.iter();
        variables.rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The node's mirror.
    pub fn mirror(&self) -> Page {
        Page::new(self.config.mirror.listen)
    }

    /// The node's admin page.
    pub fn admin(&self) -> Page {
        Page::new(self.config.admin.listen)
    }

    /// A text file of this host, at a path below the root.
    ///
    /// # Errors
    /// As the system's.
    pub fn read(&self, path: &str) -> io::Result<String> {
        fs::read_to_string(self.on_disk(path))
    }

    /// Where a path of this host is.
    pub fn on_disk(&self, path: &str) -> PathBuf {
        self.situation.root.on_disk(Path::new(path))
    }

    /// What several probes need and only one has to find out: one value of each type `T`.
    pub async fn once<T, F>(&self, make: impl FnOnce() -> F) -> Arc<T>
    where
        T: Send + Sync + 'static,
        F: Future<Output = T>,
    {
        self.memo.get(make).await
    }
}
