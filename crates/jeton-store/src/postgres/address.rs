//! Where a database is: read from a URL, and written without what is secret in it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use super::encryption::{self, Encryption, Need};

/// A server that says nothing for this long is not there.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Whoever waits for an answer asks after so long whether the machine at the other end is still there. One that has lost its
/// power says nothing of it, and what waits for it would wait for hours.
const IDLE: Duration = Duration::from_secs(5);
/// What the driver has where the address says nothing of it.
const DRIVERS_IDLE: Duration = Duration::from_hours(2);

/// The address of a database, with whatever the server asks of its clients.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    config: Config,
    encryption: Encryption,
    /// As it was given, if nothing in it is secret.
    open: Option<String>,
}

/// A text that is no address. It is not repeated: it may hold a password.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadAddress {
    /// It can't be read.
    #[error(
        "that is not an address of a PostgreSQL database: write postgres://USER:PASSWORD@HOST:PORT/DATABASE, and reserved \
         characters as %XX"
    )]
    Unreadable,
    /// Nothing says on which host.
    #[error(
        "the address names no host: write postgres://USER@HOST/DATABASE, or ?host=/run/postgresql for a socket"
    )]
    NoHost,
    /// Nothing says which database.
    #[error("the address names no database: write postgres://USER@HOST/DATABASE")]
    NoDatabase,
    /// It asks for a kind of encryption that there is not.
    #[error(
        "sslmode is disable, prefer, require, verify-ca or verify-full: write sslmode=verify-full&sslrootcert=FILE for the \
         safest"
    )]
    Mode,
    /// It would believe whoever somebody signed for any name.
    #[error(
        "whom this machine trusts may sign for anybody, so a server has to be known by its name: write \
         sslmode=verify-full, or name your own root with sslrootcert=FILE"
    )]
    Weak,
    /// It names a certificate without a key, or a key without a certificate.
    #[error("the address names only one of sslcert and sslkey: a certificate of one's own takes both")]
    HalfIdentity,
    /// It says something of TLS that is not heeded.
    #[error("jeton does not heed {0}: take it out of the address, and make sure that you can do without")]
    Unsupported(&'static str),
}

impl Address {
    /// Whether there is a password in it. What is written of such an address is not the whole of it.
    pub fn is_secret(&self) -> bool {
        self.open.is_none()
    }

    /// How to reach each of its hosts.
    pub(super) fn hosts(&self) -> impl Iterator<Item = Config> {
        let hosts = self.config.get_hosts().len();
        (0..hosts).map(|number| only(&self.config, number))
    }

    /// How long a host may take until it has let somebody in.
    pub(super) fn timeout(&self) -> Duration {
        self.config.get_connect_timeout().copied().unwrap_or(TIMEOUT)
    }

    pub(super) fn encryption(&self) -> &Encryption {
        &self.encryption
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(BadAddress::Unreadable);
        }
        let (rest, encryption) = encryption::take(text)?;
        let mut config: Config = rest.parse().map_err(|_| BadAddress::Unreadable)?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(BadAddress::NoHost);
        }
        if config.get_hosts().is_empty() {
            // Certificates are for names: where there is none, the number is the name.
            for number in config.get_hostaddrs().to_vec() {
                config.host(number.to_string());
            }
        }
        if config.get_dbname().is_none_or(str::is_empty) {
            return Err(BadAddress::NoDatabase);
        }
        config.connect_timeout(config.get_connect_timeout().copied().unwrap_or(TIMEOUT));
        config.tcp_user_timeout(config.get_tcp_user_timeout().copied().unwrap_or(TIMEOUT));
        if config.get_keepalives_idle() == DRIVERS_IDLE {
            config.keepalives_idle(IDLE);
        }
        // A standby can be read, but takes no beat and no commit: of several hosts the one is meant that does.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        if config.get_application_name().is_none() {
            config.application_name("jeton");
        }
        config.ssl_mode(ssl_mode(&config, &encryption));
        let open = config.get_password().is_none().then(|| text.to_owned());
        Ok(Self { config, encryption, open })
    }
}

