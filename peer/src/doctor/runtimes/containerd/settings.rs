//! `config.toml`: whether containerd reads its settings for registries.

use toml_edit::{Item, TableLike};

use super::{Containerd, ID, SECTIONS};
use crate::{
    configure::{
        Runtime,
        reading::{File, uses_lists},
    },
    doctor::{
        Check, Finding, Severity,
        runtimes::{RUNTIME, found::examine, version::Version},
    },
};

const BASE: Check = Check { depends_on: &[ID], ..RUNTIME };
const RESTART: &str = "systemctl restart containerd";

pub(super) const SECTION: Check = Check {
    id: "containerd-section",
    depends_on: &[ID, "containerd-format"],
    title: "containerd reads the section with its settings for registries",
    why: "The plugin got another name with containerd 2; settings under the wrong one are ignored without a word.",
    mend: "Move the settings to the section that this version reads.",
    probe: |context| examine(context, section, "the section is the one that this version reads"),
    ..BASE
};

pub(super) const FORMAT: Check = Check {
    id: "containerd-format",
    title: "the `version` of containerd's configuration fits containerd",
    why: "By the `version` at its top containerd decides which sections it reads; a newer one keeps it from starting.",
    mend: "Say the version that the file is written in.",
    probe: |context| examine(context, format, "the version at the top fits"),
    ..BASE
};

pub(super) const MIXED: Check = Check {
    id: "containerd-mixed",
    title: "containerd has one form of settings for registries",
    why: "With a config_path and mirrors of the older form, containerd starts without its image service.",
    mend: "Take one of the two forms out.",
    probe: |context| examine(context, mixed, "one form of settings"),
    ..BASE
};

pub(super) const IMPORTS: Check = Check {
    id: "containerd-imports",
    title: "no imported file hides containerd's settings for registries",
    why: "containerd 1 takes all settings of a plugin from the last file that has any; the rest is lost.",
    mend: "Repeat the settings in the last file.",
    probe: |context| examine(context, imports, "no import hides them"),
    ..BASE
};

pub(super) const PATTERN: Check = Check {
    id: "containerd-import-pattern",
    title: "containerd finds what it imports",
    why: "containerd 1.6 looks for a relative pattern in the folder that it was started in, and finds nothing.",
    mend: "Write the pattern with its whole path.",
    probe: |context| examine(context, pattern, "every import is found"),
    ..BASE
};

pub(super) const PARALLEL: Check = Check {
    id: "containerd-parallel",
    severity: Severity::Warning,
    title: "containerd fetches a layer by one request",
    why: "When one of several requests for a layer breaks off, containerd 2.1 may fail the pull and not resume it.",
    mend: "Leave concurrent_layer_fetch_buffer out.",
    probe: |context| examine(context, parallel, "one request a layer"),
    ..BASE
};

pub(super) const CRI: Check = Check {
    id: "containerd-cri",
    severity: Severity::Warning,
    title: "the part of containerd that pulls for Kubernetes is on",
    why: "Docker's packages turn it off. Without it Kubernetes can't pull, and no other client reads config_path.",
    mend: "Take \"cri\" out of disabled_plugins, if Kubernetes is to pull here.",
    probe: |context| examine(context, cri, "it is on"),
    ..BASE
};

fn mended(containerd: &Containerd, what: String, mend: String) -> Finding {
    Finding::new(what, mend).run(containerd.site.configure(Runtime::Containerd)).run(RESTART)
}

/// Settings in sections that are not read, where none are in one that is.
fn ignored(containerd: &Containerd) -> Vec<(&File, &'static str)> {
    if containerd.settings().any(|(_, registry)| says_something(registry)) {
        return Vec::new();
    }
    let unread = SECTIONS.iter().filter(|section| !containerd.sections().contains(section));
    let pairs = unread.flat_map(|section| containerd.config.files().iter().map(move |file| (file, *section)));
    pairs.filter(|(file, section)| file.registry(section).is_some_and(says_something)).collect()
}

fn says_something(registry: &dyn TableLike) -> bool {
    let path = registry.get("config_path").and_then(Item::as_str);
    path.is_some_and(|path| !path.is_empty()) || uses_lists(registry)
}

fn section(containerd: &Containerd) -> Vec<Finding> {
    let format = containerd.format();
    if format == 0 {
        return Vec::new();
    }
    let [.., right] = containerd.sections() else { return Vec::new() };
    let finding = |(file, section): (&File, &str)| {
        let what = format!(
            "{} has its settings for registries in [plugins.\"{section}\".registry], which {} does not read from a \
             configuration of version {format}",
            file.path.display(),
            containerd.name(),
        );
        mended(containerd, what, format!("Move them to [plugins.\"{right}\".registry]."))
    };
    ignored(containerd).into_iter().map(finding).collect()
}

