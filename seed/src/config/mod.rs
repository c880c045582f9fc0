//! How a registry is configured.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use shoal_protocol::reference::RegistryHost;

mod endpoint;
mod login;
mod pattern;
mod secret;

pub use endpoint::{Endpoint, EndpointError};
pub use login::{DockerConfigPlace, HelperName, HelperNameError};
pub use pattern::ImagePattern;
pub use secret::Secret;

/// One registry that a seed may ask.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryConfig {
    /// The registry, as images name it (`docker.io`).
    #[serde(deserialize_with = "parsed", serialize_with = "displayed")]
    pub host: RegistryHost,
    /// Where it is reached, in order of preference. Empty: `https://` and the host.
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
    /// Account for Basic access and for token services.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The account's password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// A file that holds the password, read each time it is needed so that it may be replaced at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// Docker's list of logins, in place of `username`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker_config: Option<DockerConfigPlace>,
    /// A program that knows the login, in place of `username`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_helper: Option<HelperName>,
    /// PEM certificates of authorities to trust besides the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// PEM certificate to show to the registry, with those that vouch for it. Needs `client_key_file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_cert_file: Option<PathBuf>,
    /// PEM key of that certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_key_file: Option<PathBuf>,
    /// Whether the registry's own certificate is believed whatever it says.
    #[serde(default)]
    pub insecure_skip_verify: bool,
    /// The proxy that everything for this registry goes through. `None`: what the environment says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Endpoint>,
    /// How long and how much.
    #[serde(default)]
    pub limits: RegistryLimits,
}

/// How patient a seed is with a registry, and how much it asks of it at a time.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistryLimits {
    /// Longest wait for a connection.
    pub connect_timeout_ms: u64,
    /// Longest wait for the head of an answer, redirects not included.
    pub answer_timeout_ms: u64,
    /// Longest silence within a body.
    pub idle_timeout_ms: u64,
    /// Most requests for tags, manifests and lengths under way at a time; more wait for their turn.
    pub max_concurrent_requests: usize,
    /// Most blobs being received at a time; more wait for their turn.
    pub max_concurrent_blobs: usize,
    /// Most bytes of blobs received in a second, all of the registry's blobs together; 0 for as many as come.
    pub max_bytes_per_s: u64,
    /// How long an endpoint that failed is left alone at first; doubled each time that it fails again.
    pub first_rest_ms: u64,
}

impl Default for RegistryLimits {
    fn default() -> Self {
        Self {
            connect_timeout_ms: 5_000,
            // A runtime gives a mirror 30 s for its head; a seed must have failed over before that.
            answer_timeout_ms: 12_000,
            idle_timeout_ms: 15_000,
            max_concurrent_requests: 32,
            // Each holds a few MiB between the network and the disk.
            max_concurrent_blobs: 16,
            max_bytes_per_s: 0,
            // An endpoint that is being restarted is back within this.
            first_rest_ms: 10_000,
        }
    }
}

impl RegistryLimits {
    pub(crate) fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }

    pub(crate) fn answer_timeout(&self) -> Duration {
        Duration::from_millis(self.answer_timeout_ms)
    }

    pub(crate) fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout_ms)
    }

    pub(crate) fn first_rest(&self) -> Duration {
        Duration::from_millis(self.first_rest_ms)
    }
}

impl RegistryConfig {
    /// A registry with nothing said but its name.
    pub fn for_host(host: RegistryHost) -> Self {
        Self {
            host,
            endpoints: Vec::new(),
            username: None,
            password: None,
            password_file: None,
            docker_config: None,
            credential_helper: None,
            ca_file: None,
            client_cert_file: None,
            client_key_file: None,
            insecure_skip_verify: false,
            proxy: None,
            limits: RegistryLimits::default(),
        }
    }

    /// The endpoints to try, in order; never empty.
    ///
    /// # Errors
    /// When none is configured and the host makes no URL.
    pub(crate) fn effective_endpoints(&self) -> Result<Vec<Endpoint>, EndpointError> {
        if !self.endpoints.is_empty() {
            return Ok(self.endpoints.clone());
        }
        // Docker Hub's images are named after a host that serves none.
        let host = match self.host.as_str() {
            "docker.io" | "index.docker.io" => "registry-1.docker.io",
            host => host,
        };
        Ok(vec![format!("https://{host}").parse()?])
    }
}

fn parsed<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|error| D::Error::custom(format_args!("{text:?}: {error}")))
}

fn displayed<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_json(text: &str) -> Result<RegistryConfig, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn docker_hub_is_reached_where_it_serves() {
        let config = from_json(r#"{"host": "docker.io"}"#).expect("valid");
        let endpoints = config.effective_endpoints().expect("one endpoint");
        assert_eq!(endpoints, ["https://registry-1.docker.io".parse().expect("a URL")]);
    }

    #[test]
    fn a_url_keeps_the_path_of_its_endpoint() {
        let cases = [
            ("https://r.example", "https://r.example/v2/"),
            ("https://r.example/docker/", "https://r.example/docker/v2/"),
            ("https://r.example/v2", "https://r.example/v2/"),
            ("https://r.example/v2/hub-proxy", "https://r.example/v2/hub-proxy/"),
        ];
        let repository = "library/nginx".parse().expect("valid");
        for (text, root) in cases {
            let endpoint: Endpoint = text.parse().expect("valid");
            assert_eq!(endpoint.ping_url().as_str(), root);
            let url = endpoint.url(&repository, "manifests/latest");
            assert_eq!(url.as_str(), format!("{root}library/nginx/manifests/latest"));
        }
    }

    #[test]
    fn endpoints_that_hide_something_are_refused() {
        for text in ["ftp://host", "https://user:secret@host", "https://host/?token=1", "host"] {
            let error = from_json(&format!(r#"{{"host": "a.example", "endpoints": ["{text}"]}}"#));
            assert!(error.is_err(), "{text}");
        }
    }

    #[test]
    fn unknown_keys_are_errors() {
        let error = from_json(r#"{"host": "a.example", "endpoint": "https://a.example"}"#);
        assert!(error.expect_err("unknown key").to_string().contains("unknown field `endpoint`"));
    }

    #[test]
    fn a_password_is_never_shown() {
        let config = from_json(r#"{"host": "a.example", "username": "u", "password": "s3cret"}"#);
        let config = config.expect("valid");
        let printed = serde_json::to_string(&config).expect("printable");
        assert!(!printed.contains("s3cret") && !format!("{config:?}").contains("s3cret"));
    }
}
