//! Other endpoints and gatekeepers that a gatekeeper may point to.

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
    /// Another endpoint by which a destination can be reached.
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
    /// Other transports (Annex E, SCTP) of the same endpoint.
    #[derive(Default)]
    AlternateTransportAddresses {
        annex_e "annexE"?: Vec<TransportAddress>,
        ...
        sctp "sctp": Vec<TransportAddress>,
    }
}

choice! {
    /// Which transport a gatekeeper tells an endpoint to use.
    UseSpecifiedTransport {
        0 Tcp "tcp",
        1 AnnexE "annexE",
        ...
        0 Sctp "sctp",
    }
}

sequence! {
    /// Another gatekeeper to turn to.
    AlternateGK {
        ras_address "rasAddress": TransportAddress,
        gatekeeper_identifier "gatekeeperIdentifier"?: BmpString as GatekeeperIdentifier,
        need_to_register "needToRegister": bool,
        priority "priority": u8 as Int<0, 127>,
        ...
    }
}

sequence! {
    /// Other gatekeepers to turn to after a rejection.
    #[derive(Default)]
    AltGKInfo {
        alternate_gatekeeper "alternateGatekeeper": Vec<AlternateGK>,
        alt_gk_is_permanent "altGKisPermanent": bool,
        ...
    }
}
