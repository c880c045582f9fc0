//! The list of all checks.

use super::{Check, canary, cluster, configuration, host, node, registries, runtimes};

/// Every check, in the order in which they are shown.
pub fn all() -> Vec<&'static Check> {
    let lists = [
        configuration::CHECKS,
        host::CHECKS,
        node::CHECKS,
        cluster::CHECKS,
        registries::CHECKS,
        runtimes::CONTAINERD,
        runtimes::DOCKER,
        runtimes::CONTAINERS,
        canary::CHECKS,
    ];
    let mut all: Vec<_> = lists.into_iter().flatten().collect();
    all.sort_by_key(|check| check.category);
    all
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Duration};

    use super::*;

    #[test]
    fn every_check_has_a_name_of_its_own() {
        let names: BTreeSet<_> = all().iter().map(|check| check.id).collect();
        assert_eq!(names.len(), all().len());
        for name in names {
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || b"-".contains(&byte)), "{name}");
        }
    }

    #[test]
    fn a_check_builds_on_known_ones_without_a_circle() {
        let mut settled = BTreeSet::new();
        let mut open = all();
        while !open.is_empty() {
            let before = open.len();
            open.retain(|check| {
                let is_ready = check.depends_on.iter().all(|id| settled.contains(id));
                if is_ready {
                    settled.insert(check.id);
                }
                !is_ready
            });
            assert!(open.len() < before, "unknown, or in a circle: {open:?}");
        }
    }

    #[test]
    fn every_check_says_why_and_ends() {
        for check in all() {
            assert!(!check.title.is_empty() && !check.mend.is_empty(), "{}", check.id);
            assert!(check.why.ends_with('.') && check.mend.ends_with('.'), "{}", check.id);
            assert!(check.deadline <= Duration::from_secs(30), "{}", check.id);
        }
    }
}
