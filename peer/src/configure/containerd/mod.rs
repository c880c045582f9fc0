//! containerd: `certs.d/<registry>/hosts.toml`, and the older form, lists of mirrors within `config.toml`.
//!
//! containerd refuses to start its image service when both are there. So a node with the older form in use keeps it,
//! and the mirror goes first into its lists; every other node gets `hosts.toml` files.

mod edit;
mod files;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{
    ConfigureError, Request, folders, hosts::DEFAULT, plan::Targets, toml_text::with_newlines_of, view::View,
};

pub(crate) use files::{Config, File, Form, is_cri, uses_lists};

/// containerd's own configuration.
pub(crate) const CONFIG: &str = "/etc/containerd/config.toml";
/// Where `hosts.toml` files go unless the configuration says otherwise.
pub(crate) const FOLDER: &str = "/etc/containerd/certs.d";

pub(super) fn plan(view: &View<'_>, request: &Request, targets: &mut Targets) -> Result<(), ConfigureError> {
    let config = Config::load(view, Path::new(CONFIG))?;
    config.warnings().into_iter().for_each(|warning| targets.note(warning));
    let (roots, is_settled) = match config.form()? {
        Form::Lists => return lists(&config, request, targets),
        Form::Folders { roots, is_settled } => (roots, is_settled),
        Form::Nothing => (vec![PathBuf::from(FOLDER)], false),
    };
    if !is_settled {
        set_folder(&config, &roots, targets)?;
    }
    for name in names(view, &roots, request)? {
        folders::put(view, &roots, &name, &request.mirror, "", targets)?;
    }
    Ok(())
}

/// The folders to write: those of the registries asked for, or the one for all, and each that would hide it.
fn names(view: &View<'_>, roots: &[PathBuf], request: &Request) -> Result<BTreeSet<String>, ConfigureError> {
    let home = roots.first().map_or(Path::new(FOLDER), PathBuf::as_path);
    let mut names = BTreeSet::new();
    for host in &request.registries {
        names.insert(folders::name_of(view, home, host.as_str())?);
    }
    if names.is_empty() {
        names.insert(DEFAULT.to_owned());
        for root in roots {
            names.extend(view.folders(root)?);
        }
    }
    Ok(names)
}

fn set_folder(config: &Config, roots: &[PathBuf], targets: &mut Targets) -> Result<(), ConfigureError> {
    let folder = roots.first().map_or(Path::new(FOLDER), PathBuf::as_path);
    if roots.len() > 1 {
        targets.note(format!(
            "config_path named {} folders with a colon between them. containerd 2.1 and later take that for one path \
             when they pull by their transfer service, and then read no hosts.toml at all, so it now names {} alone; \
             what the others held for registries is carried over.",
            roots.len(),
            folder.display()
        ));
    }
    for file in config.deciding() {
        let edited = edit::with_config_path(&file.document, &file.text, config.section, folder);
        targets.put(&file.path, edited.ok_or_else(|| unusual(&file.path))?);
    }
    Ok(())
}

fn lists(config: &Config, request: &Request, targets: &mut Targets) -> Result<(), ConfigureError> {
    let file = config.owner();
    let hosts: Vec<String> = request.registries.iter().map(ToString::to_string).collect();
    let mut document = file.document.clone();
    edit::put_into_lists(&mut document, config.section, &hosts, &request.mirror.to_string())
        .ok_or_else(|| unusual(&file.path))?;
    targets.note(format!(
        "{} has mirrors, TLS settings or logins in the older form, which containerd does not take, or not read, \
         together with a config_path. The form is kept, and Shoal is first in its lists of mirrors.",
        file.path.display()
    ));
    targets.put(&file.path, with_newlines_of(&file.text, document.to_string()));
    Ok(())
}

fn unusual(path: &Path) -> ConfigureError {
    ConfigureError::refused(
        path,
        "something other than tables is where the image service's `registry` settings belong",
        "write it as containerd's documentation does, or set config_path by hand",
    )
}
