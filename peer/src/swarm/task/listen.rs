//! Where the swarm listens.

use std::{io, net::SocketAddr};

use libp2p::{Swarm, TransportError};
use socket2::{Domain, Socket, Type};

use super::super::{StartError, address::to_multiaddr, behaviour::Behaviour};

/// libp2p shares the port with any process of the same user that does too, and each gets some of the connections; a
/// plain socket first finds out whether the port is taken.
pub(super) fn listen(swarm: &mut Swarm<Behaviour>, address: SocketAddr) -> Result<(), StartError> {
    let failed = |source| StartError::Listen { address, source };
    probe(address).map_err(failed)?;
    match swarm.listen_on(to_multiaddr(address)) {
        Ok(_) => Ok(()),
        Err(TransportError::Other(source)) => Err(failed(source)),
        Err(error) => Err(StartError::Setup(error.to_string())),
    }
}

fn probe(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.is_ipv6() {
        // As libp2p does it: the wildcard of one family leaves the other's free.
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())
}
