//! Ports to listen on, and the addresses under which others find this machine.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

use tokio::net::{TcpListener, lookup_host};

/// Why the server cannot listen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    #[error("port {0} is already in use; stop what uses it, or choose another with --port")]
    Taken(u16),
    #[error("cannot listen on {host}: {cause}")]
    Refused { host: String, cause: io::Error },
}

/// Listen on every address of the host: `localhost` has one of version 4 and one of version 6, and
/// clients differ in which of them they try.
pub(crate) async fn listen(host: &str, port: u16) -> Result<Vec<TcpListener>, ListenError> {
    let mut listeners = Vec::<TcpListener>::new();
    let mut refused = None;
    for ip in addresses(host).await.map_err(|cause| refusal(host, port, cause))? {
        // With port 0 the system chooses at the first address, and the others follow.
        let port =
            listeners.first().and_then(|first| first.local_addr().ok()).map_or(port, |a| a.port());
        match TcpListener::bind((ip, port)).await {
            Ok(listener) => listeners.push(listener),
            Err(cause) if cause.kind() == io::ErrorKind::AddrInUse => {
                return Err(ListenError::Taken(port));
            }
            Err(cause) => refused = Some(cause),
        }
    }
    match refused {
        // A machine without IPv6 still has a localhost.
        Some(cause) if listeners.is_empty() => Err(refusal(host, port, cause)),
        _ => Ok(listeners),
    }
}

async fn addresses(host: &str) -> io::Result<Vec<IpAddr>> {
    if host == "localhost" {
        return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
    }
    Ok(lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
}

fn refusal(host: &str, port: u16, cause: io::Error) -> ListenError {
    match cause.kind() {
        io::ErrorKind::AddrInUse => ListenError::Taken(port),
        _ => ListenError::Refused { host: host.to_owned(), cause },
    }
}

/// This machine's address on the network, if it is on one. Connecting a datagram socket sends
/// nothing: it asks the system which address it would send from.
pub(crate) fn lan_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // An address that is set aside for documentation: any outside address gives the same answer.
    socket.connect(SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 9))).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
}

#[cfg(test)]
mod tests {
    use super::{ListenError, listen};

    #[tokio::test]
    async fn names_a_port_that_is_taken() {
        let taken = listen("127.0.0.1", 0).await.unwrap();
        let port = taken[0].local_addr().unwrap().port();

        let error = listen("localhost", port).await.unwrap_err();

        assert!(matches!(error, ListenError::Taken(named) if named == port));
    }

    #[tokio::test]
    async fn listens_on_one_port_of_every_loopback_address() {
        let listeners = listen("localhost", 0).await.unwrap();

        let ports: Vec<_> = listeners.iter().map(|l| l.local_addr().unwrap().port()).collect();
        assert!(ports.iter().all(|port| *port == ports[0]));
    }
}
