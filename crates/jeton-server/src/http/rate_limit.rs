//! How often somebody may ask: the generic cell rate algorithm over a table of fixed size.
//!
//! For each key one number is kept, the *theoretical arrival time*: the instant at which everything the key has taken
//! will have been paid back. A request pushes it on by `window / requests`; a request that would push it further than
//! a window ahead is refused. That allows a burst of `requests` and, in the long run, `requests` in each window.
//!
//! The table is set-associative and made of atomics: no lock, and no memory that grows with the number of keys that
//! somebody cares to invent. Keys are hashed with a seed that attackers don't know. Where a set is full, the key that
//! is nearest to paid back makes room, and the newcomer *inherits its number*. So crowding can make the limiter
//! stricter with a newcomer, and never gives anybody more than the limit: a key that was pushed out finds at least as
//! much to pay back when it returns. Two threads that race for one entry may miscount a single request.
//!
//! Time is an argument, in Unix milliseconds, because the header that tells clients when to come back wants it so. A
//! clock that is set back by more than a window costs its keys one window, not the whole step.

#[expect(deprecated, reason = "std has no other SipHash that takes its key as an argument")]
use std::hash::{Hasher as _, SipHasher};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How many keys a table holds where nothing else is said; 16 bytes each.
pub const DEFAULT_KEYS: usize = 65_536;

const WAYS: usize = 8;
const NANOS_PER_MILLI: u64 = 1_000_000;
const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// So many requests in each window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// The largest burst, and the number allowed in each window in the long run. Zero means no limit.
    pub requests: u32,
    /// The length of a window. Zero means no limit.
    pub window: Duration,
}

/// What a limiter says about one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the request may go on.
    pub allowed: bool,
    /// The limit, in requests a window.
    pub limit: u32,
    /// How many more would be allowed at this instant.
    pub remaining: u32,
    /// When the full limit will be back if nothing more is taken, in Unix milliseconds.
    pub reset_at_ms: u64,
    /// Whole seconds until one more will be allowed (`Retry-After`, RFC 9110, section 10.2.3); 0 if one is now.
    pub retry_after_s: u64,
}

/// Who is counted: the hash of an address or of any other name. Only good for the limiter that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(u64);

/// Counts requests by key. Shared by reference between threads.
#[derive(Debug)]
pub struct RateLimiter {
    policy: Option<Policy>,
    seed: [u64; 2],
    sets: Box<[Set]>,
}

/// A limit in the table's own unit, nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Policy {
    requests: u32,
    /// What one request costs.
    cost: u64,
    /// What may be owed at most: the cost of a full burst.
    credit: u64,
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct Set([Slot; WAYS]);

#[derive(Debug, Default)]
struct Slot {
    /// The key's hash; 0 is nobody.
    tag: AtomicU64,
    /// The theoretical arrival time, in Unix nanoseconds. In the past means that nothing is owed.
    paid_at: AtomicU64,
}

impl RateLimiter {
    /// A limiter for about [`DEFAULT_KEYS`] keys; without a limit it takes no memory. `seed` must be random.
    pub fn new(limit: Option<RateLimit>, seed: [u64; 2]) -> Self {
        Self::with_keys(limit, DEFAULT_KEYS, seed)
    }

    /// As [`RateLimiter::new`], for about `keys` keys, rounded up to 8 times a power of two.
    pub fn with_keys(limit: Option<RateLimit>, keys: usize, seed: [u64; 2]) -> Self {
        let policy = limit.and_then(Policy::of);
        let sets = if policy.is_some() { keys.div_ceil(WAYS).next_power_of_two() } else { 0 };
        Self { policy, seed, sets: (0..sets).map(|_| Set::default()).collect() }
    }

    /// The key of a name, for example a token's id.
    #[expect(deprecated, reason = "as above")]
    pub fn key(&self, name: &[u8]) -> Key {
        let mut hasher = SipHasher::new_with_keys(self.seed[0], self.seed[1]);
        hasher.write(name);
        Key(hasher.finish().max(1))
    }

