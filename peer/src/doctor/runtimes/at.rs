//! Where this node's mirror is, and whether an address in a runtime's file means it.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use reqwest::Url;

/// The address that the mirror listens on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MirrorAt(SocketAddr);

/// What an address in a file is to this node's mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// The mirror.
    Mirror,
    /// This host, at another port.
    OtherPort,
    /// Somewhere else.
    Elsewhere,
}

impl MirrorAt {
    /// A mirror that listens on `address`.
    pub(crate) const fn new(address: SocketAddr) -> Self {
        Self(address)
    }

    /// The port.
    pub(crate) const fn port(self) -> u16 {
        self.0.port()
    }

    /// Where runtimes of this host reach it: loopback, unless it listens on one address that is not.
    pub(crate) fn authority(self) -> String {
        let everywhere = self.0.ip().is_unspecified();
        let ip = if everywhere { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { self.0.ip() };
        SocketAddr::new(ip, self.port()).to_string()
    }

    /// What `text`, a URL or a host with a port, is to the mirror.
    pub(crate) fn relation(self, text: &str) -> Relation {
        let Some(url) = parse(text) else { return Relation::Elsewhere };
        let same_port = url.port_or_known_default() == Some(self.port());
        match (self.is_this_host(&url), same_port) {
            (true, true) => Relation::Mirror,
            (true, false) => Relation::OtherPort,
            // A mirror on all addresses is reached by every name of its host.
            (false, true) if self.0.ip().is_unspecified() => Relation::Mirror,
            (false, _) => Relation::Elsewhere,
        }
    }

    fn is_this_host(self, url: &Url) -> bool {
        is_loopback(url) || ip_of(url).is_some_and(|ip| ip == self.0.ip())
    }
}

/// As `shoal configure --mirror` takes it.
impl fmt::Display for MirrorAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority())
    }
}

/// `text` as a URL. Without a scheme it is reached by HTTPS.
pub(crate) fn parse(text: &str) -> Option<Url> {
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    Url::parse(&with_scheme).ok().filter(Url::has_host)
}

/// Whether `url` is on the host itself. What runtimes are written in sends nothing of that through a proxy.
pub(crate) fn is_loopback(url: &Url) -> bool {
    url.host_str() == Some("localhost") || ip_of(url).is_some_and(|ip| ip.is_loopback())
}

fn ip_of(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_matches(['[', ']']).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{MirrorAt, Relation};

    #[test]
    fn an_address_is_told_from_its_neighbours() {
        let on = |listen: &str| MirrorAt::new(listen.parse().unwrap());
        let cases = [
            ("127.0.0.1:5020", "http://127.0.0.1:5020", Relation::Mirror),
            ("127.0.0.1:5020", "http://localhost:5020/v2", Relation::Mirror),
            ("127.0.0.1:5020", "127.0.0.1:5020/docker.io", Relation::Mirror),
            ("127.0.0.1:5020", "http://[::1]:5020", Relation::Mirror),
            ("127.0.0.1:5020", "http://127.0.0.1:5000", Relation::OtherPort),
            ("127.0.0.1:5020", "http://cache.example:5020", Relation::Elsewhere),
            ("0.0.0.0:5020", "http://node.example:5020", Relation::Mirror),
            ("10.1.2.3:5020", "http://10.1.2.3:5021", Relation::OtherPort),
            ("10.1.2.3:443", "10.1.2.3", Relation::Mirror),
            ("127.0.0.1:5020", "not a url", Relation::Elsewhere),
        ];
        for (listen, text, expected) in cases {
            assert_eq!(on(listen).relation(text), expected, "{text} with a mirror on {listen}");
        }
        assert_eq!(on("0.0.0.0:5020").to_string(), "http://127.0.0.1:5020");
        assert_eq!(on("10.1.2.3:5020").to_string(), "http://10.1.2.3:5020");
    }
}
