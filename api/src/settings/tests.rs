use auth::SigningKey;

use super::Settings;

/// Two, the second with its line ends written out.
const PUBLIC_KEYS: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEUEffcaHvEmw6tz8ickNwFCp5alk2
ALfr0MFXLek62sdhY+ic0UmjVpzjyWfbiQlLDvxeXgBwD0EkQFzma8dXuQ==
-----END PUBLIC KEY-----\n-----BEGIN PUBLIC KEY-----\\nMCowBQYDK2VwAyEA5oOVfI9dXmS5UfYAR6LMi2ee/Z3uH6ajswopdSxuS+4=\\n-----END PUBLIC KEY-----";
const ISSUERS: &str = r#"[{
    "issuer": "https://accounts.google.com", "audiences": ["app"], "algorithms": ["RS256"]
}]"#;

fn told(variables: &[(&str, &str)]) -> String {
    let find = |name: &str| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    };
    Settings::from_env(find).err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn refuses_names_that_are_no_settings() {
    let names = |names: &[&str]| {
        let checked = Settings::check_names(names.iter().map(|name| (*name).to_owned()));
        checked.err().map(|error| error.to_string()).unwrap_or_default()
    };

    let misspelt = names(&[
        "PATH",
        "LANDLINE_LIMITS",
        "LANDLINE_LIMTS",
        "LANDLINE_ORS_ORIGINS",
        "LANDLINE_SESSIONS_DAYS",
        "LANDLINE_TABLE_NAME",
    ]);

    let expected = "the configuration is wrong or not complete:
  LANDLINE_LIMTS is no setting; the nearest is LANDLINE_LIMITS
  LANDLINE_ORS_ORIGINS is no setting; the nearest is LANDLINE_CORS_ORIGINS
  LANDLINE_SESSIONS_DAYS is no setting; the nearest is LANDLINE_SESSION_DAYS
  LANDLINE_TABLE_NAME is no setting; the nearest is LANDLINE_TABLE";
    assert_eq!(misspelt, expected);
    assert_eq!(names(&["LANDLINE_TABLE", "LANDLINES", "AWS_REGION"]), "");
}

#[test]
fn tells_everything_that_is_missing_at_once() {
    let expected = "the configuration is wrong or not complete:
  LANDLINE_ISSUER is not set: the URL of this API, such as https://api.example.com
  LANDLINE_AUDIENCE is not set: the name of this API
  LANDLINE_SIGNING_KEY is not set: the private key that signs access tokens, PKCS#8 PEM
  LANDLINE_TABLE is not set: the name of the DynamoDB table
  AWS_REGION is not set: the region of the table
  AWS_ACCESS_KEY_ID is not set: the function's access key
  AWS_SECRET_ACCESS_KEY is not set: the function's access key
  AWS_LAMBDA_RUNTIME_API is not set: set by Lambda: where it hands out invocations
  AWS_LAMBDA_FUNCTION_NAME is not set: set by Lambda
  AWS_LAMBDA_FUNCTION_VERSION is not set: set by Lambda
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE is not set: set by Lambda, in MB";

    assert_eq!(told(&[]), expected);
}

