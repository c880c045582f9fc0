//! Choosing checks by name.

use std::collections::BTreeSet;

use super::Check;

/// A name that no check and no category has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no check is called {name:?}{}; `shoal doctor --list` has them all", near.map(|near| format!(", did you mean {near}?")).unwrap_or_default())]
pub struct UnknownCheck {
    name: String,
    near: Option<&'static str>,
}

/// The checks of those names, or of the categories of those names, with all that they build on, in their order; all
/// checks when no name is given.
///
/// # Errors
/// At the first name that is neither.
pub fn select(all: &[&'static Check], names: &[String]) -> Result<Vec<&'static Check>, UnknownCheck> {
    if names.is_empty() {
        return Ok(all.to_vec());
    }
    let mut wanted = BTreeSet::new();
    for name in names {
        let found = all.iter().filter(|check| check.id == name || check.category.to_string() == *name);
        let before = wanted.len();
        let mut is_known = false;
        for check in found {
            is_known = true;
            add(all, check, &mut wanted);
        }
        if !is_known && wanted.len() == before {
            return Err(UnknownCheck { name: name.clone(), near: nearest(all, name) });
        }
    }
    Ok(all.iter().filter(|check| wanted.contains(check.id)).copied().collect())
}

fn add(all: &[&'static Check], check: &'static Check, wanted: &mut BTreeSet<&'static str>) {
    if wanted.insert(check.id) {
        let causes = all.iter().filter(|other| check.depends_on.contains(&other.id));
        causes.for_each(|cause| add(all, cause, wanted));
    }
}

fn nearest(all: &[&'static Check], name: &str) -> Option<&'static str> {
    const ALIKE: f64 = 0.6;
    let likeness = |check: &&Check| strsim::normalized_damerau_levenshtein(name, check.id);
    let near = all.iter().copied().max_by(|one, other| likeness(one).total_cmp(&likeness(other)))?;
    (likeness(&near) >= ALIKE).then_some(near.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{Category, all};

    fn ids(names: &[&str]) -> Result<Vec<&'static str>, UnknownCheck> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        Ok(select(&all(), &names)?.iter().map(|check| check.id).collect())
    }

    #[test]
    fn a_check_brings_what_it_builds_on() {
        assert_eq!(ids(&[]).unwrap().len(), all().len());
        let chosen = ids(&["node-answers"]).unwrap();
        assert!(chosen.contains(&"config-file") && chosen.contains(&"node-answers"), "{chosen:?}");
        let of_category = ids(&["configuration"]).unwrap();
        let expected = all().into_iter().filter(|check| check.category == Category::Configuration);
        assert_eq!(of_category, expected.map(|check| check.id).collect::<Vec<_>>());
    }

    #[test]
    fn a_slip_is_answered_with_the_nearest_name() {
        let error = ids(&["node-anwsers"]).unwrap_err();
        assert!(error.to_string().contains("did you mean node-answers?"), "{error}");
        assert!(!ids(&["zzz"]).unwrap_err().to_string().contains("did you mean"));
    }
}
