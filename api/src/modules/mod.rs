//! A team's own modules: one file per module, a folder where it also handles events.

pub mod notes;

use crate::http::Module;

pub(crate) fn modules() -> Vec<Module> {
    vec![notes::module()]
}
