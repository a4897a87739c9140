use std::fmt;

use auth::{Limits, LimitsError, PublicKey, SigningKey};
use http::HeaderValue;
use models::{
    platform::config::Config,
    store::{Connection, Credentials},
    wire::Violation,
};
use serde::de::DeserializeOwned;
use tracing_subscriber::filter::{LevelFilter, Targets};

use crate::http::{json::check_syntax, violations::of_decoding};

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
        f.write_str("the configuration is not complete:")?;
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
        let settings = Self {
            auth: environment.auth(),
            store: Connection {
                table: environment.required("LANDLINE_TABLE", "the name of the DynamoDB table"),
                region: environment.required("AWS_REGION", "the region of the table"),
                endpoint: environment.optional("AWS_ENDPOINT_URL_DYNAMODB"),
                credentials: Credentials::new(
                    environment.required("AWS_ACCESS_KEY_ID", "the function's access key"),
                    environment.required("AWS_SECRET_ACCESS_KEY", "the function's access key"),
                    environment.optional("AWS_SESSION_TOKEN"),
                ),
                extra_roots: environment.extra_roots(),
                attempt_timeout: Connection::ATTEMPT_TIMEOUT,
            },
            web: Web {
                cors_origins: environment.cors_origins(),
                base_path: environment.base_path(),
            },
            config: environment.config(),
        };
        environment.check_log();
        environment.told(settings)
    }

    /// Read the part of the environment that laptops have too: what differs between releases of
    /// the app.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn config_from_env(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Config, SettingsError> {
        let mut environment = Environment { variable, problems: Vec::new() };
        let config = environment.config();
        environment.told(config)
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

    fn auth(&mut self) -> auth::Settings {
        let mut settings = auth::Settings::new(
            self.issuer(),
            self.required("LANDLINE_AUDIENCE", "the name of this API"),
            self.signing_key(),
        );
        settings.public_keys = self.public_keys();
        settings.limits = self.limits();
        settings.sessions = self.sessions();
        settings.roles = self.roles(settings.roles);
        settings
    }

    fn issuer(&mut self) -> String {
        let name = "LANDLINE_ISSUER";
        let issuer = self.required(name, "the URL of this API, such as https://api.example.com");
        let http = issuer.starts_with("https://") || issuer.starts_with("http://localhost");
        if !issuer.is_empty() && (!http || issuer.ends_with('/')) {
            self.problems.push(format!("{name} is not an https:// URL without a slash at its end"));
        }
        issuer
    }

    /// A key of its own stands in until the problems are told, so that all can be told at once.
    fn signing_key(&mut self) -> SigningKey {
        let name = "LANDLINE_SIGNING_KEY";
        let pem = self.required(name, "the private key that signs access tokens, PKCS#8 PEM");
        match SigningKey::from_pem(&pem.replace("\\n", "\n")) {
            Ok(key) => return key,
            Err(_) if pem.is_empty() => {}
            Err(error) => self.problems.push(format!("{name} {error}")),
        }
        SigningKey::generate()
    }

    fn public_keys(&mut self) -> Vec<PublicKey> {
        let name = "LANDLINE_PUBLIC_KEYS";
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
mod tests {
    use auth::SigningKey;

    use super::Settings;

    /// Two, the second with its line ends written out.
    const PUBLIC_KEYS: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAErQVDkR7n8OG25vg8uiPbYz76ld0y
mSKTUgi7BNByb4wDh+hRXhQ9qZlezOKC5JQd85Q8eV+iFmEE/vvsMAQk0Q==
-----END PUBLIC KEY-----\n-----BEGIN PUBLIC KEY-----\\nMCowBQYDK2VwAyEAzfspzaZiMnKM+t5V2DYm12rFwgdGfOKA0/ZAlmUon5E=\\n-----END PUBLIC KEY-----";

    fn told(variables: &[(&str, &str)]) -> String {
        let find = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Settings::from_env(find).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn tells_everything_that_is_missing_at_once() {
        let expected = "the configuration is not complete:
  LANDLINE_ISSUER is not set: the URL of this API, such as https://api.example.com
  LANDLINE_AUDIENCE is not set: the name of this API
  LANDLINE_SIGNING_KEY is not set: the private key that signs access tokens, PKCS#8 PEM
  LANDLINE_TABLE is not set: the name of the DynamoDB table
  AWS_REGION is not set: the region of the table
  AWS_ACCESS_KEY_ID is not set: the function's access key
  AWS_SECRET_ACCESS_KEY is not set: the function's access key";

        assert_eq!(told(&[]), expected);
    }

    #[test]
    fn takes_a_complete_environment_and_tells_what_is_wrong_in_one() {
        let pem = SigningKey::generate().to_pem();
        let mut variables = [
            ("LANDLINE_ISSUER", "https://api.example.com"),
            ("LANDLINE_AUDIENCE", "example"),
            ("LANDLINE_SIGNING_KEY", pem.as_str()),
            ("LANDLINE_TABLE", "landline"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "key"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("LANDLINE_CORS_ORIGINS", "https://app.example.com, http://localhost:5173"),
            ("LANDLINE_BASE_PATH", "/api"),
            ("LANDLINE_LOG", "info,api=debug"),
            ("LANDLINE_APPS", r#"{"ios":{"minimumVersion":"2.3","storeUrl":"https://a.b/c"}}"#),
            ("LANDLINE_FLAGS", r#"{"a":{},"b":{"platforms":["web"],"percentage":25}}"#),
            ("LANDLINE_PUBLIC_KEYS", PUBLIC_KEYS),
            ("LANDLINE_LIMITS", r#"{"signIn":{"perNetwork":500}}"#),
        ];
        assert_eq!(told(&variables), "");

        variables[7].1 = "https://app.example.com/, *";
        variables[8].1 = "api/";
        variables[9].1 = "api=loud";
        variables[13].1 = r#"{"signIn":{"perNetwork":0},"refresh":1}"#;
        variables[0].1 = "api.example.com";
        variables[1].1 = "  ";
        variables[2].1 = "not a key";
        variables[12].1 = &pem;
        let told = told(&variables);

        assert!(told.contains("LANDLINE_ISSUER is not an https:// URL"), "{told}");
        assert!(told.contains("LANDLINE_AUDIENCE is not set"), "{told}");
        assert!(told.contains("LANDLINE_SIGNING_KEY is not a private key"), "{told}");
        assert!(told.contains("LANDLINE_PUBLIC_KEYS is not public keys in PEM"), "{told}");
        assert_eq!(told.matches("LANDLINE_CORS_ORIGINS lists something").count(), 2, "{told}");
        assert!(told.contains("LANDLINE_BASE_PATH is not a path such as /api"), "{told}");
        assert!(told.contains("LANDLINE_LOG is not a filter"), "{told}");
        assert!(told.contains("LANDLINE_LIMITS: signIn.perNetwork is not a whole"), "{told}");
        assert!(told.contains("LANDLINE_LIMITS: refresh is not an object"), "{told}");
        assert!(!told.contains("not a key"), "{told}");
    }

    /// The sentence about this one variable.
    fn told_of(name: &str, value: &str) -> String {
        let told = told(&[(name, value)]);
        let mut lines = told.lines().filter_map(|line| line.trim().strip_prefix(name));
        let line = lines.next().unwrap_or_default().trim().to_owned();
        assert_eq!(lines.next(), None, "{told}");
        line
    }

    #[test]
    fn says_where_the_oldest_versions_are_wrong() {
        let name = "LANDLINE_APPS";
        let platforms = "must be one of ios, android, web, macos, windows, linux";
        for (value, expected) in [
            ("{}", ""),
            (r#"{"ios":{"minimumVersion":"2"},"linux":{"minimumVersion":"1.2.3.4+5"}}"#, ""),
            ("ios=2.3", "is not well-formed JSON, or has a key twice"),
            (r#"{"ios":{},"ios":{}}"#, "is not well-formed JSON, or has a key twice"),
            ("[]", "must be an object"),
            (r#"{"ios":{}}"#, "at /ios/minimumVersion is required"),
            (r#"{"ios":{"minimumVersion":"2","x":1}}"#, "at /ios/x is not known"),
            (r#"{"ios":{"minimumVersion":2}}"#, "at /ios/minimumVersion must be a string"),
            (r#"{"palm":{"minimumVersion":"2"}}"#, &format!("at /palm {platforms}")),
            (
                r#"{"ios":{"minimumVersion":"c4n4ry"}}"#,
                "at /ios/minimumVersion must be one to four numbers of at most 9 digits with dots \
                 between them, such as 2.3.0",
            ),
            (
                r#"{"ios":{"minimumVersion":"2","storeUrl":"http://c4n4ry"}}"#,
                "at /ios/storeUrl must be an https:// URL of at most 2000 characters",
            ),
        ] {
            assert_eq!(told_of(name, value), expected, "{value}");
        }
    }

    #[test]
    fn says_where_flags_are_wrong() {
        let name = "LANDLINE_FLAGS";
        let long = format!(r#"{{"{}":{{}}}}"#, "a".repeat(64));
        let too_long = format!(r#"{{"{}":{{}}}}"#, "a".repeat(65));
        let bad_name = "must be a letter and up to 63 more letters, digits and `_`";
        for (value, expected) in [
            (r#"{"newEditor":{"platforms":["ios"],"minimumVersion":"2.4","percentage":25}}"#, ""),
            (r#"{"a_1":{"percentage":0},"B":{"percentage":100}}"#, ""),
            (&long, ""),
            (&too_long, &format!("at /{} {bad_name}", "a".repeat(65))),
            (r#"{"new-editor":{}}"#, &format!("at /new-editor {bad_name}")),
            (r#"{"1a":{}}"#, &format!("at /1a {bad_name}")),
            (r#"{"":{}}"#, &format!("at / {bad_name}")),
            (r#"{"a":{"percentage":101}}"#, "at /a/percentage must be 0 to 100"),
            (r#"{"a":{"percentage":-1}}"#, "at /a/percentage must be a whole number of its range"),
            (r#"{"a":{"percentage":2.5}}"#, "at /a/percentage must be a whole number of its range"),
            (
                r#"{"a":{"percentage":null}}"#,
                "at /a/percentage must be a whole number of its range",
            ),
            (r#"{"a":{"platform":["ios"]}}"#, "at /a/platform is not known"),
            (
                r#"{"a":{"platforms":["ios","c4n4ry"]}}"#,
                "at /a/platforms/1 must be one of ios, android, web, macos, windows, linux",
            ),
        ] {
            assert_eq!(told_of(name, value), expected, "{value}");
        }
    }
}
