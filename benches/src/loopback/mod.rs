//! What one machine can do over loopback: lanes, a fetch from node to node, and answers of the mirror, each beside the
//! leanest thing that moves the same bytes.
//!
//! The two sides of a transfer are processes, as on two hosts: this program starts itself for the other side. Sides
//! that are compared take turns within one call, so that whatever else the machine does falls on both.

mod args;
mod bare;
mod client;
mod content;
mod copy;
mod cpu;
mod hit;
mod lane;
mod nginx;
mod node;
mod nodes;
mod other_side;
mod receiver;
mod way;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use args::CopyArgs;

use crate::cli::Failure;

const GB: f64 = 1e9;
/// A port of the system's choice.
const LOCALHOST: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// One lane, in TLS and in plaintext, against bare copies of the same file: over TLS, over TCP, by sendfile
    Lane(CopyArgs),
    /// A blob from one node's disk to another's, over lanes in TLS and in plaintext: processor time, beside what a bare
    /// TLS copy, a hash and a plain write cost
    Node(CopyArgs),
    /// Answers of the mirror from its store against nginx with the same files
    Hit(hit::HitArgs),
    /// The receiving side of `lane`
    #[command(hide = true)]
    Receive(receiver::ReceiveArgs),
    /// A node of `node` and `hit`
    #[command(hide = true)]
    RunNode(nodes::RunArgs),
}

/// Measures it.
///
/// # Errors
/// When a side can't be started, or a transfer fails.
pub fn run(args: Args) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match args.command {
        Command::Lane(args) => runtime.block_on(lane::run(args)),
        Command::Node(args) => runtime.block_on(node::run(args)),
        Command::Hit(args) => runtime.block_on(hit::run(args)),
        Command::Receive(args) => runtime.block_on(receiver::receive(args)),
        Command::RunNode(args) => runtime.block_on(nodes::serve(args)),
    }
}
