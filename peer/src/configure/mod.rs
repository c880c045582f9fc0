//! `shoal configure`: points a container runtime at this node's mirror, and takes that back.
//!
//! A plan is made of what the files would be without Shoal ([`view`]) and holds every file in full before the first
//! one is written, so a file that can't be understood leaves all of them as they are. What is done is recorded
//! first ([`state`]). Edits leave every line of the operator's that they do not have to change as it is, and are compared by meaning with
//! what was there.

mod containerd;
mod containers;
mod docker;
mod error;
mod folders;
mod hosts;
mod json;
mod leaves;
mod mirror_url;
mod plan;
mod root;
mod runtime;
mod state;
mod text;
mod toml_text;
mod view;
mod write;

use shoal_protocol::reference::RegistryHost;

pub use error::ConfigureError;
pub use mirror_url::MirrorUrl;
pub use plan::Plan;
pub use root::Root;
pub use runtime::Runtime;

/// What reading the files of runtimes takes, for those who write none.
pub(crate) mod reading {
    pub(crate) use super::{
        containerd::{CONFIG as CONTAINERD_CONFIG, Config, FOLDER, File, Form, is_cri, uses_lists},
        containers::{Entries, Entry, Fields, MAIN as REGISTRIES_FILES},
        docker::{
            CONFIG as DOCKER_CONFIG, FOLDER as DOCKER_FOLDER, flag_file, parse as parse_daemon,
            says_containerd_store, texts,
        },
        hosts::{Certificates, DEFAULT as DEFAULT_FOLDER, FILE as HOSTS_FILE},
        toml_text::parse,
        view::View,
    };
}

use plan::Targets;
use state::State;
use view::View;

/// What a runtime is to be told.
#[derive(Clone, Debug)]
pub struct Request {
    /// The runtime.
    pub runtime: Runtime,
    /// Registries whose images come through Shoal; all of them when empty.
    pub registries: Vec<RegistryHost>,
    /// Where this node's mirror is.
    pub mirror: MirrorUrl,
    /// Whether Docker keeps images in containerd's store although its configuration does not say so.
    pub containerd_store: bool,
}

/// Finds out what has to be written below `root` for `request`. Writes nothing.
///
/// # Errors
/// When a file can't be read or understood, or can't be changed without a risk for the runtime.
pub fn plan(root: &Root, request: &Request) -> Result<Plan, ConfigureError> {
    let state = State::load(root, request.runtime)?;
    let view = View::new(root, &state)?;
    if let Some(path) = view.entangled.first() {
        return Err(ConfigureError::refused(
            path,
            "it was changed since, in the lines that Shoal wrote",
            format!(
                "take Shoal's lines out by hand (`{}` has what the file held before), then run this again",
                root.on_disk(&state::record(request.runtime)).display()
            ),
        ));
    }
    let mut targets = Targets::default();
    match request.runtime {
        Runtime::Containerd => containerd::plan(&view, request, &mut targets)?,
        Runtime::Docker => docker::plan(&view, request, &mut targets)?,
        Runtime::Crio | Runtime::Podman => containers::plan(&view, request, &mut targets)?,
    }
    Plan::new(root, request.runtime, state, &view, targets)
}

/// Finds out how to take back what was written for `runtime`. Writes nothing.
///
/// # Errors
/// When a file can't be read, or the record of what was done can't.
pub fn plan_removal(root: &Root, runtime: Runtime) -> Result<Plan, ConfigureError> {
    let state = State::load(root, runtime)?;
    let view = View::new(root, &state)?;
    let mut targets = Targets::default();
    for path in &view.shared {
        targets.note(format!("{} was changed by others since; only Shoal's part comes out.", path.display()));
    }
    Plan::new(root, runtime, state, &view, targets)
}
