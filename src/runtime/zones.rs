//! Where it is how late for whoever has a number: the time zones a number's country or area code may lie in. Mobile numbers move and are
//! kept, so this is a guess to be careful by, never one to say aloud.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::desk::entity::calling_code;

/// Countries and, where a country has several zones, its areas: what a number begins with, and its zones from east to west. The longest
/// beginning that fits counts.
const ZONES: &[(&str, &[&str])] = &[
    ("+20", &["Africa/Cairo"]),
    ("+27", &["Africa/Johannesburg"]),
    ("+212", &["Africa/Casablanca"]),
    ("+213", &["Africa/Algiers"]),
    ("+216", &["Africa/Tunis"]),
    ("+233", &["Africa/Accra"]),
    ("+234", &["Africa/Lagos"]),
    ("+254", &["Africa/Nairobi"]),
    ("+30", &["Europe/Athens"]),
    ("+31", &["Europe/Amsterdam"]),
    ("+32", &["Europe/Brussels"]),
    ("+33", &["Europe/Paris"]),
    ("+34", &["Europe/Madrid", "Atlantic/Canary"]),
    ("+351", &["Europe/Lisbon", "Atlantic/Azores"]),
    ("+352", &["Europe/Luxembourg"]),
    ("+353", &["Europe/Dublin"]),
    ("+354", &["Atlantic/Reykjavik"]),
    ("+356", &["Europe/Malta"]),
    ("+357", &["Asia/Nicosia"]),
    ("+358", &["Europe/Helsinki"]),
    ("+359", &["Europe/Sofia"]),
    ("+36", &["Europe/Budapest"]),
    ("+370", &["Europe/Vilnius"]),
    ("+371", &["Europe/Riga"]),
    ("+372", &["Europe/Tallinn"]),
    ("+380", &["Europe/Kyiv"]),
    ("+381", &["Europe/Belgrade"]),
    ("+385", &["Europe/Zagreb"]),
    ("+386", &["Europe/Ljubljana"]),
    ("+39", &["Europe/Rome"]),
    ("+40", &["Europe/Bucharest"]),
    ("+41", &["Europe/Zurich"]),
    ("+420", &["Europe/Prague"]),
    ("+421", &["Europe/Bratislava"]),
    ("+43", &["Europe/Vienna"]),
    ("+44", &["Europe/London"]),
    ("+45", &["Europe/Copenhagen"]),
    ("+46", &["Europe/Stockholm"]),
    ("+47", &["Europe/Oslo"]),
    ("+48", &["Europe/Warsaw"]),
    ("+49", &["Europe/Berlin"]),
    ("+51", &["America/Lima"]),
    ("+52", &["America/Cancun", "America/Tijuana"]),
    ("+54", &["America/Argentina/Buenos_Aires"]),
    ("+55", &["America/Noronha", "America/Rio_Branco"]),
    ("+56", &["America/Santiago", "Pacific/Easter"]),
    ("+57", &["America/Bogota"]),
    ("+60", &["Asia/Kuala_Lumpur"]),
    ("+61", &["Australia/Sydney", "Australia/Perth"]),
    ("+612", &["Australia/Sydney"]),
    ("+613", &["Australia/Melbourne"]),
    ("+617", &["Australia/Brisbane"]),
    ("+618", &["Australia/Adelaide", "Australia/Perth"]),
    ("+62", &["Asia/Jayapura", "Asia/Jakarta"]),
    ("+63", &["Asia/Manila"]),
    ("+64", &["Pacific/Auckland"]),
    ("+65", &["Asia/Singapore"]),
    ("+66", &["Asia/Bangkok"]),
    ("+7", &["Asia/Kamchatka", "Europe/Kaliningrad"]),
    ("+81", &["Asia/Tokyo"]),
    ("+82", &["Asia/Seoul"]),
    ("+84", &["Asia/Ho_Chi_Minh"]),
    ("+852", &["Asia/Hong_Kong"]),
    ("+86", &["Asia/Shanghai"]),
    ("+880", &["Asia/Dhaka"]),
    ("+886", &["Asia/Taipei"]),
    ("+90", &["Europe/Istanbul"]),
    ("+91", &["Asia/Kolkata"]),
    ("+92", &["Asia/Karachi"]),
    ("+94", &["Asia/Colombo"]),
    ("+966", &["Asia/Riyadh"]),
    ("+971", &["Asia/Dubai"]),
    ("+972", &["Asia/Jerusalem"]),
];

