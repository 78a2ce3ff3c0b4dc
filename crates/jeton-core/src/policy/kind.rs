//! Which kinds of resource exist, and inside which others they stand.
//!
//! A kind is a whole chain: a `token` exists only inside a `member`, and a specifier for `member` says nothing about
//! `member:token`. This server keeps tokens, but a policy is copied from account to account and talks about everything
//! in them. So every published kind is known: an unknown one is refused, because it is most likely a typing error, and
//! a deny with a typing error protects nothing.

/// The longest chain that a resource can have.
pub(super) const MAX_DEPTH: usize = 4;

/// The one label that stands without a name: there is only one account.
pub(super) const NAMELESS: &str = "acct";

/// All kinds. The first group is section 4.1; the second are later ones of the published reference of role actions.
const KINDS: &[&str] = &[
    "acct",
    "application",
    "code-reference-repository",
    "domain-verification",
    "integration",
    "member",
    "member:token",
    "pending-request",
    "proj",
    "proj:context-kind",
    "proj:env",
    "proj:env:aiconfig",
    "proj:env:destination",
    "proj:env:experiment",
    "proj:env:flag",
    "proj:env:segment",
    "proj:metric",
    "relay-proxy-config",
    "role",
    "service-token",
    "team",
    "template",
    "webhook",
    //
    "proj:agent-graph",
    "proj:ai-model-config",
    "proj:ai-tool",
    "proj:aiconfig",
    "proj:alert",
    "proj:env:assignment-data-source",
    "proj:env:holdout",
    "proj:env:notification-subscription",
    "proj:env:product-analytics-dashboard",
    "proj:error",
    "proj:layer",
    "proj:log",
    "proj:metric-group",
    "proj:prompt-snippet",
    "proj:release-pipeline",
    "proj:release-policy",
    "proj:session",
    "proj:trace",
    "proj:view",
];

/// The outermost labels of what is about the account itself and the rights of its people.
const ABOUT_PEOPLE: &[&str] =
    &["acct", "domain-verification", "member", "pending-request", "role", "service-token", "team"];

/// A chain of labels that names a kind of resource: its place among [`KINDS`], so that two are compared in one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind(u8);

impl Kind {
    pub(super) const ACCOUNT: Kind = Kind(0);
    pub(super) const MEMBER: Kind = Kind(5);
    pub(super) const PERSONAL_TOKEN: Kind = Kind(6);
    pub(super) const ROLE: Kind = Kind(18);
    pub(super) const SERVICE_TOKEN: Kind = Kind(19);

    /// The kind with exactly these labels, from the outermost to the innermost.
    pub(super) fn find(labels: &[&str]) -> Option<Kind> {
        let at = KINDS.iter().position(|path| path.split(':').eq(labels.iter().copied()))?;
        u8::try_from(at).ok().map(Kind)
    }

    /// Whether this is the account, its people, or what gives them rights.
    pub(super) fn is_about_people(self) -> bool {
        let outermost = self.labels().next();
        outermost.is_some_and(|label| ABOUT_PEOPLE.contains(&label))
    }

    pub(super) fn labels(self) -> impl Iterator<Item = &'static str> {
        KINDS[usize::from(self.0)].split(':')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_can_be_found_and_is_short_enough() {
        for (at, path) in KINDS.iter().enumerate() {
            let labels: Vec<_> = path.split(':').collect();
            assert!(labels.len() <= MAX_DEPTH, "{path}");
            assert_eq!(Kind::find(&labels), Some(Kind(u8::try_from(at).unwrap())));
        }
        for (kind, path) in [
            (Kind::ACCOUNT, "acct"),
            (Kind::MEMBER, "member"),
            (Kind::PERSONAL_TOKEN, "member:token"),
            (Kind::ROLE, "role"),
            (Kind::SERVICE_TOKEN, "service-token"),
        ] {
            assert!(kind.labels().eq(path.split(':')), "{path}");
        }
    }

    #[test]
    fn a_label_alone_or_out_of_place_is_no_kind() {
        for labels in
            [&["token"][..], &["flag"], &["proj", "flag"], &["proj", "member"], &["Proj"], &[""], &[]]
        {
            assert_eq!(Kind::find(labels), None, "{labels:?}");
        }
    }
}
