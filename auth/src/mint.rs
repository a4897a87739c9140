use models::store::Store;

use crate::{Auth, Error, Origin, Settings, SignIn};

/// Sign somebody in without their password: a session like any other, and its tokens. `None` when
/// nobody has this address.
///
/// This is no switch that could be left on. It asks for all that issuing tokens takes, the private
/// key (in `settings`) and the store, and whoever has both can write a session and sign a token
/// without it. An app does not have them any more: it hands its handlers an [`Auth`], which gives
/// neither of them out, and no method of which leads here. local-dev calls it with the key of its
/// data directory; `.ci/boundaries` keeps it out of `api`.
pub async fn mint(
    settings: Settings,
    store: &Store,
    email: &str,
    device_name: &str,
) -> Result<Option<SignIn>, Error> {
    let auth = Auth::new(settings, store);
    let Some(account) = auth.accounts().find_by_email(email).await? else { return Ok(None) };
    let device_name = Some(device_name.to_owned());
    auth.start_session(account, device_name, Origin::default()).await.map(Some)
}
