use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use api::{App, Web, http::Module};
use auth::SigningKey;
use lambda_runtime::{Context, LambdaEvent};
use local_dev::{EmbeddedStore, Gateway};
use models::{
    Ambient, Timestamp,
    platform::{account::Accounts, config::Config},
    store::{Connection, Store},
};
use serde_json::{Value, value::to_raw_value};

use crate::{
    Answer, Client, Door, Faults, event, log, scan, spec,
    watch::{self, Watch},
};

/// When every world begins: 2026-11-22T16:30:00.000Z.
const BEGINNING: i64 = 1_795_365_000_000;

/// An app in this process with a store in memory of its own. Gone when it is dropped.
pub struct World {
    app: App,
    ambient: Ambient,
    auth: auth::Settings,
    store: Arc<EmbeddedStore>,
    /// Last, so that it sees the others go.
    _watch: Watch,
}

/// What a world is made of. Every part has a default.
pub struct Setup {
    /// The route table.
    pub modules: Vec<Module>,
    /// Who issues tokens.
    pub auth: auth::Settings,
    /// How the API stands on the web.
    pub web: Web,
    /// What differs between releases of the app.
    pub config: Config,
    /// Time and randomness.
    pub ambient: Ambient,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            modules: api::route_table(),
            auth: auth::Settings::new("https://api.example.com", "landline", signing_key()),
            web: Web::default(),
            config: Config::default(),
            ambient: Ambient::fixed(Timestamp::from_unix_millis(BEGINNING), 7),
        }
    }
}

/// The key of every world in this process.
pub fn signing_key() -> SigningKey {
    static KEY: LazyLock<SigningKey> = LazyLock::new(SigningKey::generate);
    KEY.clone()
}

async fn store_with_a_table(ambient: &Ambient) -> Arc<EmbeddedStore> {
    let store = EmbeddedStore::memory().expect("a store in memory starts");
    let table = Store::connect(local_dev::connection(&store), ambient.clone());
    table.create_table().await.expect("the table can be made");
    Arc::new(store)
}

impl World {
    /// A world with nobody in it.
    pub async fn new() -> Self {
        Self::with(Setup::default()).await
    }

    /// A world of these parts.
    ///
    /// # Panics
    /// When its store does not start.
    pub async fn with(setup: Setup) -> Self {
        let store = store_with_a_table(&setup.ambient).await;
        let connection = local_dev::connection(&store);
        Self::on(store, connection, setup)
    }

    /// A world whose app reaches its store through these faults.
    ///
    /// # Panics
    /// When its store does not start, or another world is behind them.
    pub async fn behind(faults: &Faults) -> Self {
        Self::with_faults(Setup::default(), faults).await
    }

    /// A world of these parts whose app reaches its store through these faults.
    ///
    /// # Panics
    /// When its store does not start, or another world is behind them.
    pub async fn with_faults(setup: Setup, faults: &Faults) -> Self {
        let store = store_with_a_table(&setup.ambient).await;
        let connection = faults.before(local_dev::connection(&store));
        Self::on(store, connection, setup)
    }

    /// Another app in this world, which issues tokens in another way.
    #[must_use]
    pub fn beside(&self, auth: auth::Settings) -> Self {
        // The same source of ids: another one of the same seed would give them out twice.
        let ambient = self.ambient.clone();
        Self::on(self.store.clone(), self.connection(), Setup { auth, ambient, ..Setup::default() })
    }

    fn on(store: Arc<EmbeddedStore>, connection: Connection, setup: Setup) -> Self {
        log::watch();
        let Setup { modules, auth, web, config, ambient } = setup;
        let table = Store::connect(connection, ambient.clone());
        let app = App::with_modules(modules, auth.clone(), web, config, table);
        Self { app, ambient, auth, store, _watch: Watch::begin() }
    }

    /// The way in.
    pub fn door(&self) -> Door {
        Door::InProcess(Gateway::new(self.app.clone(), self.ambient.clone()))
    }

    /// The app itself.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Time and randomness here.
    pub fn ambient(&self) -> &Ambient {
        &self.ambient
    }

    /// Who issues tokens here.
    pub fn auth(&self) -> &auth::Settings {
        &self.auth
    }

    /// How to reach the store, past any faults.
    pub fn connection(&self) -> Connection {
        local_dev::connection(&self.store)
    }

    /// Stop the store. What is left is the way in.
    ///
    /// # Panics
    /// When another world has the same store.
    pub async fn lose_the_store(self) -> Door {
        let door = self.door();
        Arc::into_inner(self.store).expect("no other world has it").stop().await;
        door
    }

    /// Let time pass.
    pub fn advance(&self, span: Duration) {
        self.ambient.advance(span);
    }

    /// Somebody without a token.
    pub fn anonymous(&self) -> Client {
        Client::new(self.door())
    }

    /// Maya, who has just registered.
    pub async fn maya(&self) -> Client {
        self.anonymous().register("maya@example.com", "Maya").await
    }

    /// Omar, who has just registered.
    pub async fn omar(&self) -> Client {
        self.anonymous().register("omar@example.com", "Omar").await
    }

    /// An admin, who has just been made one: registered, given the role as an operator does it, and
    /// refreshed for a token that says so.
    ///
    /// # Panics
    /// When the store does not answer.
    pub async fn admin(&self) -> Client {
        let admin = self.anonymous().register("admin@example.com", "Ada").await;
        let id = admin.signed_in["account"]["id"].as_str().expect("an account has an id");
        let id = id.parse().expect("it is an id");
        self.accounts().give_role(id, "admin").await.expect("the store answers");
        admin.refreshed().await
    }

    /// Everybody's accounts, as an operator reaches them.
    pub fn accounts(&self) -> Accounts {
        Accounts::new(Store::connect(self.connection(), self.ambient.clone()))
    }

    /// Call the entry point of the Lambda function: an event goes in, and the answer in the shape
    /// of the event's source comes out.
    ///
    /// # Panics
    /// When the answer is not what the spec says.
    pub async fn invoke(&self, event: Value) -> Value {
        scan::learn(&event::body(&event));
        let payload = to_raw_value(&event).expect("JSON is JSON");
        let answer = self.app.invoke(LambdaEvent::new(payload, Context::default())).await;
        let answer = serde_json::to_value(answer).expect("an answer is JSON");
        watch::check();
        event::check_secrets(&answer);
        answer
    }

    /// [`invoke`](Self::invoke), for events that carry a request: the answer as a client sees it.
    ///
    /// # Panics
    /// When the answer is not what the spec says.
    pub async fn deliver(&self, event: Value) -> Answer {
        let exchange = spec::Exchange::of_event(&event);
        let answer = event::answer(&self.invoke(event).await);
        spec::check(&exchange, &answer);
        answer
    }
}
