//! The index that followed the log is the index built from the store, and both answer as the naive model does.

use std::sync::Arc;

use jeton_core::caller::{Caller, Roles};
use jeton_core::change::{Event, Revision};
use jeton_core::digest::Digest;
use jeton_core::id::TokenId;
use jeton_core::timestamp::Timestamp;
use jeton_index::roster::{Page, Selection, Start};
use jeton_index::{Dead, Index};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use crate::naive::{Naive, Secrets, account, secret};
use crate::step::{HORIZON, step};

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() })]

    /// Law 5.
    #[test]
    fn the_index_that_followed_is_the_index_that_was_built(
        steps in proptest::collection::vec(step(), 1..160),
        stops in proptest::collection::vec(0..160_usize, 2),
        instant in -1..=HORIZON,
        (offset, limit) in (0..1500_u64, 0..60_usize),
        // At the beginning, and where a revision passes the part of it that changes in one step with the rights.
        gone_before in prop_oneof![Just(0), (1_u64 << 32) - 400..1 << 32],
    ) {
        let (mut naive, first) = Naive::new();
        let followed = Index::with_capacity(0);
        for change in &first {
            followed.apply(change);
        }
        naive.revision = naive.revision.max(Revision::new(gone_before));
        let member = naive.new_member();
        followed.apply(&naive.happen(Event::MemberAdded { member }));
        for (number, step) in steps.iter().enumerate() {
            for change in naive.take(step) {
                followed.apply(&change);
                // A change that comes twice is passed over.
                followed.apply(&change);
            }
            if stops.contains(&number) || number + 1 == steps.len() {
                let built = naive.built();
                assert_eq!(followed.image(), built.image());
                for index in [&followed, &built] {
                    agree(&naive, index, instant);
                    agree_on_lists(&naive, index, offset, limit);
                }
            }
        }
    }
}

/// Every digest that ever was, and one that never was, at some instants.
fn agree(naive: &Naive, index: &Index, instant: i64) {
    assert_eq!(index.revision(), naive.revision);
    let strangers = [secret(0, 0), secret(u64::MAX, u64::MAX), secret(5, 0)].map(|record| record.digest);
    let secrets = naive.secrets();
    for digest in naive.digests.iter().chain(&strangers) {
        // Half of them at one instant and half at another, and a few at all of them.
        let at = usize::from(digest.as_bytes()[15]);
        let instants = [instant, instant + 1, HORIZON, i64::MAX];
        let instants = if at % 16 == 0 { &instants[..] } else { &instants[at % 2..=at % 2] };
        for now in instants {
            agree_on(&secrets, index, digest, Timestamp::from_millis(*now));
        }
    }
    for member in naive.members.values() {
        assert_eq!(index.directory().member(&member.id).as_ref(), Some(member));
        let by_number = index.directory().member_by_number(member.account, member.number);
        let gone = member.standing == jeton_core::member::Standing::Removed;
        assert_eq!(by_number.as_ref(), Some(member).filter(|_| !gone));
        assert_eq!(index.directory().member_by_number(account(7), member.number), None);
    }
    for role in naive.roles.values() {
        for at in [0, 1].map(account) {
            assert_eq!(index.directory().by_id(at, role.id), naive.by_id(at, role.id));
            assert_eq!(index.directory().by_key(at, &role.key), naive.by_key(at, &role.key));
        }
    }
}

fn agree_on(secrets: &Secrets<'_>, index: &Index, digest: &Digest, now: Timestamp) {
    let expected = secrets
        .find(digest, now)
        .map(|token| (token.id, token.owner, token.revision, token.secret.digest != *digest));
    let found = index
        .find(digest, now)
        .map(|identity| (identity.token, identity.owner, identity.revision, identity.retiring));
    assert_eq!(found, expected, "{digest:?} at {now:?}");
    let described = |caller: Result<Caller, Dead>| {
        caller.map(|caller| {
            let member = Arc::clone(&caller.member);
            let bounds = (caller.inherent().clone(), caller.authority(), caller.basis().to_vec());
            ((caller.account, caller.token, caller.kind, caller.api_version, caller.retiring), member, bounds)
        })
    };
    assert_eq!(described(index.authenticate(digest, now)), described(secrets.authenticate(digest, now)));
}

fn agree_on_lists(naive: &Naive, index: &Index, offset: u64, limit: usize) {
    for account in [0, 1, 7].map(account) {
        let of_members = naive
            .members
            .keys()
            .flat_map(|member| [Selection::ServiceAndOwn(*member), Selection::Personal(*member)]);
        for selection in of_members.chain([Selection::All]) {
            let all = naive.list(account, selection);
            let total = all.len() as u64;
            let page = |start| index.rosters().page(account, selection, start, limit);
            for offset in [0, offset, offset % (total + 1), total, u64::MAX] {
                let from = usize::try_from(offset).unwrap_or(usize::MAX);
                let expected: Vec<TokenId> = all.iter().skip(from).take(limit).copied().collect();
                assert_eq!(
                    page(Start::Offset(offset)),
                    Page { more: from.saturating_add(limit) < all.len(), ids: expected, total },
                    "{selection:?} {offset}"
                );
            }
            // After a token of the list, of another list, and of none.
            let marks = naive.tokens.keys().skip(usize::try_from(offset).unwrap() % 7).step_by(501).copied();
            for mark in marks.chain([TokenId::from_bytes([0; 12]), TokenId::from_bytes([0xff; 12])]) {
                let expected: Vec<TokenId> =
                    all.iter().filter(|id| **id > mark).take(limit).copied().collect();
                let more = all.iter().filter(|id| **id > mark).count() > limit;
                assert_eq!(
                    page(Start::After(mark)),
                    Page { ids: expected, total, more },
                    "{selection:?} {mark}"
                );
            }
            let everything = index.rosters().page(account, selection, Start::Offset(0), usize::MAX);
            assert_eq!(everything, Page { ids: all, total, more: false });
        }
        assert_eq!(index.tokens_of_account(account), naive.list(account, Selection::All).len() as u64);
    }
}
