//! Which server an entry in a list of logins is for.

use shoal_protocol::reference::Repository;

/// What Docker calls its own registry in lists of logins, and to helpers.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// A registry's host and port, as lists of logins are searched for it: in lower case, without the port 443, and
/// Docker Hub under one name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Server(String);

impl Server {
    pub(super) fn of(host: &str) -> Self {
        let host = host.to_ascii_lowercase();
        let host = host.strip_suffix(":443").unwrap_or(&host);
        Self(match host {
            "index.docker.io" | "registry-1.docker.io" => "docker.io".to_owned(),
            host => host.to_owned(),
        })
    }

    /// What a credential helper is asked for.
    pub(super) fn for_helper(&self) -> &str {
        if self.0 == "docker.io" { DOCKER_HUB } else { &self.0 }
    }

    /// How well the key of an entry fits this server and repository, the higher the better; `None`: not at all.
    ///
    /// A key is a host, perhaps with a scheme, a port and a path: `/v1/` and `/v2/` mean nothing, any other path means
    /// the repositories below it. `*` stands for one label of the host, as in Kubernetes.
    pub(super) fn fit(&self, key: &str, repository: &Repository) -> Option<usize> {
        let bare = key.split_once("://").map_or(key, |(_, rest)| rest);
        let (host, path) = bare.split_once('/').unwrap_or((bare, ""));
        let path = Some(path.trim_end_matches('/')).filter(|path| !matches!(*path, "v1" | "v2"));
        let path = path.unwrap_or_default();
        let host = Self::of(host);
        let covered = path.is_empty()
            || repository
                .as_str()
                .strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        (covered && host.covers(self)).then(|| path.len() * 2 + usize::from(host == *self))
    }

    fn covers(&self, other: &Self) -> bool {
        let (mut pattern, mut labels) = (self.0.split('.'), other.0.split('.'));
        loop {
            match (pattern.next(), labels.next()) {
                (None, None) => return true,
                (Some("*"), Some(_)) => {}
                (Some(wanted), Some(label)) if wanted == label => {}
                _ => return false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(key: &str, host: &str) -> Option<usize> {
        Server::of(host).fit(key, &"team/app".parse().expect("a repository"))
    }

    #[test]
    fn a_host_is_found_however_it_is_written() {
        for key in
            ["r.example", "https://r.example", "http://R.Example/", "r.example:443", "https://r.example/v2/"]
        {
            assert!(fit(key, "r.example").is_some(), "{key}");
        }
        for key in ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"] {
            assert!(fit(key, "docker.io").is_some(), "{key}");
        }
    }

    #[test]
    fn another_host_or_port_is_another_server() {
        for key in ["r.example:5000", "xr.example", "example", "r.example.evil.test", "*.r.example", "", "*"]
        {
            assert_eq!(fit(key, "r.example"), None, "{key}");
        }
        assert!(fit("r.example:5000", "r.example:5000").is_some());
        assert_eq!(fit("r.example", "r.example:5000"), None);
    }

    #[test]
    fn a_path_is_for_the_repositories_below_it_and_wins() {
        assert!(fit("r.example/team", "r.example") > fit("r.example", "r.example"));
        assert!(fit("r.example/team/app", "r.example") > fit("r.example/team", "r.example"));
        for key in ["r.example/tea", "r.example/other", "r.example/team/app/more"] {
            assert_eq!(fit(key, "r.example"), None, "{key}");
        }
    }

    #[test]
    fn a_star_is_one_label_and_loses_against_the_name() {
        assert!(fit("*.azurecr.io", "me.azurecr.io").is_some());
        assert!(fit("*.azurecr.io", "me.azurecr.io") < fit("me.azurecr.io", "me.azurecr.io"));
        assert_eq!(fit("*.azurecr.io", "a.b.azurecr.io"), None);
    }

    #[test]
    fn helpers_are_asked_for_docker_hub_as_docker_asks() {
        assert_eq!(Server::of("docker.io").for_helper(), "https://index.docker.io/v1/");
        assert_eq!(Server::of("R.example:5000").for_helper(), "r.example:5000");
    }
}
