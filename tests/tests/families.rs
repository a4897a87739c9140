//! Refresh families as a state machine. Whatever two devices of one person and a thief do, up to
//! four requests at once, the answers are those of a model that takes the requests in some order,
//! one after the other.

use std::{cell::Cell, time::Duration};

use futures_util::future::join_all;
use models::{Id, platform::account::Accounts};
use proptest::{
    collection::vec,
    option::weighted,
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::json;
use tests::{Answer, Client, World};

/// The person has two of them, and signs in again on one or the other.
const DEVICES: usize = 2;

/// Few enough in one case that no limit on attempts is met.
const PASSWORDS: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    /// All of this at once.
    AtOnce(Vec<Exchange>, Option<Act>),
    /// The thief copies the token that this device holds.
    Steal(usize),
    /// The person signs in again on this device.
    SignIn(usize),
    Suspend,
    Resume,
    /// Another process goes on with what is stored.
    Restart,
}

/// A refresh, and whether its answer arrives.
#[derive(Clone, Debug)]
struct Exchange {
    with: Token,
    arrives: bool,
}

#[derive(Clone, Debug)]
enum Token {
    /// The one that this device holds.
    Held(usize),
    /// The one that the thief holds.
    Stolen,
    /// One of this device's session, so many exchanges before the newest.
    Replayed { device: usize, age: usize },
}

/// What a device does with its access token.
#[derive(Clone, Copy, Debug)]
enum Act {
    SignOut(usize),
    SignOthersOut(usize),
    ChangePassword(usize),
}

/// What the server knows, as far as answers depend on it.
#[derive(Clone, Debug, PartialEq)]
struct Model {
    /// Of each family the generation of the newest token; none when the family is over.
    families: Vec<Option<usize>>,
    suspended: bool,
}

#[derive(Clone, Debug)]
enum Ask {
    Exchange { family: usize, generation: usize },
    SignOut { family: usize },
    EndOthers { family: usize },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Said {
    /// The refresh token of this generation.
    Token(usize),
    Over,
    Suspended,
    Done,
}

impl Model {
    fn answer(&mut self, ask: &Ask) -> Said {
        match *ask {
            Ask::Exchange { family, generation } => match self.families[family] {
                None => Said::Over,
                Some(newest) if generation + 1 < newest => {
                    self.families[family] = None;
                    Said::Over
                }
                Some(_) if self.suspended => Said::Suspended,
                Some(newest) => {
                    self.families[family] = Some(newest.max(generation + 1));
                    Said::Token(newest.max(generation + 1))
                }
            },
            Ask::SignOut { family } => {
                self.families[family] = None;
                Said::Done
            }
            Ask::EndOthers { .. } if self.suspended => Said::Suspended,
            Ask::EndOthers { family } if self.families[family].is_none() => Said::Over,
            Ask::EndOthers { family } => {
                let others = self.families.iter_mut().enumerate().filter(|(it, _)| *it != family);
                others.for_each(|(_, newest)| *newest = None);
                Said::Done
            }
        }
    }

