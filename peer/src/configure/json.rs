//! Edits of JSON that leave every byte around them as it is.

use std::ops::Range;

/// Adds `item`, a text, as the first one of the list called `key` in the object that `text` holds; makes the list, as
/// the object's first member, where there is none.
///
/// `None` when `text` holds no object, or something other than one list has that name.
pub(super) fn prepend(text: &str, key: &str, item: &str) -> Option<String> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).ok()?;
    let item = serde_json::Value::from(item).to_string();
    let members = members(text)?;
    let mut named = members.iter().filter(|member| member.key == key);
    let edited = match (named.next(), object.get(key)) {
        (Some(member), Some(serde_json::Value::Array(_))) => into_list(text, &member.value, &item),
        (None, None) => into_object(text, key, &item)?,
        _ => return None,
    };
    (named.next().is_none() && is_only_addition(&object, &edited, key)).then_some(edited)
}

fn into_list(text: &str, list: &Range<usize>, item: &str) -> String {
    let inside = list.start + 1;
    let gap = leading_space(text, inside);
    let is_empty = text[inside + gap.len()..].starts_with(']');
    let after = match gap {
        _ if is_empty => String::new(),
        gap if gap.contains('\n') => format!(",{gap}"),
        _ => ", ".to_owned(),
    };
    let at = if is_empty { inside } else { inside + gap.len() };
    format!("{}{item}{after}{}", &text[..at], &text[at..])
}

fn into_object(text: &str, key: &str, item: &str) -> Option<String> {
    let inside = text.find('{')? + 1;
    let gap = leading_space(text, inside);
    let at = inside + gap.len();
    let member = format!("{}: [{item}]", serde_json::Value::from(key));
    if text[at..].starts_with('}') {
        return Some(format!("{}\n  {member}\n{}", &text[..inside], &text[at..]));
    }
    let gap = if gap.contains('\n') { gap } else { " " };
    Some(format!("{}{member},{gap}{}", &text[..at], &text[at..]))
}

fn leading_space(text: &str, at: usize) -> &str {
    let rest = &text[at..];
    &rest[..rest.len() - rest.trim_start().len()]
}

/// Whether `edited` says what `before` does, and one more item in the list.
fn is_only_addition(before: &serde_json::Map<String, serde_json::Value>, edited: &str, key: &str) -> bool {
    let Ok(mut after) = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(edited) else {
        return false;
    };
    let Some(list) = after.get_mut(key).and_then(serde_json::Value::as_array_mut) else { return false };
    list.remove(0);
    if list.is_empty() && !before.contains_key(key) {
        after.remove(key);
    }
    after == *before
}

/// One member of the outermost object.
struct Member {
    key: String,
    value: Range<usize>,
}

/// The members of the outermost object of `text`, which is known to be JSON.
fn members(text: &str) -> Option<Vec<Member>> {
    let mut members = Vec::new();
    let mut at = text.find('{')? + 1;
    loop {
        at += leading_space(text, at).len();
        if text[at..].starts_with('}') {
            return Some(members);
        }
        let key = at..end_of_value(text, at)?;
        at = key.end + text[key.end..].find(':')? + 1;
        at += leading_space(text, at).len();
        let value = at..end_of_value(text, at)?;
        at = value.end;
        members.push(Member { key: serde_json::from_str(&text[key]).ok()?, value });
        at += leading_space(text, at).len();
        at += usize::from(text[at..].starts_with(','));
    }
}

/// Where the value that begins at `start` ends.
fn end_of_value(text: &str, start: usize) -> Option<usize> {
    let mut values =
        serde_json::Deserializer::from_str(text.get(start..)?).into_iter::<serde::de::IgnoredAny>();
    values.next()?.ok()?;
    Some(start + values.byte_offset())
}
