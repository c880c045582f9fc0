//! What each part of a node is told, made from what the whole is told.

use std::time::Duration;

use shoal_seed::{
    config::{RegistryConfig, RegistryLimits},
    lists::ListsConfig,
    signatures::{SignaturePolicy, SignatureRules},
    tags::TagsConfig,
};

use crate::{access::AccessRules, mirror::MirrorConfig, server::Limits};

use super::{
    settings::{Config, Registry, Signature},
    types::InputFile,
};

/// The public registries that most images come from; none of them needs a login.
pub const WELL_KNOWN: [&str; 7] =
    ["docker.io", "gcr.io", "ghcr.io", "mcr.microsoft.com", "public.ecr.aws", "quay.io", "registry.k8s.io"];

/// What seeds fetch from when no registry is named.
pub(super) fn well_known() -> Vec<Registry> {
    WELL_KNOWN.iter().map(|host| Registry { host: host.parse().ok(), ..Registry::default() }).collect()
}

impl Config {
    /// What the mirror is told.
    pub fn for_mirror(&self) -> MirrorConfig {
        MirrorConfig {
            limits: Limits {
                max_connections: self.mirror.max_connections,
                stop_timeout: self.shutdown.drain,
                ..Limits::default()
            },
            answer_timeout: self.mirror.answer_timeout,
            stall_timeout: self.mirror.stall_timeout,
            access: AccessRules::new(&self.access.open, &self.access.node, &self.access.client),
            proof_lifetime: self.access.remember,
            ..MirrorConfig::default()
        }
    }

    /// What the memory of tags is told.
    pub fn for_tags(&self) -> TagsConfig {
        TagsConfig {
            fresh_ms: whole_ms(self.seed.tag_fresh),
            max_stale_s: self.seed.tag_stale.as_secs(),
            ..TagsConfig::default()
        }
    }

    /// What the memory of lists is told: they serve for as long as tags.
    pub fn for_lists(&self) -> ListsConfig {
        ListsConfig { fresh: self.seed.tag_fresh, max_stale: self.seed.tag_stale, ..ListsConfig::default() }
    }

    /// The registries to fetch from. A host is missing only from an entry that [`load`](super::load) has refused.
    pub fn for_origins(&self) -> Vec<RegistryConfig> {
        self.registry.iter().filter_map(Registry::to_origin).collect()
    }

    /// Which images need a signature, and whose.
    pub fn for_signatures(&self) -> SignatureRules {
        SignatureRules::new(self.signature.iter().map(Signature::to_policy).collect())
    }
}

impl Signature {
    fn to_policy(&self) -> SignaturePolicy {
        let paths = |files: &[InputFile]| files.iter().map(|file| file.0.clone()).collect();
        SignaturePolicy {
            images: self.images.clone(),
            mode: self.policy,
            cosign_keys: paths(&self.cosign_keys),
            notation_certificates: paths(&self.notation_certificates),
            notation_subjects: self.notation_subjects.clone(),
        }
    }
}

impl Registry {
    fn to_origin(&self) -> Option<RegistryConfig> {
        let path = |file: &Option<InputFile>| file.as_ref().map(|file| file.0.clone());
        Some(RegistryConfig {
            endpoints: self.endpoints.clone(),
            username: self.username.clone(),
            password_file: path(&self.password_file),
            docker_config: self.docker_config.clone(),
            credential_helper: self.credential_helper.clone(),
            ca_file: path(&self.ca_file),
            client_cert_file: path(&self.client_cert_file),
            client_key_file: path(&self.client_key_file),
            insecure_skip_verify: self.insecure_skip_verify,
            proxy: self.proxy.clone(),
            limits: RegistryLimits {
                connect_timeout_ms: whole_ms(self.connect_timeout),
                answer_timeout_ms: whole_ms(self.answer_timeout),
                idle_timeout_ms: whole_ms(self.idle_timeout),
                max_concurrent_requests: self.max_concurrent_requests,
                max_bytes_per_s: self.max_bytes_per_s,
                ..RegistryLimits::default()
            },
            ..RegistryConfig::for_host(self.host.clone()?)
        })
    }
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
