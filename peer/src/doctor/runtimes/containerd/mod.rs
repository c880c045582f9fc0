//! containerd: whether it reads what points it at the mirror, and takes it as it is meant.
//!
//! What it reads depends on its version and on the `version` of its configuration; the rules here were tried with
//! containerd 1.6, 1.7 and 2.1.

mod files;
mod folders;
mod hosts;
mod service;
mod settings;

use std::path::Path;

pub(in crate::doctor) use self::files::Containerd;
use self::files::SECTIONS;
use super::{
    RUNTIME,
    at::Relation,
    docker,
    found::{Files, Found, found},
    hosts_file::said,
    site::Site,
    version,
};
use crate::{
    configure::reading::CONTAINERD_CONFIG,
    doctor::{Check, Context, Finding, Outcome},
};

pub(in crate::doctor) const CHECKS: &[Check] = &[
    CONFIG,
    folders::MIRROR,
    folders::CONFIG_PATH,
    folders::HOSTS_FOLDER,
    folders::LIST,
    folders::PAST,
    folders::FOLDER_NAME,
    settings::SECTION,
    settings::FORMAT,
    settings::MIXED,
    settings::IMPORTS,
    settings::PATTERN,
    settings::PARALLEL,
    settings::CRI,
    hosts::BROKEN,
    hosts::EMPTY,
    hosts::PORT,
    hosts::CAPABILITIES,
    hosts::PATH,
    hosts::SCHEME,
    hosts::LOOP,
    hosts::ORDER,
    service::PROXY,
    service::STALE,
];

const ID: &str = "containerd-config";

const CONFIG: Check = Check {
    id: ID,
    title: "containerd's configuration can be read",
    why: "containerd does not start with a configuration that it can't read, or starts without the plugin concerned.",
    mend: "Correct the line that the finding names.",
    probe: |context| {
        Box::pin(async move {
            match &*found::<Containerd>(&context).await {
                Found::Absent(reason) => Outcome::skipped(*reason),
                Found::Unreadable(what) => Outcome::wrong(
                    Finding::new(what.clone(), "Correct that, then let containerd read it.")
                        .run("systemctl restart containerd"),
                ),
                Found::Here(containerd) => Outcome::well(containerd.described()),
            }
        })
    },
    ..RUNTIME
};

impl Files for Containerd {
    const UNREADABLE: &'static str = "containerd's configuration can't be read";

    async fn look(context: &Context) -> Found<Self> {
        let root = context.root();
        let program = version::find_program(root, "containerd");
        if program.is_none() && !root.on_disk(Path::new(CONTAINERD_CONFIG)).exists() {
            return Found::Absent("containerd is not on this host");
        }
        let version = version::ask(root, &["containerd"]).await;
        match Self::load(&Site::of(context), version) {
            Ok(containerd) if containerd.is_without_cri() && docker::is_here(root) => {
                Found::Absent("containerd serves Docker here, which has checks of its own")
            }
            Ok(containerd) => Found::Here(Box::new(containerd)),
            Err(error) => Found::Unreadable(said(&error)),
        }
    }

    fn is_told(&self) -> bool {
        self.addresses().any(|address| self.site.mirror.relation(address) == Relation::Mirror)
    }
}
