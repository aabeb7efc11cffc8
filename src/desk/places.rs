//! Countries, as callers and articles name them, and what lies in what: "to Spain" is asked, "within the EU" is written.

use super::inquiry::social::{holds, plain};

/// What a place lies in.
const EU: u8 = 1;
const EUROPE: u8 = 2;
const UK: u8 = 4;
const AMERICA: u8 = 8;
const ASIA: u8 = 16;
const AFRICA: u8 = 32;
const OCEANIA: u8 = 64;

/// Countries and what they lie in. Two names of one country stand side by side, the first being its own. No pronoun is a country
/// here: "the US" is only read as "USA".
const COUNTRIES: &[(&[&str], u8)] = &[
    (&["austria"], EU | EUROPE),
    (&["belgium"], EU | EUROPE),
    (&["bulgaria"], EU | EUROPE),
    (&["croatia"], EU | EUROPE),
    (&["cyprus"], EU | EUROPE),
    (&["czech republic", "czechia"], EU | EUROPE),
    (&["denmark"], EU | EUROPE),
    (&["estonia"], EU | EUROPE),
    (&["finland"], EU | EUROPE),
    (&["france"], EU | EUROPE),
    (&["germany"], EU | EUROPE),
    (&["greece"], EU | EUROPE),
    (&["hungary"], EU | EUROPE),
    (&["ireland"], EU | EUROPE),
    (&["italy"], EU | EUROPE),
    (&["latvia"], EU | EUROPE),
    (&["lithuania"], EU | EUROPE),
    (&["luxembourg"], EU | EUROPE),
    (&["malta"], EU | EUROPE),
    (&["netherlands", "holland"], EU | EUROPE),
    (&["poland"], EU | EUROPE),
    (&["portugal"], EU | EUROPE),
    (&["romania"], EU | EUROPE),
    (&["slovakia"], EU | EUROPE),
    (&["slovenia"], EU | EUROPE),
    (&["spain"], EU | EUROPE),
    (&["sweden"], EU | EUROPE),
    (&["switzerland"], EUROPE),
    (&["norway"], EUROPE),
    (&["iceland"], EUROPE),
    (&["ukraine"], EUROPE),
    (&["serbia"], EUROPE),
    (&["albania"], EUROPE),
    (&["russia"], EUROPE | ASIA),
    (&["turkey"], EUROPE | ASIA),
    (&["united kingdom", "uk"], UK | EUROPE),
    (&["great britain", "britain"], UK | EUROPE),
    (&["england"], UK | EUROPE),
    (&["scotland"], UK | EUROPE),
    (&["wales"], UK | EUROPE),
    (&["northern ireland"], UK | EUROPE),
    (&["usa", "united states", "america", "the states"], AMERICA),
    (&["canada"], AMERICA),
    (&["mexico"], AMERICA),
    (&["brazil"], AMERICA),
    (&["argentina"], AMERICA),
    (&["chile"], AMERICA),
    (&["china"], ASIA),
    (&["japan"], ASIA),
    (&["india"], ASIA),
    (&["pakistan"], ASIA),
    (&["thailand"], ASIA),
    (&["vietnam"], ASIA),
    (&["singapore"], ASIA),
    (&["hong kong"], ASIA),
    (&["south korea", "korea"], ASIA),
    (&["israel"], ASIA),
    (&["dubai", "emirates"], ASIA),
    (&["egypt"], AFRICA),
    (&["morocco"], AFRICA),
    (&["nigeria"], AFRICA),
    (&["kenya"], AFRICA),
    (&["south africa"], AFRICA),
    (&["australia"], OCEANIA),
    (&["new zealand"], OCEANIA),
];

const REGIONS: &[(&str, u8)] = &[
    ("eu", EU),
    ("european union", EU),
    ("europe", EUROPE),
    ("uk", UK),
    ("united kingdom", UK),
    ("asia", ASIA),
    ("africa", AFRICA),
];

/// Words for whatever is not named.
const ELSEWHERE: &[&str] = &[
    "rest of the world",
    "other countries",
    "other country",
    "any country",
    "all countries",
    "worldwide",
];

/// A country a question names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Country(usize);

/// The country a question names; none where it names none, or several.
pub(super) fn country(question: &str) -> Option<Country> {
    let words = plain(question);
    let mut named = COUNTRIES.iter().enumerate().filter(|(_, (names, _))| {
        names
            .iter()
            .any(|name| holds(&words, name) && !within_another(&words, name))
    });
    let (at, _) = named.next()?;
    named.next().is_none().then_some(Country(at))
}

/// "Ireland" of "Northern Ireland" is not Ireland.
fn within_another(words: &str, name: &str) -> bool {
    name == "ireland" && holds(words, "northern ireland")
}

impl Country {
    /// Whether a text speaks of this country, by its name or by what it lies in: none where the text names no place at all.
    pub(super) fn spoken_of(self, text: &str) -> Option<bool> {
        let words = plain(text);
        let (own, within) = COUNTRIES[self.0];
        if own.iter().any(|name| holds(&words, name)) {
            return Some(true);
        }
        let mut any = false;
        for (name, region) in REGIONS {
            let outside = ["outside", "outside the", "beyond", "beyond the"]
                .iter()
                .any(|before| holds(&words, &format!("{before} {name}")));
            if outside {
                any = true;
                if within & region == 0 {
                    return Some(true);
                }
            } else if holds(&words, name) {
                any = true;
                if within & region != 0 {
                    return Some(true);
                }
            }
        }
        if ELSEWHERE.iter().any(|name| holds(&words, name)) {
            return Some(true);
        }
        any |= COUNTRIES
            .iter()
            .any(|(names, _)| names.iter().any(|name| holds(&words, name)));
        any.then_some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_what() {
        let spain = country("what does a box to Spain cost").expect("Spain");
        assert_eq!(
            spain.spoken_of("A parcel to another EU country costs 15."),
            Some(true)
        );
        assert_eq!(
            spain.spoken_of("To the United Kingdom it costs 13."),
            Some(false)
        );
        assert_eq!(spain.spoken_of("Outside Europe it costs 34."), Some(false));
        assert_eq!(spain.spoken_of("It takes 3 days."), None);
        let canada = country("five kilos to canada").expect("Canada");
        assert_eq!(canada.spoken_of("Outside Europe it costs 34."), Some(true));
        let usa = country("the last date for the usa").expect("the USA");
        assert_eq!(
            usa.spoken_of("Within Ireland 22 December, for the EU 15 December."),
            Some(false)
        );
        assert_eq!(country("can you tell us the price"), None);
        assert_eq!(country("from france to spain"), None);
    }
}
