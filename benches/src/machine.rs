//! The machine: which core does what, and what a process has cost so far.

use std::io::{Write as _, stderr};
use std::path::Path;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_setaffinity};

use crate::Fallible;
use crate::options::Options;

/// Where the server runs, and every floor in its turn.
pub(crate) const SERVER_CORE: usize = 0;
/// Where the load comes from.
pub(crate) const LOAD_CORE: usize = 1;

/// The kernel's unit of processor time in `/proc`, which is the same on every Linux that Rust runs on.
const TICK: Duration = Duration::from_millis(10);

/// Keeps this thread, and what it starts from now on, on one core.
pub(crate) fn pin_to(core: usize) -> Fallible<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores)
        .map_err(|error| format!("core {core} cannot be had ({error}): the benchmark needs two cores"))?;
    Ok(())
}

/// Processor time that a process has used, in user space and in the kernel, all its threads together.
pub(crate) fn processor_time(process: u32) -> Fallible<Duration> {
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

/// Says on standard error where this was measured, and whether anybody else was busy.
pub(crate) fn describe(options: &Options, jeton: &Path) -> Fallible<()> {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let processor = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = processor.lines().find_map(|line| line.strip_prefix("model name\t: ")).unwrap_or("unknown");
    let load = std::fs::read_to_string("/proc/loadavg")?;
    let busy: f64 = load.split(' ').next().unwrap_or_default().parse()?;
    let mut out = stderr();
    writeln!(out, "machine  {model}, Linux {}", kernel.trim())?;
    writeln!(out, "jeton    {}, pinned to core {SERVER_CORE}; load from core {LOAD_CORE}", jeton.display())?;
    writeln!(out, "rounds   {} of {} s a turn, one more to warm up", options.rounds, options.seconds)?;
    if busy > 0.5 {
        writeln!(out, "warning  the load average is {busy}: somebody else is busy, and figures will suffer")?;
    }
    Ok(())
}
