//! The header `Link` (RFC 8288), as registries name the next page of a list by it.

use http::{HeaderMap, header::LINK};

/// The target of the link to the next page, as it is written; `None` where there is none.
pub(super) fn next(headers: &HeaderMap) -> Option<&str> {
    let values = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(links).find(|(_, parameters)| parameters.iter().any(is_next)).map(|(target, _)| target)
}

/// A target and its parameters.
type Link<'a> = (&'a str, Vec<(&'a str, &'a str)>);

/// The links of one header, up to what is none.
fn links(mut text: &str) -> Vec<Link<'_>> {
    let mut links = Vec::new();
    while let Some((target, rest)) =
        text.trim_start_matches([' ', '\t', ',']).strip_prefix('<').and_then(|rest| rest.split_once('>'))
    {
        let end = unquoted(rest, ',').unwrap_or(rest.len());
        links.push((target, parameters(&rest[..end])));
        text = &rest[end..];
    }
    links
}

fn parameters(mut text: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    while !text.is_empty() {
        let end = unquoted(text, ';').unwrap_or(text.len());
        if let Some((name, value)) = text[..end].split_once('=') {
            found.push((name.trim(), value.trim().trim_matches('"')));
        }
        text = text.get(end + 1..).unwrap_or_default();
    }
    found
}

fn is_next((name, value): &(&str, &str)) -> bool {
    name.eq_ignore_ascii_case("rel")
        && value.split_ascii_whitespace().any(|relation| relation.eq_ignore_ascii_case("next"))
}

/// Where `wanted` stands first outside of quotes.
fn unquoted(text: &str, wanted: char) -> Option<usize> {
    let mut is_quoted = false;
    text.char_indices().find_map(|(at, character)| {
        is_quoted ^= character == '"';
        (character == wanted && !is_quoted).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next_of(values: &[&'static str]) -> Option<String> {
        let headers: HeaderMap =
            values.iter().map(|value| (LINK, http::HeaderValue::from_static(value))).collect();
        next(&headers).map(str::to_owned)
    }

    #[test]
    fn the_next_page_is_found_among_other_links() {
        for values in [
            &["</v2/a/tags/list?n=1>; rel=\"next\""][..],
            &["</v2/a/tags/list?n=1>;rel=next"],
            &["</first>; rel=first, </v2/a/tags/list?n=1>; title=\"a, <b>; c\"; REL=\"last Next\""],
            &["</first>; rel=\"first\"", "</v2/a/tags/list?n=1>; rel=\"next\", </x>; rel=\"next\""],
        ] {
            assert_eq!(next_of(values).as_deref(), Some("/v2/a/tags/list?n=1"), "{values:?}");
        }
    }

    #[test]
    fn what_is_no_next_page_is_none() {
        for value in
            ["", "/v2/a?n=1", "</v2/a?n=1>", "</v2/a?n=1>; rel=prev", "</v2/a?n=1; rel=next", "<>;;=;"]
        {
            assert_eq!(next_of(&[value]), None, "{value}");
        }
    }
}