fn format(containerd: &Containerd) -> Vec<Finding> {
    let Some(main) = containerd.config.files().first() else { return Vec::new() };
    let (path, format) = (main.path.display(), containerd.format());
    if format > 2 && containerd.version.is_some_and(|version| version.major == 1) {
        let what = format!("{path} says version = {format}, and {} takes 2 at most", containerd.name());
        let mend =
            "Write version = 2, with the sections of that time (`containerd config default` shows them).";
        return vec![Finding::new(what, mend).run(RESTART)];
    }
    if format > 0 {
        return Vec::new();
    }
    let finding = |(file, section): (&File, &str)| {
        let what = format!(
            "{path} has no `version`, and without it {} does not read [plugins.\"{section}\".registry] of {}",
            containerd.name(),
            file.path.display()
        );
        let finding = match SECTIONS.iter().position(|known| *known == section) {
            Some(0) => Finding::new(what, "Have it brought into today's form, and put that in its place.")
                .run("containerd config migrate"),
            Some(1) => Finding::new(what, "Put `version = 2` at its top."),
            _ => Finding::new(what, "Write them where this version reads them.")
                .run(containerd.site.configure(Runtime::Containerd)),
        };
        finding.run(RESTART)
    };
    ignored(containerd).into_iter().map(finding).collect()
}

fn mixed(containerd: &Containerd) -> Vec<Finding> {
    let Some((with_path, path)) = containerd.config_path() else { return Vec::new() };
    let lists = containerd.settings().filter(|(_, registry)| uses_lists(*registry));
    let finding = |(file, _): (&File, &dyn TableLike)| {
        let what = format!(
            "{} has mirrors or TLS settings for registries, and {} has config_path = \"{path}\"",
            file.path.display(),
            with_path.path.display()
        );
        let mend = format!(
            "Write what the older form says into hosts.toml files below {path}, take it out, and then point containerd \
             at Shoal."
        );
        mended(containerd, what, mend)
    };
    lists.map(finding).collect()
}

fn imports(containerd: &Containerd) -> Vec<Finding> {
    if containerd.version.is_some_and(|version| version.major > 1) {
        return Vec::new();
    }
    let files = containerd.config.files();
    let settings: Vec<_> = containerd.settings().filter(|(_, registry)| says_something(*registry)).collect();
    let has_plugin =
        |file: &&File| containerd.sections().iter().any(|section| file.plugin(section).is_some());
    let (Some((hidden, _)), Some(last)) = (settings.last(), files.iter().rfind(has_plugin)) else {
        return Vec::new();
    };
    if hidden.path == last.path {
        return Vec::new();
    }
    let what = format!(
        "{} is read last and has settings of the same plugin, so those for registries in {} are lost",
        last.path.display(),
        hidden.path.display()
    );
    vec![mended(containerd, what, format!("Repeat the settings for registries in {}.", last.path.display()))]
}

fn pattern(containerd: &Containerd) -> Vec<Finding> {
    if containerd.version.is_none_or(|version| version >= Version::new(1, 7)) {
        return Vec::new();
    }
    let files = containerd.config.files();
    let Some(main) = files.first() else { return Vec::new() };
    let is_imported = containerd.settings().any(|(file, _)| file.path != main.path);
    let imports = main.document.get("imports").and_then(Item::as_array).into_iter().flatten();
    let relative =
        imports.filter_map(|item| item.as_str()).filter(|text| text.contains('*') && !text.starts_with('/'));
    let folder = main.path.parent().unwrap_or(&main.path).display();
    let finding = |text: &str| {
        let what =
            format!("{} imports \"{text}\", which {} does not find", main.path.display(), containerd.name());
        Finding::new(what, format!("Write \"{folder}/{text}\".")).run(RESTART)
    };
    relative.filter(|_| is_imported).map(finding).collect()
}

fn parallel(containerd: &Containerd) -> Vec<Finding> {
    const OPTION: &str = "concurrent_layer_fetch_buffer";
    const PLUGINS: [&str; 2] = [SECTIONS[2], "io.containerd.transfer.v1.local"];
    let files = containerd.config.files().iter();
    let pairs = files.flat_map(|file| PLUGINS.map(|plugin| (file, plugin)));
    let is_on = |(file, plugin): &(&File, &str)| {
        let value = file.plugin(plugin).and_then(|settings| settings.get(OPTION)?.as_integer());
        value.is_some_and(|bytes| bytes > 0)
    };
    let finding = |(file, plugin): (&File, &str)| {
        let what = format!("{} sets {OPTION} in [plugins.\"{plugin}\"]", file.path.display());
        Finding::new(what, "Take the line out.").run(RESTART)
    };
    pairs.filter(is_on).map(finding).collect()
}

fn cri(containerd: &Containerd) -> Vec<Finding> {
    if !containerd.is_without_cri() {
        return Vec::new();
    }
    let what = "containerd's configuration has \"cri\" among its disabled_plugins";
    vec![Finding::new(what, "Take it out, if Kubernetes is to pull here.").run(RESTART)]
}
