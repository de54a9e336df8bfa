//! TODO

use super::address::{AliasAddress, TransportAddress};
use super::capacity::CircuitInfo;
use super::common::{GatekeeperIdentifier, NonStandardParameter};
use super::endpoint::EndpointType;
use super::generic::FeatureSet;
use super::security::CryptoH323Token;
use crate::per::notation::{choice, sequence};
use crate::per::{BmpString, Int};
use crate::schema::h235;

sequence! {
    /// `Endpoint`.
    #[derive(Default)]
    Endpoint {
        non_standard_data "nonStandardData"?: NonStandardParameter,
        alias_address "aliasAddress"?: Vec<AliasAddress>,
        call_signal_address "callSignalAddress"?: Vec<TransportAddress>,
        ras_address "rasAddress"?: Vec<TransportAddress>,
        endpoint_type "endpointType"?: Box<EndpointType>,
        tokens "tokens"?: Vec<h235::ClearToken>,
        crypto_tokens "cryptoTokens"?: Vec<CryptoH323Token>,
        priority "priority"?: u8 as Int<0, 127>,
        remote_extension_address "remoteExtensionAddress"?: Vec<AliasAddress>,
        dest_extra_call_info "destExtraCallInfo"?: Vec<AliasAddress>,
        ...
        alternate_transport_addresses "alternateTransportAddresses": AlternateTransportAddresses,
        circuit_info "circuitInfo": Box<CircuitInfo>,
        feature_set "featureSet": FeatureSet,
    }
}

sequence! {
    /// `AlternateTransportAddresses`.
    #[derive(Default)]
    AlternateTransportAddresses {
        annex_e "annexE"?: Vec<TransportAddress>,
        ...
        sctp "sctp": Vec<TransportAddress>,
    }
}

choice! {
    /// `UseSpecifiedTransport`.
    UseSpecifiedTransport {
        0 Tcp "tcp",
        1 AnnexE "annexE",
        ...
        0 Sctp "sctp",
    }
}

sequence! {
    /// `AlternateGK`.
    AlternateGK {
        ras_address "rasAddress": TransportAddress,
        gatekeeper_identifier "gatekeeperIdentifier"?: BmpString as GatekeeperIdentifier,
        need_to_register "needToRegister": bool,
        priority "priority": u8 as Int<0, 127>,
        ...
    }
}

sequence! {
    /// `AltGKInfo`.
    #[derive(Default)]
    AltGKInfo {
        alternate_gatekeeper "alternateGatekeeper": Vec<AlternateGK>,
        alt_gk_is_permanent "altGKisPermanent": bool,
        ...
    }
}
