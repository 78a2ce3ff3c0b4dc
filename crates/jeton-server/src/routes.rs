//! How a surface lays out its paths.

use std::sync::Arc;

use axum::routing::{MethodRouter, Router};

use crate::Shared;

/// A path, and what it does with which method.
pub(crate) type Path = (&'static str, MethodRouter<Arc<Shared>>);

/// The routes of a surface that has no place of its own.
pub(crate) fn exactly(paths: impl IntoIterator<Item = Path>) -> Router<Arc<Shared>> {
    paths.into_iter().fold(Router::new(), |router, (path, methods)| router.route(path, methods))
}

/// The routes of a surface: these paths under `base`, and `otherwise`, in the surface's own words, for all others there.
///
/// Each path may end in a slash. It is not redirected, because some clients follow no redirect on a write.
pub(crate) fn under(
    base: &str,
    paths: impl IntoIterator<Item = Path>,
    otherwise: MethodRouter<Arc<Shared>>,
) -> Router<Arc<Shared>> {
    let rest = Router::new().route(&format!("{base}/{{*rest}}"), otherwise);
    paths.into_iter().fold(rest, |router, (path, methods)| {
        let path = format!("{base}{path}");
        router.route(&path, methods.clone()).route(&format!("{path}/"), methods)
    })
}
