//! containerd's `config.toml`: its older lists of mirrors, TLS settings and logins.

use std::path::{Path, PathBuf};

use toml_edit::{Item, TableLike, Value};

use crate::configure::{
    ConfigureError, Root, Runtime,
    reading::{Config, FOLDER, Form, View},
};

use super::{
    credentials::{Plain, decoded},
    endpoint::{Endpoint, registry_name},
    found::Found,
    hosts::{self, children, parsed, text},
};

/// Reads the configuration at `path`, what it imports, and the folders that it points to.
pub(super) fn read(root: &Root, path: &Path, found: &mut Found) -> Result<(), ConfigureError> {
    let view = View::of(root, Runtime::Containerd)?;
    let config = Config::load(&view, path)?;
    let roots = match config.form()? {
        Form::Lists | Form::Nothing => vec![PathBuf::from(FOLDER)],
        Form::Folders { roots, .. } => roots,
    };
    if let Some(registry) = config.registry() {
        let source = &config.owner().path;
        mirrors(registry, source, found);
        tls(registry, source, found);
        logins(registry, source, found);
    }
    roots.iter().try_for_each(|folder| hosts::read(&view, folder, found))
}

fn mirrors(registry: &dyn TableLike, source: &Path, found: &mut Found) {
    for (host, mirror) in children(registry, "mirrors") {
        let list = mirror.get("endpoint").and_then(Item::as_array);
        let texts: Vec<&str> = list.into_iter().flatten().filter_map(Value::as_str).collect();
        if host == "*" {
            found.note(&format!(
                "{}: mirrors for all registries (\"*\") have no equal in Shoal.",
                source.display()
            ));
            continue;
        }
        let mut endpoints = parsed(&texts, source, found);
        let own = Endpoint::of_registry(registry_name(host));
        if !endpoints.iter().any(|endpoint| endpoint.authority() == own.authority()) {
            endpoints.push(own);
        }
        if let Some(section) = found.section(host, source) {
            section.add_endpoints(endpoints);
        }
    }
}

fn tls(registry: &dyn TableLike, source: &Path, found: &mut Found) {
    for (host, settings) in children(registry, "configs") {
        let Some(tls) = settings.get("tls").and_then(Item::as_table_like) else { continue };
        let authorities: Vec<PathBuf> = text(tls, "ca_file").map(PathBuf::from).into_iter().collect();
        let pair = text(tls, "cert_file").zip(text(tls, "key_file"));
        let clients: Vec<_> = pair.map(|(cert, key)| (cert.into(), key.into())).into_iter().collect();
        found.add_certificates(host, &authorities, &clients, source);
        if tls.get("insecure_skip_verify").and_then(Item::as_bool) == Some(true) {
            for section in found.sections.iter_mut().filter(|section| section.asks(host)) {
                section.skip_verify_at(host);
            }
        }
    }
}

fn logins(registry: &dyn TableLike, source: &Path, found: &mut Found) {
    let in_configs = children(registry, "configs")
        .into_iter()
        .filter_map(|(host, settings)| Some((host, settings.get("auth").and_then(Item::as_table_like)?)));
    let all: Vec<_> = in_configs.chain(children(registry, "auths")).collect();
    for (host, auth) in all {
        let plain = text(auth, "username").zip(text(auth, "password"));
        let plain = plain.map(|(username, password)| Plain::new(username, password));
        match plain.or_else(|| decoded(text(auth, "auth")?)) {
            Some(plain) => found.add_login(host, plain.login(source), source),
            None => found.note(&format!(
                "{}: the login for {host} is neither a password nor `auth`, and is not carried over.",
                source.display()
            )),
        }
    }
}
