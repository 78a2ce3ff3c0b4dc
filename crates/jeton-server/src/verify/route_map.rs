//! The route map: which request, by its method and path, needs which action on which resource. For gateways that can say
//! what was asked for, and nothing more.
//!
//! ```toml
//! otherwise = "deny"                      # what no route fits: "deny" (default), or "verify": a good token will do
//!
//! [[route]]
//! method = ["GET", "HEAD"]                # one or several; every method where it is left out
//! path = "/projects/{project}/flags/{flag}"
//! action = "viewFlag"
//! resource = "proj/{project}:env/production:flag/{flag}"
//!
//! [[route]]
//! path = "/docs/{*rest}"                  # {*name} is all that follows
//! open = true                             # anybody may, without a token
//! ```
//!
//! A path is matched as the upstream will see it at the latest, percent-decoded: `/%61dmin` is `/admin` there, and must not
//! be something else here. Whatever two servers could read in two ways (an encoded slash, an empty segment, a dot segment, a
//! backslash, a fragment) fits no route, and is denied. What a name captures may become part of a resource, so it has to be
//! plain: letters, digits and `-._~`.
//!
//! The most specific path decides. A path that ends in `{*name}`, and `otherwise`, take what has no route of its own: not a
//! path that has one when a slash is added to its end or taken away, since many programs make no difference there; and
//! `{*name}` takes no other method of a path that has routes.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;

use jeton_core::policy::Resource;
use percent_encoding::percent_decode_str;
use serde::Deserialize;

/// Which request needs what. Made of a file, and checked as a whole.
pub struct RouteMap {
    paths: matchit::Router<Vec<Route>>,
    /// The paths of routes for one method; those for every method stand under each, and under the empty name alone.
    by_method: HashMap<String, matchit::Router<()>>,
    otherwise: Otherwise,
}

/// What a request needs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Need {
    /// Nothing: anybody may.
    Nothing,
    /// A good token.
    Token,
    /// A token that may do this.
    Permission {
        /// The action.
        action: String,
        /// The resource, as text.
        resource: String,
    },
    /// There is no way: no route fits, or the path could be read in two ways.
    Denied(Denied),
}

/// What a route is called, to whoever has the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteName {
    /// Its place in the file, from 1.
    pub number: usize,
    /// Its path, as it stands there.
    pub path: String,
}

/// What a request needs, and what says so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decided<'m> {
    /// What it needs.
    pub need: Need,
    /// The route that decided. `None` where none fits, or none was looked for.
    pub route: Option<&'m RouteName>,
}

/// Why a request is denied whatever token it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Denied {
    /// No route fits.
    NoRoute,
    /// The path has routes, and none of them is for this method. A route whose path is less specific does not step in.
    Method,
    /// The path could be read in two ways.
    Ambiguous,
    /// What a name captured can't be part of a resource.
    Name,
}

/// What is wrong with a route map.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadRouteMap(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    otherwise: Otherwise,
    #[serde(default)]
    route: Vec<Entry>,
}

#[derive(Clone, Copy, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum Otherwise {
    #[default]
    Deny,
    Verify,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    method: Option<Methods>,
    path: String,
    action: Option<String>,
    resource: Option<String>,
    #[serde(default)]
    open: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Methods {
    One(String),
    Several(Vec<String>),
}

/// A route whose path fits already.
struct Route {
    name: RouteName,
    /// Every method where there is none.
    methods: Vec<String>,
    need: Template,
}

impl Route {
    fn is_for(&self, method: &str) -> bool {
        self.methods.is_empty() || self.methods.iter().any(|known| known == method)
    }

    /// Whether nothing comes to a later route with the same path.
    fn hides(&self, later: &Self) -> bool {
        self.methods.is_empty()
            || (!later.methods.is_empty() && later.methods.iter().all(|method| self.methods.contains(method)))
    }
}

enum Template {
    Nothing,
    Token,
    Permission { action: String, resource: Vec<Part> },
}

