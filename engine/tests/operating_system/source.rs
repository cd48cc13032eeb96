//! Rust source as tokens, without comments and without what only tests compile.
//!
//! Knows as much of the language as the rules need: where comments, strings and characters end,
//! and where an item under `#[cfg(test)]` does. It does not expand macros; their bodies are tokens
//! like any others.

use std::iter::Peekable;
use std::str::CharIndices;

/// A word, a number, a literal or a punctuation mark; `::` is one token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// As written, but raw names lose their `r#`. String literals keep their quotes.
    pub(crate) text: String,
    /// Counted from 1.
    pub(crate) line: usize,
}

/// `#[cfg(test)] mod NAME;`, maybe with `#[path = "..."]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TestModule {
    pub(crate) name: String,
    pub(crate) path: Option<String>,
}

/// Splits `source` into tokens; comments, documentation included, are gone.
pub(crate) fn tokens(source: &str) -> Vec<Token> {
    let mut lexer = Lexer { source, chars: source.char_indices().peekable(), line: 1 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blanks();
        let (line, start) = (lexer.line, lexer.position());
        let Some(first) = lexer.bump() else {
            return tokens;
        };
        lexer.rest_of_token(first, start);
        let text = &source[start..lexer.position()];
        let text = text.strip_prefix("r#").filter(|name| is_name(name)).unwrap_or(text);
        tokens.push(Token { text: text.to_owned(), line });
    }
}

/// Whether `text` is a word of the language or of the program.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

struct Lexer<'a> {
    source: &'a str,
    chars: Peekable<CharIndices<'a>>,
    line: usize,
}

impl Lexer<'_> {
    fn position(&mut self) -> usize {
        self.chars.peek().map_or(self.source.len(), |&(at, _)| at)
    }

    fn rest(&mut self) -> &str {
        let at = self.position();
        &self.source[at..]
    }

    fn bump(&mut self) -> Option<char> {
        let (_, c) = self.chars.next()?;
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn bump_while(&mut self, mut go_on: impl FnMut(char) -> bool) {
        while self.chars.peek().is_some_and(|&(_, c)| go_on(c)) {
            self.bump();
        }
    }

    fn skip_blanks(&mut self) {
        loop {
            self.bump_while(char::is_whitespace);
            if self.rest().starts_with("//") {
                self.bump_while(|c| c != '\n');
            } else if self.rest().starts_with("/*") {
                self.skip_block_comment();
            } else {
                return;
            }
        }
    }

    fn skip_block_comment(&mut self) {
        let mut depth = 0;
        loop {
            let step = match self.rest().as_bytes() {
                [b'/', b'*', ..] => 1,
                [b'*', b'/', ..] => -1,
                [] => return,
                _ => 0,
            };
            depth += step;
            self.bump();
            if step != 0 {
                self.bump();
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// Consumes the token that began with `first` at `start`.
    fn rest_of_token(&mut self, first: char, start: usize) {
        match first {
            '"' => self.string(),
            '\'' => self.character_or_lifetime(),
            ':' if self.rest().starts_with(':') => drop(self.bump()),
            c if c.is_ascii_digit() => {
                self.bump_while(|c| c.is_alphanumeric() || c == '_');
            }
            c if c.is_alphabetic() || c == '_' => {
                self.bump_while(|c| c.is_alphanumeric() || c == '_');
                let end = self.position();
                self.prefixed(&self.source[start..end]);
            }
            _ => {}
        }
    }

    /// A literal, or a raw name, that begins with the word `prefix`; or no more than the word.
    fn prefixed(&mut self, prefix: &str) {
        let hashes = self.rest().chars().take_while(|&c| c == '#').count();
        let after = self.rest()[hashes..].chars().next();
        match (prefix, after) {
            ("r" | "br" | "cr", Some('"')) => self.raw_string(hashes),
            ("b" | "c", Some('"')) if hashes == 0 => {
                self.bump();
                self.string();
            }
            ("b", Some('\'')) if hashes == 0 => {
                self.bump();
                self.character_or_lifetime();
            }
            ("r", Some(c)) if hashes == 1 && (c.is_alphabetic() || c == '_') => {
                self.bump();
                self.bump_while(|c| c.is_alphanumeric() || c == '_');
            }
            _ => {}
        }
    }

    /// After the opening quote.
    fn string(&mut self) {
        while let Some(c) = self.bump() {
            match c {
                '"' => return,
                '\\' => drop(self.bump()),
                _ => {}
            }
        }
    }

    fn raw_string(&mut self, hashes: usize) {
        let end = format!("\"{}", "#".repeat(hashes));
        for _ in 0..=hashes {
            self.bump();
        }
        while !self.rest().is_empty() && !self.rest().starts_with(&end) {
            self.bump();
        }
        for _ in 0..=hashes {
            self.bump();
        }
    }

    /// After the quote: `'a'` and `'\n'` are characters, `'a` is a lifetime.
    fn character_or_lifetime(&mut self) {
        let mut ahead = self.rest().chars();
        match (ahead.next(), ahead.next()) {
            (Some('\\'), _) => {
                self.bump();
                self.bump();
                self.bump_while(|c| c != '\'');
                self.bump();
            }
            (Some(_), Some('\'')) => {
                self.bump();
                self.bump();
            }
            _ => self.bump_while(|c| c.is_alphanumeric() || c == '_'),
        }
    }
}

/// Whether the tokens from `at` on are these.
pub(crate) fn matches(tokens: &[Token], at: usize, expected: &[&str]) -> bool {
    let found = tokens.iter().skip(at).map(|token| token.text.as_str());
    found.take(expected.len()).eq(expected.iter().copied())
}

/// Drops every item that only tests compile; tells which of them are files.
pub(crate) fn without_tests(tokens: &[Token]) -> (Vec<Token>, Vec<TestModule>) {
    let (mut kept, mut modules) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < tokens.len() {
        let is_test = matches(tokens, at, &["#", "[", "cfg", "(", "test", ")", "]"])
            || matches(tokens, at, &["#", "[", "cfg", "(", "all", "(", "test", ","]);
        if is_test {
            let end = item_end(tokens, at);
            modules.extend(test_module(&tokens[at..end]));
            at = end;
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    (kept, modules)
}

/// Past the item whose first attribute stands at `at`: its `;` or its closing brace.
fn item_end(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" => depth -= 1,
            "}" => {
                depth -= 1;
                if depth == 0 {
                    return index + 1;
                }
            }
            // A field or an arm ends at its comma. So does a generic list by mistake, and then the
            // rest of the item is looked at: the strict side.
            ";" | "," if depth == 0 => return index + 1,
            _ => {}
        }
        if depth < 0 {
            // The last field of a struct, without a comma.
            return index;
        }
    }
    tokens.len()
}

/// The module that `item`, with its attributes, declares in another file.
fn test_module(item: &[Token]) -> Option<TestModule> {
    let [.., keyword, name, end] = item else {
        return None;
    };
    if keyword.text != "mod" || end.text != ";" {
        return None;
    }
    let path = (0..item.len()).find(|&at| matches(item, at, &["[", "path", "="]));
    let path = path.and_then(|at| item.get(at + 3));
    let path = path.map(|literal| literal.text.trim_matches('"').to_owned());
    Some(TestModule { name: name.text.clone(), path })
}
