//! The configuration file: TOML, flat, each key the name of a setting, each value known by its line.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::setting::{self, Setting};
use crate::fault::Fault;

/// A configuration file, read and known to name nothing but settings.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: PathBuf,
    values: BTreeMap<&'static str, Value>,
}

/// What a file says of one setting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Value {
    pub(crate) text: String,
    pub(crate) line: usize,
}

impl File {
    /// Reads a file. `named_by` is the flag or variable that named it.
    pub(crate) fn read(path: &Path, named_by: &str) -> Result<Self, Fault> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Fault::failed(format!(
                "the configuration file {} cannot be read ({error}): check {named_by}, and that this user may read the \
                 file",
                path.display()
            ))
        })?;
        let values = parse(&text).map_err(|Trouble { line, message }| {
            Fault::usage(format!("{} line {line}: {message}", path.display()))
        })?;
        Ok(Self { path: path.to_owned(), values })
    }

    pub(crate) fn get(&self, setting: &Setting) -> Option<&Value> {
        self.values.get(setting.key)
    }
}

/// What is wrong with a file, and where.
#[derive(PartialEq, Eq, Debug)]
struct Trouble {
    line: usize,
    message: String,
}

fn parse(text: &str) -> Result<BTreeMap<&'static str, Value>, Trouble> {
    let trouble = |span: Option<Range<usize>>, message: String| Trouble {
        line: line_of(text, span.map_or(text.len(), |span| span.start)),
        message,
    };
    let table = DeTable::parse(text).map_err(|error| {
        let message = format!("this is not TOML: {}", error.message().replace('\n', "; "));
        trouble(error.span(), message)
    })?;
    let mut values = BTreeMap::new();
    for (key, value) in table.get_ref() {
        let setting = find(key.get_ref()).map_err(|message| trouble(Some(key.span()), message))?;
        let text = match value.get_ref() {
            DeValue::String(text) => text.clone().into_owned(),
            DeValue::Integer(number) => number.to_string(),
            _ => {
                let message = format!("`{}` takes a text in quotes or a whole number", setting.key);
                return Err(trouble(Some(value.span()), message));
            }
        };
        let line = trouble(Some(value.span()), String::new()).line;
        values.insert(setting.key, Value { text, line });
    }
    Ok(values)
}

fn find(key: &str) -> Result<&'static Setting, String> {
    let setting = setting::ALL.iter().find(|setting| setting.key == key);
    match setting {
        Some(setting) if setting.secret => Err(format!(
            "`{key}` is a secret and has no place in a configuration file: give it by the variable {} or name a file of \
             its own with `{key}_file`",
            setting.env
        )),
        Some(setting) => Ok(setting),
        None => {
            let alike = setting::ALL.iter().filter(|setting| !setting.secret && alike(setting.key, key));
            let hint = alike.map(|setting| format!("`{}`", setting.key)).next();
            let hint = hint.unwrap_or_else(|| "one of those that `jeton config check` lists".to_owned());
            Err(format!("there is no setting `{}`: did you mean {hint}?", key.escape_debug()))
        }
    }
}

/// Whether somebody who wrote `written` may have meant `key`: the same but for how it is put together, or but for one
/// letter.
pub(super) fn alike(key: &str, written: &str) -> bool {
    let plain = |text: &str| text.replace(['_', '-', '.'], "").to_lowercase();
    let (key, written) = (plain(key), plain(written));
    let common = key.bytes().zip(written.bytes()).take_while(|(one, other)| one == other).count();
    let (key, written) = (key.get(common..).unwrap_or(""), written.get(common..).unwrap_or(""));
    let rest = |text: &str| text.chars().skip(1).collect::<String>();
    key == written || rest(key) == written || key == rest(written) || rest(key) == rest(written)
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        let Trouble { line, message } = parse(text).unwrap_err();
        format!("{line}: {message}")
    }

    #[test]
    fn texts_and_whole_numbers_are_taken_with_their_lines() {
        let values = parse("# ours\nlisten = \"[::1]:80\"\n\nmax_tokens = 1_000\n").unwrap();
        assert_eq!(values["listen"], Value { text: "[::1]:80".to_owned(), line: 2 });
        assert_eq!(values["max_tokens"], Value { text: "1000".to_owned(), line: 4 });
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_setting_is_refused_with_its_line() {
        for (text, expected) in [
            (
                "\nlisten_on = 1",
                "2: there is no setting `listen_on`: did you mean one of those that `jeton config check` lists?",
            ),
            ("data-dir = 'x'", "1: there is no setting `data-dir`: did you mean `data_dir`?"),
            ("lisen = 'x'", "1: there is no setting `lisen`: did you mean `listen`?"),
            ("listten = 'x'", "1: there is no setting `listten`: did you mean `listen`?"),
            ("listem = 'x'", "1: there is no setting `listem`: did you mean `listen`?"),
            (
                "[server]\nlisten = 'x'",
                "1: there is no setting `server`: did you mean one of those that `jeton config check` lists?",
            ),
            ("max_tokens = 1.5", "1: `max_tokens` takes a text in quotes or a whole number"),
            ("\n\nlisten = true", "3: `listen` takes a text in quotes or a whole number"),
        ] {
            assert_eq!(refusal(text), expected);
        }
    }

    #[test]
    fn a_secret_is_refused_without_being_repeated() {
        let refusal = refusal("owner_token = 'hunter2'");
        assert!(refusal.contains("JETON_OWNER_TOKEN") && refusal.contains("`owner_token_file`"), "{refusal}");
        assert!(!refusal.contains("hunter2"), "{refusal}");
    }

    #[test]
    fn what_is_not_toml_is_refused_with_its_line() {
        for (text, line) in [("a\n", "1"), ("listen = 'a'\nlisten = 'b'", "2"), ("\nlisten = \"a", "2")] {
            let refusal = refusal(text);
            assert!(refusal.starts_with(&format!("{line}: this is not TOML: ")), "{refusal}");
        }
    }
}
