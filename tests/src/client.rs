use std::{
    fmt,
    future::IntoFuture,
    net::{IpAddr, Ipv4Addr},
    pin::Pin,
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde_json::{Value, json};

use crate::{Answer, Door, scan, spec, watch};

/// Somebody who calls.
#[derive(Clone)]
pub struct Client {
    door: Door,
    token: Option<String>,
    address: IpAddr,
    /// What registering or signing in was answered with; null for nobody.
    pub signed_in: Value,
}

impl Client {
    /// Nobody in particular, at this door.
    pub fn new(door: Door) -> Self {
        let address = Ipv4Addr::new(192, 0, 2, 7).into();
        Self { door, token: None, address, signed_in: Value::Null }
    }

    /// The same caller with this access token.
    #[must_use]
    pub fn with_token(&self, token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), ..self.clone() }
    }

    /// The same caller at another door.
    #[must_use]
    pub fn at(&self, door: Door) -> Self {
        Self { door, ..self.clone() }
    }

    /// The same caller from another network than `192.0.2.7`. Where a server of its own listens, it
    /// sees loopback all the same.
    ///
    /// # Panics
    /// When it is no address.
    #[must_use]
    pub fn at_address(&self, address: &str) -> Self {
        Self { address: address.parse().expect("an address"), ..self.clone() }
    }

    /// Whoever the body of a registration, a sign-in or a refresh says.
    #[must_use]
    pub fn as_signed_in(&self, signed_in: Value) -> Self {
        let token = signed_in["tokens"]["accessToken"].as_str().map(str::to_owned);
        assert!(token.is_some(), "nobody is signed in by {signed_in}");
        Self { token, signed_in, ..self.clone() }
    }

    /// Register a person through the front door, and be them.
    pub async fn register(&self, email: &str, name: &str) -> Self {
        let body = json!({
            "email": email,
            "password": PASSWORD,
            "displayName": name,
            "deviceName": format!("{name}'s phone"),
        });
        let answer = self.post("/v1/accounts").json(body).await.expect(201);
        self.as_signed_in(answer.json())
    }

    /// Sign in on another device, and be the person there.
    pub async fn sign_in(&self, email: &str) -> Self {
        let body = json!({ "email": email, "password": PASSWORD });
        let answer = self.post("/v1/sessions").json(body).await.expect(201);
        self.as_signed_in(answer.json())
    }

    /// Exchange a refresh token, whoever's it is.
    pub async fn exchange(&self, token: &str) -> Answer {
        let body = json!({ "refreshToken": token });
        self.anonymous().post("/v1/sessions/refresh").json(body).await
    }

    /// The same person on the same device, with the tokens that follow these.
    pub async fn refreshed(&self) -> Self {
        let answer = self.exchange(self.refresh_token()).await.expect(200);
        self.as_signed_in(answer.json())
    }

    /// Nobody, at the same door and address.
    #[must_use]
    pub fn anonymous(&self) -> Self {
        Self { address: self.address, ..Self::new(self.door.clone()) }
    }

    /// The access token.
    ///
    /// # Panics
    /// When nobody is signed in.
    pub fn token(&self) -> &str {
        self.token.as_deref().expect("somebody is signed in")
    }

    /// The refresh token.
    ///
    /// # Panics
    /// When nobody is signed in.
    pub fn refresh_token(&self) -> &str {
        self.signed_in["tokens"]["refreshToken"].as_str().expect("somebody is signed in")
    }

    /// GET this path.
    pub fn get(&self, path: impl AsRef<str>) -> Request {
        self.request(Method::GET, path)
    }

    /// POST to this path.
    pub fn post(&self, path: impl AsRef<str>) -> Request {
        self.request(Method::POST, path)
    }

    /// PUT to this path.
    pub fn put(&self, path: impl AsRef<str>) -> Request {
        self.request(Method::PUT, path)
    }

    /// PATCH this path.
    pub fn patch(&self, path: impl AsRef<str>) -> Request {
        self.request(Method::PATCH, path)
    }

    /// DELETE this path.
    pub fn delete(&self, path: impl AsRef<str>) -> Request {
        self.request(Method::DELETE, path)
    }

    /// Any method on this path.
    pub fn request(&self, method: Method, path: impl AsRef<str>) -> Request {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("localhost"));
        headers.insert("x-request-id", HeaderValue::from_static("test"));
        let path = path.as_ref().to_owned();
        let (door, address, body) = (self.door.clone(), self.address, Vec::new());
        let request = Request { door, address, method, path, headers, body, specified: true };
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }
}

/// Everybody's password.
const PASSWORD: &str = "correct horse battery staple";

/// A request on its way. Awaiting it sends it.
#[must_use = "a request that is not awaited is not sent"]
#[derive(Clone)]
pub struct Request {
    pub(crate) door: Door,
    pub(crate) address: IpAddr,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    specified: bool,
}

impl Request {
    /// Add a header, beside others of its name.
    ///
    /// # Panics
    /// When it is not one.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = HeaderName::try_from(name).expect("a header's name");
        let value = HeaderValue::from_bytes(value.as_ref()).expect("a header's value");
        self.headers.append(name, value);
        self
    }

    /// Leave a header out.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// Send JSON.
    pub fn json(self, body: Value) -> Self {
        self.json_text(body.to_string())
    }

    /// Send this as JSON, whatever it is.
    pub fn json_text(self, body: impl Into<Vec<u8>>) -> Self {
        self.body(body).header("content-type", "application/json")
    }

    /// Send these bytes and do not say what they are.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Send it through another door.
    pub fn through(self, door: Door) -> Self {
        Self { door, ..self }
    }

    /// The answer will not be the app's, but the gateway's or a page of local-dev.
    pub fn unspecified(mut self) -> Self {
        self.specified = false;
        self
    }

    /// Send it. The answer is held against the spec; none when the connection broke.
    pub async fn attempt(self) -> Option<Answer> {
        let door = self.door.clone();
        scan::learn(&self.body);
        let answer = door.send(&self).await;
        watch::check();
        let answer = answer?;
        answer.check_secrets();
        if self.specified {
            spec::check(&spec::Exchange::of(&self), &answer);
        }
        Some(answer)
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:.200}", self.method, self.path)
    }
}

impl IntoFuture for Request {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async {
            let sent = self.to_string();
            self.attempt().await.unwrap_or_else(|| panic!("{sent}: the connection broke"))
        })
    }
}
