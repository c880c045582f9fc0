//! What a file says, whatever its layout: each value with the keys that lead to it.

use std::{collections::BTreeMap, path::Path};

/// How often each path and value is said.
type Leaves = BTreeMap<String, usize>;

/// Whether going from `from` to `to` changes no more than going from `written` to `original` does.
///
/// A merge by lines can move a key into another table. It can't do that unseen here.
pub(super) fn takes_back_only(path: &Path, written: &str, original: &str, from: &str, to: &str) -> bool {
    let of = |text| leaves(path, text);
    let (Some(written), Some(original), Some(from), Some(to)) = (of(written), of(original), of(from), of(to))
    else {
        return false;
    };
    is_part(&less(&from, &to), &less(&written, &original))
        && is_part(&less(&to, &from), &less(&original, &written))
}

/// Whether nothing that `written` says beyond `original` is left in `current`.
pub(super) fn is_without(path: &Path, written: &str, original: &str, current: &str) -> bool {
    let (Some(written), Some(original), Some(current)) =
        (leaves(path, written), leaves(path, original), leaves(path, current))
    else {
        return false;
    };
    less(&written, &original).keys().all(|leaf| !current.contains_key(leaf))
}

fn leaves(path: &Path, text: &str) -> Option<Leaves> {
    let mut leaves = Leaves::new();
    if text.trim().is_empty() {
        return Some(leaves);
    }
    let value = match path.extension().is_some_and(|extension| extension == "json") {
        true => serde_json::from_str(text).ok()?,
        false => serde_json::to_value(toml::from_str::<toml::Table>(text).ok()?).ok()?,
    };
    collect(&value, "", &mut leaves);
    Some(leaves)
}

/// Places in a list do not count: one more at its front would move all others.
fn collect(value: &serde_json::Value, path: &str, leaves: &mut Leaves) {
    match value {
        serde_json::Value::Object(members) => {
            members.iter().for_each(|(key, value)| collect(value, &format!("{path}\0{key}"), leaves));
        }
        serde_json::Value::Array(items) => {
            items.iter().for_each(|item| collect(item, &format!("{path}\0[]"), leaves));
        }
        leaf => *leaves.entry(format!("{path}\0{leaf}")).or_default() += 1,
    }
}

fn less(one: &Leaves, other: &Leaves) -> Leaves {
    let rest =
        one.iter().map(|(leaf, count)| (leaf, count.saturating_sub(other.get(leaf).copied().unwrap_or(0))));
    rest.filter(|(_, count)| *count > 0).map(|(leaf, count)| (leaf.clone(), count)).collect()
}

fn is_part(part: &Leaves, whole: &Leaves) -> bool {
    less(part, whole).is_empty()
}