    /// What is known after these answers to these asks, for each order that gives them.
    fn explain(&self, asks: &[(Ask, Said)], explained: &mut Vec<Self>) {
        if asks.is_empty() && !explained.contains(self) {
            explained.push(self.clone());
        }
        for first in 0..asks.len() {
            let mut next = self.clone();
            if next.answer(&asks[first].0) == asks[first].1 {
                let rest = [&asks[..first], &asks[first + 1..]].concat();
                next.explain(&rest, explained);
            }
        }
    }
}

/// One history: the server, who calls it, and what the model makes of the answers.
struct History {
    world: World,
    accounts: Accounts,
    account: Id,
    email: String,
    password: String,
    passwords: usize,
    devices: [Device; DEVICES],
    /// Family and generation of the token that the thief holds.
    stolen: Option<(usize, usize)>,
    /// Of each family its tokens, by generation.
    chains: Vec<Vec<String>>,
    /// Every state that explains the answers so far.
    possible: Vec<Model>,
}

struct Device {
    client: Client,
    family: usize,
    held: usize,
}

type Outcome = Result<(), TestCaseError>;

impl History {
    async fn begin(world: World, email: String) -> Self {
        let phone = world.anonymous().register(&email, "Maya").await;
        let tablet = world.anonymous().sign_in(&email).await;
        let account = phone.signed_in["account"]["id"].as_str().and_then(|id| id.parse().ok());
        let chains = [&phone, &tablet].map(|client| vec![client.refresh_token().to_owned()]).into();
        let device = |(family, client)| Device { client, family, held: 0 };
        Self {
            accounts: world.accounts(),
            account: account.expect("an account has an id"),
            email,
            password: "correct horse battery staple".to_owned(),
            passwords: 0,
            devices: [(0, phone), (1, tablet)].map(device),
            stolen: None,
            chains,
            possible: vec![Model { families: vec![Some(0); DEVICES], suspended: false }],
            world,
        }
    }

    async fn take(&mut self, step: Step) -> Outcome {
        match step {
            Step::AtOnce(exchanges, act) => return self.at_once(exchanges, act).await,
            Step::SignIn(device) => return self.sign_in(device).await,
            Step::Steal(device) => {
                let Device { family, held, .. } = self.devices[device];
                self.stolen = Some((family, held));
            }
            Step::Suspend => self.suspend(true).await,
            Step::Resume => self.suspend(false).await,
            Step::Restart => {
                self.world = self.world.beside(self.world.auth().clone());
                for device in &mut self.devices {
                    device.client = device.client.at(self.world.door());
                }
            }
        }
        Ok(())
    }

    async fn suspend(&mut self, suspended: bool) {
        let changed = if suspended {
            self.accounts.suspend(self.account).await
        } else {
            self.accounts.resume(self.account).await
        };
        assert!(changed.is_ok_and(|account| account.is_some()), "the store answers");
        self.possible.iter_mut().for_each(|model| model.suspended = suspended);
    }

    async fn sign_in(&mut self, device: usize) -> Outcome {
        if self.passwords == PASSWORDS {
            return Ok(());
        }
        self.passwords += 1;
        let body = json!({ "email": self.email, "password": self.password });
        let answer = self.world.anonymous().post("/v1/sessions").json(body).await;
        if self.possible.iter().any(|model| model.suspended) {
            prop_assert_eq!(said(&answer, &mut Vec::new())?, Said::Suspended);
            return Ok(());
        }
        prop_assert_eq!(answer.status, 201);
        let client = self.world.anonymous().as_signed_in(answer.json());
        let family = self.chains.len();
        self.chains.push(vec![client.refresh_token().to_owned()]);
        self.possible.iter_mut().for_each(|model| model.families.push(Some(0)));
        self.devices[device] = Device { client, family, held: 0 };
        Ok(())
    }

    async fn at_once(&mut self, exchanges: Vec<Exchange>, act: Option<Act>) -> Outcome {
        let places = exchanges.iter().map(|it| self.place(&it.with)).collect::<Vec<_>>();
        let here = &*self;
        let sent = places.iter().map(|place| async move {
            let (family, generation) = (*place)?;
            Some(here.world.anonymous().exchange(&here.chains[family][generation]).await)
        });
        let acted = async {
            match act {
                Some(act) => here.send(act).await,
                None => None,
            }
        };
        let (answers, acted) = futures_util::join!(join_all(sent), acted);

        let mut asks = Vec::new();
        for ((exchange, place), answer) in exchanges.iter().zip(places).zip(answers) {
            let (Some((family, generation)), Some(answer)) = (place, answer) else { continue };
            let said = said(&answer, &mut self.chains[family])?;
            asks.push((Ask::Exchange { family, generation }, said));
            if let (true, Said::Token(newest)) = (exchange.arrives, said) {
                self.deliver(&exchange.with, (family, newest), &answer);
            }
        }
        if let (Some(act), Some(answer)) = (act, acted) {
            let said = said(&answer, &mut Vec::new())?;
            if matches!(act, Act::ChangePassword(_)) && said == Said::Done {
                self.password = self.next_password();
                self.passwords += 1;
            }
            asks.push((self.ask(act), said));
        }
        self.explain(&asks)
    }

