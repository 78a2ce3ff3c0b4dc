//! The effective configuration: for each setting the value of the highest layer that gives one, and who gave it.
//!
//! A command resolves only the parts that it needs, so that a wrong limit keeps nobody from checking a secret.

pub(crate) mod file;
pub(crate) mod layers;
pub(crate) mod secret;
pub(crate) mod setting;
pub(crate) mod value;

use std::fmt::{self, Display};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jeton_core::limits::Limits;
use jeton_core::secret::SecretFormat;
use jeton_server::http::rate_limit::RateLimit;
use jeton_server::http::{ConnectionLimits, ListenAddress};
use jeton_server::verify::{RouteMap, VerifySettings};

use crate::fault::Fault;
use crate::system;
use layers::{Layers, Origin};
use secret::SecretSource;
use setting::{Fallback, Setting};
use value::{
    Count, Database, Email, FilePath, Lease, LogFormat, LogLevel, Name, Networks, Rate, Retention, Seconds,
    SignOfLife, Span, TokenPrefix,
};

/// Where the records and the key are.
#[derive(Debug)]
pub(crate) struct Storage {
    pub(crate) data_dir: PathBuf,
    pub(crate) database: Database,
    pub(crate) server_key: KeySource,
}

/// Where the server key comes from.
#[derive(Debug)]
pub(crate) enum KeySource {
    /// The operator gives it, and it has to be there.
    Given(SecretSource),
    /// It lives in the data directory, and is made there at the first start.
    Kept(PathBuf),
}

/// A file that somebody named.
#[derive(Clone, Debug)]
pub(crate) struct NamedFile {
    pub(crate) path: PathBuf,
    pub(crate) origin: Origin,
}

/// Names the file, as the subject of a message.
impl fmt::Display for NamedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the file {} ({})", self.path.display(), self.origin)
    }
}

/// Where a certificate and its key are.
#[derive(Clone, Debug)]
pub(crate) struct TlsFiles {
    pub(crate) cert: NamedFile,
    pub(crate) key: NamedFile,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Logging {
    pub(crate) level: LogLevel,
    pub(crate) format: LogFormat,
}

/// What the first start is told.
#[derive(Debug)]
pub(crate) struct Owner {
    /// Who said any of it.
    pub(crate) origins: Vec<Origin>,
    pub(crate) email: String,
    pub(crate) password: Option<SecretSource>,
    pub(crate) token: Option<SecretSource>,
}

/// How streams of changes are kept up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streams {
    /// Silence before a sign of life.
    pub(crate) keepalive: Duration,
    /// How long changes stay in the log.
    pub(crate) log_retention: Duration,
}

/// How several servers on one database live together.
#[derive(Debug)]
pub(crate) struct ClusterSettings {
    pub(crate) node_name: String,
    pub(crate) lease: Duration,
    pub(crate) poll: Duration,
    pub(crate) max_staleness: Duration,
}

/// What clients may cost.
#[derive(Debug)]
pub(crate) struct Costs {
    pub(crate) connections: ConnectionLimits,
    pub(crate) token_rate: RateLimit,
    pub(crate) failed_auth_rate: RateLimit,
    pub(crate) failed_login_rate: RateLimit,
    pub(crate) max_body_bytes: usize,
    pub(crate) body_timeout: Duration,
}

/// Everything that a server is told.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) listen: ListenAddress,
    /// Where gRPC is spoken, if it is.
    pub(crate) grpc_listen: Option<ListenAddress>,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) storage: Storage,
    pub(crate) format: SecretFormat,
    pub(crate) owner: Owner,
    pub(crate) logging: Logging,
    pub(crate) verify: VerifySettings,
    pub(crate) streams: Streams,
    pub(crate) cluster: ClusterSettings,
    pub(crate) limits: Limits,
    pub(crate) costs: Costs,
}

/// A setting as it was resolved.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) setting: &'static Setting,
    /// As it is written in a file; `None` where nothing holds, or where it must not be shown.
    pub(crate) text: Option<String>,
    pub(crate) origin: Origin,
}

