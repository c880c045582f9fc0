//! What a job is asked to fetch, read at the edge into what can't be wrong.

use serde::{Deserialize, Serialize};

use super::platform::{PlatformError, Platforms};
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
}

/// What a job fetches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Each once.
    pub images: Vec<ImageReference>,
    /// What is fetched of images for several platforms.
    pub platforms: Platforms,
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
    /// A platform is wrong.
    #[error(transparent)]
    Platform(#[from] PlatformError),
}

impl TryFrom<&Request> for Order {
    type Error = OrderError;

    fn try_from(request: &Request) -> Result<Self, OrderError> {
        let platforms = Platforms::parse(&request.platforms)?;
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
        Ok(Self { images, platforms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(images: &[&str], platforms: &[&str]) -> Result<Order, OrderError> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Order::try_from(&Request { images: owned(images), platforms: owned(platforms) })
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
        for (images, platforms) in [(["BAD"], [].as_slice()), (["debian"], &["BAD"])] {
            let error = order(&images, platforms).unwrap_err().to_string();
            assert!(error.contains("\"BAD\""), "{error}");
        }
    }
}
