//! Where a registry or a mirror is, in each runtime's way of writing it.

use reqwest::Url;

/// One place to ask, and whether its certificate may be anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) url: String,
    pub(super) skip_verify: bool,
}

impl Endpoint {
    /// What `text` means: a URL, or a host that is reached by HTTPS. `/v2` at its end goes without saying.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let url = Url::parse(&with_scheme).ok()?;
        let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        if !matches!(url.scheme(), "http" | "https") || !is_plain || !url.has_host() {
            return None;
        }
        let path = url.path().trim_end_matches('/');
        let path = path.strip_suffix("/v2").unwrap_or(path);
        let origin = url.origin().ascii_serialization();
        Some(Self { url: format!("{origin}{path}"), skip_verify: false })
    }

    /// Where `registry` itself is.
    pub(super) fn of_registry(registry: &str) -> Self {
        let host = if registry == "docker.io" { "registry-1.docker.io" } else { registry };
        Self { url: format!("https://{host}"), skip_verify: false }
    }

    /// Both ways that a runtime tries for a host that it calls insecure: any certificate, then none.
    pub(super) fn insecure(host: &str) -> [Self; 2] {
        let with = |scheme: &str| Self { url: format!("{scheme}://{host}"), skip_verify: true };
        [with("https"), with("http")]
    }

    /// The host with its port.
    pub(super) fn authority(&self) -> &str {
        let (_, rest) = self.url.split_once("://").unwrap_or(("", &self.url));
        rest.split_once('/').map_or(rest, |(authority, _)| authority)
    }

    pub(super) fn is_plain_http(&self) -> bool {
        self.url.starts_with("http://")
    }
}

/// A registry as images name it, from what a file calls it: `https://index.docker.io/v1/` is `docker.io`.
pub(super) fn registry_name(text: &str) -> &str {
    let (_, rest) = text.split_once("://").unwrap_or(("", text));
    let rest = rest.trim_end_matches('/');
    let host = ["/v1", "/v2"].iter().find_map(|end| rest.strip_suffix(end)).unwrap_or(rest);
    match host {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        host => host,
    }
}
