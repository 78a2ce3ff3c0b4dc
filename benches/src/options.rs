//! What can be asked for on the command line.

use std::path::PathBuf;

use crate::Fallible;

pub(crate) const HELP: &str = "\
Measures jeton beside what the machine can do at best, and prints a table.

Usage: jeton-bench [creates|reads|policies|verify|surfaces|redis|floods|timing|million|streams|cluster|all]... [options]
       jeton-bench fill DIR [options]

  creates   durable creates over HTTP, beside a bare loop of SQLite inserts
  reads     GET of one token, beside routes that answer with a constant
  policies  one decision by policy, beside a naive evaluator
  verify    one verification in the process, beside the digest and a bare table
  surfaces  a verification over HTTP and gRPC on each surface, beside answers that are a constant
  redis     a verification for a gateway, beside a GET from Redis
  floods    good traffic beside floods of bad secrets, beside itself without them
  timing    whether the time of a refusal tells its reason
  million   start, memory and list pages with a million tokens
  streams   ten thousand open streams: memory, delay, creates beside them
  cluster   nodes on one PostgreSQL: revocations, commits, verifications, a start
  all       all of these (default)
  fill DIR  makes the data directory of `million` and leaves it there, to be looked at

Options:
  --rounds N      rounds in which the sides take turns (default 9)
  --seconds S     the length of one turn (default 1.5)
  --tokens N      tokens for `verify`, `surfaces`, `redis`, `million` and `cluster` (default 1000000)
  --streams N     streams for `streams` (default 10000)
  --jeton FILE    the jeton to measure (default: built first under cargo, else the one beside this program)
  --dir DIR       where scratch files go, on the disk to be measured (default: beside this program)
  --seed N        seed of the order of turns and of the made-up tokens (default 1)
  --json          one JSON object a line instead of the table
  --gate          exit code 1 if a figure misses its goal by more than 15 %
  --help          this text

Example: cargo run --release -p jeton-bench -- creates --rounds 8
";

/// What this process is to do.
#[derive(Debug)]
pub(crate) enum Command {
    Help,
    Measure(Options),
    /// Makes a data directory with as many tokens as the options say.
    Fill(PathBuf, Options),
    /// The floor under creates, on this database.
    BareLoop(PathBuf),
    /// The floor under reads, with documents of these lengths.
    FixedRoute(Vec<usize>),
}

/// One part of the benchmark.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Task {
    Creates,
    Reads,
    Policies,
    Verify,
    Surfaces,
    Redis,
    Floods,
    Timing,
    Million,
    Streams,
    Cluster,
}

const ALL: [Task; 11] = [
    Task::Creates,
    Task::Reads,
    Task::Policies,
    Task::Verify,
    Task::Surfaces,
    Task::Redis,
    Task::Floods,
    Task::Timing,
    Task::Million,
    Task::Streams,
    Task::Cluster,
];

/// How it is measured.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) tasks: Vec<Task>,
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) tokens: u32,
    pub(crate) streams: usize,
    pub(crate) jeton: Option<PathBuf>,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) seed: u64,
    pub(crate) json: bool,
    pub(crate) gate: bool,
    /// What makes this program the floor under reads and verifications.
    pub(crate) fixed_route: &'static [&'static str],
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tasks: Vec::new(),
            rounds: 9,
            seconds: 1.5,
            tokens: 1_000_000,
            streams: 10_000,
            jeton: None,
            dir: None,
            seed: 1,
            json: false,
            gate: false,
            fixed_route: &["fixed-route"],
        }
    }
}

impl Options {
    pub(crate) fn tasks(&self) -> Vec<Task> {
        if self.tasks.is_empty() { ALL.to_vec() } else { self.tasks.clone() }
    }
}

pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Fallible<Command> {
    let mut options = Options::default();
    let mut fill = None;
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value: see --help"));
        match argument.as_str() {
            "creates" => options.tasks.push(Task::Creates),
            "reads" => options.tasks.push(Task::Reads),
            "policies" => options.tasks.push(Task::Policies),
            "verify" => options.tasks.push(Task::Verify),
            "surfaces" => options.tasks.push(Task::Surfaces),
            "redis" => options.tasks.push(Task::Redis),
            "floods" => options.tasks.push(Task::Floods),
            "timing" => options.tasks.push(Task::Timing),
            "million" => options.tasks.push(Task::Million),
            "streams" => options.tasks.push(Task::Streams),
            "cluster" => options.tasks.push(Task::Cluster),
            "all" => options.tasks = ALL.to_vec(),
            "fill" => fill = Some(PathBuf::from(value()?)),
            "bare-loop" => return Ok(Command::BareLoop(value()?.into())),
            "fixed-route" => {
                let lengths: Result<_, _> = arguments.map(|length| length.parse()).collect();
                return Ok(Command::FixedRoute(lengths?));
            }
            "--rounds" => options.rounds = value()?.parse()?,
            "--seconds" => options.seconds = value()?.parse()?,
            "--tokens" => options.tokens = value()?.parse()?,
            "--streams" => options.streams = value()?.parse()?,
            "--jeton" => options.jeton = Some(value()?.into()),
            "--dir" => options.dir = Some(value()?.into()),
            "--seed" => options.seed = value()?.parse()?,
            "--json" => options.json = true,
            "--gate" => options.gate = true,
            "--help" | "-h" => return Ok(Command::Help),
            other => return Err(format!("there is no {other}: see --help").into()),
        }
    }
    if options.rounds == 0 || !(options.seconds > 0.0) || options.tokens < 1000 {
        return Err("--rounds and --seconds must be above 0, --tokens at least 1000".into());
    }
    if options.streams == 0 || !options.streams.is_multiple_of(1000) {
        return Err("--streams must be thousands: they are spread over the lists of a thousand users".into());
    }
    Ok(match fill {
        Some(directory) => Command::Fill(directory, options),
        None => Command::Measure(options),
    })
}
