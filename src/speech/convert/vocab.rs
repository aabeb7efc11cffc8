//! Token texts for the ggml file, from a Hugging Face `tokenizer.json`.

use std::collections::HashMap;

use super::{ConvertError, refuse};

/// The byte that a character of GPT-2's printable alphabet stands for: printable Latin-1 stands for itself, the other 68 bytes
/// in increasing order are U+0100 and up.
fn byte_of(c: char) -> Option<u8> {
    let code = u32::from(c);
    let plain = |b: u32| matches!(b, 33..=126 | 161..=172 | 174..=255);
    if code < 256 {
        return plain(code).then_some(code as u8);
    }
    (0..256u32)
        .filter(|b| !plain(*b))
        .nth((code - 256) as usize)
        .map(|b| b as u8)
}

/// Raw bytes of tokens `0..count`, in order.
///
/// # Errors
/// Not JSON, no vocabulary in it, an id missing, or a character outside the alphabet.
pub fn tokens(tokenizer_json: &[u8], count: usize) -> Result<Vec<Vec<u8>>, ConvertError> {
    #[derive(serde::Deserialize)]
    struct File {
        model: Model,
    }
    #[derive(serde::Deserialize)]
    struct Model {
        vocab: HashMap<String, u32>,
    }
    let file: File = match serde_json::from_slice(tokenizer_json) {
        Ok(file) => file,
        Err(e) => return refuse(format!("tokenizer.json cannot be read: {e}")),
    };
    let mut out: Vec<Option<Vec<u8>>> = vec![None; count];
    for (text, id) in file.model.vocab {
        let Some(slot) = out.get_mut(id as usize) else {
            continue; // markers beyond the text tokens: whisper.cpp adds them itself
        };
        match text.chars().map(byte_of).collect() {
            Some(bytes) => *slot = Some(bytes),
            None => {
                return refuse(format!(
                    "token {id} holds a character that stands for no byte"
                ));
            }
        }
    }
    match out.iter().position(Option::is_none) {
        Some(id) => refuse(format!("tokenizer.json has no token {id}")),
        None => Ok(out.into_iter().flatten().collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alphabet_covers_every_byte_once() {
        let mut seen: Vec<u8> = (0..0x200)
            .filter_map(char::from_u32)
            .filter_map(byte_of)
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..=255).collect::<Vec<u8>>());
        assert_eq!(byte_of('Ġ'), Some(b' '));
        assert_eq!(byte_of('Ċ'), Some(b'\n'));
        assert_eq!(byte_of(' '), None);
    }

    #[test]
    fn a_missing_or_odd_token_is_refused() {
        let json = br#"{"model":{"vocab":{"a":0,"\u0120b":1,"<|x|>":9}}}"#;
        assert_eq!(tokens(json, 2).unwrap(), [b"a".to_vec(), b" b".to_vec()]);
        assert!(tokens(json, 3).is_err());
        assert!(tokens(b"{}", 1).is_err());
        assert!(tokens("{\"model\":{\"vocab\":{\"中\":0}}}".as_bytes(), 1).is_err());
    }
}
