//! `hosts.toml`, read as containerd and Docker read it.

use std::path::{Path, PathBuf};

use toml_edit::{Item, TableLike};

use crate::configure::{
    ConfigureError,
    reading::{HOSTS_FILE, View, parse},
};

use super::at::{MirrorAt, Relation};

/// The file of one registry.
#[derive(Debug)]
pub(crate) struct HostsFile {
    /// The file.
    pub(crate) path: PathBuf,
    /// The name of its folder: a registry, or `_default`.
    pub(crate) registry: String,
    /// Where images are when no host has them.
    pub(crate) server: Option<String>,
    /// In the order in which they are asked.
    pub(crate) hosts: Vec<Host>,
    /// Why the runtime goes on without this file, if it does.
    pub(crate) broken: Option<String>,
}

/// A host that is asked before the registry.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) url: String,
    /// What it is asked for; `None` where the file does not say, which means everything.
    pub(crate) capabilities: Option<Vec<String>>,
    /// Whether `/v2` is left out.
    pub(crate) override_path: bool,
}

impl HostsFile {
    /// The files in the folders of `root`, by their names.
    ///
    /// # Errors
    /// When a folder can't be looked at.
    pub(crate) fn all(view: &View<'_>, root: &Path) -> Result<Vec<Self>, ConfigureError> {
        let folders = view.folders(root)?;
        let files = folders.into_iter().map(|name| Self::read(view, &root.join(&name), name));
        files.filter_map(Result::transpose).collect()
    }

    fn read(view: &View<'_>, folder: &Path, registry: String) -> Result<Option<Self>, ConfigureError> {
        let path = folder.join(HOSTS_FILE);
        let mut file = Self { path, registry, server: None, hosts: Vec::new(), broken: None };
        let text = match view.read(&file.path) {
            Ok(Some(text)) => text,
            Ok(None) => return Ok(None),
            Err(error) => {
                file.broken = Some(said(&error));
                return Ok(Some(file));
            }
        };
        match parse(&file.path, &text) {
            Ok(document) => file.take(document.as_table()),
            Err(error) => file.broken = Some(said(&error)),
        }
        Ok(Some(file))
    }

    fn take(&mut self, table: &dyn TableLike) {
        self.server = table.get("server").and_then(Item::as_str).map(str::to_owned);
        let Some(hosts) = table.get("host") else { return };
        let Some(hosts) = hosts.as_table_like() else {
            self.broken = Some("`host` is no table".to_owned());
            return;
        };
        self.hosts =
            hosts.iter().filter_map(|(url, item)| Some(Host::of(url, item.as_table_like()?))).collect();
    }

    /// Where the mirror is in the list.
    pub(crate) fn position_of(&self, mirror: MirrorAt) -> Option<usize> {
        self.hosts.iter().position(|host| mirror.relation(&host.url) == Relation::Mirror)
    }

    /// The mirror's entry.
    pub(crate) fn entry_of(&self, mirror: MirrorAt) -> Option<&Host> {
        self.hosts.get(self.position_of(mirror)?)
    }

    /// The registry, as images name it. A port may stand between underscores.
    pub(crate) fn registry_name(&self) -> String {
        let port = self.registry.strip_suffix('_').and_then(|name| name.rsplit_once('_'));
        port.map_or_else(|| self.registry.clone(), |(host, port)| format!("{host}:{port}"))
    }
}

impl Host {
    fn of(url: &str, table: &dyn TableLike) -> Self {
        let list = table.get("capabilities").and_then(Item::as_array);
        let texts = |list: &toml_edit::Array| {
            list.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
        };
        Self {
            url: url.to_owned(),
            capabilities: list.map(texts),
            override_path: table.get("override_path").and_then(Item::as_bool) == Some(true),
        }
    }

    /// Whether it is asked for this.
    pub(crate) fn can(&self, capability: &str) -> bool {
        // An empty list counts as none.
        let list = self.capabilities.as_ref().filter(|list| !list.is_empty());
        list.is_none_or(|list| list.iter().any(|item| item.eq_ignore_ascii_case(capability)))
    }
}

/// What is wrong with a file, without the advice that is for those who were about to write it.
pub(crate) fn said(error: &ConfigureError) -> String {
    match error {
        ConfigureError::Invalid { path, line, message } => format!("{}:{line}: {message}", path.display()),
        ConfigureError::Refused { path, what, .. } => format!("{}: {what}", path.display()),
        other => other.to_string(),
    }
}
