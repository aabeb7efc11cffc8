//! What people say on a phone, as a recogniser writes it: numbers, money, dates, times, identifiers, postcodes, names,
//! addresses, and plain answers.
//!
//! A recogniser writes the same words in many ways ("twelve pounds fifty", "£12.50", "12 50"), so every reader here works on
//! tokens and accepts words and figures alike. A reader that is not sure says `None`: the line asks again, which costs a
//! moment; acting on a wrong value costs a customer.

mod bound;
mod contact;
mod date;
mod factor;
mod figures;
mod human;
mod lattice;
mod letters;
mod money;
mod name;
mod number;
mod postcode;
mod relative;
mod reply;
mod spell;
mod time;
mod token;

pub use bound::{Bound, Quantity, bounds, quantities};
pub use contact::{calling_code, e164, email, phone};
pub use date::{birth_date, date};
pub use factor::{Match, attempts, factor};
pub use figures::{Figure, FigureKind, figures};
pub use human::wants_human;
pub use money::{Money, money};
pub use name::name;
pub use number::{lone_number, number};
pub use postcode::postcode;
pub use relative::{bare_weekday, days_beside};
pub use reply::{choice, yes_no};
pub use spell::{digits, figures_alone, grouped, identifier, read_back, unclear};
pub use time::time_of_day;

/// Where a desk's callers live: how they say dates, money and numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Locale {
    /// BCP 47, such as `en-GB`.
    pub language: String,
    /// ISO 4217, such as `GBP`.
    pub currency: String,
    pub tz: jiff::tz::TimeZone,
}

impl Locale {
    /// A locale from a desk's settings. The currency follows from the language's country when none is given; the time zone is
    /// UTC when none is given.
    ///
    /// # Errors
    /// One sentence naming the value that is not understood.
    pub fn new(
        language: &str,
        currency: Option<&str>,
        timezone: Option<&str>,
    ) -> Result<Self, String> {
        let mut parts = language.split(['-', '_']);
        let tongue = parts.next().unwrap_or_default().to_ascii_lowercase();
        if !(2..=3).contains(&tongue.len()) || !tongue.chars().all(|c| c.is_ascii_lowercase()) {
            return Err(format!(
                "`{language}` is not a language; write one like \"en-US\" or \"en-GB\"."
            ));
        }
        let region = parts
            .next_back()
            .filter(|r| r.len() == 2)
            .map(str::to_ascii_uppercase);
        let language = match region {
            Some(region) => format!("{tongue}-{region}"),
            None => tongue,
        };
        let mut locale = Self {
            language,
            currency: String::new(),
            tz: jiff::tz::TimeZone::UTC,
        };
        locale.currency = match currency {
            Some(c) if c.len() == 3 && c.chars().all(|c| c.is_ascii_alphabetic()) => {
                c.to_ascii_uppercase()
            }
            Some(c) => {
                return Err(format!(
                    "`{c}` is not a currency; write its ISO 4217 code, like \"USD\" or \"GBP\"."
                ));
            }
            None => default_currency(locale.country()).to_owned(),
        };
        if let Some(zone) = timezone {
            locale.tz = jiff::tz::TimeZone::get(zone).map_err(|_| {
                format!("`{zone}` is not a time zone; write one like \"Europe/London\" or \"America/New_York\".")
            })?;
        }
        Ok(locale)
    }

    /// ISO 3166 code of the country: the language's region, `US` for plain English.
    pub fn country(&self) -> &str {
        match self.language.split_once('-') {
            Some((_, region)) => region,
            None if self.language == "en" => "US",
            None => "",
        }
    }

    /// 3/4 is the third of April (false: March the fourth).
    pub fn day_first(&self) -> bool {
        !matches!(self.country(), "US" | "PH" | "BZ")
    }

    /// The date on the desk's wall at `now`.
    pub fn today(&self, now: jiff::Timestamp) -> jiff::civil::Date {
        self.tz.to_datetime(now).date()
    }
}

fn default_currency(country: &str) -> &'static str {
    match country {
        "GB" => "GBP",
        "CA" => "CAD",
        "AU" => "AUD",
        "NZ" => "NZD",
        "IN" => "INR",
        "ZA" => "ZAR",
        "CH" => "CHF",
        "SE" => "SEK",
        "NO" => "NOK",
        "DK" => "DKK",
        "PL" => "PLN",
        "JP" => "JPY",
        "SG" => "SGD",
        "HK" => "HKD",
        "MX" => "MXN",
        "BR" => "BRL",
        "IE" | "DE" | "FR" | "ES" | "IT" | "NL" | "AT" | "BE" | "FI" | "PT" | "GR" | "LU" => "EUR",
        _ => "USD",
    }
}

#[cfg(test)]
mod tests;
