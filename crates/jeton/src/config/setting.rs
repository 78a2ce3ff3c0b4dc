//! Every setting of jeton, in one table: its name, its variable, its default, and its words in `--help`.
//!
//! There is no second list. The flags of every command, the variables, the keys of the configuration file and what
//! `jeton config check` prints all come from here, so they can't disagree. In a file a setting has its key as it
//! stands; as a flag it has dashes for underscores.

/// One setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its name in a file.
    pub(crate) key: &'static str,
    /// Its variable.
    pub(crate) env: &'static str,
    /// A variable of another product that may stand for it, below all of jeton's own.
    pub(crate) courtesy: Option<&'static str>,
    /// What stands for its value in `--help`.
    pub(crate) value_name: &'static str,
    pub(crate) fallback: Fallback,
    pub(crate) help: &'static str,
    /// Under which heading `--help` shows it, if not among the first.
    pub(crate) topic: Option<&'static str>,
    /// Whether its value must never be shown. Then it has neither a flag, since everybody on a machine can read those,
    /// nor a place in a file, since those are copied about: only its variable.
    pub(crate) secret: bool,
}

/// What holds where nothing is said.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fallback {
    /// Nothing.
    None,
    /// This text, read as if it had been given.
    Text(&'static str),
    /// Something that depends on other things, in these words.
    Depends(&'static str),
}

impl Setting {
    const fn new(key: &'static str, env: &'static str, value_name: &'static str, help: &'static str) -> Self {
        Self {
            key,
            env,
            courtesy: None,
            value_name,
            fallback: Fallback::None,
            help,
            topic: None,
            secret: false,
        }
    }

    const fn default(mut self, text: &'static str) -> Self {
        self.fallback = Fallback::Text(text);
        self
    }

    const fn depends(mut self, words: &'static str) -> Self {
        self.fallback = Fallback::Depends(words);
        self
    }

    const fn topic(mut self, topic: &'static str) -> Self {
        self.topic = Some(topic);
        self
    }

    const fn courtesy(mut self, env: &'static str) -> Self {
        self.courtesy = Some(env);
        self
    }

    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// The flag, without its two dashes.
    pub(crate) fn flag(&self) -> String {
        self.key.replace('_', "-")
    }
}

const FIRST_START: &str = "First start, on an empty database";
const LOGGING: &str = "Log lines, on standard error";
const VERIFICATION: &str = "Verification, for services and gateways";
const STREAMS: &str = "Streams of changes";
const CLUSTER: &str = "Clusters, several servers on one PostgreSQL";
const LIMITS: &str = "Limits";
const SERVER_TO_ASK: &str = "Server to ask";

/// Not in [`ALL`]: it says where the others are, and so can't stand in a file itself.
pub(crate) const CONFIG: Setting =
    Setting::new("config", "JETON_CONFIG", "FILE", "A TOML file with settings, below flags and variables");

pub(crate) const LISTEN: Setting =
    Setting::new("listen", "JETON_LISTEN", "ADDRESS", "Where to listen: HOST:PORT, [IPV6]:PORT or unix:PATH")
        .default("127.0.0.1:8080");

pub(crate) const TLS_CERT: Setting = Setting::new(
    "tls_cert",
    "JETON_TLS_CERT",
    "FILE",
    "The TLS certificate and those of its issuers, as PEM; read again when it changes",
)
.depends("no TLS");

pub(crate) const TLS_KEY: Setting =
    Setting::new("tls_key", "JETON_TLS_KEY", "FILE", "The private key of the TLS certificate, as PEM")
        .depends("no TLS");

pub(crate) const DATA_DIR: Setting = Setting::new(
    "data_dir",
    "JETON_DATA_DIR",
    "DIR",
    "Where the database, the server key and owner-token live",
)
.default("./jeton-data");

pub(crate) const DATABASE: Setting =
    Setting::new("database", "JETON_DATABASE_URL", "URL", "The database, as sqlite:PATH or postgres://…")
        .depends("jeton.db in the data directory");

pub(crate) const SERVER_KEY_FILE: Setting = Setting::new(
    "server_key_file",
    "JETON_SERVER_KEY_FILE",
    "FILE",
    "The server key, as 64 hexadecimal digits; or the key itself in JETON_SERVER_KEY",
)
.depends("server-key in the data directory, made at the first start");

pub(crate) const SERVER_KEY: Setting =
    Setting::new("server_key", "JETON_SERVER_KEY", "HEX", "The server key itself").secret();

pub(crate) const TOKEN_PREFIX: Setting = Setting::new(
    "token_prefix",
    "JETON_TOKEN_PREFIX",
    "PREFIX",
    "What secrets begin with: 2 to 12 lower-case letters and digits",
)
.default("jtn");

pub(crate) const OWNER_EMAIL: Setting =
    Setting::new("owner_email", "JETON_OWNER_EMAIL", "EMAIL", "The owner's e-mail address")
        .courtesy("CANVUS_ADMIN_EMAIL")
        .default("owner@localhost")
        .topic(FIRST_START);

pub(crate) const OWNER_PASSWORD: Setting =
    Setting::new("owner_password", "JETON_OWNER_PASSWORD", "TEXT", "The owner's password")
        .courtesy("CANVUS_ADMIN_PASSWORD")
        .topic(FIRST_START)
        .secret();

pub(crate) const OWNER_PASSWORD_FILE: Setting = Setting::new(
    "owner_password_file",
    "JETON_OWNER_PASSWORD_FILE",
    "FILE",
    "The owner's password; or the password itself in JETON_OWNER_PASSWORD",
)
.depends("no password")
.topic(FIRST_START);

pub(crate) const OWNER_TOKEN: Setting =
    Setting::new("owner_token", "JETON_OWNER_TOKEN", "SECRET", "The owner's first secret")
        .topic(FIRST_START)
        .secret();

pub(crate) const OWNER_TOKEN_FILE: Setting = Setting::new(
    "owner_token_file",
    "JETON_OWNER_TOKEN_FILE",
    "FILE",
    "The owner's first secret, 32 to 255 visible ASCII characters; or the secret itself in JETON_OWNER_TOKEN",
)
.depends("a fresh secret, shown once and written to owner-token in the data directory")
.topic(FIRST_START);

pub(crate) const LOG_LEVEL: Setting = Setting::new(
    "log_level",
    "JETON_LOG_LEVEL",
    "LEVEL",
    "How much to log: error, warn, info, debug or trace",
)
.default("info")
.topic(LOGGING);

pub(crate) const LOG_FORMAT: Setting =
    Setting::new("log_format", "JETON_LOG_FORMAT", "FORMAT", "How to log: text or json")
        .depends("text on a terminal, json otherwise")
        .topic(LOGGING);

pub(crate) const MAX_TOKENS: Setting =
    Setting::new("max_tokens", "JETON_MAX_TOKENS", "N", "Tokens in one account")
        .default("10000000")
        .topic(LIMITS);

pub(crate) const MAX_BODY_BYTES: Setting =
    Setting::new("max_body_bytes", "JETON_MAX_BODY_BYTES", "N", "Bytes in one request body")
        .default("262144")
        .topic(LIMITS);

pub(crate) const TOKEN_RATE: Setting = Setting::new(
    "token_rate",
    "JETON_TOKEN_RATE",
    "N/SECONDS",
    "Requests with one token, so many in so many seconds; 0 for no limit",
)
.default("10000/10")
.topic(LIMITS);

pub(crate) const FAILED_AUTH_RATE: Setting = Setting::new(
    "failed_auth_rate",
    "JETON_FAILED_AUTH_RATE",
    "N/SECONDS",
    "Failed authentications from one address; 0 for no limit",
)
.default("100/10")
.topic(LIMITS);

pub(crate) const FAILED_LOGIN_RATE: Setting = Setting::new(
    "failed_login_rate",
    "JETON_FAILED_LOGIN_RATE",
    "N/SECONDS",
    "Wrong passwords for one e-mail address; 0 for no limit",
)
.default("10/60")
.topic(LIMITS);

pub(crate) const MAX_CONNECTIONS: Setting =
    Setting::new("max_connections", "JETON_MAX_CONNECTIONS", "N", "Connections at once")
        .default("10000")
        .topic(LIMITS);

pub(crate) const HEADER_TIMEOUT: Setting = Setting::new(
    "header_timeout",
    "JETON_HEADER_TIMEOUT",
    "TIME",
    "For a request head to arrive, or a TLS handshake",
)
.default("10s")
.topic(LIMITS);

pub(crate) const BODY_TIMEOUT: Setting =
    Setting::new("body_timeout", "JETON_BODY_TIMEOUT", "TIME", "For a request body to arrive")
        .default("30s")
        .topic(LIMITS);

pub(crate) const WRITE_TIMEOUT: Setting = Setting::new(
    "write_timeout",
    "JETON_WRITE_TIMEOUT",
    "TIME",
    "For a client to take more of its answer; longer than --stream-keepalive",
)
.default("30s")
.topic(LIMITS);

pub(crate) const IDLE_TIMEOUT: Setting =
    Setting::new("idle_timeout", "JETON_IDLE_TIMEOUT", "TIME", "For a connection to stay without a request")
        .default("75s")
        .topic(LIMITS);

pub(crate) const DRAIN_TIMEOUT: Setting = Setting::new(
    "drain_timeout",
    "JETON_DRAIN_TIMEOUT",
    "TIME",
    "For running requests to finish when jeton is told to stop",
)
.default("10s")
.topic(LIMITS);

pub(crate) const TRUSTED_PROXY: Setting = Setting::new(
    "trusted_proxy",
    "JETON_TRUSTED_PROXY",
    "NETWORKS",
    "Gateways that may ask without a token of their own and are believed where a request came from (X-Forwarded-…), besides \
     those on this machine: addresses and networks, joined by commas",
)
.depends("none")
.topic(VERIFICATION);

pub(crate) const ROUTE_MAP: Setting = Setting::new(
    "route_map",
    "JETON_ROUTE_MAP",
    "FILE",
    "A TOML file that says which request needs which action on which resource; see `jeton route test --help`",
)
.depends("a good token is enough")
.topic(VERIFICATION);

pub(crate) const GRPC_LISTEN: Setting = Setting::new(
    "grpc_listen",
    "JETON_GRPC_LISTEN",
    "ADDRESS",
    "Where Envoy may ask over gRPC (ext_authz): HOST:PORT, [IPV6]:PORT or unix:PATH; with TLS if --listen has it",
)
.depends("no gRPC")
.topic(VERIFICATION);

pub(crate) const VERIFY_MAX_AGE: Setting = Setting::new(
    "verify_max_age",
    "JETON_VERIFY_MAX_AGE",
    "SECONDS",
    "For how long a gateway may keep a good answer; a revoked token lives on there for as long",
)
.default("0")
.topic(VERIFICATION);

pub(crate) const MAX_STREAMS: Setting =
    Setting::new("max_streams", "JETON_MAX_STREAMS", "N", "Streams open at once")
        .default("20000")
        .topic(LIMITS);

pub(crate) const STREAM_KEEPALIVE: Setting = Setting::new(
    "stream_keepalive",
    "JETON_STREAM_KEEPALIVE",
    "TIME",
    "How long a stream is silent before it gives a sign of life; 20s at the most",
)
.default("15s")
.topic(STREAMS);

pub(crate) const CHANGE_LOG_RETENTION: Setting = Setting::new(
    "change_log_retention",
    "JETON_CHANGE_LOG_RETENTION",
    "TIME",
    "How long changes stay in the log, where streams resume from",
)
.default("30d")
.topic(STREAMS);

pub(crate) const NODE_NAME: Setting = Setting::new(
    "node_name",
    "JETON_NODE_NAME",
    "NAME",
    "What `jeton node list` and the others' logs call this server",
)
.depends("the name of the machine")
.topic(CLUSTER);

pub(crate) const LEASE: Setting = Setting::new(
    "lease",
    "JETON_LEASE",
    "TIME",
    "How long a server answers without its database; a revocation waits as long for one that is cut off; 100ms to 1m, and \
     the same for all",
)
.default("1s")
.topic(CLUSTER);

pub(crate) const POLL: Setting = Setting::new(
    "poll",
    "JETON_POLL",
    "TIME",
    "How often a server looks for changes of the others when nothing tells it of any",
)
.default("50ms")
.topic(CLUSTER);

pub(crate) const MAX_STALENESS: Setting = Setting::new(
    "max_staleness",
    "JETON_MAX_STALENESS",
    "SECONDS",
    "How much longer than a lease a server answers without its database; a revoked token lives on there for as long",
)
.default("0")
.topic(CLUSTER);

/// Every setting, in the order in which they are shown.
pub(crate) const ALL: &[&Setting] = &[
    &LISTEN,
    &TLS_CERT,
    &TLS_KEY,
    &DATA_DIR,
    &DATABASE,
    &SERVER_KEY_FILE,
    &SERVER_KEY,
    &TOKEN_PREFIX,
    &OWNER_EMAIL,
    &OWNER_PASSWORD_FILE,
    &OWNER_PASSWORD,
    &OWNER_TOKEN_FILE,
    &OWNER_TOKEN,
    &LOG_LEVEL,
    &LOG_FORMAT,
    &GRPC_LISTEN,
    &TRUSTED_PROXY,
    &ROUTE_MAP,
    &VERIFY_MAX_AGE,
    &STREAM_KEEPALIVE,
    &CHANGE_LOG_RETENTION,
    &NODE_NAME,
    &LEASE,
    &POLL,
    &MAX_STALENESS,
    &MAX_TOKENS,
    &MAX_STREAMS,
    &MAX_BODY_BYTES,
    &TOKEN_RATE,
    &FAILED_AUTH_RATE,
    &FAILED_LOGIN_RATE,
    &MAX_CONNECTIONS,
    &HEADER_TIMEOUT,
    &BODY_TIMEOUT,
    &WRITE_TIMEOUT,
    &IDLE_TIMEOUT,
    &DRAIN_TIMEOUT,
];

pub(crate) const URL: Setting =
    Setting::new("url", "JETON_URL", "URL", "The server to ask: http://HOST:PORT, https://HOST or unix:PATH")
        .depends("the one of `jeton login`")
        .topic(SERVER_TO_ASK);

pub(crate) const CA_CERT: Setting = Setting::new(
    "ca_cert",
    "JETON_CA_CERT",
    "FILE",
    "A PEM file with roots to trust, besides those that this machine trusts",
)
.topic(SERVER_TO_ASK);

pub(crate) const TOKEN: Setting =
    Setting::new("token", "JETON_TOKEN", "SECRET", "The token to ask with").topic(SERVER_TO_ASK).secret();

/// What a command heeds that asks a running server over the network. Not in [`ALL`]: they are no settings of a server, and
/// have no place in its file.
pub(crate) const FOR_CLIENT: &[&Setting] = &[&URL, &CA_CERT, &TOKEN];

/// What a command heeds that only has to know how secrets look.
pub(crate) const FOR_FORMAT: &[&Setting] = &[&TOKEN_PREFIX];

/// What a command heeds that only looks at the route map.
pub(crate) const FOR_ROUTES: &[&Setting] = &[&ROUTE_MAP];

/// What a command heeds that only has to find the files.
pub(crate) const FOR_FILES: &[&Setting] = &[&DATA_DIR, &DATABASE, &SERVER_KEY_FILE];

/// What a command heeds that only has to find the database.
pub(crate) const FOR_DATABASE: &[&Setting] = &[&DATA_DIR, &DATABASE];

/// What a command heeds that opens the database.
pub(crate) const FOR_STORAGE: &[&Setting] =
    &[&DATA_DIR, &DATABASE, &SERVER_KEY_FILE, &TOKEN_PREFIX, &LEASE, &LOG_LEVEL, &LOG_FORMAT];

/// What a command heeds that asks a running server.
pub(crate) const FOR_ADDRESS: &[&Setting] = &[&LISTEN, &TLS_CERT];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_named_after_its_key() {
        for setting in ALL.iter().chain(FOR_CLIENT).chain([&&CONFIG]) {
            let expected = match setting.key {
                // A URL, under the name that everybody gives it.
                "database" => "JETON_DATABASE_URL".to_owned(),
                key => format!("JETON_{}", key.to_uppercase()),
            };
            assert_eq!(setting.env, expected);
        }
    }
}
