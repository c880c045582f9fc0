//! What repositories list: tags and referrers, a page at a time, as the registry gives them.

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use reqwest::Url;
use serde::{Deserialize, de::IgnoredAny};
use shoal_protocol::{
    bounds::{MAX_FILTERS_BYTES, MAX_MANIFEST_BYTES},
    listing::{ListQuery, Listing},
    reference::ImageName,
};

use super::{
    Origins,
    ask::{Answer, Ask},
    body,
    error::{OriginError, PublicUrl, Trouble},
    link,
    media_type::{self, OCI_INDEX},
};
use crate::metrics::Kind;

/// A list, or a page of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPage {
    /// The JSON document, byte for byte: an image index of referrers, or the object that has tags.
    pub document: Bytes,
    /// The filters that the registry applied, in the words of its header `OCI-Filters-Applied`.
    pub filters: Option<String>,
    /// What the next page is asked for by, where there is one.
    pub next: Option<ListQuery>,
}

/// A successful answer, not looked at yet.
pub(super) struct Answered {
    headers: HeaderMap,
    /// Where it came from in the end.
    asked: Url,
    /// The question, as it may be shown.
    url: PublicUrl,
    pub(super) document: Bytes,
}

#[derive(Deserialize)]
struct TagsDocument {
    #[serde(rename = "tags")]
    _tags: Option<Vec<IgnoredAny>>,
}

#[derive(Deserialize)]
struct ReferrersDocument {
    #[serde(rename = "mediaType")]
    media_type: Option<String>,
    /// Has to be there, but some registries write `null` for none.
    #[serde(rename = "manifests", deserialize_with = "Option::deserialize")]
    _manifests: Option<Vec<IgnoredAny>>,
    config: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
}

impl Origins {
    /// A list of `image`, as far as `query` asks for it.
    ///
    /// # Errors
    /// When the origin can't be asked, has no such repository or no referrers API, or answers nonsense.
    pub async fn list(
        &self,
        image: &ImageName,
        listing: &Listing,
        query: &ListQuery,
    ) -> Result<ListPage, OriginError> {
        let Answered { headers, asked, url, document } =
            self.list_for(Kind::List, image, listing, query).await?;
        match listing {
            Listing::Tags => check_tags(&document, &url)?,
            Listing::Referrers(_) => check_referrers(&headers, &document, &url)?,
        }
        Ok(ListPage {
            document,
            filters: filters(&headers),
            next: next(&headers, &asked, listing, query)
                .map_err(|what| OriginError::refused(&url, what.to_owned()))?,
        })
    }

    /// What the origin answers, whatever that is; counted as a question of that `kind`.
    pub(super) async fn list_for(
        &self,
        kind: Kind,
        image: &ImageName,
        listing: &Listing,
        query: &ListQuery,
    ) -> Result<Answered, OriginError> {
        let registry = self.registry(&image.registry)?;
        let ask = Ask {
            kind,
            method: Method::GET,
            repository: &image.repository,
            item: listing.to_string(),
            query: query.as_str(),
            accept: Some(match listing {
                Listing::Tags => "application/json",
                Listing::Referrers(_) => OCI_INDEX,
            }),
            range: None,
            avoid: None,
        };
        let answer = registry.ask(&ask).await?;
        let Answer { response, url, permit: _permit, .. } = supported(answer, listing)?.success()?;
        let (headers, asked) = (response.headers().clone(), response.url().clone());
        let document = body::read_bounded(response, &url, MAX_MANIFEST_BYTES).await?;
        self.metrics.bytes_of(&registry.label).inc_by(document.len() as u64);
        Ok(Answered { headers, asked, url, document })
    }
}

/// Registries that have no referrers API say so in several ways, though the specification has one, 404.
fn supported(answer: Answer, listing: &Listing) -> Result<Answer, OriginError> {
    let status = answer.response.status();
    let is_unsupported = matches!(listing, Listing::Referrers(_))
        && matches!(
            status,
            StatusCode::BAD_REQUEST
                | StatusCode::METHOD_NOT_ALLOWED
                | StatusCode::NOT_ACCEPTABLE
                | StatusCode::NOT_IMPLEMENTED
        );
    if is_unsupported { Err(no_referrers_api(&answer.url, format!("answered {status}"))) } else { Ok(answer) }
}

fn no_referrers_api(url: &PublicUrl, what: impl std::fmt::Display) -> OriginError {
    OriginError::NotFound(Trouble::new(url, format!("{what}, so it has no referrers API")))
}

fn check_tags(document: &[u8], url: &PublicUrl) -> Result<(), OriginError> {
    let read: Result<TagsDocument, _> = serde_json::from_slice(document);
    read.map(drop)
        .map_err(|error| OriginError::refused(url, format!("answered with no list of tags: {error}")))
}

/// What is no index is a page of some other program: clients believe only an index, and try tags otherwise.
fn check_referrers(headers: &HeaderMap, document: &[u8], url: &PublicUrl) -> Result<(), OriginError> {
    let read: ReferrersDocument = serde_json::from_slice(document)
        .map_err(|error| no_referrers_api(url, format!("answered with no index: {error}")))?;
    let named = [media_type::named(headers), read.media_type];
    let other = named.into_iter().flatten().find(|media_type| media_type != OCI_INDEX);
    match other {
        Some(other) => Err(no_referrers_api(url, format!("answered with {other:?}"))),
        None if read.config.is_some() || read.layers.is_some() => {
            Err(no_referrers_api(url, "answered with a manifest"))
        }
        None => Ok(()),
    }
}

fn filters(headers: &HeaderMap) -> Option<String> {
    let filters = headers.get("oci-filters-applied")?.to_str().ok()?;
    (filters.len() <= MAX_FILTERS_BYTES && !filters.contains('\t')).then(|| filters.to_owned())
}

/// What asks for the next page. Only the query of the link counts: where a registry is asked is the configuration's word
/// and not an answer's.
fn next(
    headers: &HeaderMap,
    asked: &Url,
    listing: &Listing,
    query: &ListQuery,
) -> Result<Option<ListQuery>, &'static str> {
    let Some(target) = link::next(headers) else { return Ok(None) };
    let target = asked.join(target).map_err(|_| "names a next page by something that is not a URL")?;
    let path = target.path().replace("%3A", ":").replace("%3a", ":");
    if !path.ends_with(&format!("/{listing}")) {
        return Err("names a next page that is another list");
    }
    let next = ListQuery::without_namespace(target.query().unwrap_or_default())
        .map_err(|_| "names a next page by a query that is too long or malformed")?;
    if next == *query || next.as_str().is_empty() {
        return Err("names the same page as the next one");
    }
    Ok(Some(next))
}