    /// Family and generation of a token.
    fn place(&self, token: &Token) -> Option<(usize, usize)> {
        match *token {
            Token::Held(device) => Some((self.devices[device].family, self.devices[device].held)),
            Token::Stolen => self.stolen,
            Token::Replayed { device, age } => {
                let family = self.devices[device].family;
                Some((family, self.chains[family].len().checked_sub(age + 1)?))
            }
        }
    }

    async fn send(&self, act: Act) -> Option<Answer> {
        let client = |device: usize| &self.devices[device].client;
        let request = match act {
            Act::SignOut(device) => client(device).delete("/v1/sessions/current"),
            Act::SignOthersOut(device) => client(device).delete("/v1/sessions/others"),
            Act::ChangePassword(_) if self.passwords == PASSWORDS => return None,
            Act::ChangePassword(device) => client(device).put("/v1/account/password").json(json!({
                "currentPassword": self.password,
                "newPassword": self.next_password(),
            })),
        };
        Some(request.await)
    }

    fn next_password(&self) -> String {
        format!("incorrect zebra charger {}", self.passwords)
    }

    fn ask(&self, act: Act) -> Ask {
        let family = |device: usize| self.devices[device].family;
        match act {
            Act::SignOut(device) => Ask::SignOut { family: family(device) },
            Act::SignOthersOut(device) | Act::ChangePassword(device) => {
                Ask::EndOthers { family: family(device) }
            }
        }
    }

    fn deliver(&mut self, to: &Token, place: (usize, usize), answer: &Answer) {
        match *to {
            Token::Held(device) => {
                let device = &mut self.devices[device];
                device.held = device.held.max(place.1);
                device.client = device.client.as_signed_in(answer.json());
            }
            Token::Stolen => self.stolen = Some(place),
            Token::Replayed { .. } => {}
        }
    }

    fn explain(&mut self, asks: &[(Ask, Said)]) -> Outcome {
        let mut explained = Vec::new();
        self.possible.iter().for_each(|model| model.explain(asks, &mut explained));
        prop_assert!(!explained.is_empty(), "{asks:?} in no order out of {:?}", self.possible);
        self.possible = explained;
        Ok(())
    }

    /// At the end each token is tried: of a family that is over none works; of one that is not, the
    /// newest leads on, after which the one before the newest ends it.
    async fn end(mut self) -> Outcome {
        self.suspend(false).await;
        // Tokens of hours ago count towards no limit.
        self.world.advance(Duration::from_secs(60 * 60));
        for family in 0..self.chains.len() {
            let newest = self.chains[family].len() - 1;
            let generations = [newest].into_iter().chain(newest.checked_sub(1));
            for generation in generations.chain((0..=newest).rev()) {
                let token = &self.chains[family][generation];
                let answer = self.world.anonymous().exchange(token).await;
                let said = said(&answer, &mut self.chains[family])?;
                self.explain(&[(Ask::Exchange { family, generation }, said)])?;
            }
        }
        Ok(())
    }
}

/// What an answer says, and the token that it brings kept in the chain.
fn said(answer: &Answer, chain: &mut Vec<String>) -> Result<Said, TestCaseError> {
    let body = answer.json_or_null();
    match (answer.status.as_u16(), body["code"].as_str()) {
        (204, _) => Ok(Said::Done),
        (401, Some("session_revoked")) => Ok(Said::Over),
        (403, Some("account_suspended")) => Ok(Said::Suspended),
        (200, _) => {
            let token = body["tokens"]["refreshToken"].as_str().unwrap_or_default();
            let known = chain.iter().position(|known| known == token);
            Ok(Said::Token(known.unwrap_or_else(|| {
                chain.push(token.to_owned());
                chain.len() - 1
            })))
        }
        (status, code) => Err(TestCaseError::fail(format!("{status} {code:?}"))),
    }
}

fn exchanges(
    token: impl Strategy<Value = Token>,
    most: usize,
) -> impl Strategy<Value = Vec<Exchange>> {
    let exchange = (token, any::<bool>()).prop_map(|(with, arrives)| Exchange { with, arrives });
    vec(exchange, 1..=most)
}

fn device() -> impl Strategy<Value = usize> {
    0..DEVICES
}

/// Devices that lose answers, and a server that goes away and comes back.
fn losses() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => exchanges(device().prop_map(Token::Held), 4).prop_map(|it| Step::AtOnce(it, None)),
        1 => Just(Step::Suspend),
        1 => Just(Step::Resume),
        1 => Just(Step::Restart),
    ]
}

