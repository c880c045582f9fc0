//! What the running node says of itself.

use std::sync::Arc;

use serde::Deserialize;

use crate::doctor::Context;

/// What the running node says of itself, as far as checks need it. Nodes of other versions may leave things out.
#[derive(Debug, Deserialize)]
pub(in crate::doctor) struct Status {
    pub(in crate::doctor) role: Option<Role>,
    pub(in crate::doctor) version: Option<String>,
    pub(in crate::doctor) pid: Option<u32>,
    pub(in crate::doctor) uptime_s: Option<u64>,
    #[serde(default)]
    pub(in crate::doctor) connected_nodes: Vec<String>,
}

/// What the node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::doctor) enum Role {
    Peer,
    Seed,
}

impl Status {
    /// Asked once for all checks; why not, where there is no answer.
    pub(in crate::doctor) async fn of(context: &Context) -> Arc<Result<Self, String>> {
        let ask = || async {
            let answer = context.admin().get("/api/v1/status").await.map_err(|error| error.to_string())?;
            serde_json::from_slice(&answer.body).map_err(|error| format!("its status can't be read: {error}"))
        };
        context.once(ask).await
    }

    /// Something that the running node says of itself; nothing before a start, and where no node answers.
    pub(in crate::doctor) async fn running<T>(
        context: &Context,
        part: impl FnOnce(&Self) -> Option<T>,
    ) -> Option<T> {
        if context.is_pre() {
            return None;
        }
        Self::of(context).await.as_ref().as_ref().ok().and_then(part)
    }

    /// The unit that the node most likely runs as: the one of its role.
    pub(in crate::doctor) async fn unit(context: &Context) -> &'static str {
        let role = Self::of(context).await.as_ref().as_ref().ok().and_then(|status| status.role);
        let is_seed = role.map_or(context.names_registries(), |role| role == Role::Seed);
        if is_seed { "shoal-seed" } else { "shoal-peer" }
    }
}
