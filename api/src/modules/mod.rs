//! A team's own modules: one file per module, a folder where it also handles events.

/// Each module by its name, once: declares its file and puts it into the route table.
macro_rules! modules {
    ($($name:ident,)*) => {
        $(pub mod $name;)*

        pub(crate) fn modules() -> Vec<$crate::http::Module> {
            vec![$($name::module()),*]
        }
    };
}

modules! {
    notes,
}
