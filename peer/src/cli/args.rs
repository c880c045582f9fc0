//! What can be said on the command line.

use std::path::PathBuf;

use bytesize::ByteSize;
use clap::{Args, Parser, Subcommand, builder::styling::AnsiColor, builder::styling::Styles};

use super::{
    doctor::{self, DoctorArgs},
    preheat::PreheatArgs,
};
use crate::{
    config::Flags,
    configure::{MirrorUrl, Runtime},
};
use shoal_protocol::reference::RegistryHost;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default());

/// The example stands before all else: it is what most readers came for.
const TEMPLATE: &str = "{before-help}{about-with-newline}\n{usage-heading} {usage}\n\n{all-args}{after-help}";

const ROOT_EXAMPLE: &str = "\
Example: see it work on this machine, then start a seed and a peer
  shoal demo
  shoal key new > cluster.key
  shoal seed --cluster-key-file cluster.key
  shoal peer --cluster-key-file cluster.key --swarm-bootstrap seed.example:5021
";
const PEER_EXAMPLE: &str = "\
Example: shoal peer --cluster-key-file cluster.key --swarm-bootstrap seed.example:5021
";
const SEED_EXAMPLE: &str = "\
Example: shoal seed --cluster-key-file cluster.key --registry \"host=ghcr.io\"
";
const DEMO_EXAMPLE: &str = "\
Example: shoal demo --peers 4 --image docker.io/library/debian:stable
";
const CONFIG_EXAMPLE: &str = "\
Example: shoal config --config /etc/shoal/shoal.toml
";
const CONFIGURE_EXAMPLE: &str = "\
Example: shoal configure containerd --dry-run
";
const IMPORT_EXAMPLE: &str = "\
Example: shoal import --secrets-dir /etc/shoal/secrets >> /etc/shoal/seed.toml
";
const PREHEAT_EXAMPLE: &str = "\
Example: shoal preheat docker.io/library/debian:stable --from deployment.yaml
";
const DOCTOR_EXAMPLE: &str = "\
Example: shoal doctor
";
const KEY_EXAMPLE: &str = "\
Example: shoal key new > cluster.key && shoal key member cluster.key > member.key
";

/// Moves container image layers between the nodes of a cluster: a registry is asked once for each.
#[derive(Debug, Parser)]
#[command(name = "shoal", version, styles = STYLES, max_term_width = 110)]
#[command(before_help = ROOT_EXAMPLE, help_template = TEMPLATE, disable_help_subcommand = true)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a peer: the mirror that this node's container runtime pulls through
    #[command(before_help = PEER_EXAMPLE, help_template = TEMPLATE)]
    Peer(NodeArgs),
    /// Run a seed: a peer that fetches from registries what nobody has yet
    #[command(before_help = SEED_EXAMPLE, help_template = TEMPLATE)]
    Seed(NodeArgs),
    /// Show on this machine alone what Shoal does: a registry, a seed and several peers
    #[command(before_help = DEMO_EXAMPLE, help_template = TEMPLATE)]
    Demo(DemoArgs),
    /// Have a node fetch images before anyone asks for them
    #[command(before_help = PREHEAT_EXAMPLE, help_template = TEMPLATE)]
    Preheat(PreheatArgs),
    /// Print the configuration that counts, and where each value comes from
    #[command(before_help = CONFIG_EXAMPLE, help_template = TEMPLATE)]
    Config(NodeArgs),
    /// Point this node's container runtime at Shoal, or undo that
    #[command(before_help = CONFIGURE_EXAMPLE, help_template = TEMPLATE)]
    Configure(ConfigureArgs),
    /// Find what is wrong with this node, and the command that mends it
    #[command(before_help = DOCTOR_EXAMPLE, help_template = TEMPLATE, mut_args(doctor::hide_settings))]
    Doctor(Box<DoctorArgs>),
    /// Print what runtimes here were told about registries as Shoal's own configuration
    #[command(before_help = IMPORT_EXAMPLE, help_template = TEMPLATE)]
    Import(ImportArgs),
    /// Make the keys that admit nodes to a cluster
    #[command(before_help = KEY_EXAMPLE, help_template = TEMPLATE)]
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Print a new cluster key: for seeds, and for whoever admits them
    #[command(help_template = TEMPLATE)]
    New,
    /// Print the member key of a cluster key: it admits peers, but makes no seeds
    #[command(help_template = TEMPLATE)]
    Member {
        /// File with the cluster key
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(super) struct NodeArgs {
    /// File with the configuration (TOML)
    #[arg(long, value_name = "FILE", env = "SHOAL_CONFIG", hide_env_values = true)]
    pub(super) config: Option<PathBuf>,
    #[command(flatten)]
    pub(super) flags: Flags,
}

#[derive(Debug, Args)]
pub(super) struct ConfigureArgs {
    /// What pulls images on this node
    #[arg(value_name = "RUNTIME", value_enum)]
    pub(super) runtime: Runtime,
    /// Only images of this registry, as images name it; again for each [default: all]
    #[arg(long, value_name = "HOST", conflicts_with = "remove")]
    pub(super) registry: Vec<RegistryHost>,
    /// Where this node's mirror is
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:5020", conflicts_with = "remove")]
    pub(super) mirror: MirrorUrl,
    /// Docker keeps its images in containerd's store, although daemon.json does not say so
    #[arg(long, conflicts_with = "remove")]
    pub(super) containerd_store: bool,
    /// Take back what was written
    #[arg(long)]
    pub(super) remove: bool,
    /// Show the differences and write nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Write without asking
    #[arg(long)]
    pub(super) yes: bool,
    /// Folder that stands for the root of the file system: an image, a test
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub(super) root: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// containerd's config.toml; with any file or folder named, only those are read
    #[arg(long, value_name = "FILE")]
    pub(super) containerd: Option<PathBuf>,
    /// Docker's daemon.json
    #[arg(long, value_name = "FILE")]
    pub(super) docker: Option<PathBuf>,
    /// registries.conf of Podman and CRI-O, with the .d folder beside it
    #[arg(long, value_name = "FILE")]
    pub(super) containers: Option<PathBuf>,
    /// Folder with a folder for each registry: hosts.toml or certificates
    #[arg(long, value_name = "DIR")]
    pub(super) certs_d: Vec<PathBuf>,
    /// Logins: Docker's config.json, Podman's auth.json
    #[arg(long, value_name = "FILE")]
    pub(super) logins: Vec<PathBuf>,
    /// Folder for passwords that stand in containerd's configuration, one file each, for its owner only
    #[arg(long, value_name = "DIR")]
    pub(super) secrets_dir: Option<PathBuf>,
    /// Folder that stands for the root of the file system
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub(super) root: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// How many peers pull at once
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) peers: u16,
    /// Size of the image that is made on the spot
    #[arg(long, value_name = "SIZE", default_value = "256 MiB")]
    pub(super) size: ByteSize,
    /// How much the origin sends a second, at most: a slow line to it
    #[arg(long, value_name = "SIZE", conflicts_with = "image")]
    pub(super) origin_rate: Option<ByteSize>,
    /// Pull this image from its own registry in place of one made on the spot
    #[arg(long, value_name = "REF", conflicts_with = "size")]
    pub(super) image: Option<String>,
    /// Leave everything running afterwards, until Ctrl-C
    #[arg(long)]
    pub(super) keep: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}
