use super::*;

fn us() -> Locale {
    Locale::new("en-US", None, None).unwrap()
}
fn gb() -> Locale {
    Locale::new("en-GB", None, Some("Europe/London")).unwrap()
}

fn day(iso: &str) -> jiff::civil::Date {
    iso.parse().unwrap()
}

/// A Monday.
fn today() -> jiff::civil::Date {
    day("2026-11-23")
}

/// Runs a table; all the rows that fail are shown at once.
fn table<T: PartialEq + std::fmt::Debug>(rows: &[(&str, T)], read: impl Fn(&str) -> T) {
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|(said, want)| {
            let got = read(said);
            (got != *want).then(|| format!("{said:?}: got {got:?}, want {want:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn some(s: &str) -> Option<String> {
    (!s.is_empty()).then(|| s.to_owned())
}

/// Rows with text wanted; the empty text stands for `None`.
fn texts(rows: &[(&str, &str)], read: impl Fn(&str) -> Option<String>) {
    let rows: Vec<(&str, Option<String>)> = rows.iter().map(|(a, b)| (*a, some(b))).collect();
    table(&rows, read);
}

#[test]
fn locales() {
    assert_eq!(us().currency, "USD");
    assert_eq!(gb().currency, "GBP");
    assert!(gb().day_first() && !us().day_first());
    assert_eq!(Locale::new("en", None, None).unwrap().country(), "US");
    assert_eq!(
        Locale::new("en-ie", Some("eur"), None).unwrap().currency,
        "EUR"
    );
    assert!(Locale::new("English please", None, None).is_err());
    assert!(Locale::new("en-US", Some("dollars"), None).is_err());
    assert!(Locale::new("en-US", None, Some("Mars/Base")).is_err());
    // Half past eleven in London's summer is the next day already in UTC+1.
    let late = "2026-07-01T23:30:00Z".parse().unwrap();
    assert_eq!(gb().today(late), day("2026-07-02"));
}

#[test]
fn numbers() {
    table(
        &[
            ("a hundred and five", Some(105.0)),
            ("one hundred", Some(100.0)),
            ("twenty-three", Some(23.0)),
            ("twenty three", Some(23.0)),
            ("1,250.50", Some(1250.5)),
            ("two thousand and twenty four", Some(2024.0)),
            ("two and a half", Some(2.5)),
            ("three point one four", Some(3.14)),
            ("zero point five", Some(0.5)),
            ("I'd like 3 please", Some(3.0)),
            ("the third", Some(3.0)),
            ("1.5 million", Some(1_500_000.0)),
            ("fifteen hundred", Some(1500.0)),
            ("five k", Some(5.0)),
            ("5k", Some(5000.0)),
            ("a dozen", Some(12.0)),
            ("minus four", Some(-4.0)),
            ("three, no sorry, four", Some(4.0)),
            ("a million", Some(1e6)),
            ("no idea", None),
            ("", None),
            ("someone", None),
        ],
        number,
    );
}

#[test]
fn amounts_in_dollars() {
    let read = |s: &str| {
        money(s, &us())
            .iter()
            .map(|m| (m.minor, m.currency.clone()))
            .collect::<Vec<_>>()
    };
    let usd = |m: i64| vec![(m, "USD".to_owned())];
    table(
        &[
            ("$12.50", usd(1250)),
            ("12.50", usd(1250)),
            ("twelve fifty", usd(1250)),
            ("12 50", usd(1250)),
            ("$12 50", usd(1250)),
            ("twelve dollars fifty", usd(1250)),
            ("twelve dollars and fifty cents", usd(1250)),
            ("12 dollars 50 cents", usd(1250)),
            ("a hundred and five dollars", usd(10500)),
            ("1,250.00", usd(125_000)),
            ("$1,250", usd(125_000)),
            ("forty bucks", usd(4000)),
            ("ninety-nine cents", usd(99)),
            ("nineteen ninety nine", usd(1999)),
            ("nine ninety-nine", usd(999)),
            ("two fifty", usd(25_000)),
            ("a dollar", usd(100)),
            ("two grand", usd(200_000)),
            ("a grand", usd(100_000)),
            ("half a million dollars", usd(50_000_000)),
            ("a couple of hundred dollars", usd(20_000)),
            ("I paid forty dollars on the 3rd of March", usd(4000)),
            ("forty, no, fifty dollars", usd(5000)),
            ("thirteen dollars, sorry, thirty dollars", usd(3000)),
            ("twelve oh five", usd(1205)),
            ("105", usd(10500)),
            ("twenty-five dollars a month for six months", usd(2500)),
            ("US$20", usd(2000)),
            ("20 US dollars", usd(2000)),
            ("$2.5 million", usd(250_000_000)),
            ("five dollars and a half", usd(550)),
            ("two and a half thousand dollars", usd(250_000)),
            ("it was 12 percent", vec![]),
            ("nothing", vec![]),
            ("twelve pounds fifty", vec![(1250, "GBP".into())]),
            ("€30", vec![(3000, "EUR".into())]),
            ("500 yen", vec![(500, "JPY".into())]),
            (
                "from $10 to $25.99",
                vec![(1000, "USD".into()), (2599, "USD".into())],
            ),
        ],
        read,
    );
}

#[test]
fn amounts_in_pounds() {
    let read = |s: &str| {
        money(s, &gb())
            .iter()
            .map(|m| (m.minor, m.currency.clone()))
            .collect::<Vec<_>>()
    };
    let gbp = |m: i64| vec![(m, "GBP".to_owned())];
    table(
        &[
            ("twelve pounds fifty", gbp(1250)),
            ("£12.50", gbp(1250)),
            ("12 pounds 50", gbp(1250)),
            ("12 pounds and 50 pence", gbp(1250)),
            ("forty quid", gbp(4000)),
            ("50p", gbp(50)),
            ("50 p", gbp(50)),
            ("a tenner", gbp(1000)),
            ("a fiver please", gbp(500)),
            ("a pound", gbp(100)),
            ("£3", gbp(300)),
            ("GBP 45", gbp(4500)),
            ("three pounds ninety nine", gbp(399)),
            ("one thousand two hundred pounds", gbp(120_000)),
            ("twelve pounds 50 times", gbp(1200)),
            ("sixteen pounds sterling", gbp(1600)),
            ("12 50", gbp(1250)),
            ("$5", vec![(500, "USD".into())]),
        ],
        read,
    );
}