    /// The key of an address. IPv6 counts by /64, which is what one customer gets; IPv4 in IPv6 counts as IPv4.
    pub fn key_of_address(&self, address: IpAddr) -> Key {
        match address.to_canonical() {
            IpAddr::V4(v4) => self.key(&v4.octets()),
            IpAddr::V6(v6) => self.key(&v6.octets()[..8]),
        }
    }

    /// Takes one request from the key's limit if there is one left. `None` where there is no limit.
    pub fn check(&self, key: Key, now_ms: u64) -> Option<Verdict> {
        let policy = self.policy?;
        Some(self.take(policy, key, now_ms))
    }

    /// What [`RateLimiter::check`] would say, without taking anything.
    pub fn peek(&self, key: Key, now_ms: u64) -> Option<Verdict> {
        let policy = self.policy?;
        let now = nanos(now_ms);
        let paid_at = self.set(key).find(key).map_or(0, |slot| slot.paid_at.load(Ordering::Acquire));
        let owed = policy.owed(paid_at, now);
        Some(policy.verdict(owed + policy.cost <= policy.credit, owed, now_ms))
    }

    /// Takes one request, whatever is left: for what only counts once it has failed, behind a [`RateLimiter::peek`]
    /// that keeps those out who have used theirs up.
    pub fn charge(&self, key: Key, now_ms: u64) {
        self.check(key, now_ms);
    }

    fn take(&self, policy: Policy, key: Key, now_ms: u64) -> Verdict {
        let now = nanos(now_ms);
        let set = self.set(key);
        let slot = set.find(key).unwrap_or_else(|| set.claim(key));
        let mut paid_at = slot.paid_at.load(Ordering::Acquire);
        loop {
            let owed = policy.owed(paid_at, now);
            let after = owed + policy.cost;
            let allowed = after <= policy.credit;
            let owed = if allowed { after } else { owed };
            // A refusal stores too, where it has something to correct: a number out of reach, left by a clock that
            // has since been set back.
            if !allowed && paid_at <= now + 2 * policy.credit {
                return policy.verdict(false, owed, now_ms);
            }
            match slot.paid_at.compare_exchange_weak(paid_at, now + owed, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return policy.verdict(allowed, owed, now_ms),
                Err(changed) => paid_at = changed,
            }
        }
    }

    fn set(&self, key: Key) -> &Set {
        // The table's size is a power of two, and only a limiter with a policy, so with a table, comes here.
        let index = (key.0 >> 32) as usize & (self.sets.len() - 1);
        &self.sets[index]
    }
}

impl Set {
    fn find(&self, key: Key) -> Option<&Slot> {
        self.0.iter().find(|slot| slot.tag.load(Ordering::Acquire) == key.0)
    }

    /// Gives `key` the slot that is nearest to paid back, or already is, and what is still owed there with it.
    fn claim(&self, key: Key) -> &Slot {
        let cheapest = self.0.iter().min_by_key(|slot| slot.paid_at.load(Ordering::Acquire));
        let slot = cheapest.expect("a set has eight slots");
        slot.tag.store(key.0, Ordering::Release);
        slot
    }
}

impl Policy {
    fn of(limit: RateLimit) -> Option<Self> {
        let window = u64::try_from(limit.window.as_nanos()).unwrap_or(u64::MAX / 8);
        let requests = u64::from(limit.requests);
        let cost = window.checked_div(requests)?.min(u64::MAX / 8 / requests);
        (cost > 0).then_some(Self { requests: limit.requests, cost, credit: cost * requests })
    }

    /// What a key owes at `now`, never more than the whole credit.
    fn owed(self, paid_at: u64, now: u64) -> u64 {
        paid_at.saturating_sub(now).min(self.credit)
    }

    fn verdict(self, allowed: bool, owed: u64, now_ms: u64) -> Verdict {
        let free = self.credit - owed;
        let wait = self.cost.saturating_sub(free);
        Verdict {
            allowed,
            limit: self.requests,
            remaining: u32::try_from(free / self.cost).unwrap_or(self.requests),
            reset_at_ms: now_ms.saturating_add(owed.div_ceil(NANOS_PER_MILLI)),
            retry_after_s: wait.div_ceil(NANOS_PER_SECOND),
        }
    }
}

