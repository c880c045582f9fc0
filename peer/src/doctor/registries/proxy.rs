//! A proxy does not stand between this host and itself.

use std::{net::IpAddr, sync::Arc};

use super::asked;
use crate::doctor::{Category, Check, Context, Finding, Needs, Outcome, QUICK, Severity};

/// What names a proxy for HTTP, and for all. Tools do not agree on the case.
const PROXIES: [&str; 6] =
    ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

pub(super) const CHECK: Check = Check {
    id: "registry-proxy",
    category: Category::Registries,
    severity: Severity::Warning,
    depends_on: &["config-keys"],
    needs: Needs::Nothing,
    deadline: QUICK,
    title: "the environment's proxy is not asked for addresses of this host",
    why: "To a proxy, 127.0.0.1 is the proxy's own host: a registry or a mirror on loopback is not found through it.",
    mend: "Add localhost and 127.0.0.1 to NO_PROXY, wherever the proxy is set.",
    probe: |context| Box::pin(probe(context)),
};

async fn probe(context: Arc<Context>) -> Outcome {
    if let Err(outcome) = asked::applies(&context).await {
        return outcome;
    }
    let Some(proxy) =
        PROXIES.iter().find(|name| context.variable(name).is_some_and(|value| !value.is_empty()))
    else {
        return Outcome::well("no proxy in this environment");
    };
    let exceptions =
        ["NO_PROXY", "no_proxy"].iter().find_map(|name| context.variable(name)).unwrap_or_default();
    let registries = context.config().for_origins();
    let endpoints = registries
        .iter()
        .filter(|registry| registry.proxy.is_none())
        .flat_map(|registry| &registry.endpoints);
    let caught = endpoints
        .filter_map(|endpoint| local_host(&endpoint.to_string()).filter(|host| !excepts(exceptions, host)));
    let findings = caught.map(|host| {
        let wider = [exceptions, "localhost,127.0.0.1,::1"].join(",");
        Finding::new(
            format!("{proxy} is set, and NO_PROXY does not except the registry on {host}"),
            "Add this host's own names to NO_PROXY, also in the unit or pod of the seed.",
        )
        .run(format!("export NO_PROXY={}", wider.trim_start_matches(',')))
    });
    Outcome::of(findings.collect(), format!("{proxy} is set, with exceptions where needed"))
}

/// The host of a URL, if it is this one.
fn local_host(url: &str) -> Option<String> {
    let uri: http::Uri = url.parse().ok()?;
    let host = uri.host()?.trim_matches(['[', ']']).to_owned();
    let is_local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    is_local.then_some(host)
}

/// Whether a list of exceptions has that host, as far as lists are read alike everywhere.
fn excepts(list: &str, host: &str) -> bool {
    let entries = list.split(',').map(|entry| entry.trim());
    let is_within_loopback =
        |entry: &str| entry.starts_with("127.") && entry.contains('/') && host.starts_with("127.");
    entries
        .filter(|entry| !entry.is_empty())
        .any(|entry| entry == "*" || entry == host || is_within_loopback(entry))
}
