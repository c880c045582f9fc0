//! The streams of one connection.

use std::{
    array,
    collections::VecDeque,
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use libp2p::{
    Stream,
    core::upgrade::{InboundUpgrade, ReadyUpgrade, UpgradeInfo},
    swarm::{
        ConnectionHandler, ConnectionHandlerEvent, StreamUpgradeError, SubstreamProtocol,
        handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound},
    },
};

use super::{Open, OpenReason, OpenReply, Protocol};

/// Streams that may be in the making at a time, each way: above it something is wrong on one side.
const MAX_OPENING: usize = 64;

/// Opens and accepts the streams of one connection.
#[derive(Default)]
pub(in crate::swarm) struct Handler {
    requested: VecDeque<Open>,
    opening: usize,
    accepted: VecDeque<(Protocol, Stream)>,
}

impl Handler {
    fn opened(&mut self, reply: OpenReply, outcome: Result<Stream, OpenReason>) {
        self.opening = self.opening.saturating_sub(1);
        // The caller may have given up waiting; the stream then closes.
        let _ = reply.send(outcome);
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Open;
    type ToBehaviour = (Protocol, Stream);
    type InboundProtocol = AnyProtocol;
    type OutboundProtocol = ReadyUpgrade<Protocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = OpenReply;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(AnyProtocol, ())
    }

    fn poll(
        &mut self,
        _context: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, OpenReply, Self::ToBehaviour>> {
        if let Some(accepted) = self.accepted.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(accepted));
        }
        if let Some(Open { protocol, reply }) = self.requested.pop_front() {
            self.opening += 1;
            let protocol = SubstreamProtocol::new(ReadyUpgrade::new(protocol), reply);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        Poll::Pending
    }

    fn on_behaviour_event(&mut self, open: Open) {
        if self.requested.len() + self.opening < MAX_OPENING {
            self.requested.push_back(open);
        } else {
            let _ = open.reply.send(Err(OpenReason::Busy));
        }
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol, (), OpenReply>,
    ) {
        match event {
            // Beyond the bound the stream is dropped, and the other side sees it close.
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol, .. })
                if self.accepted.len() < MAX_OPENING =>
            {
                self.accepted.push_back(protocol);
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol, info }) => {
                self.opened(info, Ok(protocol));
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                let reason = match error {
                    StreamUpgradeError::Timeout => OpenReason::Timeout,
                    StreamUpgradeError::NegotiationFailed => OpenReason::Unsupported,
                    StreamUpgradeError::Io(error) => OpenReason::Io(error),
                    StreamUpgradeError::Apply(never) => match never {},
                };
                self.opened(info, Err(reason));
            }
            _ => {}
        }
    }
}

/// Accepts each [`Protocol`] and says which it was.
#[derive(Clone, Copy, Debug)]
pub(in crate::swarm) struct AnyProtocol;

impl UpgradeInfo for AnyProtocol {
    type Info = Protocol;
    type InfoIter = array::IntoIter<Protocol, { Protocol::ALL.len() }>;

    fn protocol_info(&self) -> Self::InfoIter {
        Protocol::ALL.into_iter()
    }
}

impl InboundUpgrade<Stream> for AnyProtocol {
    type Output = (Protocol, Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, protocol: Protocol) -> Self::Future {
        ready(Ok((protocol, stream)))
    }
}
