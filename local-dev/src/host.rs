//! Whose name a request asks this machine by, and whose page sends it. A page of somebody else's may
//! ask by its own name, which it lets lead here (DNS rebinding), and is then of the same origin as what
//! it asks. Nobody can do that with an address, nor with a name that always leads here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::http::{HeaderValue, Request, header, uri::Authority};

/// The host of a URL, and the port where it says one.
///
/// Docker Desktop's `host.docker.internal` is a name as any other: where there is no Docker Desktop,
/// whoever answers for the network's names says where it leads. A container asks by an address.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Host {
    /// In small letters.
    name: String,
    port: Option<u16>,
}

impl Host {
    /// The one that a request is for, as it says in `Host`, and in its first line where a whole URL is
    /// there (RFC 9112, section 3.2). `None` when it does not say so once, or says two.
    pub(crate) fn asked<B>(request: &Request<B>) -> Option<Self> {
        let mut lines = request.headers().get_all(header::HOST).iter();
        let (Some(line), None) = (lines.next(), lines.next()) else { return None };
        let host = Self::read(line.to_str().ok()?)?;
        let target = request.uri().authority().map(|it| Self::read(it.as_str()));
        target.is_none_or(|target| target.as_ref() == Some(&host)).then_some(host)
    }

    /// The one that a page comes from. `None` when it comes from no server.
    pub(crate) fn of_origin(origin: &HeaderValue) -> Option<Self> {
        let origin = origin.to_str().ok()?;
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"))?;
        Self::read(host)
    }

    fn read(text: &str) -> Option<Self> {
        let authority = text.parse::<Authority>().ok()?;
        // Nothing before it, and nothing else behind it.
        let port = match text.strip_prefix(authority.host())? {
            "" => None,
            port => Some(port.strip_prefix(':')?.parse().ok()?),
        };
        Some(Self { name: authority.host().to_ascii_lowercase(), port })
    }

    /// Whether it is this machine, whoever asks: `localhost`, a name under it (RFC 6761, section 6.3),
    /// or an address that leads back.
    pub(crate) fn is_this_machine(&self) -> bool {
        let is_localhost = self.name == "localhost" || self.name.ends_with(".localhost");
        is_localhost || self.address().is_some_and(|address| address.to_canonical().is_loopback())
    }

    /// Whether nobody can let it lead elsewhere than it does: it is this machine, or an address, such as
    /// an emulator's for this machine.
    pub(crate) fn is_fixed(&self) -> bool {
        self.is_this_machine() || self.address().is_some()
    }

    fn address(&self) -> Option<IpAddr> {
        match self.name.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::from),
            None => self.name.parse::<Ipv4Addr>().ok().map(IpAddr::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, Request};

    use super::Host;

    fn asked(target: &str, hosts: &[&str]) -> Option<Host> {
        let request = Request::get(target);
        let request = hosts.iter().fold(request, |request, host| request.header("host", *host));
        Host::asked(&request.body(()).unwrap())
    }

    #[test]
    fn is_this_machine_by_a_name_that_always_leads_here() {
        for host in [
            "localhost",
            "localhost:3000",
            "LocalHost",
            "files.localhost:9000",
            "127.0.0.1:3000",
            "127.0.0.2",
            "[::1]:3000",
            "[::ffff:127.0.0.1]",
        ] {
            let host = asked("/", &[host]).unwrap();

            assert!(host.is_this_machine() && host.is_fixed(), "{host:?}");
        }
    }

    #[test]
    fn is_fixed_where_it_is_an_address() {
        for host in ["10.0.2.2", "192.168.1.7:3000", "[fe80::1]:3000"] {
            let host = asked("/", &[host]).unwrap();

            assert!(!host.is_this_machine() && host.is_fixed(), "{host:?}");
        }
    }

    #[test]
    fn is_anybodys_otherwise() {
        for host in [
            "example.com",
            "localhost.example.com:3000",
            "mylocalhost",
            "localhost.",
            "127.0.0.1.example.com",
            "127.1",
            "0x7f000001",
            "2130706433",
            "[127.0.0.1]",
            "host.docker.internal",
        ] {
            let host = asked("/", &[host]);

            assert!(!host.as_ref().is_some_and(Host::is_fixed), "{host:?}");
        }
    }

    #[test]
    fn is_said_once_and_alone() {
        let none: &[&str] = &[];
        for (target, hosts) in [
            ("/", none),
            ("/", &[""]),
            ("/", &["::1"]),
            ("/", &["localhost:"]),
            ("/", &["localhost:x"]),
            ("/", &["localhost:65536"]),
            ("/", &["eve@localhost"]),
            ("/", &["localhost/"]),
            ("/", &["localhost", "localhost"]),
            ("http://localhost/", none),
            ("http://example.com/", &["localhost"]),
            ("http://localhost:3000/", &["localhost"]),
            ("http://eve@localhost/", &["localhost"]),
        ] {
            assert_eq!(asked(target, hosts), None, "{target} {hosts:?}");
        }
        assert!(asked("http://localhost:3000/", &["LOCALHOST:3000"]).is_some());
    }

    #[test]
    fn is_that_of_a_page() {
        let of = |origin| Host::of_origin(&HeaderValue::from_static(origin));

        for origin in
            ["http://localhost:5173", "https://localhost", "http://127.0.0.1", "http://[::1]:8"]
        {
            assert!(of(origin).is_some_and(|host| host.is_this_machine()), "{origin}");
        }
        for origin in ["null", "", "localhost", "file://localhost", "http://localhost:x"] {
            assert_eq!(of(origin), None, "{origin}");
        }
        for origin in ["http://localhost.example.com", "http://example.com:3000"] {
            assert!(of(origin).is_some_and(|host| !host.is_fixed()), "{origin}");
        }
    }
}
