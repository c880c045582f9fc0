//! What a repository lists: its tags, and the manifests that refer to another one.

use alloc::string::String;
use core::{fmt, str::FromStr};

use crate::{bounds::MAX_LIST_QUERY_BYTES, digest::Digest};

/// A list of a repository (OCI distribution specification, "Content Discovery").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Listing {
    /// The tags.
    Tags,
    /// The manifests whose `subject` has this digest.
    Referrers(Digest),
}

/// What stands after the `?` of a request for a list: which page, how long, filtered how. Registries have parameters of
/// their own to name the next page by, so any are taken, in the form that RFC 3986 gives a query.
///
/// There is no `ns` among them, by which clients tell a mirror which registry they mean.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ListQuery(String);

/// Why a text is no [`ListQuery`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListQueryError {
    /// Longer than [`MAX_LIST_QUERY_BYTES`].
    #[error("the parameters of a list are longer than {MAX_LIST_QUERY_BYTES} bytes")]
    TooLong,
    /// A character that no query has unescaped.
    #[error("the parameters of a list have a character that is not escaped, or half an escape")]
    Character,
    /// Meant for mirrors.
    #[error("'ns' is for mirrors, and no parameter of a list")]
    Namespace,
}

impl fmt::Display for Listing {
    /// What follows the repository in a path: `tags/list`, `referrers/sha256:…`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tags => f.write_str("tags/list"),
            Self::Referrers(subject) => write!(f, "referrers/{subject}"),
        }
    }
}

impl ListQuery {
    /// The query as written, without `?`; empty for all of a list.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parameters of a query that may have `ns` among them.
    ///
    /// # Errors
    /// When the rest is none.
    pub fn without_namespace(query: &str) -> Result<Self, ListQueryError> {
        let mut kept = String::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty() && !is_namespace(pair)) {
            if !kept.is_empty() {
                kept.push('&');
            }
            kept.push_str(pair);
        }
        kept.parse()
    }
}

impl FromStr for ListQuery {
    type Err = ListQueryError;

    fn from_str(text: &str) -> Result<Self, ListQueryError> {
        if text.len() > MAX_LIST_QUERY_BYTES {
            return Err(ListQueryError::TooLong);
        }
        if !is_query(text.as_bytes()) {
            return Err(ListQueryError::Character);
        }
        if text.split('&').any(is_namespace) {
            return Err(ListQueryError::Namespace);
        }
        Ok(Self(text.into()))
    }
}

fn is_namespace(pair: &str) -> bool {
    pair == "ns" || pair.starts_with("ns=")
}

/// `*( pchar / "/" / "?" )` of RFC 3986.
fn is_query(mut bytes: &[u8]) -> bool {
    while let [first, rest @ ..] = bytes {
        bytes = match (first, rest) {
            (b'%', [high, low, rest @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest,
            (b'%', _) => return false,
            _ if first.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(first) => rest,
            _ => return false,
        };
    }
    true
}

#[cfg(test)]
mod tests {
    use std::{format, string::ToString};

    use super::*;

    #[test]
    fn the_parameters_of_registries_are_taken_as_they_are() {
        for text in [
            "",
            "n=100&last=v1.2",
            "artifactType=application/vnd.example.sbom.v1%2Bjson",
            "next_page=gAAAAABk-_x==",
        ] {
            assert_eq!(text.parse::<ListQuery>().map(|query| query.0), Ok(text.into()));
            let with_namespace = format!("ns=docker.io&{text}&ns=x&&ns");
            assert_eq!(ListQuery::without_namespace(&with_namespace).map(|query| query.0), Ok(text.into()));
        }
    }

    #[test]
    fn what_could_be_read_in_another_way_is_refused() {
        for text in ["a b", "a#b", "a>b", "a\"b", "a%2", "%", "%zz", "a\nb", "é", "a\\b", "[a]"] {
            assert_eq!(text.parse::<ListQuery>(), Err(ListQueryError::Character), "{text}");
        }
        assert_eq!("n=1&ns=docker.io".parse::<ListQuery>(), Err(ListQueryError::Namespace));
        assert!("a".repeat(MAX_LIST_QUERY_BYTES).parse::<ListQuery>().is_ok());
        let long = "a".repeat(MAX_LIST_QUERY_BYTES + 1);
        assert_eq!(long.parse::<ListQuery>(), Err(ListQueryError::TooLong));
    }

    #[test]
    fn a_list_stands_in_the_path_as_the_specification_has_it() {
        assert_eq!(Listing::Tags.to_string(), "tags/list");
        let subject = Digest::Sha256([0xab; 32]);
        assert_eq!(Listing::Referrers(subject).to_string(), format!("referrers/{subject}"));
    }
}
