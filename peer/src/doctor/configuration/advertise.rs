//! What the node tells others of where it is can be true.

use std::{net::SocketAddr, sync::Arc};

use crate::doctor::{Category, Check, Context, Finding, Needs, Outcome, QUICK, Severity};

pub(super) const CHECK: Check = Check {
    id: "advertise-reachable",
    category: Category::Configuration,
    severity: Severity::Failure,
    depends_on: &["config-keys"],
    needs: Needs::Nothing,
    deadline: QUICK,
    title: "the addresses that the node gives to others lead to it from elsewhere",
    why: "To another host, a loopback address is that host itself: nobody fetches anything from this node.",
    mend: "Set advertise to an address of this host that others reach, or leave it empty and listen on 0.0.0.0.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    let config = context.config();
    let is_elsewhere = |seed: &str| {
        !(seed.starts_with("127.") || seed.starts_with("[::1]") || seed.starts_with("localhost:"))
    };
    if !config.swarm.bootstrap.iter().any(|seed| is_elsewhere(seed.as_str())) {
        return Outcome::skipped("no seed on another host is named");
    }
    let of = |section, advertised: &[SocketAddr], listen| told(section, advertised, listen);
    let told = of("swarm", &config.swarm.advertise, config.swarm.listen).into_iter().chain(of(
        "lane",
        &config.lane.advertise,
        config.lane.listen,
    ));
    let findings = told.filter_map(|(key, address)| {
        let why = if address.ip().is_loopback() {
            "is loopback"
        } else if key.ends_with("advertise") && address.ip().is_unspecified() {
            "is no address of any host"
        } else if key.ends_with("advertise") && address.port() == 0 {
            "has no port"
        } else {
            return None;
        };
        let mend =
            format!("Set {key} to an address of this host that the seeds reach; `hostname -I` has them.");
        Some(
            Finding::new(format!("{key} {address} {why}, and the seeds are on other hosts"), mend)
                .run("hostname -I"),
        )
    });
    Outcome::of(findings.collect(), "as others see it")
}

/// What others are told, by the key that says it.
fn told(section: &str, advertised: &[SocketAddr], listen: SocketAddr) -> Vec<(String, SocketAddr)> {
    if advertised.is_empty() {
        return vec![(format!("{section}.listen"), listen)];
    }
    advertised.iter().map(|address| (format!("{section}.advertise"), *address)).collect()
}
