//! The HTTP client of one registry.

use reqwest::{Client, Proxy, redirect::Policy};
use rustls::RootCertStore;

use super::{registry::RegistryError, tls};
use crate::config::{Endpoint, RegistryConfig};

const USER_AGENT: &str = concat!("shoal/", env!("CARGO_PKG_VERSION"));

/// A client that follows no redirect and decodes no body. Without a `proxy` of the registry's own, those of the
/// environment count: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, and `NO_PROXY`.
pub(super) fn build(
    config: &RegistryConfig,
    endpoints: &[Endpoint],
    system_roots: RootCertStore,
) -> Result<Client, RegistryError> {
    let builder = Client::builder()
        .tls_backend_preconfigured(tls::client_config(system_roots, config)?)
        .https_only(!endpoints.iter().any(Endpoint::is_plain_http))
        .redirect(Policy::none())
        .referer(false)
        .user_agent(USER_AGENT)
        .http2_adaptive_window(true)
        .connect_timeout(config.limits.connect_timeout())
        .read_timeout(config.limits.idle_timeout());
    let builder = match &config.proxy {
        Some(proxy) => builder.proxy(Proxy::all(proxy.to_string()).map_err(RegistryError::client)?),
        None => builder,
    };
    builder.build().map_err(RegistryError::client)
}
