//! `jeton route test`: what a route map says a request needs, and which route says so, offline.

use std::fmt::Write as _;

use jeton_server::verify::{Decided, Denied, Need, RouteName};

use super::print;
use crate::config::Resolver;
use crate::config::layers::Layers;
use crate::fault::Fault;

/// A request to look at.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Its method.
    pub(crate) method: String,
    /// Its path, with or without a query.
    pub(crate) path: String,
}

/// Prints what the request needs.
pub(crate) fn run(layers: &Layers, asked: &Asked) -> Result<(), Fault> {
    let mut resolver = Resolver::new(layers);
    let map = resolver.route_map()?.ok_or_else(|| {
        Fault::usage("there is no route map: name one with --route-map, or JETON_ROUTE_MAP")
    })?;
    let Decided { need, route } = map.decide(&asked.method, &asked.path);
    let mut text = format!("{} {}: ", asked.method, asked.path);
    let _ = route.map(|RouteName { number, path }| write!(text, "route {number} ({path}): "));
    let _ = match &need {
        Need::Nothing => write!(text, "open: anybody may, without a token"),
        Need::Token if route.is_none() => write!(text, "no route fits, and otherwise a good token is enough"),
        Need::Token => write!(text, "a good token is enough"),
        Need::Permission { action, resource } => write!(text, "needs {action} on {resource}"),
        Need::Denied(Denied::NoRoute) => write!(text, "denied: no route fits"),
        Need::Denied(Denied::Method) => write!(
            text,
            "denied: its path has routes, none of them for this method, and a less specific one does not step in"
        ),
        Need::Denied(Denied::Ambiguous) => write!(
            text,
            "denied: the path could be read in two ways (an encoded slash or dot, an empty segment, a dot segment, a \
             backslash, a fragment, a slash more or less at the end of a route)"
        ),
        Need::Denied(Denied::Name) => {
            write!(
                text,
                "denied: what a name captures has to be letters, digits and -._~ to be part of a resource"
            )
        }
    };
    print(&format!("{text}\n"))?;
    match need {
        Need::Denied(_) => Err(Fault::failed("the request would be denied whatever token it has")),
        _ => Ok(()),
    }
}