/// A piece of a resource with names in it.
enum Part {
    Text(String),
    Name(String),
}

impl RouteMap {
    /// Reads a route map.
    ///
    /// # Errors
    /// What is wrong, and with which route.
    pub fn parse(text: &str) -> Result<Self, BadRouteMap> {
        let file: File = toml::from_str(text).map_err(|error| BadRouteMap(error.to_string()))?;
        let mut by_path: Vec<(String, Vec<Route>)> = Vec::new();
        for (at, entry) in file.route.into_iter().enumerate() {
            let wrong = |what: String| BadRouteMap(format!("route {number}: {what}", number = at + 1));
            let route = entry.read(at + 1).map_err(wrong)?;
            let path = route.name.path.clone();
            match by_path.iter_mut().find(|(known, _)| *known == path) {
                Some((_, routes)) if routes.iter().any(|earlier| earlier.hides(&route)) => {
                    return Err(wrong(format!(
                        "an earlier route has the path {path} and all of these methods, so it is never reached"
                    )));
                }
                Some((_, routes)) => routes.push(route),
                None => by_path.push((path, vec![route])),
            }
        }
        let by_method = by_method(&by_path);
        let mut paths = matchit::Router::new();
        for (path, routes) in by_path {
            let shown = path.clone();
            paths.insert(path, routes).map_err(|error| BadRouteMap(format!("the path {shown}: {error}")))?;
        }
        Ok(Self { paths, by_method, otherwise: file.otherwise })
    }

    /// What a request with this method, and this path with or without a query, needs.
    pub fn need(&self, method: &str, uri: &str) -> Need {
        self.decide(method, uri).need
    }

    /// As [`RouteMap::need`], with what says so.
    pub fn decide(&self, method: &str, uri: &str) -> Decided<'_> {
        let ambiguous = Decided { need: Need::Denied(Denied::Ambiguous), route: None };
        // No request has a fragment (RFC 9112, section 3.2). Some servers cut it off, others take it for a part of the path.
        let path = uri.split('?').next().filter(|_| !uri.contains('#'));
        let Some(path) = path.and_then(unambiguous) else { return ambiguous };
        let decided = self.decide_plain(method, &path);
        if decided.route.is_some_and(|route| !route.takes_what_is_left()) {
            return decided;
        }
        // What is left would take it; but with or without a slash at its end it may have a route of its own.
        let other = path.strip_suffix('/').map_or_else(|| format!("{path}/"), str::to_owned);
        let others = self.decide_plain(method, &other);
        let has_its_own = others.route.is_some_and(|route| !route.takes_what_is_left())
            || others.need == Need::Denied(Denied::Method);
        let is_let_through = !matches!(decided.need, Need::Denied(_));
        if is_let_through && has_its_own && others.need != decided.need { ambiguous } else { decided }
    }

    /// As [`RouteMap::decide`], of a path that is decoded.
    fn decide_plain(&self, method: &str, path: &str) -> Decided<'_> {
        let by_none = |need| Decided { need, route: None };
        let otherwise = || match self.otherwise {
            Otherwise::Deny => by_none(Need::Denied(Denied::NoRoute)),
            Otherwise::Verify => by_none(Need::Token),
        };
        let Ok(found) = self.paths.at(path) else { return otherwise() };
        let Some(route) = found.value.iter().find(|route| route.is_for(method)) else {
            let less_specific = self.by_method.get(method).or_else(|| self.by_method.get(""));
            let steps_in = less_specific.is_some_and(|paths| paths.at(path).is_ok());
            return if steps_in { by_none(Need::Denied(Denied::Method)) } else { otherwise() };
        };
        let need = match &route.need {
            Template::Nothing => Need::Nothing,
            Template::Token => Need::Token,
            Template::Permission { action, resource } => {
                match filled(resource, |name| found.params.get(name)) {
                    Some(resource) => Need::Permission { action: action.clone(), resource },
                    None => Need::Denied(Denied::Name),
                }
            }
        };
        Decided { need, route: Some(&route.name) }
    }
}

