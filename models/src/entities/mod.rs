//! A team's own things: one file per entity, with the request, the entity, the view, the
//! conversion and the repository in that order.

pub mod notes;
