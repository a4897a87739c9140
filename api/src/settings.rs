use std::fmt;

use auth::{Issuer, KeptKey, Limits, LimitsError, Place, PublicKey, SigningKey, SigningSource};
use http::{HeaderValue, Uri};
use models::{
    aws::{Access, Credentials},
    platform::config::Config,
    store::Connection,
    wire::Violation,
};
use serde::de::DeserializeOwned;
use tracing_subscriber::filter::{LevelFilter, Targets};

use crate::http::{json::check_syntax, violations::of_decoding};

#[cfg(feature = "events")]
mod events;
mod sessions;

/// Everything that differs between one deployment and another.
#[derive(Clone)]
pub struct Settings {
    /// Who issues tokens and for whom.
    pub auth: auth::Settings,
    /// Where the table is.
    pub store: Connection,
    /// How the API stands on the web.
    pub web: Web,
    /// What differs between one release of an app and another.
    pub config: Config,
}

/// How the API stands on the web.
#[derive(Clone, Debug, Default)]
pub struct Web {
    /// The origins whose pages may call the API, exactly as a browser names them. None: no page.
    pub cors_origins: Vec<HeaderValue>,
    /// The path below which a domain serves the API, such as `/api`; empty for the whole domain.
    pub base_path: String,
}

/// Everything that is wrong with the configuration, a sentence each.
#[derive(Debug, PartialEq, Eq)]
pub struct SettingsError(Vec<String>);

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is wrong or not complete:")?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for SettingsError {}

impl Settings {
    /// Read the environment (`docs/configuration.md`).
    ///
    /// # Errors
    /// All problems at once, by the names of the variables, without their values.
    pub fn from_env(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut environment = Environment { variable, problems: Vec::new() };
        let issuer = environment.issuer();
        let audience = environment.required("LANDLINE_AUDIENCE", "the name of this API");
        let key = environment.required(
            "LANDLINE_SIGNING_KEY",
            "the private key that signs access tokens, PKCS#8 PEM",
        );
        let table = environment.required("LANDLINE_TABLE", "the name of the DynamoDB table");
        let access = environment.access();
        let mut auth = auth::Settings::new(issuer, audience, environment.signing(&key, &access));
        auth.extra_roots = access.extra_roots.clone();
        environment.complete(&mut auth);
        let settings = Self {
            auth,
            store: Connection {
                table,
                endpoint: environment.endpoint("AWS_ENDPOINT_URL_DYNAMODB"),
                access,
            },
            web: Web {
                cors_origins: environment.cors_origins(),
                base_path: environment.base_path(),
            },
            config: environment.config(),
        };
        environment.check_log();
        environment.check_runtime();
        environment.told(settings)
    }

    /// Those of a laptop, which has a key and a store of its own: all else that the environment says
    /// of tokens, sessions, pages and apps is as in the cloud.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn of_a_laptop(
        mut auth: auth::Settings,
        store: Connection,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SettingsError> {
        let mut environment = Environment { variable, problems: Vec::new() };
        auth.extra_roots = environment.extra_roots();
        environment.complete(&mut auth);
        let web = Web { cors_origins: environment.cors_origins(), ..Web::default() };
        let settings = Self { auth, store, web, config: environment.config() };
        environment.told(settings)
    }
}

/// What `LANDLINE_LOG` lets into the log: `info`, or targets such as `info,api=debug`. `info` where
/// nothing is said, nothing where it is not a filter. Nor is `trace` one: at that level the SDK and
/// the runtime log whole requests and answers, with passwords and tokens.
pub fn log_filter(text: Option<&str>) -> Option<Targets> {
    let text = text.filter(|text| !text.trim().is_empty()).unwrap_or("info");
    let filter: Targets = text.parse().ok()?;
    let quiet = filter.iter().all(|(_, level)| level < LevelFilter::TRACE)
        && filter.default_level().is_none_or(|level| level < LevelFilter::TRACE);
    quiet.then_some(filter)
}

struct Environment<F> {
    variable: F,
    problems: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> Environment<F> {
    fn optional(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.trim().is_empty())
    }

