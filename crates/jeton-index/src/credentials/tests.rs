//! What can't be seen from outside: sizes, bounds, and what a table does when it is full.

use jeton_core::authority::Authority;
use jeton_core::change::Revision;
use jeton_core::id::{AccountId, MemberId};
use jeton_core::token::{ApiVersion, Scope, TokenKind};

use super::*;
use crate::table::SMALLEST;

const NOW: Timestamp = Timestamp::from_millis(1);

fn digest(number: u64) -> Digest {
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    digest[8..16].copy_from_slice(&number.to_be_bytes());
    Digest::from_bytes(digest)
}

fn credential(number: u64) -> Credential {
    let rights = Rights {
        kind: TokenKind::Personal,
        scope: Scope::Member,
        ceiling: Authority::default(),
        api_version: ApiVersion::LATEST,
    };
    let mut id = [0; 12];
    id[4..].copy_from_slice(&number.to_be_bytes());
    Credential {
        id: TokenId::from_bytes(id),
        account: AccountId::from_bytes([0; 12]),
        owner: MemberId::from_bytes([0; 12]),
        rights,
        expires_at: None,
        digest: digest(number),
        retiring: None,
        revision: Revision::ZERO,
    }
}

/// One of five rights.
fn with_rights(number: u64, rights: usize) -> Credential {
    let credential = credential(number);
    let rights = Rights { api_version: ApiVersion::ALL[rights % 5], ..credential.rights };
    Credential { rights, ..credential }
}

/// The token that a secret belongs to, its revision, its API version and whether it has been replaced.
fn answer(credentials: &Credentials, number: u64) -> Result<(TokenId, Revision, ApiVersion, bool), Dead> {
    credentials.find(
        &digest(number),
        NOW,
        |_| Ok(()),
        |found, (), rights| (found.token, found.worth.revision, rights.api_version, found.worth.retiring),
    )
}

/// A start with millions of tokens has memory for one table, and not for another while the first is still there.
#[test]
fn a_table_made_for_so_many_holds_so_many() {
    for tokens in [1, 1023, 1024, 1025, 5000, 5001, 5002, 5003] {
        let credentials = Credentials::with_capacity(tokens);
        let bytes = credentials.bytes();
        for number in 0..tokens {
            credentials.add([(&credential(number as u64), 0)]);
        }
        assert_eq!(credentials.bytes(), bytes, "{tokens}");
        assert_eq!(credentials.table.load().living().count(), tokens);
        assert!(bytes / tokens.max(SMALLEST) < 54, "{bytes} bytes for {tokens}");
    }
}

#[test]
fn a_token_takes_56_bytes_at_most_when_the_table_is_full_and_after_a_start() {
    const TOKENS: usize = 200_000;
    let credentials = Credentials::with_capacity(TOKENS);
    let bytes = credentials.bytes();
    let mut tokens = 0;
    while credentials.bytes() == bytes {
        credentials.add([(&credential(tokens as u64), 0)]);
        tokens += 1;
    }
    // The last was the first that did not fit.
    assert!(tokens > TOKENS && bytes / (tokens - 1) < 52, "{bytes} bytes for {}", tokens - 1);
    // As a server makes it that starts with a million: with room for a sixteenth more.
    let started = Credentials::with_capacity(1_062_500).bytes();
    assert!(started <= 56 * 1_000_000, "{started} bytes for a million");
}

#[test]
fn a_table_of_the_dead_does_not_grow() {
    let credentials = Credentials::with_capacity(0);
    let bytes = credentials.bytes();
    for number in 0..20 * SMALLEST as u64 {
        let credential = credential(number);
        credentials.add([(&credential, 0)]);
        credentials.remove(&credential);
    }
    assert_eq!(credentials.bytes(), bytes);
    assert_eq!(credentials.distinct_rights(), 0);
}

