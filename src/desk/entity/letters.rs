//! Names of letters and digits, as words.

/// NATO, the older RAF and telephone alphabets, and their usual spellings.
pub(super) fn alphabet(word: &str) -> Option<char> {
    Some(match word {
        "alpha" | "alfa" | "able" | "apple" | "adam" => 'A',
        "bravo" | "baker" | "bertie" => 'B',
        "charlie" | "charley" => 'C',
        "delta" | "david" => 'D',
        "echo" | "edward" => 'E',
        "foxtrot" | "freddie" => 'F',
        "golf" | "george" => 'G',
        "hotel" | "harry" => 'H',
        "india" | "isaac" => 'I',
        "juliet" | "juliett" | "juliette" | "jack" => 'J',
        "kilo" => 'K',
        "lima" | "lucy" => 'L',
        "mike" | "mary" | "mother" => 'M',
        "november" | "nellie" => 'N',
        "oscar" | "oliver" | "orange" => 'O',
        "papa" | "peter" => 'P',
        "quebec" | "queen" | "queenie" => 'Q',
        "romeo" | "robert" | "roger" => 'R',
        "sierra" | "sugar" => 'S',
        "tango" | "tommy" => 'T',
        "uniform" | "uncle" | "umbrella" => 'U',
        "victor" => 'V',
        "whiskey" | "whisky" | "william" => 'W',
        "xray" | "xylophone" => 'X',
        "yankee" | "yellow" => 'Y',
        "zulu" | "zebra" => 'Z',
        _ => return None,
    })
}

/// Letter and digit names as words; true where the word is also a common one.
pub(super) fn homophone(word: &str) -> Option<(&'static str, bool)> {
    Some(match word {
        "eh" | "hey" | "ay" => ("A", true),
        "bee" => ("B", false),
        "be" => ("B", true),
        "cee" => ("C", false),
        "see" | "sea" => ("C", true),
        "dee" => ("D", false),
        "eff" => ("F", false),
        "gee" => ("G", false),
        "aitch" | "haitch" => ("H", false),
        "eye" => ("I", true),
        "jay" => ("J", false),
        "kay" => ("K", false),
        "ell" | "el" => ("L", false),
        "em" => ("M", false),
        "en" => ("N", false),
        "and" => ("N", true),
        "oh" | "owe" => ("O", true),
        "pee" => ("P", false),
        "pea" => ("P", true),
        "cue" | "queue" | "kew" => ("Q", false),
        "are" | "our" => ("R", true),
        "ar" => ("R", false),
        "ess" | "es" => ("S", false),
        "tee" => ("T", false),
        "tea" => ("T", true),
        "you" | "yew" | "ewe" => ("U", true),
        "vee" => ("V", false),
        "we" => ("V", true),
        "ex" => ("X", false),
        "wye" => ("Y", false),
        "why" => ("Y", true),
        "zed" | "zee" | "zet" => ("Z", false),
        "won" => ("1", true),
        "to" | "too" => ("2", true),
        "tree" | "free" => ("3", true),
        "for" | "fore" => ("4", true),
        "fife" => ("5", false),
        "ate" => ("8", true),
        "nil" | "naught" => ("0", false),
        _ => return None,
    })
}

/// Two-letter words that are words.
pub(super) const COMMON_PAIRS: [&str; 34] = [
    "is", "it", "my", "at", "in", "on", "so", "no", "me", "an", "us", "we", "he", "do", "if", "or",
    "up", "of", "am", "be", "to", "by", "go", "as", "hi", "oh", "ok", "id", "im", "uh", "um", "er",
    "pm", "ah",
];
