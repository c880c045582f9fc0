//! The addresses that the node listens on are not somebody else's.

use std::{io, net::SocketAddr, sync::Arc};

use socket2::{Domain, Protocol, Socket, Type};

use crate::doctor::{Category, Check, Context, Finding, Needs, Outcome, QUICK, Severity};

pub(super) const CHECK: Check = Check {
    id: "ports-free",
    category: Category::Node,
    severity: Severity::Failure,
    depends_on: &["config-keys"],
    needs: Needs::Nothing,
    deadline: QUICK,
    title: "the node can listen on its addresses",
    why: "A node that can't have one of its addresses does not start.",
    mend: "Stop the program that has the address, or give the node another one.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    if context.admin().get("/healthz").await.is_ok_and(|answer| answer.body.as_ref() == b"ok\n") {
        return Outcome::skipped("the node runs, and has them");
    }
    let config = context.config();
    let addresses = [
        ("mirror.listen", config.mirror.listen),
        ("admin.listen", config.admin.listen),
        ("swarm.listen", config.swarm.listen),
        ("lane.listen", config.lane.listen),
    ];
    let findings =
        addresses.iter().filter_map(|(key, address)| Some(finding(key, *address, &try_out(*address).err()?)));
    Outcome::of(findings.collect(), addresses.map(|(_, address)| address.to_string()).join(", "))
}

/// Listens for an instant, the way that the node will: what its last run left behind is not in the way.
fn try_out(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(1)
}

fn finding(key: &str, address: SocketAddr, error: &io::Error) -> Finding {
    let port = address.port();
    let what = format!("can't listen on {address} ({key}): {error}");
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            let mend =
                format!("Stop the program that has it, which this shows; or set {key} to another address.");
            Finding::new(what, mend).run(format!("ss -ltnp 'sport = :{port}'"))
        }
        io::ErrorKind::AddrNotAvailable => {
            Finding::new(what, format!("Set {key} to an address of this host, or to 0.0.0.0:{port}."))
                .run("ip -brief address")
        }
        io::ErrorKind::PermissionDenied => {
            Finding::new(what, format!("Set {key} to a port from 1024 on: those below are for root."))
        }
        _ => Finding::new(what, format!("Set {key} to another address.")),
    }
}
