//! From request to answer.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri, header};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use serde_json::json;
use shoal_protocol::{
    digest::Digest,
    listing::{ListQuery, Listing},
    reference::{ImageName, Reference},
};

use super::{
    MirrorConfig,
    answer::{self, Answer},
    blob::{SelectedBlob, StartedBlob},
    body::BlobBody,
    canary,
    error::MirrorError,
    pull::Pull,
    route::Route,
    token,
};
use crate::{
    access::{Access, Refusal},
    canary::Canaries,
    content::{Content, ContentError, Listed, Resolved},
    metrics::{Metrics, Outcome, RequestKind},
    server::{self, Connection},
};

#[derive(Clone)]
pub(super) struct MirrorHandler {
    pub(super) access: Arc<Access>,
    pub(super) content: Arc<dyn Content>,
    pub(super) canaries: Canaries,
    pub(super) config: MirrorConfig,
    pub(super) metrics: Metrics,
}

/// What a request gets when nothing is wrong; `B` is how far a blob is.
enum Found<B> {
    /// An answer that is complete.
    Whole(Box<Answer>),
    /// A blob, whose bytes are still coming.
    Blob(B),
}

fn whole<B>(answer: Answer) -> Found<B> {
    Found::Whole(Box::new(answer))
}

impl server::Handler for MirrorHandler {
    type Body = Either<Full<Bytes>, BlobBody>;

    async fn handle(&self, request: Request<Incoming>, connection: Connection) -> Answer {
        let path = request.uri().path().to_owned();
        let mut pull = Pull::start(self.metrics.mirror().clone(), &path);
        if path == token::PATH {
            return self.issue_token(request, pull).await;
        }
        match self.find(&request, &connection, &mut pull).await {
            Ok(Found::Whole(answer)) => {
                pull.end(Outcome::Served);
                *answer
            }
            Ok(Found::Blob(blob)) => blob.into_answer(connection.flush, pull),
            Err(error) => {
                pull.end(error.outcome());
                answer::error(&error, &json!({ "path": path }))
            }
        }
    }
}

impl MirrorHandler {
    async fn find(
        &self,
        request: &Request<Incoming>,
        connection: &Connection,
        pull: &mut Pull,
    ) -> Result<Found<StartedBlob>, MirrorError> {
        check(request)?;
        let route = Route::parse(request.uri().path(), request.uri().query())?;
        pull.is_for(route.kind());
        let late = |_| MirrorError::TooLate(route.kind());
        let head_only = request.method() == Method::HEAD;
        if let Some(answer) = canary::answer(&self.canaries, &route, head_only, pull) {
            return answer.map(whole);
        }
        let finding = async {
            self.admit(&route, request.headers()).await?;
            match &route {
                Route::Ping => Ok(whole(answer::ping())),
                Route::Manifest(image, reference) => {
                    self.manifest(image, reference, head_only, pull).await.map(whole)
                }
                Route::Blob(image, digest) if head_only => self.stat(image, digest).await.map(whole),
                Route::Blob(image, digest) => {
                    let blob = self.content.blob(image, digest).await.map_err(missing(route.kind()))?;
                    SelectedBlob::new(blob, *digest, request.headers()).map(Found::Blob)
                }
                Route::List(image, listing, query) => {
                    let listed = self.list(image, listing, query, pull).await?;
                    let next = listed.next.as_ref().map(|next| next_page(request.uri(), next));
                    let answer = answer::list(listing, &listed, next.as_deref(), head_only);
                    pull.sends(if head_only { 0 } else { listed.document.len() });
                    Ok(whole(answer))
                }
            }
        };
        match tokio::time::timeout(self.config.answer_timeout, finding).await.map_err(late)?? {
            Found::Blob(blob) => blob.start(&self.config, connection).await.map(Found::Blob),
            Found::Whole(answer) => Ok(Found::Whole(answer)),
        }
    }

