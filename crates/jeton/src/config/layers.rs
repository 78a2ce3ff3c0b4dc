//! The layers: flags, then variables, then the configuration file. What stands higher hides what stands below.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::file::{self, File};
use super::setting::{self, Setting};
use crate::fault::Fault;

/// What was given on the command line, by key.
pub(crate) type Flags = BTreeMap<&'static str, String>;

/// Everything that was said, and by whom.
#[derive(Debug)]
pub(crate) struct Layers {
    flags: Flags,
    variables: BTreeMap<String, String>,
    file: Option<File>,
}

/// Who said something.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    /// This flag, without its dashes.
    Flag(String),
    /// This variable.
    Variable(&'static str),
    /// This line of this file.
    File(PathBuf, usize),
    /// Nobody.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "--{flag}"),
            Self::Variable(name) => f.write_str(name),
            Self::File(path, line) => write!(f, "{} line {line}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

impl Layers {
    /// Takes the flags and the variables of the process, and reads the file that they name, if they do.
    pub(crate) fn load(
        flags: Flags,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, Fault> {
        let mut layers = Self { flags, variables: variables(environment)?, file: None };
        if let Some((path, origin)) = layers.get(&setting::CONFIG) {
            layers.file = Some(File::read(Path::new(path), &origin.to_string())?);
        }
        Ok(layers)
    }

    /// What was said of a setting, by the highest layer that says anything.
    pub(crate) fn get(&self, setting: &'static Setting) -> Option<(&str, Origin)> {
        if let Some(text) = self.flags.get(setting.key) {
            return Some((text, Origin::Flag(setting.flag())));
        }
        if let Some(text) = self.variables.get(setting.env) {
            return Some((text, Origin::Variable(setting.env)));
        }
        if let Some((file, value)) = self.file.as_ref().and_then(|file| Some((file, file.get(setting)?))) {
            return Some((&value.text, Origin::File(file.path.clone(), value.line)));
        }
        let courtesy = setting.courtesy?;
        self.variables.get(courtesy).map(|text| (text.as_str(), Origin::Variable(courtesy)))
    }

    /// Variables that look like ours and are not, in words: a typing error, as a rule.
    pub(crate) fn strangers(&self) -> impl Iterator<Item = String> {
        let known = |name: &str| settings().chain(for_client()).any(|setting| setting.env == name);
        let strange = self.variables.iter().filter(move |(name, value)| {
            is_ours(name) && !known(name) && !is_of_an_orchestrator(name, value)
        });
        strange.map(|(name, _)| {
            let meant = settings().find(|setting| file::alike(setting.env, name));
            let meant = meant.map_or(String::new(), |setting| format!(": did you mean {}?", setting.env));
            format!(
                "{name} is set, but jeton has no such variable{}",
                if meant.is_empty() { "." } else { &meant }
            )
        })
    }
}

fn settings() -> impl Iterator<Item = &'static Setting> {
    setting::ALL.iter().copied().chain([&setting::CONFIG])
}

/// What a server does not heed, but whoever sets it did not mistype it.
fn for_client() -> impl Iterator<Item = &'static Setting> {
    setting::FOR_CLIENT.iter().copied()
}

/// Kubernetes tells every container of the services around it, and one of those may be called jeton.
fn is_of_an_orchestrator(name: &str, value: &str) -> bool {
    name.starts_with("JETON_SERVICE_")
        || name.starts_with("JETON_PORT_")
        || (name == "JETON_PORT" && value.contains("://"))
}

fn is_ours(name: &str) -> bool {
    name.starts_with("JETON_")
}

/// The variables that may concern jeton. An empty one counts as absent: that is how compose files and unit files leave
/// something out.
fn variables(
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<BTreeMap<String, String>, Fault> {
    let mut variables = BTreeMap::new();
    for (name, value) in environment {
        let Ok(name) = name.into_string() else { continue };
        let wanted = is_ours(&name) || settings().any(|setting| setting.courtesy == Some(name.as_str()));
        if !wanted || value.is_empty() {
            continue;
        }
        let Ok(value) = value.into_string() else {
            return Err(Fault::usage(format!("{name}: its value is not UTF-8 text")));
        };
        variables.insert(name, value);
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;

    fn layers(flags: &[(&'static str, &str)], environment: &[(&str, &str)]) -> Layers {
        let flags = flags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        Layers::load(flags, environment.iter().map(|(name, value)| (name.into(), value.into()))).unwrap()
    }

    #[test]
    fn a_flag_hides_a_variable_and_a_variable_hides_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            &file,
            "listen = 'file:1'\ndata_dir = 'file'\ntoken_prefix = 'file'\nowner_email = 'f@f'",
        )
        .unwrap();
        let path = file.path().to_str().unwrap();
        let layers = layers(
            &[("listen", "flag:1")],
            &[
                ("JETON_CONFIG", path),
                ("JETON_LISTEN", "variable:1"),
                ("JETON_DATA_DIR", "variable"),
                ("CANVUS_ADMIN_EMAIL", "c@c"),
                ("CANVUS_ADMIN_PASSWORD", "courtesy"),
                ("CANVUS_OTHER", "x"),
            ],
        );
        let say = |setting| layers.get(setting).map(|(text, origin)| format!("{text} {origin}"));
        assert_eq!(say(&setting::LISTEN).unwrap(), "flag:1 --listen");
        assert_eq!(say(&setting::DATA_DIR).unwrap(), "variable JETON_DATA_DIR");
        assert_eq!(say(&setting::TOKEN_PREFIX).unwrap(), format!("file {path} line 3"));
        assert_eq!(say(&setting::OWNER_EMAIL).unwrap(), format!("f@f {path} line 4"), "above a courtesy");
        assert_eq!(say(&setting::OWNER_PASSWORD).unwrap(), "courtesy CANVUS_ADMIN_PASSWORD");
        assert_eq!(say(&setting::LOG_LEVEL), None);
    }

    #[test]
    fn an_empty_variable_is_absent_and_a_strange_one_is_known_as_such() {
        let layers = layers(&[], &[("JETON_LISTEN", ""), ("JETON_LISTN", "x"), ("JETON_DATABASE_URL", "x")]);
        assert!(layers.get(&setting::LISTEN).is_none());
        let meant = "JETON_LISTN is set, but jeton has no such variable: did you mean JETON_LISTEN?";
        assert_eq!(layers.strangers().collect::<Vec<_>>(), [meant]);
    }

    #[test]
    fn what_an_orchestrator_says_of_a_service_is_no_mistake() {
        let layers = layers(
            &[],
            &[
                ("JETON_SERVICE_HOST", "10.0.0.1"),
                ("JETON_PORT", "tcp://10.0.0.1:80"),
                ("JETON_PORT_80_TCP", "x"),
            ],
        );
        assert_eq!(layers.strangers().count(), 0);
        let mistake = super::tests::layers(&[], &[("JETON_PORT", "9000")]);
        let said = "JETON_PORT is set, but jeton has no such variable.";
        assert_eq!(mistake.strangers().collect::<Vec<_>>(), [said]);
    }

    #[test]
    fn only_our_own_variables_have_to_be_text() {
        let broken = || OsString::from_vec(vec![0xff]);
        assert!(Layers::load(Flags::new(), [("OTHER".into(), broken())].into_iter()).is_ok());
        let refusal =
            Layers::load(Flags::new(), [("JETON_LISTEN".into(), broken())].into_iter()).unwrap_err();
        assert_eq!(refusal.message(), "JETON_LISTEN: its value is not UTF-8 text");
    }
}