/// Until the year 2262 exact, then standing still, which forgives nothing.
fn nanos(ms: u64) -> u64 {
    ms.saturating_mul(NANOS_PER_MILLI).min(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::atomic::AtomicU32;

    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    fn limiter(requests: u32, window_ms: u64, keys: usize) -> RateLimiter {
        let limit = RateLimit { requests, window: Duration::from_millis(window_ms) };
        RateLimiter::with_keys(Some(limit), keys, [1, 2])
    }

    fn allowed(limiter: &RateLimiter, name: &[u8], now_ms: u64) -> bool {
        limiter.check(limiter.key(name), now_ms).unwrap().allowed
    }

    #[test]
    fn a_burst_then_one_for_each_share_of_the_window() {
        let limiter = limiter(4, 10_000, 8);
        let key = limiter.key(b"k");
        let told = |now_ms| {
            let verdict = limiter.check(key, now_ms).unwrap();
            (verdict.allowed, verdict.remaining, verdict.reset_at_ms - now_ms, verdict.retry_after_s)
        };
        assert_eq!(told(NOW), (true, 3, 2_500, 0));
        assert_eq!(told(NOW), (true, 2, 5_000, 0));
        assert_eq!(told(NOW), (true, 1, 7_500, 0));
        assert_eq!(told(NOW), (true, 0, 10_000, 3));
        assert_eq!(told(NOW), (false, 0, 10_000, 3));
        assert_eq!(told(NOW + 2_499), (false, 0, 7_501, 1), "a millisecond early is early");
        assert_eq!(told(NOW + 2_500), (true, 0, 10_000, 3));
        assert_eq!(told(NOW + 60_000), (true, 3, 2_500, 0), "unused windows are not saved up");
    }

    #[test]
    fn peeking_takes_nothing_and_charging_says_nothing() {
        let limiter = limiter(2, 1_000, 8);
        let key = limiter.key_of_address("192.0.2.1".parse().unwrap());
        for left in [2, 1, 0] {
            for _ in 0..3 {
                let verdict = limiter.peek(key, NOW).unwrap();
                assert_eq!((verdict.allowed, verdict.remaining), (left > 0, left));
            }
            limiter.charge(key, NOW);
        }
        assert_eq!(limiter.peek(key, NOW).unwrap().reset_at_ms, NOW + 1_000, "charges stop at the limit");
    }

    #[test]
    fn no_limit_says_nothing_and_holds_nothing() {
        let none = [None, Some((0, 1_000)), Some((5, 0))];
        for limit in none {
            let limit = limit.map(|(requests, ms)| RateLimit { requests, window: Duration::from_millis(ms) });
            let limiter = RateLimiter::new(limit, [1, 2]);
            assert_eq!(limiter.check(limiter.key(b"k"), NOW), None);
            assert_eq!(limiter.peek(limiter.key(b"k"), NOW), None);
            assert!(limiter.sets.is_empty());
        }
    }

    #[test]
    fn addresses_count_by_network() {
        let limiter = limiter(1, 1_000, 8);
        let key = |text: &str| limiter.key_of_address(text.parse().unwrap());
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("192.0.2.1"), key("::ffff:192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    }

    #[test]
    fn the_seed_decides_the_place() {
        let limit = Some(RateLimit { requests: 1, window: Duration::from_secs(1) });
        let (one, other) = (RateLimiter::new(limit, [1, 2]), RateLimiter::new(limit, [1, 3]));
        assert_ne!(one.key(b"k"), other.key(b"k"));
    }

    #[test]
    fn the_smallest_and_the_largest_limits_hold() {
        let huge = Duration::MAX;
        for (requests, window) in
            [(1, huge), (u32::MAX, huge), (u32::MAX, Duration::from_secs(5)), (1, Duration::from_nanos(1))]
        {
            let limiter = RateLimiter::with_keys(Some(RateLimit { requests, window }), 8, [1, 2]);
            let key = limiter.key(b"k");
            for now in [0, NOW, u64::MAX] {
                assert_eq!(limiter.check(key, now).unwrap().limit, requests);
            }
        }
    }

    #[test]
    fn a_clock_that_is_set_back_costs_one_window() {
        let limiter = limiter(2, 1_000, 8);
        let hour = 3_600_000;
        assert!(allowed(&limiter, b"k", NOW + hour) && allowed(&limiter, b"k", NOW + hour));
        assert!(!allowed(&limiter, b"k", NOW), "what is owed is still owed");
        assert!(allowed(&limiter, b"k", NOW + 500), "but a share is back after a share of the window");
    }

    #[test]
    fn a_full_set_makes_room_at_the_cheapest_and_the_newcomer_pays() {
        let limiter = limiter(3, 3_000, WAYS);
        for name in 0..WAYS {
            let times = if name == 5 { 1 } else { 3 };
            assert!((0..times).all(|_| allowed(&limiter, &[name.try_into().unwrap()], NOW)));
        }
        assert!(allowed(&limiter, b"new", NOW) && allowed(&limiter, b"new", NOW));
        assert!(!allowed(&limiter, b"new", NOW), "one was inherited");
        for name in (0..WAYS).filter(|name| *name != 5) {
            assert!(!allowed(&limiter, &[name.try_into().unwrap()], NOW), "exhausted and not forgiven");
        }
    }

    #[test]
    fn threads_share_one_limit() {
        let limiter = limiter(1_000, 1_000_000, 64);
        let passed = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        passed.fetch_add(u32::from(allowed(&limiter, b"k", NOW)), Ordering::Relaxed);
                    }
                });
            }
        });
        // The first requests may race for the key's entry, and each thread can lose one of them.
        assert!((1_000..=1_004).contains(&passed.into_inner()));
    }

    /// A leaky bucket for each key, as one would write it without a care for memory.
    #[derive(Default)]
    struct Naive(HashMap<u8, (u64, u64)>);

    impl Naive {
        fn check(&mut self, key: u8, now_ms: u64, requests: u64, window_ms: u64) -> bool {
            let cost = window_ms * NANOS_PER_MILLI / requests;
            let (level, last) = self.0.entry(key).or_insert((0, now_ms));
            *level = level.saturating_sub((now_ms - *last) * NANOS_PER_MILLI);
            *last = now_ms;
            let fits = *level + cost <= cost * requests;
            *level += if fits { cost } else { 0 };
            fits
        }
    }

    fn story() -> impl Strategy<Value = Vec<(u8, u64)>> {
        proptest::collection::vec((0_u8..20, prop_oneof![Just(0), 0_u64..5, 0_u64..400]), 1..200)
    }

    proptest! {
        #[test]
        fn with_room_for_all_it_is_the_naive_limiter(story in story(), requests in 1_u32..6, window in 1_u64..700) {
            let (limiter, mut naive, mut now) = (limiter(requests, window, 4096), Naive::default(), NOW);
            for (key, step) in story {
                now += step;
                let key = key % 8;
                let before = limiter.peek(limiter.key(&[key]), now).unwrap();
                let got = limiter.check(limiter.key(&[key]), now).unwrap();
                prop_assert_eq!(got.allowed, naive.check(key, now, requests.into(), window));
                prop_assert_eq!(before.allowed, got.allowed);
                prop_assert_eq!(before.remaining - u32::from(got.allowed), got.remaining);
                prop_assert!(got.reset_at_ms - now <= window + 1);
                prop_assert_eq!(got.retry_after_s == 0, got.remaining > 0);
            }
        }

        #[test]
        fn crowded_it_still_gives_nobody_more_than_the_limit(story in story(), requests in 1_u32..6, window in 1_u64..700) {
            let (limiter, mut naive, mut now) = (limiter(requests, window, WAYS), Naive::default(), NOW);
            for (key, step) in story {
                now += step;
                if allowed(&limiter, &[key], now) {
                    prop_assert!(naive.check(key, now, requests.into(), window));
                }
            }
        }
    }
}
