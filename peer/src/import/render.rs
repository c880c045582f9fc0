//! The sections as Shoal's configuration, and passwords in files of their own.

use std::{
    fmt::Write as _,
    fs::{self, File, Permissions},
    io::{self, Write as _},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::config::WELL_KNOWN;

use super::{
    endpoint::Endpoint,
    found::Found,
    section::{Login, Section},
};

/// Where passwords go, or nowhere.
#[derive(Clone, Debug)]
pub struct Secrets(Option<PathBuf>);

/// Why a password could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("can't write {}: {source}", path.display())]
pub struct SecretError {
    path: PathBuf,
    source: io::Error,
}

impl Secrets {
    /// Files with mode 0600 in `folder`; without one, no password goes anywhere.
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self(folder)
    }
}

impl Found {
    /// The sections as TOML. What can't be said in them is added to the notes.
    ///
    /// # Errors
    /// When a password can't be written to its file.
    pub fn to_toml(&mut self, secrets: &Secrets) -> Result<String, SecretError> {
        let mut text = String::new();
        let mut notes = Vec::new();
        for section in &self.sections {
            let lines = section_lines(section, secrets, &mut notes)?;
            let sources: Vec<String> =
                section.sources.iter().map(|path| path.display().to_string()).collect();
            push(&mut text, &format!("# From {}", sources.join(", ")));
            text += &lines;
            push(&mut text, "");
        }
        let is_known = |host: &&str| self.sections.iter().any(|section| section.host == *host);
        for (at, host) in WELL_KNOWN.iter().filter(|host| !is_known(host)).enumerate() {
            if at == 0 {
                push(
                    &mut text,
                    "# Shoal's usual registries, which a list replaces: take out what you do not use",
                );
            }
            push(&mut text, &format!("[[registry]]\nhost = {}\n", quoted(host)));
        }
        notes.into_iter().for_each(|note| self.note(&note));
        Ok(text)
    }
}

fn section_lines(
    section: &Section,
    secrets: &Secrets,
    notes: &mut Vec<String>,
) -> Result<String, SecretError> {
    let mut text = format!("[[registry]]\nhost = {}\n", quoted(&section.host));
    let is_usual = section.endpoints == [Endpoint::of_registry(&section.host)];
    if !section.endpoints.is_empty() && !is_usual {
        let urls: Vec<String> = section.endpoints.iter().map(|endpoint| quoted(&endpoint.url)).collect();
        push(&mut text, &format!("endpoints = [{}]", urls.join(", ")));
    }
    certificates(section, &mut text, notes);
    match section.skips_verify() {
        (true, true) => push(&mut text, "insecure_skip_verify = true"),
        (true, false) => notes.push(format!(
            "{}: certificates stay verified. Only some of its endpoints took any, and Shoal has one word for all.",
            section.host
        )),
        _ => {}
    }
    login(section, secrets, &mut text, notes)?;
    Ok(text)
}

fn certificates(section: &Section, text: &mut String, notes: &mut Vec<String>) {
    if let [first, rest @ ..] = section.ca_files.as_slice() {
        push(text, &format!("ca_file = {}", quoted_path(first)));
        if !rest.is_empty() {
            let all: Vec<String> = section.ca_files.iter().map(|path| path.display().to_string()).collect();
            notes.push(format!(
                "{}: Shoal takes one ca_file; `cat {} > FILE` makes one of them all.",
                section.host,
                all.join(" ")
            ));
        }
    }
    if let [(certificate, key), rest @ ..] = section.clients.as_slice() {
        push(text, &format!("client_cert_file = {}", quoted_path(certificate)));
        push(text, &format!("client_key_file = {}", quoted_path(key)));
        if !rest.is_empty() {
            notes.push(format!("{}: Shoal shows one client certificate, the first one.", section.host));
        }
    }
}

fn login(
    section: &Section,
    secrets: &Secrets,
    text: &mut String,
    notes: &mut Vec<String>,
) -> Result<(), SecretError> {
    match &section.login {
        None => {}
        Some(Login::DockerConfig(path)) => push(text, &format!("docker_config = {}", quoted_path(path))),
        Some(Login::Helper(name)) => push(text, &format!("credential_helper = {}", quoted(name))),
        Some(Login::Password { username, password, from }) => match &secrets.0 {
            Some(folder) => {
                let path = folder.join(format!("{}.password", section.host.replace(':', "_")));
                keep(folder, &path, &password.0)
                    .map_err(|source| SecretError { path: path.clone(), source })?;
                push(text, &format!("username = {}", quoted(username)));
                push(text, &format!("password_file = {}", quoted_path(&path)));
            }
            None => {
                push(text, &format!("# Its user and password are in {}.", from.display()));
                notes.push(format!(
                    "{}: its login is in {}. `--secrets-dir DIR` puts the password into a file of its own, which only \
                     you can read, and the section names that.",
                    section.host,
                    from.display()
                ));
            }
        },
    }
    Ok(())
}

/// A file that nobody else could ever read, not even for a moment.
fn keep(folder: &Path, path: &Path, password: &str) -> io::Result<()> {
    if !folder.exists() {
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    }
    let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(0o600)).tempfile_in(folder)?;
    file.write_all(password.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(folder)?.sync_all()
}

fn push(text: &mut String, line: &str) {
    // Writing to a String can't fail.
    let _ = writeln!(text, "{line}");
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn quoted_path(path: &Path) -> String {
    quoted(&path.display().to_string())
}
