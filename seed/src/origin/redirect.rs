//! Where a redirect may lead.

use std::net::IpAddr;

use reqwest::Url;

/// Most redirects followed for one request.
pub(super) const MAX_REDIRECTS: usize = 5;

/// Why a redirect is not followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RedirectError {
    #[error("redirects without saying where")]
    NoLocation,
    #[error("redirects to something that is not a URL")]
    NotAUrl,
    #[error("redirects to {0}://, which is not HTTP")]
    Scheme(String),
    #[error("redirects from https:// to plain http://")]
    Downgrade,
    #[error("redirects to a link-local address, where clouds keep their machines' credentials")]
    LinkLocal,
    #[error("redirects to a URL that carries a user or a password")]
    UserInfo,
}

/// The URL that `location` names, seen from `current`.
pub(super) fn next_hop(current: &Url, location: Option<&str>) -> Result<Url, RedirectError> {
    let location = location.ok_or(RedirectError::NoLocation)?;
    let next = current.join(location).map_err(|_| RedirectError::NotAUrl)?;
    match (current.scheme(), next.scheme()) {
        ("https", "http") => return Err(RedirectError::Downgrade),
        (_, "http" | "https") => {}
        (_, other) => return Err(RedirectError::Scheme(other.to_owned())),
    }
    if !next.username().is_empty() || next.password().is_some() {
        return Err(RedirectError::UserInfo);
    }
    if ip_of(&next).is_some_and(is_link_local) {
        return Err(RedirectError::LinkLocal);
    }
    Ok(next)
}

/// True when a header meant for `first` may also go to `second`: the same scheme, host and port.
pub(super) fn same_origin(first: &Url, second: &Url) -> bool {
    first.origin() == second.origin()
}

fn ip_of(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn is_link_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(from: &str, to: &str) -> Result<String, RedirectError> {
        next_hop(&Url::parse(from).expect("valid"), Some(to)).map(String::from)
    }

    #[test]
    fn follows_relative_and_absolute_locations() {
        assert_eq!(hop("https://a/v2/x", "/y?s=1"), Ok("https://a/y?s=1".to_owned()));
        assert_eq!(hop("https://a/v2/x", "//b/y"), Ok("https://b/y".to_owned()));
        assert_eq!(hop("http://a/", "http://b/"), Ok("http://b/".to_owned()));
    }

    #[test]
    fn refuses_what_would_weaken_or_misuse_the_request() {
        assert_eq!(hop("https://a/", "http://a/"), Err(RedirectError::Downgrade));
        assert_eq!(hop("http://a/", "file:///etc/passwd"), Err(RedirectError::Scheme("file".to_owned())));
        assert_eq!(hop("https://a/", "https://u:p@b/"), Err(RedirectError::UserInfo));
        assert_eq!(hop("https://a/", "https://["), Err(RedirectError::NotAUrl));
        for host in ["169.254.169.254", "2852039166", "[fe80::1]", "[::ffff:169.254.169.254]"] {
            assert_eq!(
                hop("https://a/", &format!("https://{host}/")),
                Err(RedirectError::LinkLocal),
                "{host}"
            );
        }
    }

    #[test]
    fn another_port_is_another_origin() {
        let [a, b] = ["https://a/x", "https://a:8443/x"].map(|text| Url::parse(text).expect("valid"));
        assert!(same_origin(&a, &a) && !same_origin(&a, &b));
    }
}
