//! `registries.conf`, which Podman, CRI-O, Buildah and skopeo read.
//!
//! These runtimes don't say which registry they mean, so the mirror's location has it in its path. The operator's
//! file stays as it is: Shoal adds one more file. Since the entry of a later file replaces one of the same prefix as a
//! whole, everything that an entry says is said again there.

mod entries;

use std::path::{Path, PathBuf};

use crate::config::WELL_KNOWN;

use super::{ConfigureError, Request, plan::Targets, toml_text::quoted, view::View};

pub(crate) use entries::{Entries, Entry, Fields, MAIN};

/// Where additions to the configuration are. They are read in the order of their names, after the main file.
pub(crate) const FOLDER: &str = "/etc/containers/registries.conf.d";

/// Names for Shoal's own file: the first one that comes after all others.
const OWN_FILES: [&str; 2] = ["999-shoal.conf", "zzz-shoal.conf"];

const HEADER: &str = "\
# Written by `shoal configure`, which takes it out with --remove. It repeats what other files say about these
# prefixes, because an entry here replaces theirs: run `shoal configure` again after changing one of them.
";

pub(super) fn plan(view: &View<'_>, request: &Request, targets: &mut Targets) -> Result<(), ConfigureError> {
    let entries = Entries::load(view)?;
    let mut hosts: Vec<String> = request.registries.iter().map(ToString::to_string).collect();
    if hosts.is_empty() {
        hosts = WELL_KNOWN.map(str::to_owned).to_vec();
    }
    let mut text = String::new();
    for host in &hosts {
        for entry in entries.for_host(host) {
            text += &section(&entry, request, targets);
        }
    }
    if !text.is_empty() {
        targets.put(own_file(&entries)?, format!("{HEADER}{text}"));
    }
    Ok(())
}

/// The entry with the mirror first, or nothing where the mirror has no place in it.
fn section(entry: &Entry, request: &Request, targets: &mut Targets) -> String {
    if entry.is("blocked") {
        targets.note(format!("{} is blocked, and stays so.", entry.prefix));
        return String::new();
    }
    let authority = request.mirror.authority();
    let is_own = |mirror: &Fields| {
        let place = mirror.text("location").and_then(|place| place.strip_prefix(authority));
        place.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    if entry.mirrors.iter().any(is_own) {
        return String::new();
    }
    if entry.is("mirror-by-digest-only") {
        targets.note(format!(
            "{} uses its mirrors for pulls by digest only (mirror-by-digest-only), Shoal among them.",
            entry.prefix
        ));
    }
    let mut text = format!("\n[[registry]]\n{}", entry.fields.to_text());
    text += &format!(
        "\n[[registry.mirror]]\nlocation = {}\n",
        quoted(&format!("{authority}/{}", entry.location()))
    );
    if request.mirror.is_plain_http() {
        text += "insecure = true    # plain HTTP\n";
    }
    for mirror in &entry.mirrors {
        text += &format!("\n[[registry.mirror]]\n{}", mirror.to_text());
    }
    text
}

fn own_file(entries: &Entries) -> Result<PathBuf, ConfigureError> {
    let others = entries.last_file.as_deref();
    match OWN_FILES.into_iter().find(|name| others.is_none_or(|last| last < *name)) {
        Some(name) => Ok(Path::new(FOLDER).join(name)),
        None => Err(ConfigureError::refused(
            Path::new(FOLDER).join(others.unwrap_or_default()),
            "it comes after any file of Shoal's, and could replace its entries",
            "give it a name that begins with a digit",
        )),
    }
}