/// An environment that has all that there is.
const COMPLETE: [(&str, &str); 18] = [
    ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
    ("AWS_LAMBDA_FUNCTION_NAME", "landline"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
    ("LANDLINE_ISSUER", "https://api.example.com"),
    ("LANDLINE_AUDIENCE", "example"),
    ("LANDLINE_PUBLIC_KEYS", PUBLIC_KEYS),
    ("LANDLINE_ISSUERS", ISSUERS),
    ("LANDLINE_LIMITS", r#"{"signIn":{"perNetwork":500}}"#),
    ("LANDLINE_TABLE", "landline"),
    ("AWS_REGION", "eu-central-1"),
    ("AWS_ACCESS_KEY_ID", "key"),
    ("AWS_SECRET_ACCESS_KEY", "secret"),
    ("LANDLINE_CORS_ORIGINS", "https://app.example.com, http://localhost:5173"),
    ("LANDLINE_BASE_PATH", "/api"),
    ("LANDLINE_LOG", "info,api=debug"),
    ("LANDLINE_APPS", r#"{"ios":{"minimumVersion":"2.3","storeUrl":"https://a.b/c"}}"#),
    ("LANDLINE_FLAGS", r#"{"a":{},"b":{"platforms":["web"],"percentage":25}}"#),
];

/// What is said of that environment with these in the place of its own.
fn told_with(variables: &[(&str, &str)]) -> String {
    told(&[variables, &COMPLETE].concat())
}

#[test]
fn takes_a_complete_environment() {
    let pem = SigningKey::generate().to_pem();

    for key in [pem.as_str(), "ssm:/landline/key", "secretsmanager:landline/key"] {
        assert_eq!(told_with(&[("LANDLINE_SIGNING_KEY", key)]), "", "{key}");
    }
}

#[test]
fn takes_no_issuer_or_endpoint_that_is_none() {
    for issuer in [
        "http://localhost.example.com",
        "https://a b",
        "https://api.example.com?x=1",
        "https://me@api.example.com",
        "https://",
        "http://api.example.com",
        "https://api.example.com/",
    ] {
        let told = told_with(&[("LANDLINE_ISSUER", issuer)]);
        assert!(told.contains("LANDLINE_ISSUER is not an https:// URL"), "{issuer}: {told}");
    }
    for endpoint in ["127.0.0.1:8000", "nonsense", "http://", "http://local host:1", "ftp://a"] {
        let told = told_with(&[("AWS_ENDPOINT_URL_DYNAMODB", endpoint)]);
        assert!(told.contains("AWS_ENDPOINT_URL_DYNAMODB is not an http://"), "{endpoint}: {told}");
    }
}

#[test]
fn asks_for_the_public_half_of_a_key_that_is_kept_elsewhere() {
    let key = ("LANDLINE_SIGNING_KEY", "ssm:/landline/key");

    let told = told_with(&[key, ("LANDLINE_PUBLIC_KEYS", "")]);

    let expected = "the configuration is wrong or not complete:
  LANDLINE_PUBLIC_KEYS is not set: the public half of a signing key that is kept elsewhere";
    assert_eq!(told, expected);
}

#[test]
fn tells_all_that_is_wrong_in_one_and_repeats_nothing_of_it() {
    let pem = SigningKey::generate().to_pem();

    let told = told_with(&[
        ("LANDLINE_ISSUER", "api.example.com"),
        ("LANDLINE_AUDIENCE", "  "),
        ("LANDLINE_SIGNING_KEY", "not a key"),
        ("LANDLINE_PUBLIC_KEYS", &pem),
        ("LANDLINE_ISSUERS", "[{}, {\"issuer\": 7}]"),
        ("LANDLINE_LIMITS", r#"{"signIn":{"perNetwork":0},"refresh":1}"#),
        ("LANDLINE_CORS_ORIGINS", "https://app.example.com/, *"),
        ("LANDLINE_BASE_PATH", "api/"),
        ("LANDLINE_LOG", "api=loud"),
    ]);

    assert!(told.contains("LANDLINE_ISSUER is not an https:// URL"), "{told}");
    assert!(told.contains("LANDLINE_AUDIENCE is not set"), "{told}");
    assert!(told.contains("LANDLINE_SIGNING_KEY is not a private key"), "{told}");
    assert!(told.contains("LANDLINE_PUBLIC_KEYS is not public keys in PEM"), "{told}");
    assert_eq!(told.matches("LANDLINE_ISSUERS has an issuer").count(), 2, "{told}");
    assert!(told.contains("LANDLINE_LIMITS: signIn.perNetwork is not a whole"), "{told}");
    assert!(told.contains("LANDLINE_LIMITS: refresh is not an object"), "{told}");
    assert_eq!(told.matches("LANDLINE_CORS_ORIGINS lists something").count(), 2, "{told}");
    assert!(told.contains("LANDLINE_BASE_PATH is not a path such as /api"), "{told}");
    assert!(told.contains("LANDLINE_LOG is not a filter"), "{told}");
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
        (r#"{"a":{"percentage":null}}"#, "at /a/percentage must be a whole number of its range"),
        (r#"{"a":{"platform":["ios"]}}"#, "at /a/platform is not known"),
        (
            r#"{"a":{"platforms":["ios","c4n4ry"]}}"#,
            "at /a/platforms/1 must be one of ios, android, web, macos, windows, linux",
        ),
    ] {
        assert_eq!(told_of(name, value), expected, "{value}");
    }
}
