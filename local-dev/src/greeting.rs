//! What the program says when it is up.

use std::{fmt, net::IpAddr};

use models::aws::Access;

use crate::{Front, Laptop, laptop, network};

pub(crate) struct Greeting<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) front: &'a Front,
    pub(crate) laptop: &'a Laptop,
    pub(crate) store_open: bool,
    /// Where files are, if a flag says to tell.
    pub(crate) files: Option<Files<'a>>,
}

/// The embedded bucket.
#[derive(Clone, Copy)]
pub(crate) struct Files<'a> {
    pub(crate) endpoint: &'a str,
    pub(crate) bucket: &'a str,
}

impl fmt::Display for Greeting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = format!("http://{}:{}", shown(self.host), self.port);
        let base = format!("{server}{}", self.front.base());
        writeln!(f, "Landline is up, as behind {}. Ctrl-C stops it.\n", self.front.source())?;
        writeln!(f, "  API       {base}")?;
        writeln!(f, "  Docs      {server}/docs")?;
        writeln!(f, "  Spec      {server}/openapi.json")?;
        writeln!(f, "  Mail      {server}/dev/outbox")?;
        match &self.laptop.data {
            Some(data) => writeln!(f, "  Data      {}", data.path().display())?,
            None => writeln!(f, "  Data      in memory; nothing is kept")?,
        }
        self.elsewhere(f)?;
        if self.store_open {
            let table = laptop::connection(&self.laptop.store).table;
            writeln!(f, "  Store     {}, table {table}", self.laptop.store.endpoint())?;
        }
        if let Some(Files { endpoint, bucket }) = self.files {
            writeln!(f, "  Files     {endpoint}, bucket {bucket}")?;
        }
        if self.store_open || self.files.is_some() {
            self.exports(f)?;
        }
        if self.store_open {
            self.binary(f)?;
        }
        writeln!(f, "\nTry it:     curl {base}/health\n")
    }
}

impl Greeting<'_> {
    /// Where other devices find a server that listens on every address.
    fn elsewhere(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, .. } = self;
        let stage = self.front.base();
        if !host.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified()) {
            return Ok(());
        }
        if let Some(ip) = network::lan_address() {
            writeln!(f, "  Phone     http://{ip}:{port}{stage} on the same network")?;
        }
        // The Android emulator's own name for the machine that it runs on.
        writeln!(f, "  Emulator  http://10.0.2.2:{port}{stage} in the Android emulator")
    }

    /// What programs want to know of what stands in for AWS here.
    fn exports(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Access { region, .. }, key) = (Access::embedded(), Access::EMBEDDED_KEY);
        writeln!(f, "\nFor the AWS CLI and the Lambda binary:\n")?;
        if self.store_open {
            let endpoint = self.laptop.store.endpoint();
            writeln!(f, "  export AWS_ENDPOINT_URL_DYNAMODB={endpoint}")?;
        }
        if let Some(Files { endpoint, .. }) = self.files {
            writeln!(f, "  export AWS_ENDPOINT_URL_S3={endpoint}")?;
        }
        writeln!(f, "  export AWS_REGION={region} AWS_DEFAULT_REGION={region}")?;
        writeln!(f, "  export AWS_ACCESS_KEY_ID={key} AWS_SECRET_ACCESS_KEY={key}")
    }

    /// What the Lambda binary wants to know besides.
    fn binary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without a data directory the key is nowhere but in this process.
        let Some(data) = &self.laptop.data else { return Ok(()) };
        let table = laptop::connection(&self.laptop.store).table;
        let (issuer, audience) = (laptop::ISSUER, laptop::AUDIENCE);
        writeln!(f, "\nFor the Lambda binary also, so that both take each other's tokens:\n")?;
        writeln!(f, "  export LANDLINE_TABLE={table} LANDLINE_AUDIENCE={audience}")?;
        writeln!(f, "  export LANDLINE_ISSUER={issuer}")?;
        let key = data.signing_key_file();
        writeln!(f, "  export LANDLINE_SIGNING_KEY=\"$(cat '{}')\"", key.display())
    }
}

/// The host as a browser understands it.
fn shown(host: &str) -> String {
    match host.parse::<IpAddr>() {
        Ok(ip) if ip.is_unspecified() || ip.is_loopback() => "localhost".to_owned(),
        Ok(IpAddr::V6(ip)) => format!("[{ip}]"),
        _ => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn shows_a_host_that_a_browser_understands() {
        for (host, name) in [
            ("localhost", "localhost"),
            ("127.0.0.1", "localhost"),
            ("0.0.0.0", "localhost"),
            ("::", "localhost"),
            ("192.0.2.7", "192.0.2.7"),
            ("2001:db8::7", "[2001:db8::7]"),
            ("my-laptop.local", "my-laptop.local"),
        ] {
            assert_eq!(shown(host), name);
        }
    }
}
