//! Transport addresses of media.

use bytes::Bytes;

use super::message::NonStandardParameter;
use crate::per::Octets;
use crate::per::notation::{choice, sequence};

choice! {
    /// Where to send media.
    TransportAddress {
        0 UnicastAddress "unicastAddress": UnicastAddress,
        1 MulticastAddress "multicastAddress": MulticastAddress,
        ...
    }
}

choice! {
    /// An address of one receiver.
    UnicastAddress {
        0 IPAddress "iPAddress": UnicastAddressIPAddress,
        1 IPXAddress "iPXAddress": UnicastAddressIPXAddress,
        2 IP6Address "iP6Address": UnicastAddressIP6Address,
        3 NetBios "netBios": [u8; 16],
        4 IPSourceRouteAddress "iPSourceRouteAddress": Box<UnicastAddressIPSourceRouteAddress>,
        ...
        0 Nsap "nsap": Bytes as Octets<1, 20>,
        1 NonStandardAddress "nonStandardAddress": Box<NonStandardParameter>,
    }
}

sequence! {
    /// An IPv4 address and a port.
    UnicastAddressIPAddress {
        network "network": [u8; 4],
        tsap_identifier "tsapIdentifier": u16,
        ...
    }
}

sequence! {
    /// `iPXAddress` of [`UnicastAddress`].
    UnicastAddressIPXAddress {
        node "node": [u8; 6],
        netnum "netnum": [u8; 4],
        tsap_identifier "tsapIdentifier": [u8; 2],
        ...
    }
}

sequence! {
    /// An IPv6 address and a port.
    UnicastAddressIP6Address {
        network "network": [u8; 16],
        tsap_identifier "tsapIdentifier": u16,
        ...
    }
}

sequence! {
    /// `iPSourceRouteAddress` of [`UnicastAddress`].
    UnicastAddressIPSourceRouteAddress {
        routing "routing": UnicastAddressIPSourceRouteAddressRouting,
        network "network": [u8; 4],
        tsap_identifier "tsapIdentifier": u16,
        route "route": Vec<[u8; 4]>,
        ...
    }
}

choice! {
    /// `routing` of [`UnicastAddressIPSourceRouteAddress`].
    UnicastAddressIPSourceRouteAddressRouting {
        0 Strict "strict",
        1 Loose "loose",
    }
}

choice! {
    /// An address of a group.
    MulticastAddress {
        0 IPAddress "iPAddress": MulticastAddressIPAddress,
        1 IP6Address "iP6Address": MulticastAddressIP6Address,
        ...
        0 Nsap "nsap": Bytes as Octets<1, 20>,
        1 NonStandardAddress "nonStandardAddress": Box<NonStandardParameter>,
    }
}

sequence! {
    /// `iPAddress` of [`MulticastAddress`].
    MulticastAddressIPAddress {
        network "network": [u8; 4],
        tsap_identifier "tsapIdentifier": u16,
        ...
    }
}

sequence! {
    /// `iP6Address` of [`MulticastAddress`].
    MulticastAddressIP6Address {
        network "network": [u8; 16],
        tsap_identifier "tsapIdentifier": u16,
        ...
    }
}
