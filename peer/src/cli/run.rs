//! `shoal peer` and `shoal seed`: from a configuration to a node that runs until it is told to stop.

use shoal_protocol::membership::Role;

use crate::{config::Config, logging, node::Node};

use super::{
    args::NodeArgs,
    config,
    exit::{CliError, Exit},
    runtime,
    signals::StopSignals,
};

/// Runs a node until a signal stops it.
pub(super) fn node(args: NodeArgs, role: Role) -> Result<(), CliError> {
    let config = config::load(args)?.config();
    if config.cluster_key_file.is_none() {
        return Err(CliError::new(Exit::Usage, NO_KEY));
    }
    logging::start(&config.log);
    runtime()?.block_on(serve(config, role))
}

const NO_KEY: &str = "no cluster key: the nodes of a cluster share one\n  \
    `shoal key new > cluster.key` makes it; say --cluster-key-file cluster.key here, \
    or set cluster_key_file in the configuration";

async fn serve(config: Config, role: Role) -> Result<(), CliError> {
    let mut signals = StopSignals::listen()?;
    let node = tokio::select! {
        node = start(config, role) => node?,
        () = signals.next() => return Ok(()),
    };
    signals.next().await;
    tracing::info!("stopping: running pulls may end; a second signal stops at once");
    tokio::select! {
        () = node.shutdown() => Ok(()),
        () = signals.next() => Err(CliError::new(Exit::Failure, "stopped at once: running pulls were cut off")),
    }
}

async fn start(config: Config, role: Role) -> Result<Node, CliError> {
    Node::start(config, role).await.map_err(|error| CliError::new(Exit::CouldNotRun, error))
}
