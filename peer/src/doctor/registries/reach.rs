//! What is in the way to a registry, each sort told by a check of its own.

use std::sync::Arc;

use http::Uri;
use shoal_seed::origin::{Obstacle, PublicUrl};

use super::asked::{self, Asked, DEADLINE};
use crate::doctor::{Category, Check, Context, Finding, Needs, Outcome, Severity};

pub(super) const RESOLVES: Check = Check {
    id: "registry-resolves",
    category: Category::Registries,
    severity: Severity::Failure,
    depends_on: &["registry-settings"],
    needs: Needs::Nothing,
    deadline: DEADLINE,
    title: "the name of every registry's endpoint has an address",
    why: "A seed can't fetch from a registry that it does not find; pulls of its images go there by themselves.",
    mend: "Correct the host or the endpoint in [[registry]], or this host's name service.",
    probe: |context| Box::pin(told(context, Sort::Name)),
};

pub(super) const REACHABLE: Check = Check {
    id: "registry-reachable",
    title: "every registry's endpoint takes connections and answers",
    why: "Each request waits for the endpoint until it is given up, and the seed has nothing new of that registry.",
    mend: "Start the registry, correct its endpoint, or open the way: a firewall, a proxy.",
    probe: |context| Box::pin(told(context, Sort::Connection)),
    ..RESOLVES
};

pub(super) const CERTIFICATE: Check = Check {
    id: "registry-certificate-time",
    title: "every registry's certificate is valid today",
    why: "A seed believes no certificate that has ended, and fetches nothing from that registry.",
    mend: "Renew the registry's certificate; if it is fresh, look at this host's clock.",
    probe: |context| Box::pin(told(context, Sort::CertificateTime)),
    ..RESOLVES
};

pub(super) const ISSUER: Check = Check {
    id: "registry-certificate-trusted",
    title: "somebody that this host trusts vouches for every registry's certificate",
    why: "A seed believes no certificate of an unknown authority, and fetches nothing from that registry.",
    mend: "Put the authority's certificate into a file and name it in ca_file.",
    probe: |context| Box::pin(told(context, Sort::CertificateIssuer)),
    ..RESOLVES
};

pub(super) const NAME: Check = Check {
    id: "registry-certificate-name",
    title: "every registry's certificate is for the name that it is asked by",
    why: "A certificate for another name means another server, or a proxy that opens TLS: the seed does not go on.",
    mend: "Use the name in the certificate as endpoint, or have one made for this name.",
    probe: |context| Box::pin(told(context, Sort::CertificateName)),
    ..RESOLVES
};

pub(super) const TLS: Check = Check {
    id: "registry-tls",
    title: "every https:// endpoint speaks TLS with us",
    why: "Without TLS the seed fetches nothing: it never falls back to plain HTTP.",
    mend: "Write http:// in endpoints where plain HTTP is meant; set a client certificate where one is asked for.",
    probe: |context| Box::pin(told(context, Sort::Tls)),
    ..RESOLVES
};

pub(super) const LOGIN_READ: Check = Check {
    id: "registry-login-read",
    title: "the login of every registry can be had: its file, its helper",
    why: "Without its login the seed is nobody in particular to the registry, and asks it for nothing.",
    mend: "Mend the file, or install the helper where the seed finds it.",
    probe: |context| Box::pin(told(context, Sort::LoginRead)),
    ..RESOLVES
};

pub(super) const LOGIN_TAKEN: Check = Check {
    id: "registry-login-taken",
    title: "every registry takes the login that it is given",
    why: "Private images of that registry can't be had through Shoal; too many wrong logins may lock the account.",
    mend: "Put the right password into its file: it is read each time, so no restart is needed.",
    probe: |context| Box::pin(told(context, Sort::LoginTaken)),
    ..RESOLVES
};

pub(super) const LOGIN_NEEDED: Check = Check {
    id: "registry-login-needed",
    title: "no registry wants a login that is not configured",
    why: "A registry that lets nobody in without a login gives the seed nothing.",
    mend: "Set username and password_file, docker_config or credential_helper in its section.",
    probe: |context| Box::pin(told(context, Sort::LoginNeeded)),
    ..RESOLVES
};

pub(super) const LIMIT: Check = Check {
    id: "registry-limit",
    severity: Severity::Warning,
    title: "no registry has had too many requests",
    why: "The seed leaves the registry alone for as long as it wants, and pulls of new images go there by themselves.",
    mend: "Wait; log in, which raises the limits of many registries; look who else asks from this address.",
    probe: |context| Box::pin(told(context, Sort::Limit)),
    ..RESOLVES
};

pub(super) const REGISTRY: Check = Check {
    id: "registry-answers",
    title: "what answers at every endpoint is a registry",
    why: "A web server, or a proxy's page of errors, has no images.",
    mend: "Correct the endpoint: its host, its port, and the path before /v2/.",
    probe: |context| Box::pin(told(context, Sort::Registry)),
    ..RESOLVES
};