/// The same, of one host alone.
fn only(config: &Config, number: usize) -> Config {
    let mut one = Config::new();
    one.ssl_mode(config.get_ssl_mode())
        .ssl_negotiation(config.get_ssl_negotiation())
        .channel_binding(config.get_channel_binding())
        .target_session_attrs(config.get_target_session_attrs())
        .load_balance_hosts(config.get_load_balance_hosts())
        .keepalives(config.get_keepalives())
        .keepalives_idle(config.get_keepalives_idle());
    config.get_user().map(|user| one.user(user));
    config.get_password().map(|password| one.password(password));
    config.get_dbname().map(|name| one.dbname(name));
    config.get_options().map(|options| one.options(options));
    config.get_application_name().map(|name| one.application_name(name));
    config.get_connect_timeout().map(|timeout| one.connect_timeout(*timeout));
    config.get_tcp_user_timeout().map(|timeout| one.tcp_user_timeout(*timeout));
    config.get_keepalives_interval().map(|interval| one.keepalives_interval(interval));
    config.get_keepalives_retries().map(|retries| one.keepalives_retries(retries));
    match config.get_hosts().get(number) {
        Some(Host::Tcp(name)) => drop(one.host(name)),
        Some(Host::Unix(path)) => drop(one.host_path(path)),
        None => {}
    }
    config.get_hostaddrs().get(number).map(|address| one.hostaddr(*address));
    let ports = config.get_ports();
    ports.get(number).or(ports.first()).map(|port| one.port(*port));
    one
}

/// What the driver is told. A socket needs no encryption, whatever the address says of it: PostgreSQL has none there, and
/// libpq asks for none.
fn ssl_mode(config: &Config, encryption: &Encryption) -> SslMode {
    let is_socket = |host: &Host| matches!(host, Host::Unix(_));
    let sockets = !config.get_hosts().is_empty() && config.get_hosts().iter().all(is_socket);
    match encryption.need {
        _ if sockets => SslMode::Disable,
        Need::Never => SslMode::Disable,
        Need::Preferred => SslMode::Prefer,
        Need::Always => SslMode::Require,
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(open) = &self.open {
            return f.write_str(open);
        }
        f.write_str("postgres://")?;
        for (number, host) in self.config.get_hosts().iter().enumerate() {
            if number > 0 {
                f.write_str(",")?;
            }
            match host {
                Host::Tcp(name) if name.contains(':') => write!(f, "[{name}]")?,
                Host::Tcp(name) => f.write_str(name)?,
                Host::Unix(path) => path.display().fmt(f)?,
            }
            let ports = self.config.get_ports();
            if let Some(port) = ports.get(number).or(ports.first()) {
                write!(f, ":{port}")?;
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let cases = [
            ("postgres://jeton:hunter2@db.example:5433/tokens", Ok("postgres://db.example:5433/tokens")),
            (
                "postgres:///tokens?host=/run/postgresql&password=hunter2",
                Ok("postgres:///run/postgresql/tokens"),
            ),
            (
                "postgres://u:hunter2@a,b/tokens?target_session_attrs=read-write",
                Ok("postgres://a:5432,b:5432/tokens"),
            ),
            ("postgres://u:hunter2@/tokens?hostaddr=127.0.0.1", Ok("postgres://127.0.0.1/tokens")),
            ("postgres://u:hunter2@[::1]/tokens", Ok("postgres://[::1]:5432/tokens")),
            (
                "postgresql://jeton@db/tokens?sslmode=disable",
                Ok("postgresql://jeton@db/tokens?sslmode=disable"),
            ),
            (
                "postgres://db/tokens?sslmode=verify-full&sslrootcert=/ca.pem",
                Ok("postgres://db/tokens?sslmode=verify-full&sslrootcert=/ca.pem"),
            ),
            ("postgres://u:hunter2@db/tokens?sslmode=require", Ok("postgres://db:5432/tokens")),
            ("postgres://db/tokens?sslmode=maybe", Err(BadAddress::Mode)),
            ("postgres://db", Err(BadAddress::NoDatabase)),
            ("postgres:///tokens", Err(BadAddress::NoHost)),
            ("postgres://db/tokens?color=red", Err(BadAddress::Unreadable)),
            ("host=db dbname=tokens", Err(BadAddress::Unreadable)),
        ];
        for (text, expected) in cases {
            let written = text.parse::<Address>().map(|address| format!("{address} {address:?}"));
            assert!(!format!("{written:?}").contains("hunter2"));
            assert_eq!(written, expected.map(|text| format!("{text} {text}")), "{text}");
        }
    }
}
