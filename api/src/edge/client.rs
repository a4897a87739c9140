use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use http::HeaderMap;

/// Whose address the source saw. Never what the client says of itself: an `X-Forwarded-For` is
/// believed only for the entry that the load balancer appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let address = text.parse().or_else(|_| text.parse::<SocketAddr>().map(|it| it.ip()));
        address.ok().map(|address: IpAddr| Self(address.to_canonical()))
    }

    /// A load balancer appends the address that it saw, with a port where it is told to.
    pub(super) fn behind_load_balancer(headers: &HeaderMap) -> Option<Self> {
        let last = headers.get_all("x-forwarded-for").iter().next_back()?;
        Self::parse(last.to_str().ok()?.rsplit(',').next()?)
    }

    /// What to count by: an IPv4 address, or the /64 of an IPv6 one, which is the least that a
    /// provider hands to a customer.
    pub fn network(&self) -> IpAddr {
        match self.0 {
            IpAddr::V4(_) => self.0,
            IpAddr::V6(address) => {
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)))
            }
        }
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::ClientAddress;

    #[test]
    fn counts_ipv6_by_the_customer() {
        for (address, network) in [
            ("203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
        ] {
            let client = ClientAddress::parse(address).unwrap();
            assert_eq!(client.network().to_string(), network, "{address}");
        }
    }

    #[test]
    fn believes_only_what_the_load_balancer_appended() {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", HeaderValue::from_static("198.51.100.1"));
        headers.append("x-forwarded-for", HeaderValue::from_static("10.0.0.1, 203.0.113.7:4711"));

        let client = ClientAddress::behind_load_balancer(&headers).unwrap();

        assert_eq!(client.to_string(), "203.0.113.7");
    }

    #[test]
    fn is_unknown_where_nothing_is_said() {
        assert_eq!(ClientAddress::behind_load_balancer(&HeaderMap::new()), None);
        for text in ["", "unknown", "300.1.1.1", "[::1"] {
            assert_eq!(ClientAddress::parse(text), None, "{text}");
        }
    }
}
