//! Values as the desk's customers write them: money with its sign, dates in words.

use jiff::civil::{Date, DateTime, Time};
use serde_json::Value;

use crate::desk::entity::Locale;

/// A value for a sentence; `beside` is the object it was found in (for its `currency`). None: it cannot be said.
pub fn value(
    name: &str,
    value: &Value,
    beside: Option<&Value>,
    locale: &Locale,
    today: Date,
) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Bool(flag) => Some(if *flag { "yes" } else { "no" }.to_owned()),
        Value::Number(number) => {
            let key = name.rsplit('.').next().unwrap_or(name);
            let currency = currency_of(beside, locale);
            match money_kind(key) {
                Some(MoneyKind::Major) => money_major(number.as_f64()?, &currency),
                Some(MoneyKind::Minor) => Some(money(number.as_i64()?, &currency)),
                None => Some(number.to_string()),
            }
        }
        Value::String(text) => {
            let text = text.trim();
            let key = name.rsplit('.').next().unwrap_or(name);
            if text.is_empty() {
                return None;
            }
            if let Some(said) = date_text(text, locale, today) {
                return Some(said);
            }
            if let (Some(MoneyKind::Major), Ok(amount)) = (money_kind(key), text.parse::<f64>()) {
                return money_major(amount, &currency_of(beside, locale));
            }
            Some(text.to_owned())
        }
        Value::Array(items) => {
            let parts: Vec<String> = items
                .iter()
                .map(|item| self::value(name, item, None, locale, today))
                .collect::<Option<_>>()?;
            (!parts.is_empty()).then(|| list(&parts, "and"))
        }
        Value::Object(fields) => {
            let amount = fields.get("amount").or_else(|| fields.get("value"))?;
            fields.get("currency")?;
            self::value("amount", amount, Some(value), locale, today)
        }
    }
}

/// Money in minor units: `£12.50`, `$40`, `12.50 SEK`.
pub fn money(minor: i64, currency: &str) -> String {
    let places = match currency {
        "JPY" | "KRW" | "VND" | "CLP" | "ISK" => 0,
        "KWD" | "BHD" | "OMR" | "JOD" | "TND" => 3,
        _ => 2,
    };
    let unit = 10_u64.pow(places);
    let size = minor.unsigned_abs();
    let (major, rest) = (size / unit, size % unit);
    let mut digits = grouped(major);
    if rest > 0 {
        digits.push_str(&format!(".{rest:0width$}", width = places as usize));
    }
    let sign = if minor < 0 { "-" } else { "" };
    match currency {
        "USD" | "AUD" | "CAD" | "NZD" | "SGD" | "MXN" => format!("{sign}${digits}"),
        "GBP" => format!("{sign}£{digits}"),
        "EUR" => format!("{sign}€{digits}"),
        "JPY" => format!("{sign}¥{digits}"),
        other => format!("{sign}{digits} {other}"),
    }
}

/// Money in major units; none where it is no plain amount.
pub fn money_major(amount: f64, currency: &str) -> Option<String> {
    let places = match currency {
        "JPY" | "KRW" | "VND" | "CLP" | "ISK" => 1.0,
        "KWD" | "BHD" | "OMR" | "JOD" | "TND" => 1000.0,
        _ => 100.0,
    };
    let minor = (amount * places).round();
    (minor.abs() < 1e15).then(|| money(minor as i64, currency))
}

/// A date in words, with its weekday, and its year only where it is not obvious.
pub fn date(date: Date, locale: &Locale, today: Date) -> String {
    let weekday = format!("{}", date.strftime("%A"));
    let month = format!("{}", date.strftime("%B"));
    let far = (date - today).get_days().abs() > 300;
    let day = date.day();
    match (locale.day_first(), far) {
        (true, false) => format!("{weekday} {day} {month}"),
        (true, true) => format!("{day} {month} {}", date.year()),
        (false, false) => format!("{weekday}, {month} {day}"),
        (false, true) => format!("{month} {day}, {}", date.year()),
    }
}

/// "a, b or c".
pub fn list(parts: &[String], last: &str) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., tail] => format!("{} {last} {tail}", head.join(", ")),
    }
}

/// A field's or action's name as words: `new_date` is "new date".
pub fn words(name: &str) -> String {
    name.replace(['_', '-', '.'], " ").trim().to_lowercase()
}

