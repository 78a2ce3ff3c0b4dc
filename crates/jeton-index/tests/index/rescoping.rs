//! Rights that come and go while others look: names of rights run out, tables are built anew for more, and revisions pass
//! the 32 bits that a slot keeps together with the rights. What is seen is what one change gave, whole.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use jeton_core::caller::Rights;
use jeton_core::change::{Event, Revision};
use jeton_core::digest::Digest;
use jeton_core::id::TokenId;
use jeton_core::member::Member;
use jeton_core::timestamp::Timestamp;
use jeton_core::token::{Scope, Token, TokenKind};
use jeton_index::Index;

use crate::naive::{Naive, policy};
use crate::threads::{LOOKS, Progress, READERS};

const NOW: Timestamp = Timestamp::from_millis(1);
/// Several times the names that the smallest table has.
const CHANGES: u64 = 6_000;

/// What a token was, change by change.
type History = Vec<(Revision, Rights)>;

/// One look: its rights and its revision are of one and the same change, and of none that was over when it began.
fn look(index: &Index, progress: &Progress, token: TokenId, digest: &Digest, history: &History) {
    let (done, seen, begun) = progress.look(|| {
        index.verify(digest, NOW, |living| (living.token(), living.revision(), living.rights.clone()))
    });
    let (found, revision, rights) = seen.unwrap();
    assert_eq!(found, token);
    let given = history.iter().find(|(at, _)| *at == revision).map(|(_, rights)| rights);
    assert_eq!(Some(&rights), given, "at {revision:?}");
    let latest = history.iter().rfind(|(at, _)| at.number() <= done).map(|(at, _)| *at);
    assert!(
        Some(revision) >= latest && revision.number() <= begun,
        "{revision:?} between {done} and {begun}"
    );
}

#[test]
fn rights_and_revision_are_of_one_change_however_many_there_are() {
    let (mut naive, mut changes) = Naive::new();
    let owner = Member::clone(naive.members.values().next().unwrap());
    // Half of the changes come before the 32 bits are full, and half after.
    naive.revision = Revision::new((1 << 32) - CHANGES / 2);
    let mut tokens: Vec<Token> = Vec::new();
    let mut histories: HashMap<TokenId, History> = HashMap::new();
    for kind in [TokenKind::Personal, TokenKind::Service, TokenKind::Personal] {
        let token = naive.new_token(&owner, kind);
        changes.push(naive.happen(Event::TokenIssued { token }));
    }
    let set_up = changes.len();
    for token in naive.tokens.values() {
        histories.insert(token.id, vec![(token.revision, Rights::from(token))]);
        tokens.push(token.clone());
    }
    for number in 0..CHANGES {
        let at = usize::try_from(number).unwrap() % tokens.len();
        let before = naive.tokens[&tokens[at].id].clone();
        let after = Token { scope: Scope::Inline(policy(number)), ..before.clone() };
        changes.push(naive.happen(Event::TokenChanged { before, after }));
        let after = &naive.tokens[&tokens[at].id];
        histories.get_mut(&after.id).unwrap().push((after.revision, Rights::from(after)));
    }
    let (index, progress) = (Index::with_capacity(0), Progress::default());
    progress.write(&index, &changes[..set_up]);
    let last = naive.revision.number();
    let read = |reader: usize| {
        let mut looks = 0;
        while looks < LOOKS / 4 || progress.done.load(Ordering::SeqCst) < last {
            let token = &tokens[(reader + looks) % tokens.len()];
            look(&index, &progress, token.id, &token.secret.digest, &histories[&token.id]);
            looks += 1;
        }
    };
    std::thread::scope(|scope| {
        for reader in 0..READERS {
            let read = &read;
            scope.spawn(move || read(reader));
        }
        progress.write(&index, &changes[set_up..]);
    });
    assert_eq!(index.image(), naive.built().image());
}
