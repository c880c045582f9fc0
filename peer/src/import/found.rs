//! Everything that was found, and what of it has no place in Shoal's configuration.

use std::path::{Path, PathBuf};

use shoal_protocol::reference::RegistryHost;

use crate::config::without_login;

use super::{
    endpoint::registry_name,
    section::{Login, Section},
};

/// What the files of runtimes say about registries.
#[derive(Debug, Default)]
pub struct Found {
    pub(super) sections: Vec<Section>,
    /// What was not carried over, and why, in whole sentences.
    pub notes: Vec<String>,
}

impl Found {
    /// The section of the registry that a file calls `name`, or `None` where that is no registry.
    pub(super) fn section(&mut self, name: &str, source: &Path) -> Option<&mut Section> {
        let host = registry_name(name);
        if host.parse::<RegistryHost>().is_err() {
            self.note(&format!("{}: {name:?} names no registry, and is left out.", source.display()));
            return None;
        }
        let at = self.sections.iter().position(|section| section.host == host).unwrap_or_else(|| {
            self.sections.push(Section::new(host));
            self.sections.len() - 1
        });
        let section = self.sections.get_mut(at)?;
        section.note_source(source);
        Some(section)
    }

    /// Says what an operator has to know, once, without logins in URLs.
    pub(super) fn note(&mut self, note: &str) {
        let note = without_login(note);
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Gives a login for `host` to the registry whose places are all there; to no other, where others would see it.
    pub(super) fn add_login(&mut self, host: &str, login: Login, source: &Path) {
        let host = registry_name(host);
        let serves = if host == "docker.io" { "registry-1.docker.io" } else { host };
        let shared: Vec<String> = self
            .sections
            .iter()
            .filter(|section| section.asks(serves) && !section.is_all_on(serves))
            .map(|section| section.host.clone())
            .collect();
        for registry in shared {
            self.note(&format!(
                "{}: the login for {host} is not used for {registry}, which is asked at other places, too: Shoal has \
                 one login a registry.",
                source.display()
            ));
        }
        let owner = self.sections.iter().position(|section| section.is_all_on(serves));
        let name = owner.map_or(host.to_owned(), |at| self.sections[at].host.clone());
        if self.sections.iter().any(|section| section.host == name && !section.is_all_on(serves)) {
            return;
        }
        if let Some(section) = self.section(&name, source) {
            section.login.get_or_insert(login);
        }
    }

    /// Certificates for `host`, in every registry that is asked there.
    pub(super) fn add_certificates(
        &mut self,
        host: &str,
        authorities: &[PathBuf],
        clients: &[(PathBuf, PathBuf)],
        source: &Path,
    ) {
        let host = registry_name(host);
        if !self.sections.iter().any(|section| section.asks(host)) {
            self.section(host, source);
        }
        for section in self.sections.iter_mut().filter(|section| section.asks(host)) {
            section.note_source(source);
            let new = authorities.iter().filter(|path| !section.ca_files.contains(path)).cloned();
            let new: Vec<PathBuf> = new.collect();
            section.ca_files.extend(new);
            let new = clients.iter().filter(|pair| !section.clients.contains(pair)).cloned();
            let new: Vec<_> = new.collect();
            section.clients.extend(new);
        }
    }
}
