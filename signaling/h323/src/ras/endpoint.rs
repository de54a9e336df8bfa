//! What our messages say about us.
//! In: the configuration. Out: H.225.0 EndpointType.

use offhook_wire::h225::{
    EndpointType, GatewayInfo, SupportedPrefix, SupportedProtocols, TerminalInfo, VoiceCaps,
};

use super::Ras;
use super::config::EndpointKind;
use crate::Alias;
use crate::address::alias_to;
use crate::product::vendor_identifier;

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