    /// Lets a request pass to what it asks for, or says what it lacks.
    async fn admit(&self, route: &Route, headers: &HeaderMap) -> Result<(), MirrorError> {
        let (image, wanted) = match route {
            Route::Ping => return Ok(()),
            Route::Manifest(image, reference) => (image, Some(reference.clone())),
            Route::List(image, Listing::Referrers(subject), _) => (image, Some(Reference::Digest(*subject))),
            Route::Blob(image, _) | Route::List(image, Listing::Tags, _) => (image, None),
        };
        self.access.admit(image, wanted.as_ref(), headers).await.map_err(|refusal| match refusal {
            Refusal::Origin(error) => MirrorError::Content { kind: route.kind(), error },
            Refusal::LoginNeeded { wanted } => {
                let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
                let realm = token::realm(host, image, wanted.as_ref());
                MirrorError::LoginNeeded { image: image.clone(), realm }
            }
        })
    }

    /// Answers a client that shows its login.
    async fn issue_token(&self, request: Request<Incoming>, mut pull: Pull) -> Answer {
        pull.is_for(RequestKind::Token);
        let issuing = async {
            let ask = token::read(request).await?;
            let issued = self.access.issue(&ask.image, ask.wanted.as_ref(), &ask.login).await;
            issued.map_err(MirrorError::BadLogin)
        };
        let issued = tokio::time::timeout(self.config.answer_timeout, issuing).await;
        match issued.unwrap_or(Err(MirrorError::TooLate(RequestKind::Token))) {
            Ok(issued) => {
                pull.end(Outcome::Served);
                answer::token(&issued)
            }
            Err(error) => {
                pull.end(error.outcome());
                answer::error(&error, &json!({ "path": token::PATH }))
            }
        }
    }

    async fn manifest(
        &self,
        image: &ImageName,
        reference: &Reference,
        head_only: bool,
        pull: &mut Pull,
    ) -> Result<Answer, MirrorError> {
        let (digest, stale) = match reference {
            Reference::Digest(digest) => (*digest, None),
            Reference::Tag(tag) => {
                let head = self.content.resolve(image, tag).await.map_err(missing(RequestKind::Manifest))?;
                pull.answers_stale(head.stale.is_some());
                if head_only {
                    return answer::manifest(&head, Bytes::new());
                }
                (head.digest, head.stale)
            }
        };
        let found = self.content.manifest(image, &digest).await.map_err(missing(RequestKind::Manifest))?;
        if !head_only {
            self.content.manifest_passed(image, &found);
        }
        let size_bytes = found.bytes.len() as u64;
        let head = Resolved { media_type: found.media_type, digest, size_bytes, stale };
        let document = if head_only { Bytes::new() } else { found.bytes };
        pull.sends(document.len());
        answer::manifest(&head, document)
    }

    async fn list(
        &self,
        image: &ImageName,
        listing: &Listing,
        query: &ListQuery,
        pull: &Pull,
    ) -> Result<Listed, MirrorError> {
        let found = self.content.list(image, listing, query).await;
        let listed = found.map_err(|error| MirrorError::List { listing: *listing, error })?;
        pull.answers_stale(listed.stale.is_some());
        Ok(listed)
    }

    async fn stat(&self, image: &ImageName, digest: &Digest) -> Result<Answer, MirrorError> {
        let len_bytes = self.content.stat(image, digest).await.map_err(missing(RequestKind::Blob))?;
        Ok(answer::blob_head(digest, len_bytes))
    }
}

/// Where a client that asked at `asked` finds the next page: at the same path, which it may have written in its own way,
/// with the registry that it named.
fn next_page(asked: &Uri, next: &ListQuery) -> String {
    let query = asked.query().unwrap_or_default();
    let namespace = query.split('&').find(|pair| pair.starts_with("ns="));
    let namespace = namespace.map(|pair| format!("&{pair}")).unwrap_or_default();
    format!("{}?{}{namespace}", asked.path(), next.as_str())
}

/// Refuses what is no plain reading request, or could be read as two.
fn check(request: &Request<Incoming>) -> Result<(), MirrorError> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(MirrorError::Method(request.method().clone()));
    }
    if server::announces_body(request.headers()) {
        return Err(MirrorError::RequestBody);
    }
    if request.headers().get_all(header::HOST).iter().count() > 1 {
        return Err(MirrorError::Host);
    }
    Ok(())
}

fn missing(kind: RequestKind) -> impl Fn(ContentError) -> MirrorError {
    move |error| MirrorError::Content { kind, error }
}
