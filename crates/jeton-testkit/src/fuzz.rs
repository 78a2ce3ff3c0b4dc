//! What must hold for every input whatever: one check for each fuzz target.
//!
//! A check takes bytes, makes of them what its target needs, and panics if something does not hold. The targets in the
//! folder `fuzz` are nothing but calls of these functions, and a test runs every committed input through them without a
//! fuzzer, so that what was found once stays found.
//!
//! Most checks compare with a second opinion: `naive`, `presented` and `secret` say once more what the core says, in another way, to
//! be read and not to be fast. The checks of the dialects send what they make to a whole server in the process.

mod canvus;
mod draw;
mod ext_authz;
mod forward;
mod introspection;
mod json;
mod launchdarkly;
mod naive;
mod policy;
mod presented;
mod route_map;
mod secret;
mod world;

pub use world::settle;

/// A check: it panics if something does not hold for an input.
pub type Check = fn(&[u8]);

/// All checks by the names of their targets.
pub const CHECKS: [(&str, Check); 11] = [
    ("canvus_body", canvus_body),
    ("ext_authz", ext_authz),
    ("forward_auth", forward_auth),
    ("introspection", introspection),
    ("launchdarkly_create", launchdarkly_create),
    ("launchdarkly_patch", launchdarkly_patch),
    ("launchdarkly_reset", launchdarkly_reset),
    ("policy", policy),
    ("route_map", route_map),
    ("secret", secret),
    ("specifier", specifier),
];

/// What a text is recognised as, and that nothing one character away from a good secret is one.
pub fn secret(input: &[u8]) {
    secret::check(input);
}

/// A resource specifier, read and asked about one resource.
pub fn specifier(input: &[u8]) {
    policy::specifier(input);
}

/// A whole policy, read and asked.
pub fn policy(input: &[u8]) {
    policy::policy(input);
}

/// A request to Canvus's tokens, its body above all.
pub fn canvus_body(input: &[u8]) {
    canvus::check(input);
}

/// A request to LaunchDarkly's collection of tokens: create, and list.
pub fn launchdarkly_create(input: &[u8]) {
    launchdarkly::create(input);
}

/// A JSON Patch on a token of LaunchDarkly's.
pub fn launchdarkly_patch(input: &[u8]) {
    launchdarkly::patch(input);
}

/// A reset of a token of LaunchDarkly's.
pub fn launchdarkly_reset(input: &[u8]) {
    launchdarkly::reset(input);
}

/// Introspection: any form, any credential. Nothing is active but what is good, for nobody but who may ask.
pub fn introspection(input: &[u8]) {
    introspection::check(input);
}

/// A gateway's question, on each mount: nothing is let through without a good token but where that is open.
pub fn forward_auth(input: &[u8]) {
    forward::check(input);
}

/// Envoy's question over gRPC: the same, in any words; and messages of any bytes.
pub fn ext_authz(input: &[u8]) {
    ext_authz::check(input);
}

/// A route map, read and asked: what a path needs does not depend on how it is encoded.
pub fn route_map(input: &[u8]) {
    route_map::check(input);
}
