//! Whether an image may be pulled: by the origin's word, through a seed.

use shoal_protocol::{
    identity::NodeId,
    reference::{ImageName, Reference},
    wire::{Answer, ClientLogin, Query},
};
use shoal_seed::{
    config::Secret,
    origin::{ClientCredentials, Verdict},
};

use super::{Asker, Cluster, OriginParts, Owner, nonsense, origin_failed};
use crate::content::ContentError;

impl Cluster {
    /// Succeeds if the origin gives `wanted` to whoever has `login`, or to the seed itself where there is none.
    pub(super) async fn ask_permission(
        &self,
        image: &ImageName,
        wanted: &Reference,
        login: Option<&ClientLogin>,
        asker: Asker,
    ) -> Result<(), ContentError> {
        let ask = |owner| async move {
            match owner {
                Owner::Me(origin) => ask_origin(&origin, image, wanted, login).await,
                Owner::Seed(node) => self.ask_seed_for_permission(node, image, wanted, login).await,
            }
        };
        self.ask_owners(&image.to_string(), asker, ask).await
    }

    async fn ask_seed_for_permission(
        &self,
        node: NodeId,
        image: &ImageName,
        wanted: &Reference,
        login: Option<&ClientLogin>,
    ) -> Result<(), ContentError> {
        let query = Query::Permission { image: image.clone(), wanted: wanted.clone(), login: login.cloned() };
        match self.ask(node, &query).await? {
            Answer::Permitted => Ok(()),
            _ => Err(nonsense(node)),
        }
    }
}

async fn ask_origin(
    origin: &OriginParts,
    image: &ImageName,
    wanted: &Reference,
    login: Option<&ClientLogin>,
) -> Result<(), ContentError> {
    let credentials = login.map(|login| {
        let secret = Secret::new(login.password.clone());
        match login.username.as_str() {
            "" => ClientCredentials::identity_token(secret),
            username => ClientCredentials::password(username, secret),
        }
    });
    match origin.origins.may_pull(image, wanted, credentials).await {
        Ok(Verdict::Allowed) => Ok(()),
        Ok(Verdict::Denied) => {
            Err(ContentError::Denied(format!("{} does not let it be pulled", image.registry)))
        }
        Err(error) => Err(origin_failed(&error)),
    }
}
