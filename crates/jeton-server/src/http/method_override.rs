//! `X-HTTP-Method-Override`: PATCH, PUT and DELETE for clients that can only send POST.
//!
//! It has to happen before routing, and only on the paths of a dialect that documents it: [`Edge`](super::Edge) asks
//! the surface. Only a POST is looked at, so a header that strays onto a GET changes nothing.
//!
//! A POST whose header names anything else is refused. Reading it as the plain POST that it also is would turn
//! `X-HTTP-Method-Override: GET` on a collection into a new record, which is the one thing its sender did not mean.

use http::{HeaderName, HeaderValue, Method, Request};

/// The header, in the lower case that [`http`] keeps.
pub const HEADER: HeaderName = HeaderName::from_static("x-http-method-override");

const TUNNELLED: [Method; 3] = [Method::PATCH, Method::DELETE, Method::PUT];

/// The header asked for a method that can't be tunnelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("X-HTTP-Method-Override must be PATCH, PUT or DELETE")]
pub struct BadMethodOverride;

/// Puts the tunnelled method in the place of POST; letter case doesn't matter, and `POST` itself is allowed.
pub fn apply<B>(request: &mut Request<B>) -> Result<(), BadMethodOverride> {
    if request.method() != Method::POST {
        return Ok(());
    }
    let Some(wanted) = request.headers().get(HEADER) else {
        return Ok(());
    };
    *request.method_mut() = tunnelled(wanted).ok_or(BadMethodOverride)?;
    Ok(())
}

fn tunnelled(wanted: &HeaderValue) -> Option<Method> {
    let same = |method: &Method| wanted.as_bytes().eq_ignore_ascii_case(method.as_str().as_bytes());
    TUNNELLED.into_iter().chain([Method::POST]).find(same)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(method: Method, header: Option<&str>) -> Result<Method, BadMethodOverride> {
        let mut request = Request::builder().method(method).body(()).unwrap();
        if let Some(text) = header {
            request.headers_mut().insert(HEADER, text.parse().unwrap());
        }
        apply(&mut request).map(|()| request.method().clone())
    }

    #[test]
    fn a_post_becomes_what_it_asks_for() {
        for (text, method) in [("PATCH", Method::PATCH), ("delete", Method::DELETE), ("Put", Method::PUT)] {
            assert_eq!(after(Method::POST, Some(text)), Ok(method));
        }
        assert_eq!(after(Method::POST, Some("post")), Ok(Method::POST));
        assert_eq!(after(Method::POST, None), Ok(Method::POST));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["GET", "OPTIONS", "PATCH, DELETE", "", "x"] {
            assert_eq!(after(Method::POST, Some(text)), Err(BadMethodOverride), "{text}");
        }
    }

    #[test]
    fn only_a_post_is_looked_at() {
        assert_eq!(after(Method::GET, Some("DELETE")), Ok(Method::GET));
        assert_eq!(after(Method::PATCH, Some("nonsense")), Ok(Method::PATCH));
    }
}
