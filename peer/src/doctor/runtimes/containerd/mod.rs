//! containerd: whether it reads what points it at the mirror, and takes it as it is meant.
//!
//! What it reads depends on its version and on the `version` of its configuration; the rules here were tried with
//! containerd 1.6, 1.7 and 2.1.

mod files;
mod folders;
mod hosts;
mod service;
mod settings;

use std::{path::Path, sync::Arc};

use futures::future::BoxFuture;

pub(in crate::doctor) use self::files::Containerd;
use self::files::SECTIONS;
use super::{RUNTIME, docker, hosts_file::said, site::Site, version};
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
            match &*context.once(|| Found::look(&context)).await {
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

/// What a look at this host finds of containerd.
pub(in crate::doctor) enum Found {
    /// It does not pull images here, and why.
    Absent(&'static str),
    /// Its files can't be understood.
    Unreadable(String),
    /// All that the checks look at.
    Here(Box<Containerd>),
}

impl Found {
    pub(in crate::doctor) async fn look(context: &Context) -> Self {
        let root = context.root();
        let program = version::find_program(root, "containerd");
        if program.is_none() && !root.on_disk(Path::new(CONTAINERD_CONFIG)).exists() {
            return Self::Absent("containerd is not on this host");
        }
        let version = version::ask(root, &["containerd"]).await;
        match Containerd::load(&Site::of(context), version) {
            Ok(containerd) if containerd.is_without_cri() && docker::is_here(root) => {
                Self::Absent("containerd serves Docker here, which has checks of its own")
            }
            Ok(containerd) => Self::Here(Box::new(containerd)),
            Err(error) => Self::Unreadable(said(&error)),
        }
    }
}

/// A check that looks at containerd's files and finds what is wrong with them.
fn examine(
    context: Arc<Context>,
    find: fn(&Containerd) -> Vec<Finding>,
    well: &'static str,
) -> BoxFuture<'static, Outcome> {
    Box::pin(async move {
        match &*context.once(|| Found::look(&context)).await {
            Found::Absent(reason) => Outcome::skipped(*reason),
            // The check that this one builds on says so.
            Found::Unreadable(_) => Outcome::skipped("containerd's configuration can't be read"),
            Found::Here(containerd) => Outcome::of(find(containerd), well),
        }
    })
}
