use std::error::Error;

/// An error with everything that is behind it, for the log. By `Display` alone: `Debug` of an error
/// of the SDK holds the answer, and with it whatever was stored.
pub fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}
