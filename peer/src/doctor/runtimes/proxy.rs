//! Which addresses a runtime reaches through a proxy, by the rules of the language that all of them are written in.

use std::net::IpAddr;

use reqwest::Url;

use super::at::{is_loopback, parse};

/// The proxy by which `address` is asked, given the variables of the runtime.
pub(super) fn proxy_for<'a>(address: &str, variables: &'a [(String, String)]) -> Option<&'a str> {
    let url = parse(address)?;
    let name = if url.scheme() == "http" { "HTTP_PROXY" } else { "HTTPS_PROXY" };
    let proxy = value(variables, name).filter(|proxy| !proxy.is_empty())?;
    let exempt = value(variables, "NO_PROXY").unwrap_or_default();
    let is_exempt = is_loopback(&url) || exempt.split(',').any(|rule| covers(rule.trim(), &url));
    (!is_exempt).then_some(proxy)
}

/// Either spelling counts, the upper one first.
fn value<'a>(variables: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let get = |name: &str| variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    get(name).filter(|value| !value.is_empty()).or_else(|| get(&name.to_ascii_lowercase()))
}

fn covers(rule: &str, url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    match rule {
        "" => return false,
        "*" => return true,
        _ => {}
    }
    if let Some((network, bits)) = rule.split_once('/') {
        return is_within(host, network, bits).unwrap_or(false);
    }
    let (name, port) = match rule.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') => (name, port.parse::<u16>().ok()),
        _ => (rule, None),
    };
    if port.is_some_and(|port| url.port_or_known_default() != Some(port)) {
        return false;
    }
    let domain = name.trim_start_matches("*.").trim_start_matches('.');
    let is_below = host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    is_below || (host == domain && !name.starts_with('.'))
}

fn is_within(host: &str, network: &str, bits: &str) -> Option<bool> {
    let bits: u32 = bits.parse().ok()?;
    let (host, network): (IpAddr, IpAddr) = (host.parse().ok()?, network.parse().ok()?);
    let (host, network, width) = match (host, network) {
        (IpAddr::V4(host), IpAddr::V4(network)) => {
            (u128::from(host.to_bits()), u128::from(network.to_bits()), 32)
        }
        (IpAddr::V6(host), IpAddr::V6(network)) => (host.to_bits(), network.to_bits(), 128),
        _ => return Some(false),
    };
    let shift = width - bits.min(width);
    Some(host.checked_shr(shift).unwrap_or(0) == network.checked_shr(shift).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::proxy_for;

    #[test]
    fn loopback_and_what_is_exempt_go_past_the_proxy() {
        let with = |exempt: &str| {
            [("HTTP_PROXY", "http://proxy:3128"), ("no_proxy", exempt)]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
        };
        let cases = [
            ("http://127.0.0.1:5020", "", false),
            ("http://localhost:5020", "", false),
            ("http://10.1.2.3:5020", "", true),
            ("https://10.1.2.3:5020", "", false),
            ("http://10.1.2.3:5020", "10.0.0.0/8", false),
            ("http://10.1.2.3:5020", "10.1.3.0/24, 10.1.2.3", false),
            ("http://10.1.2.3:5020", "10.1.2.3:80", true),
            ("http://node.example:5020", "example", false),
            ("http://node.example:5020", ".example", false),
            ("http://example:5020", ".example", true),
            ("http://node.example:5020", "ample", true),
            ("http://node.example:5020", "*", false),
            ("http://[fd00::1]:5020", "fd00::/8", false),
        ];
        for (address, exempt, expected) in cases {
            assert_eq!(proxy_for(address, &with(exempt)).is_some(), expected, "{address} without {exempt}");
        }
    }
}