/// The paths of all routes by the method that they are for.
fn by_method(by_path: &[(String, Vec<Route>)]) -> HashMap<String, matchit::Router<()>> {
    let named = by_path.iter().flat_map(|(_, routes)| routes).flat_map(|route| &route.methods);
    let methods: HashSet<&str> = named.map(String::as_str).chain([""]).collect();
    let paths = |method: &str| {
        let mut paths = matchit::Router::new();
        for (path, _) in by_path.iter().filter(|(_, routes)| routes.iter().any(|route| route.is_for(method)))
        {
            // A path that can't be taken in is told of where all of them are.
            let _ = paths.insert(path.clone(), ());
        }
        paths
    };
    methods.into_iter().map(|method| (method.to_owned(), paths(method))).collect()
}

impl RouteName {
    /// Whether its path ends in a name for all that follows.
    fn takes_what_is_left(&self) -> bool {
        self.path.ends_with('}') && self.path.rsplit('/').next().is_some_and(|last| last.starts_with("{*"))
    }
}

impl fmt::Debug for RouteMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteMap").finish_non_exhaustive()
    }
}

impl Entry {
    fn read(self, number: usize) -> Result<Route, String> {
        if !self.path.starts_with('/') {
            return Err(format!("the path {} does not begin with a slash", self.path));
        }
        if self.path.contains('%') {
            return Err(format!("the path {} is percent-encoded: write it plainly", self.path));
        }
        if is_read_in_two_ways(&self.path)
            || self.path.contains(['?', '#'])
            || self.path.contains(char::is_control)
        {
            return Err(format!(
                "no request has the path {}: queries and fragments are no part of it, and what could be read in two ways \
                 is denied before a route is looked for",
                self.path
            ));
        }
        let methods = match self.method {
            None => Vec::new(),
            Some(Methods::One(method)) => vec![method],
            Some(Methods::Several(none)) if none.is_empty() => {
                return Err(
                    "there is no method in the list: leave `method` out where every one is meant".to_owned()
                );
            }
            Some(Methods::Several(methods)) => methods,
        };
        let good = |method: &String| {
            !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-')
        };
        if let Some(bad) = methods.iter().find(|method| !good(method)) {
            return Err(format!("`{bad}` is no method: write it in capitals, as in GET"));
        }
        let need = match (self.open, self.action, self.resource) {
            (true, None, None) => Template::Nothing,
            (true, ..) => return Err("what is open needs neither an action nor a resource".to_owned()),
            (false, None, None) => Template::Token,
            (false, Some(action), Some(_)) if action.is_empty() => {
                return Err("the action is empty".to_owned());
            }
            (false, Some(action), Some(resource)) => {
                Template::Permission { action, resource: template(&resource, &self.path)? }
            }
            (false, ..) => return Err("an action and a resource go together".to_owned()),
        };
        Ok(Route { name: RouteName { number, path: self.path }, methods, need })
    }
}

/// Reads a resource with names in braces, each of which the path has to capture.
fn template(resource: &str, path: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = resource;
    while let Some((text, after)) = rest.split_once('{') {
        let (name, after) =
            after.split_once('}').ok_or_else(|| format!("`{{` without `}}` in the resource {resource}"))?;
        if !path.contains(&format!("{{{name}}}")) {
            return Err(format!(
                "the resource names {{{name}}}, which the path does not capture as one segment"
            ));
        }
        parts.push(Part::Text(text.to_owned()));
        parts.push(Part::Name(name.to_owned()));
        rest = after;
    }
    parts.push(Part::Text(rest.to_owned()));
    let example = filled(&parts, |_| Some("x")).unwrap_or_default();
    match Resource::parse(&example) {
        Some(_) => Ok(parts),
        None => {
            Err(format!("{resource} is no resource: write one like proj/KEY:env/KEY:flag/KEY or member/ID"))
        }
    }
}

