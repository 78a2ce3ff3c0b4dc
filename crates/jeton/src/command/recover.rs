//! `jeton recover`: a fresh token for a member who is locked out, straight on the database of a stopped server.
//!
//! Nobody authenticates here. Who can read the server key and write the database can do anything to it anyway.

use std::sync::Arc;

use jeton_core::limits::Limits;
use jeton_service::Clock as _;

use super::print;
use crate::config::Resolver;
use crate::config::layers::Layers;
use crate::fault::Fault;
use crate::installation::{self, Plan};
use crate::system::{SystemClock, SystemEntropy, utc};
use crate::{data_dir, logging};

pub(crate) fn run(layers: &Layers, email: &str) -> Result<(), Fault> {
    let mut resolver = Resolver::new(layers);
    let (storage, format, lease) = (resolver.storage()?, resolver.format()?, resolver.lease()?);
    logging::start(resolver.logging()?);
    data_dir::check_owner(&storage.data_dir)?;
    installation::must_exist(&storage.database)?;
    let entropy = Arc::new(SystemEntropy::new()?);
    let since = utc(SystemClock.now());
    let holder = format!("process {}, running `jeton recover`, since {since}", std::process::id());
    // Whoever is locked out is not kept out by an account that is full.
    let limits = Limits::default();
    let plan = Plan { storage: &storage, format: &format, limits, holder: &holder, lease };
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let service = plan.open(&entropy).await?;
        let secret = service.recover(email).await?.ok_or_else(|| no_such_member(email))?;
        print(&format!("{}\n", secret.expose()))?;
        if service.authenticate(secret.expose()).await.is_err() {
            let message =
                format!("{email} is blocked or not yet approved: the token counts when that has changed");
            return Err(Fault::failed(message));
        }
        Ok(())
    })
}

fn no_such_member(email: &str) -> Fault {
    Fault::failed(format!(
        "there is no member with the e-mail address {email}: the owner's is what --owner-email said at the first start, \
         owner@localhost if it said nothing"
    ))
}
