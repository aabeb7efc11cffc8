//! Whom this line may call at a number that a caller gave. A number can be said, and a calling number can be forged: a line that calls back
//! whatever it is told pays for calls to the ends of the earth. So numbers are called by allow-list only.

use crate::config::{Config, Via};
use crate::desk::entity::calling_code;

/// Numbers that cost whoever calls them money, in countries where that shows in the number.
const PREMIUM: &[&str] = &[
    "+1900", "+1976", "+44909", "+44908", "+44911", "+44912", "+44913", "+4487", "+49900",
    "+49137", "+33899", "+338", "+3490", "+39899", "+39892", "+61190", "+979", "+808", "+881",
    "+882", "+883",
];

/// Beginnings of numbers that may be called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allowed {
    beginnings: Vec<String>,
    /// Written in the configuration: then it holds as it stands.
    explicit: bool,
    /// A PBX is called, which has its own rules; only what no caller can mean is refused here.
    leave_to_pbx: bool,
}

impl Allowed {
    /// As configured; else numbers of the desk's country, and of the countries that our own numbers are in.
    pub fn of(config: &Config, country: &str) -> Self {
        if let Some(beginnings) = &config.callback.allow {
            return Self {
                beginnings: beginnings.clone(),
                explicit: true,
                leave_to_pbx: false,
            };
        }
        let own = config
            .trunks
            .iter()
            .filter_map(|t| t.caller_id.clone())
            .chain(config.twilio.as_ref().and_then(|t| t.caller_id.clone()));
        let mut beginnings: Vec<String> = own.filter_map(|n| code_of(&n)).collect();
        beginnings.extend(calling_code(country).map(|code| format!("+{code}")));
        beginnings.sort();
        beginnings.dedup();
        Self {
            beginnings,
            explicit: false,
            leave_to_pbx: matches!(config.callback.via, Via::Sip(_)),
        }
    }

    /// # Errors
    /// A sentence: the number is not called, and what would change that.
    pub fn check(&self, number: &str) -> Result<(), String> {
        let number = number.trim();
        let digits = number.strip_prefix('+').unwrap_or(number);
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        if !is_number {
            // A user of the PBX's, by name.
            return match self.leave_to_pbx {
                true => Ok(()),
                false => Err(format!("{number} is no telephone number")),
            };
        }
        let begins = |list: &[String]| list.iter().any(|b| number.starts_with(b.as_str()));
        let allowed = match self.explicit {
            true => begins(&self.beginnings),
            false => {
                let premium = PREMIUM.iter().any(|p| number.starts_with(p));
                !premium && (self.leave_to_pbx || begins(&self.beginnings))
            }
        };
        match allowed {
            true => Ok(()),
            false => Err(format!(
                "{number} is not among the numbers that this line calls back ({}): see [callback] allow",
                self.beginnings.join(", ")
            )),
        }
    }
}

/// The calling code at the front of an international number, as far as its length can be told from it: ITU-T E.164 gives +1 and +7 one digit,
/// and the two-digit codes are these.
fn code_of(number: &str) -> Option<String> {
    const TWO: &[&str] = &[
        "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46",
        "47", "48", "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63",
        "64", "65", "66", "81", "82", "84", "86", "90", "91", "92", "93", "94", "95", "98",
    ];
    let digits = number.strip_prefix('+')?;
    let length = match digits.get(..2)? {
        one if one.starts_with('1') || one.starts_with('7') => 1,
        two if TWO.contains(&two) => 2,
        _ => 3,
    };
    Some(format!("+{}", digits.get(..length)?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn allowed(text: &str, country: &str) -> Allowed {
        let config = Config::from_parts(Some(("t", text)), &BTreeMap::new()).unwrap();
        Allowed::of(&config, country)
    }

    #[test]
    fn numbers_at_home_are_called_and_dear_ones_are_not() {
        let text = "[[trunk]]\nname = \"c\"\nhost = \"192.0.2.1\"\ncaller_id = \"+442079460018\"\n";
        let list = allowed(text, "US");
        for good in ["+15550100123", "+447700900123"] {
            assert_eq!(list.check(good), Ok(()), "{good}");
        }
        for bad in [
            "+19005550100",
            "+37250123456",
            "+8821234567",
            "911",
            "anna",
            "",
            "+44871234567",
        ] {
            let why = list.check(bad).unwrap_err();
            assert!(
                why.contains("allow") || why.contains("no telephone number"),
                "{why}"
            );
        }
        assert_eq!(code_of("+37250123456").as_deref(), Some("+372"));
    }

    #[test]
    fn a_list_of_ones_own_holds_as_it_stands() {
        let list = allowed("[callback]\nallow = [\"+1555\", \"+19005550199\"]\n", "US");
        assert!(list.check("+15550100123").is_ok() && list.check("+19005550199").is_ok());
        assert!(list.check("+12125550100").is_err());
        assert!(
            allowed("[callback]\nallow = []\n", "US")
                .check("+15550100123")
                .is_err()
        );
    }

    #[test]
    fn a_pbx_has_its_own_rules() {
        let list = allowed("[callback]\nvia = \"sip:{number}@192.0.2.5\"\n", "US");
        assert!(list.check("+447700900123").is_ok() && list.check("anna").is_ok());
        assert!(list.check("+19005550100").is_err());
    }
}
