//! `jeton config check`: the effective configuration, as a file that could be used as it is.
//!
//! Each line says where its value comes from. Secrets stand in comments, masked, since a file can't hold them. What
//! only a start would read is read here too, so that a wrong path is found before it matters.

use std::fmt::Write as _;

use super::print;
use crate::config::layers::Layers;
use crate::config::{Config, Entry, KeySource, Resolver};
use crate::fault::Fault;
use crate::{first_start, key, logging, tls};

pub(crate) fn run(layers: &Layers) -> Result<(), Fault> {
    let mut resolver = Resolver::new(layers);
    let config = resolver.config()?;
    logging::start(config.logging);
    print(&text(&resolver, layers))?;
    read_files(&config)
}

fn text(resolver: &Resolver<'_>, layers: &Layers) -> String {
    let lines: Vec<_> = resolver.entries().iter().map(|entry| (line(entry), &entry.origin)).collect();
    let width = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or_default();
    let mut text = String::from("# The effective configuration of jeton, and where each value comes from.\n");
    for (line, origin) in lines {
        let _ = writeln!(text, "{line:width$}  # {origin}");
    }
    for stranger in layers.strangers() {
        let _ = writeln!(text, "# {stranger}");
    }
    text
}

fn line(entry: &Entry) -> String {
    let key = entry.setting.key;
    match &entry.text {
        None => format!("# {key} = \"********\""),
        // A text of digits reads the same with quotes and without.
        Some(text) if text.parse::<u32>().is_ok() => format!("{key} = {text}"),
        Some(text) => format!("{key} = {}", toml::Value::from(text.as_str())),
    }
}

fn read_files(config: &Config) -> Result<(), Fault> {
    if let Some(files) = &config.tls {
        tls::read(files)?;
    }
    if let KeySource::Given(source) = &config.storage.server_key {
        key::given(source)?;
    }
    if let Some(source) = &config.owner.password {
        first_start::owner_password(source)?;
    }
    if let Some(source) = &config.owner.token {
        first_start::owner_token(source, &config.format)?;
    }
    Ok(())
}
