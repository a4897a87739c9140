//! HTTPS to hosts that are not AWS's: Mozilla's authorities, aws-lc, HTTP/1.1, and no redirect
//! followed.

use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
    vec,
};

use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{
            HttpConnector,
            dns::{GaiResolver, Name},
        },
    },
    rt::TokioExecutor,
};
use models::causes;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};
use tower_service::Service;

/// The extra certificates to trust are not PEM.
#[derive(Debug, thiserror::Error)]
#[error("the extra certificates to trust are not PEM")]
pub struct RootsError;

/// A client for such hosts. Cheap to clone.
#[derive(Clone)]
pub struct Https {
    client: Client<HttpsConnector<HttpConnector<Resolver>>, String>,
    /// Whether requests may go to this address.
    permitted: fn(IpAddr) -> bool,
}

impl Https {
    /// A client that trusts `extra_roots` (PEM) beside Mozilla's, goes to no address that is not
    /// `permitted`, whatever name it has, and gives up on one that takes no connection within
    /// `connecting`. By plain HTTP it goes nowhere, except to this machine itself, where that is
    /// permitted and the URL says so.
    ///
    /// # Errors
    /// When the roots are not PEM.
    pub fn new(
        extra_roots: Option<&[u8]>,
        permitted: fn(IpAddr) -> bool,
        connecting: Duration,
    ) -> Result<Self, RootsError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in extra_roots.into_iter().flat_map(CertificateDer::pem_slice_iter) {
            let added = certificate.ok().and_then(|certificate| roots.add(certificate).ok());
            added.ok_or(RootsError)?;
        }
        let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has the suites of these versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let resolver = Resolver { names: GaiResolver::new(), permitted };
        let mut tcp = HttpConnector::new_with_resolver(resolver);
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(connecting));
        // `send` looks at the scheme.
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        // No connection is kept: by the next time the function was frozen over it.
        let client =
            Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector);
        Ok(Self { client, permitted })
    }

    /// Send this, and give what is answered as far as its headers; a redirect is an answer too.
    ///
    /// # Errors
    /// A sentence for the log, when the URL may not be asked or nobody answers.
    pub async fn send(&self, request: Request<String>) -> Result<Response<Incoming>, String> {
        // An address in the URL is asked of no resolver.
        let address = address(request.uri());
        if !address.is_none_or(self.permitted) {
            return Err(NOT_PERMITTED.to_owned());
        }
        let here = address.map_or_else(
            || request.uri().host() == Some("localhost"),
            |address| address.is_loopback(),
        );
        match request.uri().scheme_str() {
            Some("https") => {}
            Some("http") if here => {}
            _ => return Err("its URL is not of HTTPS".to_owned()),
        }
        self.client.request(request).await.map_err(|error| causes(&error))
    }
}

const NOT_PERMITTED: &str = "requests may not go to its address";

/// The address that a URL has in place of a host's name.
pub fn address(url: &Uri) -> Option<IpAddr> {
    let host = url.host()?;
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).parse().ok()
}

/// Whether an address is somebody's on the internet: none of this machine, of a private network, of
/// the link (where clouds keep credentials), or of a protocol that carries one of those inside.
/// After IANA's registries of special-purpose addresses (RFC 6890).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        // This network, and shared address space.
        [0, ..] | [100, 64..=127, ..] => true,
        // Protocol assignments, 6to4 relays, benchmarks, and what is reserved.
        [192, 0, 0, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [240..=255, ..] => true,
        _ => false,
    };
    !(special
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast())
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // Of the addresses for everybody (2000::/3): no Teredo and other protocols, no
        // documentation, no 6to4.
        [0x2001, 0..=0x01ff, ..] | [0x2001, 0x0db8, ..] | [0x2002 | 0x3fff, ..] => false,
        [0x2000..=0x3fff, ..] => true,
        // An IPv4 address behind NAT64, or mapped.
        [0x0064, 0xff9b, 0, 0, 0, 0, high, low] | [0, 0, 0, 0, 0, 0xffff, high, low] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        _ => false,
    }
}

/// The system's resolver, without the addresses that requests may not go to.
#[derive(Clone)]
struct Resolver {
    names: GaiResolver,
    permitted: fn(IpAddr) -> bool,
}

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.names.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (found, permitted) = (self.names.call(name), self.permitted);
        Box::pin(async move {
            let found = found.await?.filter(|found| permitted(found.ip())).collect::<Vec<_>>();
            if found.is_empty() {
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, NOT_PERMITTED));
            }
            Ok(found.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{address, is_public};

    #[test]
    fn knows_addresses_on_the_internet() {
        for (address, expected) in [
            ("1.1.1.1", true),
            ("100.63.255.255", true),
            ("100.128.0.0", true),
            ("172.15.255.255", true),
            ("172.32.0.0", true),
            ("198.17.255.255", true),
            ("2606:4700::1111", true),
            ("2001:200::1", true),
            ("::ffff:1.1.1.1", true),
            ("64:ff9b::1.1.1.1", true),
            ("0.0.0.0", false),
            ("0.1.2.3", false),
            ("10.0.0.1", false),
            ("100.64.0.1", false),
            ("127.0.0.1", false),
            ("127.255.255.254", false),
            ("169.254.169.254", false),
            ("172.16.0.1", false),
            ("172.31.255.255", false),
            ("192.0.0.8", false),
            ("192.0.2.1", false),
            ("192.168.1.1", false),
            ("198.18.0.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("::127.0.0.1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:169.254.169.254", false),
            ("64:ff9b::10.0.0.1", false),
            ("64:ff9b:1::1.1.1.1", false),
            ("2001::1", false),
            ("2001:db8::1", false),
            ("2002:7f00:1::", false),
            ("fd00:ec2::254", false),
            ("fe80::1", false),
            ("fec0::1", false),
            ("ff02::1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn finds_an_address_in_a_url() {
        for (url, expected) in [
            ("https://127.0.0.1/", Some("127.0.0.1")),
            ("https://[::1]:8443/hooks", Some("::1")),
            ("https://[::ffff:10.0.0.1]", Some("::ffff:10.0.0.1")),
            ("https://example.com/", None),
            // Not an address to us; the resolver makes 127.0.0.1 of it, and is not believed.
            ("https://127.1/", None),
        ] {
            let found = address(&url.parse().unwrap());
            assert_eq!(found, expected.map(|it| it.parse().unwrap()), "{url}");
        }
    }
}
