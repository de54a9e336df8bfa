//! What every H.225.0 message says of this program: which version it speaks, who made it.
//! In: [`Vendor`]. Out: what call signalling and RAS both carry.
//! Not here: the messages (`call`, `ras`, `gatekeeper`).

use bytes::Bytes;
use offhook_wire::h225::{H221NonStandard, VendorIdentifier};
use offhook_wire::per::Oid;

use crate::Vendor;

/// H.225.0 version 7: {itu-t(0) recommendation(0) h(8) 2250 version(0) 7}.
pub(crate) const PROTOCOL_IDENTIFIER: Oid = Oid::new(&[0, 0, 8, 2250, 0, 7]);

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