/// The resource with its names filled in, if each of them is plain.
fn filled<'a>(parts: &[Part], captured: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    let mut resource = String::new();
    for part in parts {
        match part {
            Part::Text(text) => resource.push_str(text),
            Part::Name(name) => {
                let name = captured(name)?;
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
                if name.is_empty() || !name.bytes().all(plain) {
                    return None;
                }
                resource.push_str(name);
            }
        }
    }
    Some(resource)
}

/// Whether some server takes a part of this path, as it stands, for something else than others do.
fn is_read_in_two_ways(path: &str) -> bool {
    let dots = |segment: &str| matches!(segment, "." | "..");
    path.contains("//") || path.contains(['\\', ';']) || path.split('/').any(dots)
}

/// The path, decoded; `None` if two servers could read it in two ways.
fn unambiguous(path: &str) -> Option<Cow<'_, str>> {
    // What separates, ends or climbs when it is decoded, and what would have to be decoded twice.
    const MEANINGFUL: [&str; 7] = ["%2f", "%5c", "%2e", "%25", "%3b", "%3f", "%23"];
    let lower = path.to_ascii_lowercase();
    let odd = !path.starts_with('/')
        || is_read_in_two_ways(path)
        || MEANINGFUL.into_iter().any(|encoded| lower.contains(encoded))
        || !path.bytes().all(|byte| byte.is_ascii_graphic());
    let decoded = percent_decode_str(path).decode_utf8().ok().filter(|_| !odd)?;
    // A percent sign that is left stands before no two digits.
    (!decoded.contains(|c: char| c == '%' || c.is_control())).then_some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = r#"
        [[route]]
        method = ["GET", "HEAD"]
        path = "/projects/{project}/flags/{flag}"
        action = "viewFlag"
        resource = "proj/{project}:env/production:flag/{flag}"

        [[route]]
        method = "DELETE"
        path = "/projects/{project}/flags/{flag}"
        action = "deleteFlag"
        resource = "proj/{project}:env/production:flag/{flag}"

        [[route]]
        path = "/docs/{*rest}"
        open = true

        [[route]]
        path = "/me"
    "#;

    fn permission(action: &str, resource: &str) -> Need {
        Need::Permission { action: action.to_owned(), resource: resource.to_owned() }
    }

    #[test]
    fn a_request_needs_what_its_route_says() {
        let map = RouteMap::parse(MAP).unwrap();
        let flag = "proj/web:env/production:flag/dark-mode";
        for (method, uri, need) in [
            ("GET", "/projects/web/flags/dark-mode", permission("viewFlag", flag)),
            ("HEAD", "/projects/web/flags/dark-mode?x=/../y", permission("viewFlag", flag)),
            ("GET", "/projects/%77eb/flags/dark-mode", permission("viewFlag", flag)),
            ("DELETE", "/projects/web/flags/dark-mode", permission("deleteFlag", flag)),
            ("POST", "/projects/web/flags/dark-mode", Need::Denied(Denied::NoRoute)),
            ("get", "/projects/web/flags/dark-mode", Need::Denied(Denied::NoRoute)),
            ("GET", "/projects/web/flags/dark-mode/", Need::Denied(Denied::NoRoute)),
            ("GET", "/projects/web/flags/", Need::Denied(Denied::NoRoute)),
            ("POST", "/docs/a/b", Need::Nothing),
            ("GET", "/me", Need::Token),
            ("GET", "/", Need::Denied(Denied::NoRoute)),
        ] {
            assert_eq!(map.need(method, uri), need, "{method} {uri}");
        }
        let route = |method, uri| map.decide(method, uri).route.map(|route| route.number);
        assert_eq!(route("HEAD", "/projects/web/flags/x"), Some(1));
        assert_eq!(route("DELETE", "/projects/web/flags/x"), Some(2));
        assert_eq!(route("DELETE", "/projects/*/flags/x"), Some(2), "it fits, and denies");
        assert_eq!([route("POST", "/projects/web/flags/x"), route("GET", "/docs/../me")], [None; 2]);
        let lenient = RouteMap::parse("otherwise = \"verify\"").unwrap();
        assert_eq!(lenient.need("GET", "/anything"), Need::Token);
        assert_eq!(lenient.need("GET", "/a/../b"), Need::Denied(Denied::Ambiguous));
    }

    /// Programs that make no difference between `/a` and `/a/` would serve one where the other was judged.
    #[test]
    fn what_is_left_takes_no_other_spelling_of_a_route() {
        for otherwise in ["deny", "verify"] {
            let map = |route: &str| {
                let inside = "action = \"viewProject\"\nresource = \"proj/web\"\n";
                let rest = "[[route]]\npath = \"/docs/{*rest}\"\nopen = true\n";
                RouteMap::parse(&format!(
                    "otherwise = \"{otherwise}\"\n{rest}[[route]]\npath = \"{route}\"\n{inside}"
                ))
            };
            for (route, other) in [("/docs/inside", "/docs/inside/"), ("/docs/inside/", "/docs/inside")] {
                let map = map(route).unwrap();
                assert_eq!(map.need("GET", route), permission("viewProject", "proj/web"));
                assert_eq!(map.need("GET", other), Need::Denied(Denied::Ambiguous), "{other}");
                assert_eq!(map.need("GET", "/docs/outside/"), Need::Nothing);
            }
            // Whoever has no other route for it but `otherwise`, too.
            let need = map("/inside").unwrap().need("GET", "/inside/");
            let expected = if otherwise == "deny" { Denied::NoRoute } else { Denied::Ambiguous };
            assert_eq!(need, Need::Denied(expected));
        }
    }

    /// Nobody who wrote down what a path needs meant that with another method it is anybody's.
    #[test]
    fn what_is_left_takes_no_other_method_of_a_route() {
        let routes = "[[route]]\nmethod = \"GET\"\npath = \"/a/1\"\n\
                      [[route]]\nmethod = [\"GET\", \"POST\"]\npath = \"/a/{*rest}\"\nopen = true\n";
        for (otherwise, of_its_own) in [("deny", Need::Denied(Denied::NoRoute)), ("verify", Need::Token)] {
            let map = RouteMap::parse(&format!("otherwise = \"{otherwise}\"\n{routes}")).unwrap();
            assert_eq!(map.need("GET", "/a/1"), Need::Token);
            assert_eq!(
                [map.need("GET", "/a/1/2"), map.need("POST", "/a/1/2")],
                [Need::Nothing, Need::Nothing]
            );
            assert_eq!(map.need("POST", "/a/1"), Need::Denied(Denied::Method));
            assert_eq!(map.need("POST", "/a/1/"), Need::Denied(Denied::Ambiguous));
            // No other route is for it, so it is as if there were none.
            assert_eq!(map.need("PUT", "/a/1"), of_its_own);
            assert_eq!(map.need("PUT", "/b"), of_its_own);
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_denied() {
        let map = RouteMap::parse(MAP).unwrap();
        for uri in [
            "/docs/../projects/web/flags/x",
            "/docs/./x",
            "/docs//x",
            "//docs/x",
            "/docs/a%2Fb",
            "/docs/a%2fb",
            "/docs/%2e%2e/x",
            "/docs/%2E",
            "/docs/a%5Cb",
            "/docs/a\\b",
            "/docs/a%252fb",
            "/docs/a;b/c",
            "/docs/a%00",
            "/docs/a%0ab",
            "/docs/a%7f",
            "/docs/a%3Fb",
            "/docs/a%23b",
            "/docs/%zz",
            "/docs/a%",
            "/docs/%ff",
            // An overlong slash.
            "/docs/%c0%af",
            "/docs/a b",
            "/docs/a#/../../projects/web/flags/x",
            "/docs/a?x#y",
            "docs/x",
            "",
            "http://elsewhere/docs/x",
        ] {
            assert_eq!(map.need("GET", uri), Need::Denied(Denied::Ambiguous), "{uri}");
        }
    }

    /// Upstream it is the same path, so it must be the same here: neither what no route fits nor what another one does.
    #[test]
    fn encoding_what_need_not_be_encoded_changes_nothing() {
        let map = r#"
            otherwise = "verify"
            [[route]]
            path = "/{*all}"
            open = true
            [[route]]
            path = "/admin/{name}"
            action = "viewProject"
            resource = "proj/{name}"
            [[route]]
            path = "/ein raum/ü"
        "#;
        let map = RouteMap::parse(map).unwrap();
        for uri in ["/admin/a", "/%61dmin/a", "/%61%64%6D%69%6e/%61", "/admin/%61?b"] {
            assert_eq!(map.need("GET", uri), permission("viewProject", "proj/a"), "{uri}");
        }
        assert_eq!(map.need("GET", "/ein%20raum/%C3%BC"), Need::Token);
        assert_eq!(map.need("GET", "/ein%20raum/%C3%BC/x"), Need::Nothing);
    }

    #[test]
    fn a_name_can_not_become_more_than_a_name() {
        let map = RouteMap::parse(MAP).unwrap();
        for name in ["a:env", "*", "a,b", "a%3Aenv", "%2A", "{a}", "$a", "a%20b", "a+b", "%C3%BC", "a%7B"] {
            let uri = format!("/projects/{name}/flags/x");
            assert_eq!(map.need("GET", &uri), Need::Denied(Denied::Name), "{uri}");
        }
    }

    #[test]
    fn a_mistake_is_told_with_its_route() {
        for (text, said) in [
            ("[[route]]\npath = \"a\"", "route 1: the path a does not begin with a slash"),
            ("[[route]]\npath = \"/a\"\naction = \"b\"", "an action and a resource go together"),
            (
                "[[route]]\npath = \"/a\"\nopen = true\naction = \"b\"\nresource = \"acct\"",
                "what is open needs",
            ),
            (
                "[[route]]\npath = \"/a\"\naction = \"b\"\nresource = \"nothing/x\"",
                "nothing/x is no resource",
            ),
            (
                "[[route]]\npath = \"/a\"\naction = \"b\"\nresource = \"proj/{p}\"",
                "names {p}, which the path",
            ),
            (
                "[[route]]\npath = \"/{*p}\"\naction = \"b\"\nresource = \"proj/{p}\"",
                "names {p}, which the path",
            ),
            ("[[route]]\npath = \"/%61\"", "the path /%61 is percent-encoded"),
            ("[[route]]\npath = \"/a\"\nmethod = \"get\"", "`get` is no method"),
            ("[[route]]\npath = \"/a\"\nmethod = []", "there is no method in the list"),
            ("[[route]]\npath = \"/a/../b\"", "no request has the path /a/../b"),
            ("[[route]]\npath = \"/a//b\"", "no request has the path /a//b"),
            ("[[route]]\npath = \"/a?b=c\"", "no request has the path /a?b=c"),
            ("[[route]]\npath = \"/a\"\naction = \"\"\nresource = \"acct\"", "the action is empty"),
            (
                "[[route]]\npath = \"/a\"\nopen = true\n[[route]]\npath = \"/a\"\nmethod = \"GET\"",
                "it is never reached",
            ),
            ("[[route]]\npath = \"/{a}\"\n[[route]]\npath = \"/{b}\"", "the path /{b}: "),
            ("[[route]]\npath = \"/a\"\npaht = 1", "unknown field `paht`"),
            ("otherwise = \"maybe\"", "unknown variant `maybe`"),
        ] {
            let error = RouteMap::parse(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
