//! Which of the customer's things is meant: the payment, the order, the meter a request needs and no slot asks for.
//!
//! A request may name `{payment_id}` without a slot for it. It is then a field of the customer's record, or belongs to one of the
//! items the record or a read action lists; where there are several, the caller says which.

use jiff::civil::Date;
use serde_json::Value;

use crate::desk::entity::{self, Locale};

use super::render;

/// One thing the caller may mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub id: Value,
    /// "the payment of £40 due Friday 27 November".
    pub said: String,
    date: Option<Date>,
    minor: Option<i64>,
    /// Every word of its texts, lowered, and the digits of its numbers.
    names: Vec<String>,
}

impl Item {
    /// The day the item is due or was made.
    pub fn day(&self) -> Option<Date> {
        self.date
    }
}

/// Items in `data` that carry `field` (`payment_id`), soonest first; settled ones are left out where others remain.
pub fn items(data: &Value, field: &str, locale: &Locale, today: Date) -> Vec<Item> {
    let stem = field.strip_suffix("_id").unwrap_or(field);
    let mut found: Vec<(Item, bool)> = Vec::new();
    collect(data, field, stem, None, &mut |object, id| {
        if !found.iter().any(|(item, _)| item.id == *id) {
            found.push((item(object, id, stem, locale, today), settled(object)));
        }
    });
    if found.iter().any(|(_, settled)| !settled) {
        found.retain(|(_, settled)| !settled);
    }
    let mut items: Vec<Item> = found.into_iter().map(|(item, _)| item).collect();
    items.sort_by_key(|item| item.date.unwrap_or(Date::MAX));
    items
}

/// The one the caller's words pick out; none where they pick none or several.
pub fn pick(
    items: &[Item],
    text: &str,
    keyed: Option<&str>,
    locale: &Locale,
    today: Date,
) -> Option<usize> {
    if let Some(keys) = keyed {
        let at = keys.parse::<usize>().ok()?.checked_sub(1)?;
        return (at < items.len()).then_some(at);
    }
    let only = |matches: &dyn Fn(&Item) -> bool| {
        let mut hits = items.iter().enumerate().filter(|(_, item)| matches(item));
        match (hits.next(), hits.next()) {
            (Some((at, _)), None) => Some(at),
            _ => None,
        }
    };
    if let Some(date) = entity::date(text, today, locale)
        && let Some(at) = only(&|item| item.date == Some(date))
    {
        return Some(at);
    }
    if let Some(money) = entity::money(text, locale).first()
        && let Some(at) = only(&|item| item.minor == Some(money.minor))
    {
        return Some(at);
    }
    // By a name only one of them has: "Mari's phone", "the visa card", its number or the end of it.
    let spoken = lowered(text);
    let named = |word: &String| {
        word.len() > 2 && only(&|item| item.names.iter().any(|n| n == word)).is_some()
    };
    if let Some(word) = spoken.iter().find(|word| named(word))
        && let Some(at) = only(&|item| item.names.contains(word))
    {
        return Some(at);
    }
    if let Some(digits) = entity::digits(text).filter(|digits| digits.len() >= 3)
        && let Some(at) = only(&|item| {
            item.names.iter().any(|n| {
                n.len() >= 4 && n.ends_with(&digits) && n.chars().all(|c| c.is_ascii_digit())
            })
        })
    {
        return Some(at);
    }
    let lower = text.to_lowercase();
    let said = |words: &[&str]| {
        lower
            .split(|c: char| !c.is_alphanumeric())
            .any(|word| words.contains(&word))
    };
    let at = if said(&["next", "first", "earliest", "soonest", "1st"]) {
        Some(0)
    } else if said(&["second", "2nd"]) {
        Some(1)
    } else if said(&["third", "3rd"]) {
        Some(2)
    } else if said(&["last", "latest", "final"]) {
        items.len().checked_sub(1)
    } else {
        None
    };
    at.filter(|at| *at < items.len())
}

/// Words, lowered, without an owner's ending.
fn lowered(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '\u{2019}')
        .map(|w| {
            w.trim_end_matches("'s")
                .trim_end_matches("\u{2019}s")
                .trim_matches(['\'', '\u{2019}'])
                .to_owned()
        })
        .filter(|w| !w.is_empty())
        .collect()
}

fn collect(
    data: &Value,
    field: &str,
    stem: &str,
    parent: Option<&str>,
    found: &mut dyn FnMut(&Value, &Value),
) {
    match data {
        Value::Array(list) => {
            for entry in list {
                collect(entry, field, stem, parent, found);
            }
        }
        Value::Object(fields) => {
            let own = fields.get(field).or_else(|| {
                // A list called `payments` holds payments, whose key is plainly `id`.
                let plural = parent.is_some_and(|name| name.to_lowercase().contains(stem));
                plural.then(|| fields.get("id")).flatten()
            });
            match own {
                Some(id) if id.is_string() || id.is_number() => found(data, id),
                _ => {
                    for (name, entry) in fields {
                        if entry.is_array() || entry.is_object() {
                            collect(entry, field, stem, Some(name), found);
                        }
                    }
                }
            }
        }
        _ => {}
    }
}