/// Sorts of obstacles, by the check that tells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Name,
    Connection,
    CertificateTime,
    CertificateIssuer,
    CertificateName,
    Tls,
    LoginRead,
    LoginTaken,
    LoginNeeded,
    Limit,
    Registry,
}

/// What this sort of obstacle makes of the registries; each endpoint has one at most, so it is told once.
async fn told(context: Arc<Context>, sort: Sort) -> Outcome {
    let asked = match asked::all(&context).await {
        Ok(asked) => asked,
        Err(outcome) => return outcome,
    };
    let mut findings = Vec::new();
    let mut clear = 0;
    for registry in asked.iter() {
        for examined in registry.outcome.iter().flatten() {
            match &examined.result {
                Err(obstacle) => findings.extend(finding(registry, &examined.url, obstacle, sort)),
                Ok(_) => clear += 1,
            }
        }
    }
    if findings.is_empty() && clear == 0 {
        return Outcome::skipped("no registry could be asked");
    }
    Outcome::of(findings, format!("{clear} endpoints"))
}

/// What to do about an obstacle, if it is of this sort.
fn finding(registry: &Asked, url: &PublicUrl, obstacle: &Obstacle, wanted: Sort) -> Option<Finding> {
    let (sort, what) = sort_of(obstacle);
    let what = format!("registry {}: {what}", registry.config.host);
    let finding = Finding::new(what, mend(registry, obstacle));
    let finding = command(url, sort).into_iter().fold(finding, Finding::run);
    (sort == wanted).then_some(finding)
}

fn sort_of(obstacle: &Obstacle) -> (Sort, &str) {
    match obstacle {
        Obstacle::Unresolved(what) => (Sort::Name, what),
        Obstacle::Refused(what) | Obstacle::Unreachable(what) => (Sort::Connection, what),
        Obstacle::CertificateTime(what) => (Sort::CertificateTime, what),
        Obstacle::CertificateIssuer(what) => (Sort::CertificateIssuer, what),
        Obstacle::CertificateName(what) => (Sort::CertificateName, what),
        Obstacle::Tls(what) => (Sort::Tls, what),
        Obstacle::NoLogin(what) => (Sort::LoginRead, what),
        Obstacle::LoginRefused(what) => (Sort::LoginTaken, what),
        Obstacle::LoginNeeded(what) => (Sort::LoginNeeded, what),
        Obstacle::Busy { what, .. } => (Sort::Limit, what),
        Obstacle::NotARegistry(what) => (Sort::Registry, what),
    }
}

fn mend(registry: &Asked, obstacle: &Obstacle) -> String {
    let text = match obstacle {
        Obstacle::Unresolved(_) => "Correct the name, or what this host asks for names.",
        Obstacle::Refused(_) => {
            "Nobody listens there: start the registry, or correct endpoints in its section."
        }
        Obstacle::Unreachable(_) => {
            "Look at the way there: a firewall, or a proxy that has to be named in proxy."
        }
        Obstacle::CertificateTime(_) => "Renew the registry's certificate, if this host's clock is right.",
        Obstacle::CertificateIssuer(_) => {
            "Name the certificate of the registry's authority in ca_file. This shows the chain that it sends."
        }
        Obstacle::CertificateName(_) => {
            "Use the certificate's name in endpoints, or have one made for this name."
        }
        Obstacle::Tls(_) => return tls_mend(registry),
        Obstacle::NoLogin(_) => "Mend the file, or install the helper in the PATH of the seed.",
        Obstacle::LoginRefused(_) => "Put the right password or token where the login comes from.",
        Obstacle::LoginNeeded(_) => "Set username and password_file in its section, or docker_config.",
        Obstacle::Busy { retry_after, .. } => {
            let wait = retry_after.map_or_else(String::new, |wait| format!(" {} s", wait.as_secs()));
            return format!("Wait{wait}; a login raises the limits of many registries.");
        }
        Obstacle::NotARegistry(_) => "Correct endpoints in its section: the path before /v2/ belongs to it.",
    };
    text.to_owned()
}

/// What shows more of an obstacle, where something does.
fn command(url: &PublicUrl, sort: Sort) -> Option<String> {
    let url: Uri = url.to_string().parse().ok()?;
    let (host, port) = (url.host()?, url.port_u16().unwrap_or(443));
    match sort {
        Sort::Name => Some(format!("getent hosts {host}")),
        Sort::CertificateTime => Some("date".to_owned()),
        Sort::CertificateIssuer => {
            Some(format!("openssl s_client -showcerts -connect {host}:{port} </dev/null"))
        }
        Sort::CertificateName => Some(format!(
            "openssl s_client -connect {host}:{port} </dev/null | openssl x509 -noout -ext subjectAltName"
        )),
        _ => None,
    }
}

fn tls_mend(registry: &Asked) -> String {
    let host = registry.config.host.as_str();
    match registry.config.client_cert_file {
        Some(_) => "Look whether the registry accepts this client certificate's authority.".to_owned(),
        None => format!(
            "If it speaks plain HTTP, write endpoints = [\"http://{host}\"]; if it asks for a client certificate, set \
             client_cert_file and client_key_file."
        ),
    }
}