/// Names are not given again, so a token whose rights change for ever needs new tables, and none of them larger.
#[test]
fn rights_that_change_for_ever_take_no_room() {
    let credentials = Credentials::with_capacity(0);
    let bytes = credentials.bytes();
    credentials.add([(&with_rights(1, 0), 0)]);
    credentials.add([(&with_rights(2, 3), 0)]);
    let mut tables = 0;
    let mut last = Arc::as_ptr(&credentials.table.load());
    for change in 0..5000 {
        let revision = Revision::new(change as u64 + 1);
        let after = Credential { revision, ..with_rights(1, change + 1) };
        credentials.replace(&with_rights(1, change), &after, 0);
        assert_eq!(
            answer(&credentials, 1),
            Ok((after.id, revision, ApiVersion::ALL[(change + 1) % 5], false))
        );
        let now = Arc::as_ptr(&credentials.table.load());
        tables += usize::from(now != last);
        last = now;
    }
    assert!(tables > 5, "{tables}");
    assert_eq!(answer(&credentials, 2).unwrap().2, ApiVersion::ALL[3]);
    assert_eq!((credentials.bytes(), credentials.distinct_rights()), (bytes, 2));
}

/// It can't come to that. If it did, who asks would have to be answered.
#[test]
fn a_slot_that_names_forgotten_rights_is_refused() {
    let credentials = Credentials::with_capacity(0);
    credentials.add([(&credential(1), 0)]);
    assert!(answer(&credentials, 1).is_ok());
    credentials.book().release(&credential(1).rights, &credentials.table.load().names);
    assert_eq!(answer(&credentials, 1), Err(Dead::Unknown));
}

/// The bound is a thousand times the memory of any machine, so the test brings its own.
#[test]
fn a_token_whose_rights_have_no_name_is_unknown_and_the_others_go_on() {
    let credentials = Credentials::with_bounds(0, 3);
    for number in 0..5 {
        credentials.add([(&with_rights(number, usize::try_from(number).unwrap()), 0)]);
    }
    // Another with rights that have a name, and one with rights that have none.
    credentials.add([(&with_rights(5, 2), 0)]);
    credentials.add([(&with_rights(6, 4), 0)]);
    let good = || (0..8).filter(|number| answer(&credentials, *number).is_ok()).collect::<Vec<_>>();
    assert_eq!(good(), [0, 1, 2, 5]);
    assert_eq!(answer(&credentials, 3), Err(Dead::Unknown));
    assert_eq!(credentials.distinct_rights(), 5);

    // Those without a name can be changed and revoked as any; and when names are free again, they are given again.
    let after = Credential { revision: Revision::new(9), ..with_rights(3, 1) };
    credentials.replace(&with_rights(3, 3), &after, 0);
    assert_eq!(good(), [0, 1, 2, 3, 5]);
    for (number, rights) in [(0, 0), (2, 2), (4, 4), (5, 2)] {
        credentials.remove(&with_rights(number, rights));
    }
    assert_eq!((good(), credentials.distinct_rights()), (vec![1, 3], 2));
    credentials.add([(&with_rights(7, 0), 0)]);
    assert_eq!((good(), credentials.distinct_rights()), (vec![1, 3, 7], 3));
    assert_eq!(answer(&credentials, 7).unwrap().2, ApiVersion::ALL[0]);
}

/// Where the part of a revision that stands in another word changes, a secret moves to another slot.
#[test]
fn a_revision_beyond_32_bits_is_told_whole() {
    let credentials = Credentials::with_capacity(0);
    let turn = 1_u64 << 32;
    let revisions = [0, 1, turn - 2, turn - 1, turn, turn + 1, 2 * turn - 1, 5 * turn + 7, (1 << 47) - 1];
    let mut before = credential(1);
    credentials.add([(&before, 0)]);
    for (at, revision) in (1_u64..).zip(revisions) {
        // Each rotates, so both secrets of the token move.
        let retiring = Some((before.digest, Timestamp::from_millis(100)));
        let revision = Revision::new(revision);
        let after = Credential { digest: digest(at + 1), retiring, revision, ..before.clone() };
        credentials.replace(&before, &after, 0);
        assert_eq!(answer(&credentials, at + 1), Ok((after.id, revision, ApiVersion::LATEST, false)));
        assert_eq!(answer(&credentials, at), Ok((after.id, revision, ApiVersion::LATEST, true)));
        assert_eq!(answer(&credentials, at - 1), Err(Dead::Unknown));
        assert_eq!(credentials.table.load().living().count(), 2);
        before = after;
    }
    credentials.remove(&before);
    assert_eq!(credentials.table.load().living().count(), 0);
    assert_eq!(credentials.distinct_rights(), 0);
}