/// Resolves settings one by one, and remembers what came of each.
#[derive(Debug)]
pub(crate) struct Resolver<'a> {
    layers: &'a Layers,
    entries: Vec<Entry>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(layers: &'a Layers) -> Self {
        Self { layers, entries: Vec::new() }
    }

    /// What was resolved, in order.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Everything that a server is told.
    pub(crate) fn config(&mut self) -> Result<Config, Fault> {
        let (listen, tls, storage) = (self.listen()?, self.tls()?, self.storage()?);
        let (format, owner, logging) = (self.format()?, self.owner()?, self.logging()?);
        let (grpc_listen, verify, streams) = (self.grpc_listen()?, self.verify()?, self.streams()?);
        let cluster = self.cluster()?;
        let (limits, costs) = (self.limits()?, self.costs(streams.keepalive)?);
        Ok(Config {
            listen,
            grpc_listen,
            tls,
            storage,
            format,
            owner,
            logging,
            verify,
            streams,
            cluster,
            limits,
            costs,
        })
    }

    pub(crate) fn listen(&mut self) -> Result<ListenAddress, Fault> {
        self.take(&setting::LISTEN)
    }

    fn grpc_listen(&mut self) -> Result<Option<ListenAddress>, Fault> {
        let given = self.layers.get(&setting::GRPC_LISTEN);
        given.map(|(text, origin)| self.read(&setting::GRPC_LISTEN, text, origin)).transpose()
    }

    /// The certificate alone, for who wants to recognize it.
    pub(crate) fn tls_cert(&mut self) -> Result<Option<NamedFile>, Fault> {
        self.named_file(&setting::TLS_CERT)
    }

    fn tls(&mut self) -> Result<Option<TlsFiles>, Fault> {
        let lonely = |given: &NamedFile, what: &str, missing: &Setting| {
            Err(Fault::usage(format!(
                "{} is given without {what}: give --{} or {} as well, or neither for plain HTTP",
                given.origin,
                missing.flag(),
                missing.env
            )))
        };
        match (self.tls_cert()?, self.named_file(&setting::TLS_KEY)?) {
            (None, None) => Ok(None),
            (Some(cert), Some(key)) => Ok(Some(TlsFiles { cert, key })),
            (Some(cert), None) => lonely(&cert, "the key that belongs to it", &setting::TLS_KEY),
            (None, Some(key)) => lonely(&key, "the certificate that it belongs to", &setting::TLS_CERT),
        }
    }

    fn named_file(&mut self, setting: &'static Setting) -> Result<Option<NamedFile>, Fault> {
        let Some((text, origin)) = self.layers.get(setting) else {
            return Ok(None);
        };
        let FilePath(path) = self.read(setting, text, origin.clone())?;
        Ok(Some(NamedFile { path, origin }))
    }

    pub(crate) fn storage(&mut self) -> Result<Storage, Fault> {
        let FilePath(data_dir) = self.take(&setting::DATA_DIR)?;
        let embedded = Database::Sqlite(data_dir.join("jeton.db"));
        let database = self.take_or(&setting::DATABASE, || embedded)?;
        if database.is_secret()
            && let Some(entry) = self.entries.last_mut()
        {
            entry.text = None;
        }
        let kept = data_dir.join("server-key");
        let server_key = match self.secret(&setting::SERVER_KEY_FILE, &setting::SERVER_KEY)? {
            // Naming the place where it would be kept anyway says nothing new, as a file that `config check` wrote does.
            Some(SecretSource::File(path, _)) if path == kept => KeySource::Kept(kept),
            Some(source) => KeySource::Given(source),
            None => {
                self.note(&setting::SERVER_KEY_FILE, Some(kept.display().to_string()), Origin::Default);
                KeySource::Kept(kept)
            }
        };
        Ok(Storage { data_dir, database, server_key })
    }

    pub(crate) fn format(&mut self) -> Result<SecretFormat, Fault> {
        self.take(&setting::TOKEN_PREFIX).map(|TokenPrefix(format)| format)
    }

    pub(crate) fn logging(&mut self) -> Result<Logging, Fault> {
        let level = self.take(&setting::LOG_LEVEL)?;
        let by_terminal = || {
            let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
            if terminal { LogFormat::Text } else { LogFormat::Json }
        };
        Ok(Logging { level, format: self.take_or(&setting::LOG_FORMAT, by_terminal)? })
    }

    fn verify(&mut self) -> Result<VerifySettings, Fault> {
        let trusted = match self.layers.get(&setting::TRUSTED_PROXY) {
            Some((text, origin)) => self.read(&setting::TRUSTED_PROXY, text, origin)?,
            None => Networks::default(),
        };
        let route_map = self.route_map()?.map(Arc::new);
        let Seconds(max_age) = self.take(&setting::VERIFY_MAX_AGE)?;
        let max_age = Duration::from_secs(max_age);
        Ok(VerifySettings { trusted_proxies: trusted.0, max_age, route_map })
    }

    /// The route map, read and checked.
    pub(crate) fn route_map(&mut self) -> Result<Option<RouteMap>, Fault> {
        let Some(file) = self.named_file(&setting::ROUTE_MAP)? else { return Ok(None) };
        let text = std::fs::read_to_string(&file.path)
            .map_err(|error| Fault::usage(format!("{file} cannot be read: {error}")))?;
        RouteMap::parse(&text).map(Some).map_err(|error| Fault::usage(format!("{file}: {error}")))
    }

    fn streams(&mut self) -> Result<Streams, Fault> {
        let SignOfLife(keepalive) = self.take(&setting::STREAM_KEEPALIVE)?;
        let Retention(log_retention) = self.take(&setting::CHANGE_LOG_RETENTION)?;
        Ok(Streams { keepalive, log_retention })
    }

    fn cluster(&mut self) -> Result<ClusterSettings, Fault> {
        let Name(node_name) = self.take_or(&setting::NODE_NAME, || Name(system::machine()))?;
        let lease = self.lease()?;
        let Span(poll) = self.take(&setting::POLL)?;
        let Seconds(more) = self.take(&setting::MAX_STALENESS)?;
        Ok(ClusterSettings { node_name, lease, poll, max_staleness: Duration::from_secs(more) })
    }

    pub(crate) fn lease(&mut self) -> Result<Duration, Fault> {
        self.take(&setting::LEASE).map(|Lease(lease)| lease)
    }

    fn limits(&mut self) -> Result<Limits, Fault> {
        let Count(tokens) = self.take(&setting::MAX_TOKENS)?;
        let Count(streams) = self.take(&setting::MAX_STREAMS)?;
        let streams = usize::try_from(streams).unwrap_or(usize::MAX);
        Ok(Limits { tokens: tokens.into(), streams, ..Limits::default() })
    }

    fn owner(&mut self) -> Result<Owner, Fault> {
        let Email(email) = self.take(&setting::OWNER_EMAIL)?;
        let password = self.secret(&setting::OWNER_PASSWORD_FILE, &setting::OWNER_PASSWORD)?;
        let token = self.secret(&setting::OWNER_TOKEN_FILE, &setting::OWNER_TOKEN)?;
        let all = [
            &setting::OWNER_EMAIL,
            &setting::OWNER_PASSWORD_FILE,
            &setting::OWNER_PASSWORD,
            &setting::OWNER_TOKEN_FILE,
            &setting::OWNER_TOKEN,
        ];
        let said = all.into_iter().filter_map(|setting| self.layers.get(setting));
        Ok(Owner { origins: said.map(|(_, origin)| origin).collect(), email, password, token })
    }

    fn costs(&mut self, keepalive: Duration) -> Result<Costs, Fault> {
        let count = |Count(number)| usize::try_from(number).unwrap_or(usize::MAX);
        let max_body_bytes = count(self.take(&setting::MAX_BODY_BYTES)?);
        let Rate(token_rate) = self.take(&setting::TOKEN_RATE)?;
        let Rate(failed_auth_rate) = self.take(&setting::FAILED_AUTH_RATE)?;
        let Rate(failed_login_rate) = self.take(&setting::FAILED_LOGIN_RATE)?;
        let connections = count(self.take(&setting::MAX_CONNECTIONS)?);
        let Span(header_read) = self.take(&setting::HEADER_TIMEOUT)?;
        let Span(body_timeout) = self.take(&setting::BODY_TIMEOUT)?;
        let write_stall = self.write_timeout(keepalive)?;
        let Span(idle) = self.take(&setting::IDLE_TIMEOUT)?;
        let Span(drain) = self.take(&setting::DRAIN_TIMEOUT)?;
        let others = ConnectionLimits::default();
        let connections = ConnectionLimits { connections, header_read, write_stall, idle, drain, ..others };
        Ok(Costs {
            connections,
            token_rate,
            failed_auth_rate,
            failed_login_rate,
            max_body_bytes,
            body_timeout,
        })
    }

    /// Over HTTP/2 nobody can tell a reader who stands still from a stream in which nothing happens, but for the signs of
    /// life.
    fn write_timeout(&mut self, keepalive: Duration) -> Result<Duration, Fault> {
        let Span(span) = self.take(&setting::WRITE_TIMEOUT)?;
        match self.layers.get(&setting::WRITE_TIMEOUT) {
            Some((text, origin)) if span <= keepalive => Err(Fault::usage(format!(
                "{origin}: after `{text}` silent streams would be cut, since they give a sign of life only after {}: give \
                 more, or a shorter --stream-keepalive",
                SignOfLife(keepalive)
            ))),
            _ => Ok(span),
        }
    }

    /// A setting that has a default text.
    fn take<T: FromStr<Err: Display> + Display>(&mut self, setting: &'static Setting) -> Result<T, Fault> {
        let default = match setting.fallback {
            Fallback::Text(text) => text,
            Fallback::None | Fallback::Depends(_) => "",
        };
        let (text, origin) = self.layers.get(setting).unwrap_or((default, Origin::Default));
        self.read(setting, text, origin)
    }

    /// A setting whose default depends on other things.
    fn take_or<T: FromStr<Err: Display> + Display>(
        &mut self,
        setting: &'static Setting,
        default: impl FnOnce() -> T,
    ) -> Result<T, Fault> {
        if let Some((text, origin)) = self.layers.get(setting) {
            return self.read(setting, text, origin);
        }
        let value = default();
        self.note(setting, Some(value.to_string()), Origin::Default);
        Ok(value)
    }

    /// A secret, given in a file or by its own variable. Nothing is read yet.
    fn secret(
        &mut self,
        file: &'static Setting,
        own: &'static Setting,
    ) -> Result<Option<SecretSource>, Fault> {
        match (self.layers.get(file), self.layers.get(own)) {
            (None, None) => Ok(None),
            (Some((_, one)), Some((_, other))) => Err(Fault::usage(format!(
                "{one} and {other} are both given and stand for the same: leave one of them out"
            ))),
            (Some((text, origin)), None) => {
                let FilePath(path) = self.read(file, text, origin.clone())?;
                Ok(Some(SecretSource::File(path, origin)))
            }
            (None, Some((text, origin))) => {
                self.note(own, None, origin.clone());
                Ok(Some(SecretSource::Text(text.to_owned().into(), origin)))
            }
        }
    }

    fn read<T: FromStr<Err: Display> + Display>(
        &mut self,
        setting: &'static Setting,
        text: &str,
        origin: Origin,
    ) -> Result<T, Fault> {
        let value: T = text.parse().map_err(|error| Fault::usage(format!("{origin}: {error}")))?;
        self.note(setting, Some(value.to_string()), origin);
        Ok(value)
    }

    fn note(&mut self, setting: &'static Setting, text: Option<String>, origin: Origin) {
        self.entries.push(Entry { setting, text, origin });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_resolved_by_somebody_and_every_default_can_be_read() {
        let layers = Layers::load(layers::Flags::new(), std::iter::empty()).unwrap();
        let mut resolver = Resolver::new(&layers);
        resolver.config().unwrap();
        let found: Vec<_> = resolver.entries().iter().map(|entry| entry.setting.key).collect();
        let optional = [
            "tls_cert",
            "tls_key",
            "grpc_listen",
            "trusted_proxy",
            "route_map",
            "server_key",
            "owner_password_file",
            "owner_password",
            "owner_token_file",
            "owner_token",
        ];
        let expected = setting::ALL.iter().map(|setting| setting.key).filter(|key| !optional.contains(key));
        assert_eq!(found, expected.collect::<Vec<_>>());
    }

    #[test]
    fn the_defaults_are_those_of_the_parts_they_configure() {
        let layers = Layers::load(layers::Flags::new(), std::iter::empty()).unwrap();
        let config = Resolver::new(&layers).config().unwrap();
        assert_eq!(config.limits, Limits::default());
        assert_eq!(config.costs.connections, ConnectionLimits::default());
    }
}