fn item(object: &Value, id: &Value, stem: &str, locale: &Locale, today: Date) -> Item {
    let mut date = None;
    let mut amount: Option<(String, String)> = None;
    let mut title = None;
    for (name, value) in object.as_object().into_iter().flatten() {
        let text = value.as_str().unwrap_or_default();
        if date.is_none()
            && let Some(found) = text.get(..10).and_then(|day| day.parse::<Date>().ok())
        {
            date = Some(found);
        } else if amount.is_none()
            && let Some(said) = render::value(name, value, Some(object), locale, today)
            && said.contains(|c: char| c.is_ascii_digit())
            && (value.is_number() || text.parse::<f64>().is_ok() || value.is_object())
            && value
                .as_number()
                .is_none_or(|number| number.to_string() != said)
            && said != text
        {
            amount = Some((name.clone(), said));
        } else if title.is_none()
            && [
                "merchant",
                "title",
                "description",
                "product",
                "item",
                "name",
                "label",
            ]
            .contains(&name.as_str())
            && !text.is_empty()
        {
            title = Some(text.to_owned());
        }
    }
    let minor = amount
        .as_ref()
        .and_then(|(_, said)| entity::money(said, locale).first().map(|m| m.minor));
    let mut said = format!("the {}", render::words(stem));
    if let Some((_, amount)) = &amount {
        said.push_str(&format!(" of {amount}"));
    }
    if let Some(title) = &title {
        said.push_str(&format!(" for {title}"));
    }
    if let Some(date) = date {
        let due = object
            .as_object()
            .is_some_and(|fields| fields.keys().any(|key| key.contains("due")));
        let word = if due { "due" } else { "on" };
        said.push_str(&format!(" {word} {}", render::date(date, locale, today)));
    }
    if amount.is_none() && title.is_none() && date.is_none() {
        let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        said.push_str(&format!(" {id}"));
    }
    let mut names: Vec<String> = Vec::new();
    for text in object
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(_, v)| v.as_str())
    {
        names.extend(lowered(text));
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        if digits.len() >= 4 {
            names.push(digits);
        }
    }
    Item {
        names,
        id: id.clone(),
        said,
        date,
        minor,
    }
}

fn settled(object: &Value) -> bool {
    let status = ["status", "state"]
        .iter()
        .find_map(|key| object.get(key))
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_lowercase();
    [
        "paid",
        "settled",
        "closed",
        "cancelled",
        "canceled",
        "refunded",
        "completed",
    ]
    .contains(&status.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample() -> (Vec<Item>, Locale, Date) {
        let locale = Locale::new("en-GB", None, Some("Europe/London")).expect("a locale");
        let today = jiff::civil::date(2026, 11, 23);
        let data = json!({"id": "c1", "payments": [
            {"id": "p2", "amount": 40, "due": "2026-12-15", "status": "due"},
            {"id": "p1", "amount": 25.5, "due": "2026-12-01", "status": "due"},
            {"id": "p0", "amount": 40, "due": "2026-11-01", "status": "paid"}]});
        (items(&data, "payment_id", &locale, today), locale, today)
    }

    #[test]
    fn open_items_soonest_first_in_words() {
        let (items, ..) = sample();
        let said: Vec<&str> = items.iter().map(|i| i.said.as_str()).collect();
        assert_eq!(
            said,
            [
                "the payment of £25.50 due Tuesday 1 December",
                "the payment of £40 due Tuesday 15 December"
            ]
        );
    }

    #[test]
    fn picked_by_a_name_only_one_has() {
        let (_, locale, today) = sample();
        let data = json!({"lines": [
            {"id": "a", "number": "07700 900456", "label": "Owen"},
            {"id": "b", "number": "07700 900457", "label": "Mari"}]});
        let items = items(&data, "line_id", &locale, today);
        let pick = |text: &str| pick(&items, text, None, &locale, today);
        assert_eq!(pick("it's for Mari's phone"), Some(1));
        assert_eq!(pick("the one ending 456"), Some(0));
        assert_eq!(
            pick("oh seven seven double oh nine double oh four five seven"),
            Some(1)
        );
        assert_eq!(pick("the phone"), None);
    }

    #[test]
    fn picked_by_order_or_key() {
        let (items, locale, today) = sample();
        assert_eq!(pick(&items, "the next one", None, &locale, today), Some(0));
        assert_eq!(
            pick(&items, "the last one please", None, &locale, today),
            Some(1)
        );
        assert_eq!(pick(&items, "", Some("2"), &locale, today), Some(1));
        assert_eq!(pick(&items, "hm", None, &locale, today), None);
        assert_eq!(pick(&items, "", Some("9"), &locale, today), None);
    }
}
