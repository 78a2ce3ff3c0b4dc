//! The machine: which core does what, and what a process has cost so far.

use std::io::{Write as _, stderr};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Fallible;
use crate::options::Options;

/// The kernel's unit of processor time in `/proc`, which is the same on every Linux that Rust runs on.
const TICK: Duration = Duration::from_millis(10);

/// Two cores of those that this process may use: one for the server and for every floor in its turn, one for the load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    server: usize,
    load: usize,
    all: CpuSet,
}

/// The two cores; `None` where there is only one, which everything then shares.
pub(crate) fn cores() -> Option<Cores> {
    static FOUND: OnceLock<Option<Cores>> = OnceLock::new();
    // Asked once: after the first pinning the answer would be another.
    *FOUND.get_or_init(|| {
        let all = sched_getaffinity(None).ok()?;
        let mut numbers = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
        Some(Cores { server: numbers.next()?, load: numbers.next()?, all })
    })
}

/// Where a process runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Core {
    /// Where the server is measured, and every floor in its turn.
    Server,
    /// Where the load comes from.
    Load,
    /// Wherever there is room.
    Any,
}

/// Keeps this thread there, and what it starts from now on.
pub(crate) fn pin_to(core: Core) -> Fallible<()> {
    let Some(cores) = cores() else { return Ok(()) };
    let only = |core| {
        let mut only = CpuSet::new();
        only.set(core);
        only
    };
    let set = match core {
        Core::Server => only(cores.server),
        Core::Load => only(cores.load),
        Core::Any => cores.all,
    };
    Ok(sched_setaffinity(None, &set).map_err(|error| format!("core {core:?} cannot be had: {error}"))?)
}

/// Processor time that a process has used, in user space and in the kernel, all its threads together.
pub(crate) fn processor_time(process: u32) -> Fallible<Duration> {
    // To the nanosecond where the kernel tells: what threads took that have ended by now is not in it, and those of a
    // server that works stay.
    let threads = std::fs::read_dir(format!("/proc/{process}/task"))?;
    let taken = |thread: std::io::Result<std::fs::DirEntry>| {
        let told = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        told.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    };
    let taken: Option<Duration> = threads.map(taken).sum();
    taken.map_or_else(|| in_ticks(process), Ok)
}

fn in_ticks(process: u32) -> Fallible<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name may hold blanks and brackets; behind its end the fields are plain. See `man 5 proc_pid_stat`.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u32>().ok()).ok_or("no such field");
    Ok(TICK * (ticks(11)? + ticks(12)?))
}

/// Memory of a process that is in RAM, in MiB.
pub(crate) fn resident_mib(process: u32) -> Fallible<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("the process has ended")?;
    let kib: f64 = line.trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}

/// Says on standard error where this is measured, and whether anybody else is busy.
pub(crate) fn describe(options: &Options, jeton: &Path) -> Fallible<()> {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let processor = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = processor.lines().find_map(|line| line.strip_prefix("model name\t: ")).unwrap_or("unknown");
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let busy: f64 = load.split(' ').next().unwrap_or_default().parse()?;
    let pinned = match cores() {
        Some(Cores { server, load, .. }) => format!("pinned to core {server}; load from core {load}"),
        None => "on the one core that there is, beside the load".to_owned(),
    };
    let mut out = stderr();
    writeln!(out, "machine  {model}, Linux {}", kernel.trim())?;
    writeln!(out, "jeton    {}, {pinned}", jeton.display())?;
    writeln!(out, "rounds   {} of {} s a turn, one more to warm up", options.rounds, options.seconds)?;
    if cfg!(debug_assertions) {
        writeln!(
            out,
            "warning  this is a debug build, many times slower than a release: figures say nothing"
        )?;
    }
    if busy > 0.5 {
        writeln!(out, "warning  the load average is {busy}: somebody else is busy, and figures will suffer")?;
    }
    Ok(())
}
