//! Content, each repository's apart from the others'.
//!
//! What two repositories have in common is here once, and is found by its digest alone. Where some images are not for
//! everyone, whoever knows the digest of a private layer could have it through a repository of their own. So nothing is
//! given out in a repository before it is known to be in it: by what the origin says of a tag or of a manifest there,
//! and then by what that manifest lists.

mod known;

use std::sync::Arc;

use futures::{FutureExt, future::BoxFuture};
use shoal_protocol::{
    digest::Digest,
    listing::{ListQuery, Listing},
    reference::{ImageName, Reference, Tag},
    wire::ClientLogin,
};

use self::known::Known;
use crate::{
    content::{Blob, Content, ContentError, Listed, Manifest, Manifests, Resolved},
    document::{Document, Entry},
};

/// Gives out what is known to be in the repository in which it is asked for.
pub(crate) struct Apart {
    content: Arc<dyn Content>,
    known: Known,
}

impl Apart {
    pub(crate) fn new(content: Arc<dyn Content>) -> Self {
        Self { content, known: Known::default() }
    }

    /// A runtime has asked for a manifest that lists the blob, unless this process is younger than that: then the
    /// registry itself gives it the rest.
    fn check_blob(&self, image: &ImageName, digest: &Digest) -> Result<(), ContentError> {
        if self.known.is_in(image, digest) {
            return Ok(());
        }
        Err(ContentError::NotHere(format!("no manifest of {image} that was asked for here lately lists it")))
    }

    fn note_listed(&self, image: &ImageName, manifest: &Manifest) {
        match Document::parse(&manifest.bytes) {
            Ok(Document::Manifest(listed)) => {
                listed.blobs().flatten().for_each(|blob| self.known.note(image, &blob.digest));
            }
            Ok(Document::Index(entries)) => self.note_entries(image, &entries),
            Err(error) => {
                tracing::debug!(%image, digest = %manifest.digest, %error, "what it lists can't be told");
            }
        }
    }

    fn note_entries(&self, image: &ImageName, entries: &[Entry]) {
        let digests = entries.iter().filter_map(|entry| entry.digest.parse().ok());
        digests.for_each(|digest| self.known.note(image, &digest));
    }
}

impl Manifests for Apart {
    fn resolve<'a>(
        &'a self,
        image: &'a ImageName,
        tag: &'a Tag,
    ) -> BoxFuture<'a, Result<Resolved, ContentError>> {
        let resolving = async move {
            let resolved = self.content.resolve(image, tag).await?;
            self.known.note(image, &resolved.digest);
            Ok(resolved)
        };
        resolving.boxed()
    }

    fn manifest<'a>(
        &'a self,
        image: &'a ImageName,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<Manifest, ContentError>> {
        let finding = async move {
            if !self.known.is_in(image, digest) {
                self.content.permission(image, &Reference::Digest(*digest), None).await?;
                self.known.note(image, digest);
            }
            let manifest = self.content.manifest(image, digest).await?;
            self.note_listed(image, &manifest);
            Ok(manifest)
        };
        finding.boxed()
    }
}

impl Content for Apart {
    fn stat<'a>(
        &'a self,
        image: &'a ImageName,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<u64, ContentError>> {
        async move {
            self.check_blob(image, digest)?;
            self.content.stat(image, digest).await
        }
        .boxed()
    }

    fn blob<'a>(
        &'a self,
        image: &'a ImageName,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<Box<dyn Blob>, ContentError>> {
        async move {
            self.check_blob(image, digest)?;
            self.content.blob(image, digest).await
        }
        .boxed()
    }

    /// The origin's own word for that repository, and so is what it names.
    fn list<'a>(
        &'a self,
        image: &'a ImageName,
        listing: &'a Listing,
        query: &'a ListQuery,
    ) -> BoxFuture<'a, Result<Listed, ContentError>> {
        async move {
            let listed = self.content.list(image, listing, query).await?;
            if let (Listing::Referrers(_), Ok(Document::Index(entries))) =
                (listing, Document::parse(&listed.document))
            {
                self.note_entries(image, &entries);
            }
            Ok(listed)
        }
        .boxed()
    }

    fn permission<'a>(
        &'a self,
        image: &'a ImageName,
        wanted: &'a Reference,
        login: Option<&'a ClientLogin>,
    ) -> BoxFuture<'a, Result<(), ContentError>> {
        self.content.permission(image, wanted, login)
    }

    fn manifest_passed(&self, image: &ImageName, manifest: &Manifest) {
        self.content.manifest_passed(image, manifest);
    }
}