/// All that there is, a thief included.
fn anything() -> impl Strategy<Value = Step> {
    let token = || {
        prop_oneof![
            5 => device().prop_map(Token::Held),
            3 => Just(Token::Stolen),
            1 => (device(), 0..4_usize)
                .prop_map(|(device, age)| Token::Replayed { device, age }),
        ]
    };
    let act = prop_oneof![
        4 => device().prop_map(Act::SignOut),
        4 => device().prop_map(Act::SignOthersOut),
        1 => device().prop_map(Act::ChangePassword),
    ];
    prop_oneof![
        8 => exchanges(token(), 4).prop_map(|it| Step::AtOnce(it, None)),
        2 => (exchanges(token(), 3), weighted(0.9, act))
            .prop_map(|(exchanges, act)| Step::AtOnce(exchanges, act)),
        3 => device().prop_map(Step::Steal),
        1 => device().prop_map(Step::SignIn),
        1 => Just(Step::Suspend),
        2 => Just(Step::Resume),
        1 => Just(Step::Restart),
    ]
}

/// Run histories of such steps, one after the other in one world, an hour apart: so no limit on
/// how often something may be asked is met.
fn run(step: impl Strategy<Value = Step>, after: impl AsyncFn(&mut History) -> Outcome) {
    let cases = std::env::var("LANDLINE_HISTORIES").ok().and_then(|cases| cases.parse().ok());
    let config = Config {
        cases: cases.unwrap_or(32),
        failure_persistence: None,
        max_shrink_iters: 500,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let world = runtime.block_on(World::new());
    let number = Cell::new(0);

    let outcome = TestRunner::new_with_rng(config, rng).run(&vec(step, 1..16), |steps| {
        number.set(number.get() + 1);
        world.advance(Duration::from_secs(60 * 60));
        runtime.block_on(async {
            let email = format!("maya{}@example.com", number.get());
            let beside = world.beside(world.auth().clone());
            let mut history = History::begin(beside, email).await;
            for step in steps {
                history.take(step).await?;
            }
            after(&mut history).await?;
            history.end().await
        })
    });

    assert!(outcome.is_ok(), "{}", outcome.expect_err("it is none"));
}

mod a_refresh_family {
    use super::*;

    /// Property: without a thief no sequence of losses signs anyone out.
    #[test]
    fn outlives_every_answer_that_is_lost() {
        run(losses(), async |history| {
            history.suspend(false).await;
            for device in 0..DEVICES {
                let held = Exchange { with: Token::Held(device), arrives: true };
                history.at_once(vec![held], None).await?;
                let family = history.devices[device].family;
                let alive = |model: &Model| model.families[family].is_some();
                prop_assert!(history.possible.iter().all(alive), "device {device} is signed out");
            }
            Ok(())
        });
    }

    /// Properties, since the model has them: a token that is two generations old ends its family,
    /// whoever brings it, and there is one live successor at most.
    #[test]
    fn answers_devices_and_thieves_as_the_model_does() {
        run(anything(), async |_| Ok(()));
    }
}
