//! The header `WWW-Authenticate` (RFC 9110, section 11.6.1), as registries write it.

use http::{HeaderMap, header::WWW_AUTHENTICATE};

/// How a registry wants to be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// With a name and a password.
    Basic,
    /// With a token from `realm`.
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

/// Everything Shoal understands among the challenges, the strongest first.
pub(super) fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    let values = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let mut found: Vec<_> = values.flat_map(parse).filter_map(|raw| understand(&raw)).collect();
    found.sort_by_key(|challenge| *challenge == Challenge::Basic);
    found
}

#[derive(Debug, Default)]
struct Raw<'a> {
    scheme: &'a str,
    params: Vec<(&'a str, String)>,
}

fn understand(raw: &Raw<'_>) -> Option<Challenge> {
    if raw.scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    let param = |name: &str| {
        raw.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
    };
    raw.scheme.eq_ignore_ascii_case("bearer").then_some(())?;
    Some(Challenge::Bearer { realm: param("realm")?, service: param("service"), scope: param("scope") })
}

/// Splits one header value into challenges. What fits no grammar is skipped up to the next comma.
fn parse(mut rest: &str) -> Vec<Raw<'_>> {
    let mut found: Vec<Raw<'_>> = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return found;
        }
        let (word, after) = split_token(rest);
        let value = after.trim_start().strip_prefix('=');
        rest = match (value, found.last_mut()) {
            (Some(value), Some(challenge)) if !word.is_empty() => {
                let (value, after) = split_value(value.trim_start());
                challenge.params.push((word, value));
                after
            }
            (None, _) if !word.is_empty() => {
                found.push(Raw { scheme: word, params: Vec::new() });
                after
            }
            _ => rest.split_once(',').map_or("", |(_, after)| after),
        };
    }
}

fn split_token(text: &str) -> (&str, &str) {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~/".contains(c);
    text.split_at(text.find(|c| !is_token(c)).unwrap_or(text.len()))
}

fn split_value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, after) = text.split_at(text.find([',', ' ', '\t']).unwrap_or(text.len()));
        return (value.to_owned(), after);
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            c => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(values: &[&str]) -> Vec<Challenge> {
        let headers = values.iter().map(|value| (WWW_AUTHENTICATE, value.parse().expect("a header")));
        challenges(&HeaderMap::from_iter(headers))
    }

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Challenge {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Challenge::Bearer { realm: realm.to_owned(), service: owned(service), scope: owned(scope) }
    }

    #[test]
    fn reads_what_registries_send() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/nginx:pull,push""#;
        let expected = bearer(
            "https://auth.docker.io/token",
            Some("registry.docker.io"),
            Some("repository:library/nginx:pull,push"),
        );
        assert_eq!(read(&[hub]), [expected]);
        assert_eq!(read(&[r#"Basic realm="https://ecr.example/",service="ecr""#]), [Challenge::Basic]);
        assert_eq!(
            read(&["bearer realm=https://a/t , service = b"]),
            [bearer("https://a/t", Some("b"), None)]
        );
    }

    #[test]
    fn bearer_comes_before_basic_in_one_header_or_two() {
        let expected = [bearer("r", None, None), Challenge::Basic];
        assert_eq!(read(&[r#"Basic realm="x", Bearer realm="r""#]), expected);
        assert_eq!(read(&["Basic", r#"Bearer realm="r""#]), expected);
    }

    #[test]
    fn what_is_not_understood_is_skipped() {
        assert_eq!(read(&["Negotiate abc==, Basic"]), [Challenge::Basic]);
        assert_eq!(read(&["Bearer service=\"no realm\""]), []);
        assert_eq!(read(&[r#"Bearer realm="never \" closed"#]), [bearer("never \" closed", None, None)]);
        assert_eq!(read(&["=,=\"", ""]), []);
    }

    proptest! {
        #[test]
        fn any_text_ends_and_panics_nowhere(text in "[ -~]{0,200}") {
            prop_assert!(parse(&text).len() <= text.len());
        }

        #[test]
        fn a_quoted_value_survives(value in "[ -~]{0,60}") {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            let header = format!("Bearer realm=\"{quoted}\", service=s");
            prop_assert_eq!(read(&[&header]), [bearer(&value, Some("s"), None)]);
        }
    }
}