/// +1: area codes by zone. One that is not here may be anywhere from Newfoundland to Hawaii; those whose area lies in two zones are in both.
const AREAS: &[(&str, &str)] = &[
    ("America/St_Johns", "709 879"),
    (
        "America/Halifax",
        "506 902 782 428 441 787 939 340 246 264 268 284 473 664 721 758 767 784 809 829 849 868 869",
    ),
    (
        "America/New_York",
        "201 202 203 207 212 215 216 220 223 227 229 231 234 239 240 248 252 260 267 269 272 276 283 301 302 304 305 313 315 317 321 324 326 \
         329 330 332 336 339 347 351 352 363 380 386 401 404 407 410 412 413 419 423 434 436 440 443 445 448 463 470 475 478 484 502 508 513 516 \
         517 518 540 551 557 561 567 570 571 574 582 585 586 606 607 609 610 614 616 617 624 631 640 645 646 656 667 670 678 679 680 681 686 689 \
         703 704 706 716 717 718 724 726 727 728 732 734 740 743 754 757 762 765 770 771 772 774 781 786 802 803 804 810 812 813 814 821 826 828 835 838 \
         839 843 845 848 850 854 856 857 859 860 861 862 863 864 865 878 904 906 908 910 912 914 917 919 929 930 934 937 941 943 947 948 954 959 \
         973 978 980 984 989 226 249 289 343 365 367 382 387 416 418 437 438 450 468 514 519 548 579 581 613 647 683 705 742 753 807 819 873 905 942 242 345 649 658 876",
    ),
    (
        "America/Chicago",
        "205 210 214 217 218 219 224 225 228 251 254 256 262 270 274 281 308 309 312 314 316 318 319 320 325 327 331 334 337 346 361 364 402 405 \
         409 414 417 430 432 447 464 469 479 501 504 507 512 515 531 534 535 539 557 563 572 573 580 601 605 608 612 615 618 620 629 630 636 641 \
         651 659 660 662 682 701 708 712 713 715 726 730 731 737 763 769 773 779 785 806 812 815 816 817 830 832 847 850 870 872 901 903 906 913 \
         918 920 931 936 938 940 945 952 956 972 975 979 985 204 306 431 474 584 639 807",
    ),
    (
        "America/Denver",
        "208 303 307 308 385 406 435 505 575 605 620 701 719 720 785 801 915 970 983 986 403 587 780 825 368 867",
    ),
    ("America/Phoenix", "480 520 602 623 928"),
    (
        "America/Los_Angeles",
        "206 208 209 213 253 279 310 323 341 350 360 369 408 415 424 425 442 458 503 509 510 530 541 559 562 564 619 626 628 650 657 661 669 \
         702 707 714 725 738 747 760 775 805 818 820 831 837 840 858 909 916 925 949 951 971 986 236 250 257 604 672 778 867",
    ),
    ("America/Anchorage", "907"),
    ("Pacific/Honolulu", "808"),
    ("Pacific/Guam", "671 670"),
];

/// The zones of a +1 number's area; none where the area is not known.
fn of_area(rest: &str) -> Vec<&'static str> {
    let area = rest.get(..3).unwrap_or_default();
    let of = |codes: &str| codes.split_ascii_whitespace().any(|code| code == area);
    let found = AREAS.iter().filter(|(_, codes)| of(codes));
    found.map(|(zone, _)| *zone).collect()
}

/// The zones a number may lie in; none where nothing is known of it.
fn zones(number: &str) -> Vec<&'static str> {
    if let Some(rest) = number.strip_prefix("+1") {
        let found = of_area(rest);
        return match found.is_empty() {
            true => vec!["America/St_Johns", "Pacific/Honolulu"],
            false => found,
        };
    }
    let longest = ZONES
        .iter()
        .filter(|(begins, _)| number.starts_with(begins))
        .max_by_key(|(begins, _)| begins.len());
    longest.map(|(_, zones)| zones.to_vec()).unwrap_or_default()
}

/// Whose time zone is the desk's, whatever the number's area code says: a number of the desk's own country and of an area not known.
fn at_home(number: &str, country: &str) -> bool {
    let code = calling_code(country).map(|code| format!("+{code}"));
    code.is_some_and(|code| number.starts_with(&code))
}

/// Quiet hours, minutes after midnight: from, until.
pub type Quiet = (u16, u16);

