//! What stands in front of the function: one of the four sources of HTTP events, and its stage.

use std::fmt;

use clap::ValueEnum;

/// What turns HTTP requests into events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Source {
    /// HTTP API of API Gateway, payload format 2.0
    HttpApi,
    /// REST API of API Gateway, with `*/*` among its binary media types
    RestApi,
    /// Lambda function URL
    FunctionUrl,
    /// Application Load Balancer; of what repeats, the last is passed on
    Alb,
    /// Application Load Balancer whose target group has multi-value headers on
    AlbMultiValue,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HttpApi => "an HTTP API",
            Self::RestApi => "a REST API",
            Self::FunctionUrl => "a function URL",
            Self::Alb | Self::AlbMultiValue => "a load balancer",
        })
    }
}

/// The stage whose name is not a part of the path.
pub(super) const DEFAULT_STAGE: &str = "$default";

/// A source, and the stage that it serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Front {
    source: Source,
    /// The first segment of every path, where there is one.
    named_stage: Option<String>,
}

/// Why a source cannot serve this stage.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StageError {
    /// Only API Gateway has stages.
    #[error("{0} has no stages; leave --stage out")]
    NoStages(Source),
    /// Not a name that API Gateway takes.
    #[error("a stage of {0} is named with letters, digits, `-` and `_`, 128 at most; not `{1}`")]
    Name(Source, String),
}

impl Front {
    /// This stage of this source. Without a stage: `$default` of an HTTP API, `prod` of a REST API.
    ///
    /// # Errors
    /// If the source has no stage of such a name.
    pub fn new(source: Source, stage: Option<&str>) -> Result<Self, StageError> {
        let Some(stage) = stage else {
            let named_stage = (source == Source::RestApi).then(|| "prod".to_owned());
            return Ok(Self { source, named_stage });
        };
        match source {
            Source::HttpApi if stage == DEFAULT_STAGE => Ok(Self { source, named_stage: None }),
            Source::HttpApi | Source::RestApi if is_name(stage) => {
                Ok(Self { source, named_stage: Some(stage.to_owned()) })
            }
            Source::HttpApi | Source::RestApi => Err(StageError::Name(source, stage.to_owned())),
            Source::FunctionUrl | Source::Alb | Source::AlbMultiValue => {
                Err(StageError::NoStages(source))
            }
        }
    }

    pub(crate) fn source(&self) -> Source {
        self.source
    }

    /// The stage as events name it.
    pub(super) fn stage(&self) -> &str {
        self.named_stage.as_deref().unwrap_or(DEFAULT_STAGE)
    }

    /// What clients put in front of every path: nothing, or a slash and the stage.
    pub(crate) fn base(&self) -> String {
        self.named_stage.as_ref().map(|stage| format!("/{stage}")).unwrap_or_default()
    }

    /// The path below the stage; none for a path that leads to no stage.
    pub(super) fn below_stage<'p>(&self, path: &'p str) -> Option<&'p str> {
        let Some(stage) = &self.named_stage else { return Some(path) };
        match path.strip_prefix('/')?.strip_prefix(stage.as_str())? {
            "" => Some("/"),
            rest => rest.starts_with('/').then_some(rest),
        }
    }
}

impl From<Source> for Front {
    fn from(source: Source) -> Self {
        Self::new(source, None).expect("every source can do without a named stage")
    }
}

fn is_name(stage: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=128).contains(&stage.len()) && stage.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::{Front, Source, StageError};

    fn base(source: Source, stage: Option<&str>) -> Result<String, StageError> {
        Front::new(source, stage).map(|front| front.base())
    }

    #[test]
    fn has_a_stage_in_paths_where_api_gateway_has_one() {
        assert_eq!(base(Source::HttpApi, None).unwrap(), "");
        assert_eq!(base(Source::HttpApi, Some("$default")).unwrap(), "");
        assert_eq!(base(Source::HttpApi, Some("beta-2")).unwrap(), "/beta-2");
        assert_eq!(base(Source::RestApi, None).unwrap(), "/prod");
        assert_eq!(base(Source::FunctionUrl, None).unwrap(), "");
        assert_eq!(base(Source::Alb, None).unwrap(), "");
    }

    #[test]
    fn refuses_a_stage_that_cannot_be() {
        let long = "x".repeat(129);
        for (source, stage) in [
            (Source::RestApi, "$default"),
            (Source::RestApi, ""),
            (Source::HttpApi, "a/b"),
            (Source::HttpApi, "a b"),
            (Source::HttpApi, long.as_str()),
        ] {
            let error = base(source, Some(stage)).unwrap_err();
            assert_eq!(error, StageError::Name(source, stage.to_owned()));
        }
        let error = base(Source::FunctionUrl, Some("prod")).unwrap_err();
        assert_eq!(error.to_string(), "a function URL has no stages; leave --stage out");
        base(Source::AlbMultiValue, Some("prod")).unwrap_err();
    }

    #[test]
    fn finds_the_path_below_the_stage() {
        let front = Front::from(Source::RestApi);
        for (path, below) in [
            ("/prod/v1", Some("/v1")),
            ("/prod/prod", Some("/prod")),
            ("/prod/", Some("/")),
            ("/prod", Some("/")),
            ("/production", None),
            ("/v1/prod", None),
            ("//prod", None),
            ("/", None),
            ("*", None),
        ] {
            assert_eq!(front.below_stage(path), below, "{path}");
        }
        assert_eq!(Front::from(Source::HttpApi).below_stage("/v1"), Some("/v1"));
    }
}
