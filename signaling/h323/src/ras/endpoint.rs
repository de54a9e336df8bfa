//! What our messages say about us.
//! In: the configuration. Out: H.225.0 EndpointType and VendorIdentifier.

use bytes::Bytes;
use offhook_wire::h225::{
    EndpointType, GatewayInfo, H221NonStandard, SupportedPrefix, SupportedProtocols, TerminalInfo,
    VendorIdentifier, VoiceCaps,
};

use super::Ras;
use super::config::EndpointKind;
use crate::address::alias_to;
use crate::{Alias, Vendor};

/// VendorIdentifier of H.225.0; texts are cut at its 256 octets.
pub(crate) fn vendor_identifier(vendor: &Vendor) -> VendorIdentifier {
    let text = |text: &str| {
        let octets = text.as_bytes();
        let octets = octets.get(..256).unwrap_or(octets);
        (!octets.is_empty()).then(|| Bytes::copy_from_slice(octets))
    };
    let codes = H221NonStandard::new(vendor.t35_country, vendor.t35_extension, vendor.manufacturer);
    let mut identifier = VendorIdentifier::new(codes);
    identifier.product_id = text(&vendor.product);
    identifier.version_id = text(&vendor.version);
    identifier
}

impl Ras {
    pub(super) fn endpoint_type(&self) -> EndpointType {
        let mut endpoint = EndpointType::new(false, false);
        endpoint.vendor = Some(vendor_identifier(&self.config.vendor));
        match &self.config.kind {
            EndpointKind::Terminal => endpoint.terminal = Some(TerminalInfo::new()),
            EndpointKind::Gateway { prefixes } => {
                let mut gateway = GatewayInfo::new();
                gateway.protocol = Some(vec![voice(prefixes)]);
                endpoint.gateway = Some(gateway);
            }
        }
        endpoint
    }
}

/// A gateway to telephones with these prefixes; those that are no alias are left out.
pub(super) fn voice(prefixes: &[String]) -> SupportedProtocols {
    let mut voice = VoiceCaps::new();
    voice.data_rates_supported = Some(Vec::new());
    let prefixes = prefixes.iter().take(32).filter_map(|prefix| alias_to(&Alias::from_text(prefix)));
    voice.supported_prefixes = Some(prefixes.map(SupportedPrefix::new).collect());
    SupportedProtocols::Voice(Box::new(voice))
}