/// When it is no longer too early or too late to ring this number, if it is now. In every zone that the number may lie in it has to be a
/// decent hour; where nothing is known of it, in the desk's.
pub fn quiet_until(
    quiet: Quiet,
    number: &str,
    now: Timestamp,
    desk: &TimeZone,
    country: &str,
) -> Option<Timestamp> {
    let mut zones: Vec<TimeZone> = zones(number)
        .into_iter()
        .filter_map(|name| TimeZone::get(name).ok())
        .collect();
    // A number without a country, or of an area of the desk's own country that this table does not know: the desk's time is as good.
    let vague = number
        .strip_prefix("+1")
        .is_some_and(|rest| of_area(rest).is_empty());
    if zones.is_empty() || (vague && at_home(number, country)) {
        zones = vec![desk.clone()];
    }
    // By the minute, and a day at most: quiet hours of two zones can leave a short while, or none.
    const STEP_MIN: i64 = 5;
    if !zones.iter().any(|zone| is_quiet(quiet, now, zone)) {
        return None;
    }
    let steps = (1..=24 * 60 / STEP_MIN).filter_map(|n| {
        now.checked_add(jiff::SignedDuration::from_mins(n * STEP_MIN))
            .ok()
    });
    let decent = |at: &Timestamp| !zones.iter().any(|zone| is_quiet(quiet, *at, zone));
    let mut steps = steps.filter(decent);
    // Never decent everywhere at once: then by the desk's own clock.
    match steps.next() {
        Some(at) => Some(at),
        None => is_quiet(quiet, now, desk).then(|| {
            now.checked_add(jiff::SignedDuration::from_mins(STEP_MIN))
                .unwrap_or(now)
        }),
    }
}

fn is_quiet((from, until): Quiet, now: Timestamp, zone: &TimeZone) -> bool {
    let local = now.to_zoned_datetime(zone.clone());
    let minute = local.hour() as u16 * 60 + local.minute() as u16;
    if from <= until {
        (from..until).contains(&minute)
    } else {
        minute >= from || minute < until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NIGHT: Quiet = (20 * 60, 8 * 60);

    fn until(number: &str, now: &str) -> Option<String> {
        let desk = TimeZone::get("America/New_York").unwrap();
        quiet_until(NIGHT, number, now.parse().unwrap(), &desk, "US").map(|t| t.to_string())
    }

    #[test]
    fn nobody_is_rung_at_night_where_they_are() {
        for (number, now, want) in [
            // 10:00 in New York.
            ("+12125550100", "2026-11-23T15:00:00Z", None),
            // There it is 07:00, and in Honolulu 05:00.
            (
                "+14155550100",
                "2026-11-23T15:00:00Z",
                Some("2026-11-23T16:00:00Z"),
            ),
            (
                "+18085550100",
                "2026-11-23T15:00:00Z",
                Some("2026-11-23T18:00:00Z"),
            ),
            // 15:00 in London; at 20:30 there it is the afternoon at the desk.
            ("+447700900123", "2026-11-23T15:00:00Z", None),
            (
                "+447700900123",
                "2026-11-23T20:30:00Z",
                Some("2026-11-24T08:00:00Z"),
            ),
            // An area code that nobody has: the desk's own time.
            ("+15550100123", "2026-11-23T15:00:00Z", None),
            (
                "+15550100123",
                "2026-11-24T02:00:00Z",
                Some("2026-11-24T13:00:00Z"),
            ),
            // A mobile number anywhere in Australia: both coasts must be up.
            (
                "+61400000000",
                "2026-11-22T21:30:00Z",
                Some("2026-11-23T00:00:00Z"),
            ),
            ("+61400000000", "2026-11-23T02:00:00Z", None),
            // A user of the PBX's.
            ("anna", "2026-11-23T15:00:00Z", None),
            ("anna", "2026-11-24T02:00:00Z", Some("2026-11-24T13:00:00Z")),
        ] {
            assert_eq!(until(number, now).as_deref(), want, "{number} at {now}");
        }
    }

    #[test]
    fn every_zone_that_is_named_is_one() {
        let named = ZONES
            .iter()
            .flat_map(|(_, zones)| zones.iter())
            .chain(AREAS.iter().map(|(zone, _)| zone));
        for zone in named {
            assert!(TimeZone::get(zone).is_ok(), "{zone}");
        }
        for (zone, codes) in AREAS {
            for code in codes.split_ascii_whitespace() {
                let good = code.len() == 3 && code.bytes().all(|b| b.is_ascii_digit());
                assert!(good, "{zone}: {code}");
            }
        }
    }

    #[test]
    fn no_quiet_hours_are_none() {
        let desk = TimeZone::UTC;
        let now: Timestamp = "2026-11-23T02:00:00Z".parse().unwrap();
        assert_eq!(quiet_until((0, 0), "+447700900123", now, &desk, "GB"), None);
        // Countries so wide that it is never a decent hour at both ends go by the desk's clock.
        assert!(quiet_until((17 * 60, 12 * 60), "+79000000000", now, &desk, "GB").is_some());
        let noon: Timestamp = "2026-11-23T13:00:00Z".parse().unwrap();
        assert_eq!(
            quiet_until((17 * 60, 12 * 60), "+79000000000", noon, &desk, "GB"),
            None
        );
    }
}
