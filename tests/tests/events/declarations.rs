//! What modules may declare, and what is refused at the start.

use api::{
    events::{
        Change, Events, FailureStore, ObjectCreated, Output, QueueMessage, Tick, Trigger,
        stream_filter,
    },
    http::Module,
};
use models::store::Store;
use serde_json::{Value, json};

use super::{Order, Parcel, Tally, signing_key};

async fn copy_parcel(_: Change<Parcel>, _: Store) -> api::events::Result {
    Ok(())
}

async fn count_tally(_: Change<Tally>) -> api::events::Result {
    Ok(())
}

async fn make_thumbnail(_: ObjectCreated) -> api::events::Result {
    Ok(())
}

async fn sharpen_thumbnail(_: ObjectCreated) -> api::events::Result {
    Ok(())
}

async fn charge_card(_: QueueMessage<Order>) -> api::events::Result {
    Ok(())
}

mod elsewhere {
    pub(super) async fn sweep_orders(_: super::Tick) -> api::events::Result {
        Ok(())
    }
}

async fn sweep_orders(_: Tick) -> api::events::Result {
    Ok(())
}

/// What is said of these modules; nothing where they can be served.
fn said(modules: &[Module]) -> String {
    let connection = models::store::Connection::embedded("http://127.0.0.1:1", "landline");
    let store = Store::connect(connection, models::Ambient::system());
    let auth = auth::Settings::new("https://api.example.com", "landline", signing_key());
    let failures = FailureStore::folder("nowhere");
    let served = Events::with_modules(modules, auth, Default::default(), store, failures);
    served.err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn are_what_a_module_says() {
    let module = Module::new("orders")
        .on_message("charges", charge_card)
        .on_change(copy_parcel)
        .writing::<Tally>()
        .on_object_created("uploads/", make_thumbnail)
        .writing_objects("thumbnails/")
        .every("rate(1 hour)", sweep_orders);

    let said: Vec<_> =
        module.listeners().iter().map(|it| (&*it.name, it.trigger, &it.outputs[..])).collect();

    assert_eq!(
        said,
        [
            ("orders.charge_card", Trigger::Message("charges"), &[][..]),
            ("orders.copy_parcel", Trigger::Change("PARCEL"), &[Output::Kind("TALLY")]),
            (
                "orders.make_thumbnail",
                Trigger::ObjectCreated("uploads/"),
                &[Output::Objects("thumbnails/")],
            ),
            ("orders.sweep_orders", Trigger::Schedule("rate(1 hour)"), &[]),
        ],
    );
}

/// Four patterns at most, whatever is declared: a mapping takes five.
#[test]
fn make_the_filter_of_the_tables_stream() {
    let wants_all = || Module::new("parcels").on_change(copy_parcel);
    let wants_new = || Module::new("tallies").on_created(count_tally);
    let new_parcels = || Module::new("new-parcels").on_created(copy_parcel);
    let new = |kind: &str| {
        [
            json!({ "dynamodb": {
                "NewImage": { "kind": { "S": [kind] }, "version": { "N": ["1"] } },
            } }),
            json!({ "dynamodb": {
                "NewImage": { "kind": { "S": [kind] } },
                "OldImage": { "deletedAt": { "S": [{ "exists": true }] } },
            } }),
        ]
    };
    let all = |kind: &str| {
        [
            json!({ "dynamodb": { "NewImage": { "kind": { "S": [kind] } } } }),
            json!({
                "eventName": ["REMOVE"],
                "dynamodb": { "OldImage": { "kind": { "S": [kind] } } },
            }),
        ]
    };

    assert_eq!(stream_filter(&[Module::new("orders")]), [Value::Null; 0]);
    assert_eq!(stream_filter(&[wants_new()]), new("TALLY"));
    assert_eq!(stream_filter(&[wants_all()]), all("PARCEL"));
    let both = [new("TALLY"), all("PARCEL")].concat();
    assert_eq!(stream_filter(&[wants_all(), wants_new()]), both);
    assert_eq!(stream_filter(&[wants_all(), new_parcels()]), all("PARCEL"));
}

/// The app's own can be served.
#[test]
fn of_the_app_are_good() {
    assert_eq!(said(&api::route_table()), "");
}

mod are_refused {
    use super::*;

    const ALL: &str = "the event handlers cannot be served:\n  ";

    #[test]
    fn where_a_handler_makes_files_where_it_listens() {
        for (made, listened) in
            [("uploads/small/", "uploads/"), ("uploads/", "uploads/"), ("", "a/")]
        {
            let files = Module::new("files")
                .on_object_created(listened, make_thumbnail)
                .writing_objects(made);

            let sentence = "`files.make_thumbnail` would trigger itself, without end: \
                            let it write under a prefix that nobody listens to";
            assert_eq!(said(&[files]), format!("{ALL}{sentence}"), "{made} in {listened}");
        }
        let files = Module::new("files")
            .on_object_created("uploads/", make_thumbnail)
            .writing_objects("thumbnails/");
        assert_eq!(said(&[files]), "");
    }

    #[test]
    fn where_a_handler_writes_what_it_listens_to_without_a_mark() {
        let parcels =
            || Module::new("parcels").on_change(copy_parcel).writing::<Tally>().writing::<Parcel>();

        let sentence = "`parcels.copy_parcel` would trigger itself, without end: \
                        let it write something else, or `.marked()`";
        assert_eq!(said(&[parcels()]), format!("{ALL}{sentence}"));
        assert_eq!(said(&[parcels().marked()]), "");
    }

    #[test]
    fn where_handlers_trigger_each_other() {
        let parcels = Module::new("parcels").on_change(copy_parcel).writing::<Tally>().marked();
        let tallies = Module::new("tallies").on_change(count_tally).writing::<Parcel>().marked();

        let sentence = said(&[parcels, tallies]);

        assert_eq!(
            sentence,
            format!(
                "{ALL}`parcels.copy_parcel` would trigger itself by way of `tallies.count_tally`, \
                 without end: let one of them write something else\n  \
                 `tallies.count_tally` would trigger itself by way of `parcels.copy_parcel`, \
                 without end: let one of them write something else",
            ),
        );
        let thumbnails = Module::new("files")
            .on_object_created("uploads/", make_thumbnail)
            .writing_objects("thumbnails/")
            .on_object_created("thumbnails/", sharpen_thumbnail)
            .writing_objects("uploads/sharp/");
        assert!(said(&[thumbnails]).contains("by way of `files.sharpen_thumbnail`"));
    }

    #[test]
    fn where_two_handlers_have_one_name() {
        let orders = Module::new("orders")
            .on_message("charges", charge_card)
            .on_message("refunds", charge_card);

        let sentence = "`orders.charge_card` is declared twice: what is kept of it would be mixed";
        assert_eq!(said(&[orders]), format!("{ALL}{sentence}"));
    }

    /// Its name would be that of its parameter.
    #[test]
    fn where_a_handler_is_generic() {
        async fn charge<T: Send>(_: QueueMessage<T>) -> api::events::Result {
            Ok(())
        }
        let orders = Module::new("orders").on_message("charges", charge::<Vec<u8>>);

        let sentence = said(&[orders]);

        let mend = "is a generic function, which has no name to keep: declare one that calls it";
        assert!(sentence.starts_with(ALL) && sentence.ends_with(mend), "{sentence}");
    }

    #[test]
    fn where_a_schedule_is_none() {
        for schedule in ["rate(1 hour)", "rate(2 hours)", "rate(15 minutes)", "cron(0 3 * * ? *)"] {
            assert_eq!(said(&[Module::new("orders").every(schedule, sweep_orders)]), "");
        }
        for schedule in [
            "",
            "hourly",
            "rate()",
            "rate(1 hours)",
            "rate(2 hour)",
            "rate(0 hours)",
            "rate(1 week)",
            "rate(-1 hours)",
            "rate(1 hour) ",
            "cron(0 3 * * *)",
            "cron(0 3 * * ? * *)",
            "cron(0  3 * * ? *)",
            "cron(0 3 * * ? $)",
            "0 3 * * ? *",
        ] {
            let sentence = said(&[Module::new("orders").every(schedule, sweep_orders)]);

            let expected = format!("`orders.sweep_orders` is to be done every `{schedule}`");
            assert!(sentence.contains(&expected), "{schedule}: {sentence}");
        }
    }

    #[test]
    fn where_a_queue_has_no_name() {
        let orders = Module::new("orders").on_message("", charge_card);

        assert_eq!(
            said(&[orders]),
            format!("{ALL}`orders.charge_card` listens to what has no name")
        );
    }
}

/// A rule is named for the function, and would call both.
#[test]
fn of_two_schedules_have_two_names_of_functions() {
    let modules = [
        Module::new("orders").every("rate(1 hour)", sweep_orders),
        Module::new("shop").every("rate(1 day)", elsewhere::sweep_orders),
    ];

    assert_eq!(
        said(&modules),
        "the event handlers cannot be served:\n  `shop.sweep_orders` has a rule of the same name as \
         another schedule: name its function otherwise",
    );
}
