//! Bytes as text that a person can read and a program can read back.
//!
//! Printable characters stand for themselves, in UTF-8; a backslash is `\\`, tab, newline and
//! carriage return are `\t`, `\n`, `\r`, any other byte is `\xNN`. So a tab can separate a key
//! from its value, and a newline one entry from the next.

use std::fmt::Write as _;

/// Appends `bytes` as text.
pub(crate) fn escape(out: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => out.push_str("\\\\"),
                '\t' => out.push_str("\\t"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\'' | '"' => out.push(character),
                // The standard library knows which characters show and which do things.
                _ if character.escape_debug().count() == 1 => out.push(character),
                _ => hex_escape(out, character.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        hex_escape(out, chunk.invalid());
    }
}

fn hex_escape(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        write!(out, "\\x{byte:02x}").expect("a string takes all");
    }
}

/// The bytes that escaped text stands for; `None` if it has an escape that is none.
pub(crate) fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'\\' => match rest.next()? {
                b'\\' => b'\\',
                b't' => b'\t',
                b'n' => b'\n',
                b'r' => b'\r',
                b'x' => digit(rest.next()?)? << 4 | digit(rest.next()?)?,
                _ => return None,
            },
            byte => byte,
        });
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Appends `bytes` in hexadecimal.
pub(crate) fn hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        write!(out, "{byte:02x}").expect("a string takes all");
    }
}

/// The bytes that hexadecimal text stands for; `None` if it is none.
pub(crate) fn parse_hex(text: &[u8]) -> Option<Vec<u8>> {
    let (pairs, odd) = text.as_chunks::<2>();
    if !odd.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(bytes: &[u8]) -> String {
        let mut out = String::new();
        escape(&mut out, bytes);
        out
    }

    #[test]
    fn text_shows_what_can_be_seen() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"plain words, 'quoted' \"twice\"", "plain words, 'quoted' \"twice\""),
            (b"a\tb\nc\rd\\e", "a\\tb\\nc\\rd\\\\e"),
            (b"\0\x1b[31m\x7f", "\\x00\\x1b[31m\\x7f"),
            (b"\xff\xc3", "\\xff\\xc3"),
            ("\u{e9}\u{65e5}".as_bytes(), "\u{e9}\u{65e5}"),
            // Turns the text behind it around, on a terminal.
            ("\u{202e}".as_bytes(), "\\xe2\\x80\\xae"),
            // Would merge with whatever stands before it.
            ("\u{301}".as_bytes(), "\\xcc\\x81"),
        ] {
            assert_eq!(escaped(bytes), text);
        }
    }

    #[test]
    fn every_pair_of_bytes_comes_back() {
        for pair in 0..=u16::MAX {
            let bytes = pair.to_le_bytes();
            let text = escaped(&bytes);
            assert_eq!(unescape(text.as_bytes()).as_deref(), Some(&bytes[..]), "{text}");
            assert!(!text.contains(['\t', '\n']));
            let mut text = String::new();
            hex(&mut text, &bytes);
            assert_eq!(parse_hex(text.as_bytes()).as_deref(), Some(&bytes[..]));
        }
    }

    #[test]
    fn what_is_no_escape_is_refused() {
        for text in ["\\", "a\\", "\\q", "\\x", "\\x1", "\\x1g"] {
            assert_eq!(unescape(text.as_bytes()), None, "{text}");
        }
        for text in ["1", "1g", "0x12", " 12"] {
            assert_eq!(parse_hex(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse_hex(b"Ab0f"), Some(vec![0xab, 0x0f]));
    }
}
