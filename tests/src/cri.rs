//! The CRI image service, as the kubelet calls it: the few messages of `runtime.v1` that a pull takes.

use std::{path::PathBuf, time::Duration};

use http::uri::PathAndQuery;
use hyper_util::rt::TokioIo;
use prost::Message;
use tokio::net::UnixStream;
use tonic::{
    client::Grpc,
    transport::{Channel, Endpoint, Uri},
};
use tonic_prost::ProstCodec;

const CALL_WITHIN: Duration = Duration::from_secs(60);

/// The image service on a containerd's socket.
#[derive(Clone, Debug)]
pub struct CriImages {
    socket: PathBuf,
}

impl CriImages {
    /// On this socket; each call connects anew.
    pub fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// `PullImage`, with a `login` in the request if there is one: returns the id of the image.
    ///
    /// # Errors
    /// What the service says.
    pub async fn pull(
        &self,
        reference: &str,
        login: Option<&Login>,
        within: Duration,
    ) -> Result<String, String> {
        let request = PullImageRequest { image: Some(ImageSpec::new(reference)), auth: login.cloned() };
        let response: PullImageResponse = self.call("PullImage", request, within).await?;
        Ok(response.image_ref)
    }

    /// `ImageStatus`: the image, if it is there.
    ///
    /// # Errors
    /// What the service says.
    pub async fn status(&self, reference: &str) -> Result<Option<Image>, String> {
        let request = ImageStatusRequest { image: Some(ImageSpec::new(reference)) };
        let response: ImageStatusResponse = self.call("ImageStatus", request, CALL_WITHIN).await?;
        Ok(response.image)
    }

    /// `RemoveImage`.
    ///
    /// # Errors
    /// What the service says.
    pub async fn remove(&self, reference: &str) -> Result<(), String> {
        let request = RemoveImageRequest { image: Some(ImageSpec::new(reference)) };
        let _: RemoveImageResponse = self.call("RemoveImage", request, CALL_WITHIN).await?;
        Ok(())
    }

    async fn call<Q, A>(&self, method: &str, request: Q, within: Duration) -> Result<A, String>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let path = PathAndQuery::try_from(format!("/runtime.v1.ImageService/{method}")).expect("a path");
        let exchange = async {
            let mut grpc = Grpc::new(self.connect().await?);
            grpc.ready().await.map_err(|error| error.to_string())?;
            let codec = ProstCodec::<Q, A>::default();
            let response = grpc.unary(tonic::Request::new(request), path, codec).await;
            response.map(tonic::Response::into_inner).map_err(|status| status.message().to_owned())
        };
        let answer = tokio::time::timeout(within, exchange).await;
        answer.unwrap_or_else(|_| Err(format!("{method}: no answer after {within:?}")))
    }

    async fn connect(&self) -> Result<Channel, String> {
        let socket = self.socket.clone();
        let connector = tower::service_fn(move |_: Uri| {
            let socket = socket.clone();
            async move { UnixStream::connect(socket).await.map(TokioIo::new) }
        });
        // The address is only a name here: the connector ignores it.
        let endpoint = Endpoint::from_static("http://containerd");
        endpoint.connect_with_connector(connector).await.map_err(|error| format!("{error:?}"))
    }
}

#[derive(Clone, PartialEq, Message)]
struct ImageSpec {
    #[prost(string, tag = "1")]
    image: String,
}

impl ImageSpec {
    fn new(reference: &str) -> Self {
        Self { image: reference.to_owned() }
    }
}

#[derive(Clone, PartialEq, Message)]
struct PullImageRequest {
    #[prost(message, optional, tag = "1")]
    image: Option<ImageSpec>,
    #[prost(message, optional, tag = "2")]
    auth: Option<Login>,
}

/// What the kubelet sends of a pod's pull secret.
#[derive(Clone, PartialEq, Message)]
pub struct Login {
    /// The user.
    #[prost(string, tag = "1")]
    pub username: String,
    /// Its password.
    #[prost(string, tag = "2")]
    pub password: String,
}

#[derive(Clone, PartialEq, Message)]
struct PullImageResponse {
    #[prost(string, tag = "1")]
    image_ref: String,
}

#[derive(Clone, PartialEq, Message)]
struct ImageStatusRequest {
    #[prost(message, optional, tag = "1")]
    image: Option<ImageSpec>,
}

#[derive(Clone, PartialEq, Message)]
struct ImageStatusResponse {
    #[prost(message, optional, tag = "1")]
    image: Option<Image>,
}

/// An image that the runtime has.
#[derive(Clone, PartialEq, Message)]
pub struct Image {
    /// Digest of its configuration.
    #[prost(string, tag = "1")]
    pub id: String,
    /// Tags it was pulled by.
    #[prost(string, repeated, tag = "2")]
    pub repo_tags: Vec<String>,
    /// Digests it was pulled by.
    #[prost(string, repeated, tag = "3")]
    pub repo_digests: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct RemoveImageRequest {
    #[prost(message, optional, tag = "1")]
    image: Option<ImageSpec>,
}

#[derive(Clone, PartialEq, Message)]
struct RemoveImageResponse {}
