use models::aws::Access;

use super::{Environment, Settings, SettingsError};
use crate::events::FailureStore;

impl Settings {
    /// Where event handlers keep what they could not do: the bucket of `LANDLINE_FAILURES`.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn failures_from_env(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<FailureStore, SettingsError> {
        let mut environment = Environment { variable, problems: Vec::new() };
        let what = "the bucket that keeps the records that no handler could do";
        let bucket = environment.required("LANDLINE_FAILURES", what);
        let access: Access = environment.access();
        let endpoint = environment.endpoint("AWS_ENDPOINT_URL_S3");
        environment.told(FailureStore::bucket(bucket, &access, endpoint.as_deref()))
    }

    /// Those of a command that runs outside Lambda: what Lambda sets is not asked for.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn from_command(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        Self::from_env(|name| match name {
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE" => Some("0".to_owned()),
            name if name.starts_with("AWS_LAMBDA_") => Some("none".to_owned()),
            name => variable(name),
        })
    }
}
