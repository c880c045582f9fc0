//! What a job is asked to fetch, read at the edge into what can't be wrong.

use serde::{Deserialize, Serialize};
use shoal_protocol::bounds::{MAX_PLATFORM_BYTES, MAX_PLATFORMS};

use super::{
    platform::{PlatformError, Platforms},
    spread::Spread,
};
use crate::reference::{ImageReference, ReferenceError};

/// Images of one order: as many as a large cluster runs. Each costs some hundred bytes while the job is remembered.
pub const MAX_IMAGES: usize = 1000;

/// An order as it is sent to a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Names of images, as people write them.
    pub images: Vec<String>,
    /// `os/architecture[/variant]`, or `all`; when empty, Linux of the node's own architecture.
    #[serde(default)]
    pub platforms: Vec<String>,
    /// Where the nodes are that fetch; without it and `nodes`, the node that takes the order does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// How many nodes fetch, of the zone or of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<usize>,
}

/// What a job fetches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Each once.
    pub images: Vec<ImageReference>,
    /// What is fetched of images for several platforms.
    pub platforms: Platforms,
    /// The platforms as they were named; none for each node's own.
    pub(super) named_platforms: Vec<String>,
    /// Which nodes fetch, if not this one.
    pub(super) spread: Option<Spread>,
}

/// Why an order makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// Nothing to do.
    #[error("no image is named")]
    Nothing,
    /// More than [`MAX_IMAGES`].
    #[error("{0} images are more than {MAX_IMAGES}: split the order")]
    TooMany(usize),
    /// A name is wrong.
    #[error(transparent)]
    Image(#[from] ReferenceError),
    /// Nobody to fetch.
    #[error("an order is for one node or more")]
    NoNode,
    /// More platforms than there are, or longer names.
    #[error(
        "more than {MAX_PLATFORMS} platforms, or a name of one with more than {MAX_PLATFORM_BYTES} bytes"
    )]
    TooManyPlatforms,
    /// A platform is wrong.
    #[error(transparent)]
    Platform(#[from] PlatformError),
}

impl TryFrom<&Request> for Order {
    type Error = OrderError;

    fn try_from(request: &Request) -> Result<Self, OrderError> {
        let platforms = Platforms::parse(&request.platforms)?;
        let is_long = |name: &String| name.len() > MAX_PLATFORM_BYTES;
        if request.platforms.len() > MAX_PLATFORMS || request.platforms.iter().any(is_long) {
            return Err(OrderError::TooManyPlatforms);
        }
        if request.nodes == Some(0) {
            return Err(OrderError::NoNode);
        }
        let mut images: Vec<ImageReference> = Vec::new();
        if request.images.len() > MAX_IMAGES {
            return Err(OrderError::TooMany(request.images.len()));
        }
        for text in &request.images {
            let image = text.parse()?;
            if !images.contains(&image) {
                images.push(image);
            }
        }
        if images.is_empty() {
            return Err(OrderError::Nothing);
        }
        let is_spread = request.zone.is_some() || request.nodes.is_some();
        let spread = is_spread.then(|| Spread { zone: request.zone.clone(), count: request.nodes });
        Ok(Self { images, platforms, named_platforms: request.platforms.clone(), spread })
    }
}

impl Order {
    /// An order for this node.
    pub(super) const fn here(images: Vec<ImageReference>, platforms: Platforms) -> Self {
        Self { images, platforms, named_platforms: Vec::new(), spread: None }
    }

    /// What two orders for the same have in common.
    pub(super) fn key(&self) -> String {
        let images: Vec<String> = self.images.iter().map(ToString::to_string).collect();
        format!("{} {}", images.join(" "), self.named_platforms.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(images: &[&str], platforms: &[&str]) -> Result<Order, OrderError> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Order::try_from(&Request {
            images: owned(images),
            platforms: owned(platforms),
            zone: None,
            nodes: None,
        })
    }

    #[test]
    fn an_image_is_ordered_once_however_it_is_written() {
        let order = order(&["debian", "docker.io/library/debian:latest", "quay.io/a/b:1"], &[]).unwrap();
        let names: Vec<String> = order.images.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["docker.io/library/debian:latest", "quay.io/a/b:1"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(order(&[], &[]), Err(OrderError::Nothing));
        assert_eq!(order(&["a"; MAX_IMAGES + 1], &[]), Err(OrderError::TooMany(MAX_IMAGES + 1)));
        let nobody = Request { nodes: Some(0), images: vec!["a".into()], platforms: Vec::new(), zone: None };
        assert_eq!(Order::try_from(&nobody), Err(OrderError::NoNode));
        assert_eq!(order(&["a"], &["linux/amd64"; 100]), Err(OrderError::TooManyPlatforms));
        for (images, platforms) in [(["BAD"], [].as_slice()), (["debian"], &["BAD"])] {
            let error = order(&images, platforms).unwrap_err().to_string();
            assert!(error.contains("\"BAD\""), "{error}");
        }
    }
}