    fn required(&mut self, name: &str, what: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.problems.push(format!("{name} is not set: {what}"));
            String::new()
        })
    }

    /// What tokens and sessions have defaults for.
    fn complete(&mut self, auth: &mut auth::Settings) {
        auth.public_keys = self.public_keys(auth.signing.in_hand().is_none());
        auth.issuers = self.issuers(&auth.issuer);
        auth.limits = self.limits();
        auth.sessions = self.sessions();
        auth.roles = self.roles(std::mem::take(&mut auth.roles));
    }

    fn issuer(&mut self) -> String {
        let name = "LANDLINE_ISSUER";
        let issuer = self.required(name, "the URL of this API, such as https://api.example.com");
        if !issuer.is_empty() && (!is_issuer(&issuer) || issuer.ends_with('/')) {
            self.problems.push(format!(
                "{name} is not an https:// URL (or http://localhost) without a slash at its end"
            ));
        }
        issuer
    }

    /// Another address for a service of AWS. A wrong one would only be noticed when something is
    /// sent there.
    fn endpoint(&mut self, name: &str) -> Option<String> {
        let endpoint = self.optional(name)?;
        let url = endpoint.parse::<Uri>().ok();
        let good = url.as_ref().is_some_and(|url| {
            matches!(url.scheme_str(), Some("http" | "https"))
                && url.host().is_some_and(|host| !host.is_empty())
        });
        if !good {
            self.problems.push(format!("{name} is not an http:// or https:// URL"));
        }
        Some(endpoint)
    }

    fn access(&mut self) -> Access {
        Access {
            region: self.required("AWS_REGION", "the region of the table"),
            credentials: Credentials::new(
                self.required("AWS_ACCESS_KEY_ID", "the function's access key"),
                self.required("AWS_SECRET_ACCESS_KEY", "the function's access key"),
                self.optional("AWS_SESSION_TOKEN"),
            ),
            extra_roots: self.extra_roots(),
            attempt_timeout: Access::ATTEMPT_TIMEOUT,
        }
    }

    /// `text` is the key, or says what keeps it. A key of its own stands in until the problems are
    /// told, so that all can be told at once.
    fn signing(&mut self, text: &str, access: &Access) -> SigningSource {
        if let Some(place) = Place::of_reference(text) {
            let endpoint = self.endpoint(match place {
                Place::Parameter(_) => "AWS_ENDPOINT_URL_SSM",
                Place::Secret(_) => "AWS_ENDPOINT_URL_SECRETS_MANAGER",
            });
            return KeptKey::new(place, access.clone(), endpoint).into();
        }
        match SigningKey::from_pem(&text.replace("\\n", "\n")) {
            Ok(key) => return key.into(),
            Err(_) if text.is_empty() => {}
            Err(error) => self.problems.push(format!("LANDLINE_SIGNING_KEY {error}")),
        }
        SigningKey::generate().into()
    }

    /// Those of a key that is not here cannot be made out of it.
    fn public_keys(&mut self, needed: bool) -> Vec<PublicKey> {
        let name = "LANDLINE_PUBLIC_KEYS";
        if needed {
            self.required(name, "the public half of a signing key that is kept elsewhere");
        }
        let Some(pem) = self.optional(name) else { return Vec::new() };
        PublicKey::all_from_pem(&pem.replace("\\n", "\n")).unwrap_or_else(|error| {
            self.problems.push(format!("{name} {error}"));
            Vec::new()
        })
    }

    fn limits(&mut self) -> Limits {
        let name = "LANDLINE_LIMITS";
        let Some(text) = self.optional(name) else { return Limits::default() };
        text.parse().unwrap_or_else(|error: LimitsError| {
            self.problems.extend(error.0.iter().map(|why| format!("{name}: {why}")));
            Limits::default()
        })
    }

    fn issuers(&mut self, own: &str) -> Vec<Issuer> {
        let name = "LANDLINE_ISSUERS";
        let Some(json) = self.optional(name) else { return Vec::new() };
        Issuer::read_list(&json, own).unwrap_or_else(|problems| {
            self.problems.extend(problems.iter().map(|problem| format!("{name} {problem}")));
            Vec::new()
        })
    }

    fn cors_origins(&mut self) -> Vec<HeaderValue> {
        let name = "LANDLINE_CORS_ORIGINS";
        let listed = self.optional(name).unwrap_or_default();
        let mut origins = Vec::new();
        for origin in listed.split(',').map(str::trim).filter(|origin| !origin.is_empty()) {
            match HeaderValue::try_from(origin) {
                Ok(value) if is_origin(origin) => origins.push(value),
                _ => self.problems.push(format!(
                    "{name} lists something that is not an origin such as https://app.example.com"
                )),
            }
        }
        origins
    }

    fn told<T>(self, settings: T) -> Result<T, SettingsError> {
        if self.problems.is_empty() { Ok(settings) } else { Err(SettingsError(self.problems)) }
    }

    fn config(&mut self) -> Config {
        Config { apps: self.json("LANDLINE_APPS"), flags: self.json("LANDLINE_FLAGS") }
    }

    /// JSON, read as strictly as a request's; nothing where it is not set.
    fn json<T: DeserializeOwned + Default>(&mut self, name: &str) -> T {
        let Some(text) = self.optional(name) else { return T::default() };
        decode(&text).unwrap_or_else(|why| {
            self.problems.push(format!("{name} {why}"));
            T::default()
        })
    }

    fn base_path(&mut self) -> String {
        let name = "LANDLINE_BASE_PATH";
        let path = self.optional(name).unwrap_or_default();
        let plain = |segment: &str| {
            let mut bytes = segment.bytes();
            !segment.is_empty()
                && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        let plain = path.strip_prefix('/').is_some_and(|path| path.split('/').all(plain));
        if !path.is_empty() && !plain {
            self.problems.push(format!(
                "{name} is not a path such as /api, of letters, digits, `-` and `_`"
            ));
        }
        path
    }

    /// What the runtime's client reads by itself, and panics without.
    fn check_runtime(&mut self) {
        self.required("AWS_LAMBDA_RUNTIME_API", "set by Lambda: where it hands out invocations");
        self.required("AWS_LAMBDA_FUNCTION_NAME", "set by Lambda");
        self.required("AWS_LAMBDA_FUNCTION_VERSION", "set by Lambda");
        let name = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";
        let memory = self.required(name, "set by Lambda, in MB");
        if !memory.is_empty() && memory.parse::<i32>().is_err() {
            self.problems.push(format!("{name} is not a number of MB"));
        }
    }

    fn check_log(&mut self) {
        let name = "LANDLINE_LOG";
        if log_filter(self.optional(name).as_deref()).is_none() {
            self.problems.push(format!(
                "{name} is not a filter such as info or info,api=debug; trace would log secrets"
            ));
        }
    }

    fn extra_roots(&mut self) -> Option<Vec<u8>> {
        let name = "AWS_CA_BUNDLE";
        let path = self.optional(name)?;
        match std::fs::read(&path) {
            Ok(pem) => Some(pem),
            Err(error) => {
                self.problems.push(format!("{name} names a file that cannot be read: {error}"));
                None
            }
        }
    }
}

/// The rest of a sentence where it is not what it should be: a pointer into it, never its value.
fn decode<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    check_syntax(text.as_bytes())
        .map_err(|_| "is not well-formed JSON, or has a key twice".to_owned())?;
    let mut json = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let Violation { pointer, code, message, .. } = of_decoding(&error);
        let message = if code == "unknown_field" { "is not known" } else { &message };
        if pointer.is_empty() { message.to_owned() } else { format!("at {pointer} {message}") }
    })
}

/// An https:// URL of host, perhaps port and path; of this machine http:// will do.
fn is_issuer(text: &str) -> bool {
    let Ok(url) = text.parse::<Uri>() else { return false };
    let host = url.host().unwrap_or_default();
    let secure = url.scheme_str() == Some("https") && !host.is_empty();
    let here = url.scheme_str() == Some("http") && host == "localhost";
    (secure || here) && !text.contains(['?', '#', '@'])
}

/// Scheme, host and perhaps a port (RFC 6454, section 7): no path, no wildcard, no `null`.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        !host.is_empty()
            && host.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:[]".contains(&byte)
            })
    })
}

#[cfg(test)]
mod tests;