fn date_text(text: &str, locale: &Locale, today: Date) -> Option<String> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) || text.len() < 10 {
        return None;
    }
    if text.len() == 10 {
        return Some(date(text.parse::<Date>().ok()?, locale, today));
    }
    let local = match text.parse::<jiff::Timestamp>() {
        Ok(moment) => moment.to_zoned_datetime(locale.tz.clone()).datetime(),
        Err(_) => text.parse::<DateTime>().ok()?,
    };
    let day = date(local.date(), locale, today);
    if local.time() == Time::midnight() {
        return Some(day);
    }
    Some(format!("{day} at {}", clock(local.time(), locale)))
}

fn clock(time: Time, locale: &Locale) -> String {
    if locale.day_first() {
        return format!("{:02}:{:02}", time.hour(), time.minute());
    }
    let (hour, half) = match time.hour() {
        0 => (12, "am"),
        h @ 1..=11 => (h, "am"),
        12 => (12, "pm"),
        h => (h - 12, "pm"),
    };
    if time.minute() == 0 {
        format!("{hour} {half}")
    } else {
        format!("{hour}:{:02} {half}", time.minute())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MoneyKind {
    Major,
    Minor,
}

/// Whether a field of this name holds money, told by the words in it.
fn money_kind(key: &str) -> Option<MoneyKind> {
    let key = key.to_lowercase();
    let words: Vec<&str> = key.split(['_', '-']).collect();
    if words
        .iter()
        .any(|w| matches!(*w, "cents" | "pence" | "minor"))
    {
        return Some(MoneyKind::Minor);
    }
    if words.iter().any(|w| {
        matches!(
            *w,
            "count" | "number" | "id" | "days" | "percent" | "date" | "no"
        )
    }) {
        return None;
    }
    words
        .iter()
        .any(|w| {
            matches!(
                *w,
                "amount"
                    | "balance"
                    | "price"
                    | "fee"
                    | "fees"
                    | "total"
                    | "cost"
                    | "charge"
                    | "refund"
                    | "paid"
                    | "owed"
                    | "owing"
                    | "outstanding"
                    | "credit"
                    | "limit"
                    | "debt"
                    | "sum"
                    | "deposit"
            )
        })
        .then_some(MoneyKind::Major)
}

fn currency_of(beside: Option<&Value>, locale: &Locale) -> String {
    beside
        .and_then(|object| object.get("currency"))
        .and_then(Value::as_str)
        .map_or_else(|| locale.currency.clone(), str::to_uppercase)
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    if digits.len() <= 3 {
        return digits;
    }
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn british() -> Locale {
        Locale::new("en-GB", None, Some("Europe/London")).expect("a locale")
    }

    #[test]
    fn money_as_written() {
        assert_eq!(money(1250, "GBP"), "£12.50");
        assert_eq!(money(4000, "USD"), "$40");
        assert_eq!(money(-123_456_705, "EUR"), "-€1,234,567.05");
        assert_eq!(money(500, "JPY"), "¥500");
    }

    #[test]
    fn a_field_is_money_by_its_name_and_not_otherwise() {
        let today = jiff::civil::date(2026, 11, 23);
        let locale = british();
        let say = |name: &str, v: Value| value(name, &v, None, &locale, today);
        assert_eq!(say("result.amount", json!(12.5)).as_deref(), Some("£12.50"));
        assert_eq!(
            say("result.amount_minor", json!(1250)).as_deref(),
            Some("£12.50")
        );
        assert_eq!(say("result.payment_count", json!(3)).as_deref(), Some("3"));
        assert_eq!(say("result.amount", Value::Null), None);
        assert_eq!(
            say("result.price", json!({"amount": "8.00", "currency": "EUR"})).as_deref(),
            Some("€8")
        );
    }

    #[test]
    fn dates_in_words() {
        let today = jiff::civil::date(2026, 11, 23);
        let locale = british();
        assert_eq!(
            value("result.due", &json!("2026-11-27"), None, &locale, today).as_deref(),
            Some("Friday 27 November")
        );
        assert_eq!(
            date(jiff::civil::date(1984, 2, 3), &locale, today),
            "3 February 1984"
        );
    }
}
