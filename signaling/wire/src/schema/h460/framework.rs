//! H.460.1: features and their parameters by identifier.
//! In: generic data. Out: parameters, decoded where they hold ASN.1.

use super::super::h225::{Content, EnumeratedParameter, GenericData, GenericIdentifier, RasMessage};
use super::*;
use crate::per::json::OpenType;
use crate::per::{self, Type};

impl From<i64> for GenericIdentifier {
    /// A `standard` identifier.
    fn from(number: i64) -> Self {
        GenericIdentifier::Standard(number)
    }
}

impl From<per::Oid> for GenericIdentifier {
    fn from(oid: per::Oid) -> Self {
        GenericIdentifier::Oid(oid)
    }
}

/// The feature `id` among several.
///
/// ```
/// use offhook_wire::h225::{Content, GenericData};
/// use offhook_wire::h460::{NAT_TYPE, REMOTE_NAT, find};
///
/// let feature = GenericData::new(23.into()).with(REMOTE_NAT, Content::Bool(true));
/// let features = [GenericData::new(18.into()), feature];
/// let found = find(&features, 23).unwrap();
/// assert_eq!(found.content(REMOTE_NAT), Some(&Content::Bool(true)));
/// assert_eq!(found.content(NAT_TYPE), None);
/// ```
pub fn find(features: &[GenericData], id: impl Into<GenericIdentifier>) -> Option<&GenericData> {
    let id = id.into();
    features.iter().find(|feature| feature.id == id)
}

/// The parameter `id` among several.
pub fn find_parameter(
    parameters: &[EnumeratedParameter],
    id: impl Into<GenericIdentifier>,
) -> Option<&EnumeratedParameter> {
    let id = id.into();
    parameters.iter().find(|parameter| parameter.id == id)
}

impl GenericData {
    /// The parameter `id`, with content or without.
    pub fn parameter(&self, id: impl Into<GenericIdentifier>) -> Option<&EnumeratedParameter> {
        find_parameter(self.parameters.as_deref().unwrap_or_default(), id)
    }

    /// The content of the parameter `id`.
    pub fn content(&self, id: impl Into<GenericIdentifier>) -> Option<&Content> {
        self.parameter(id)?.content.as_ref()
    }

    /// The value in the `raw` content of the parameter `id`.
    pub fn decoded<T: Type>(&self, id: impl Into<GenericIdentifier>) -> Option<per::Result<per::Message<T>>> {
        match self.content(id)? {
            Content::Raw(octets) => Some(per::decode(octets)),
            _ => None,
        }
    }

    /// This, and a parameter more.
    #[must_use]
    pub fn with(self, id: impl Into<GenericIdentifier>, content: Content) -> Self {
        self.with_parameter(EnumeratedParameter {
            content: Some(content),
            ..EnumeratedParameter::new(id.into())
        })
    }

    /// This, and a parameter more, which has no content.
    #[must_use]
    pub fn with_flag(self, id: impl Into<GenericIdentifier>) -> Self {
        self.with_parameter(EnumeratedParameter::new(id.into()))
    }

    /// This, and a parameter more, whose `raw` content is the value.
    ///
    /// # Errors
    ///
    /// As [`per::encode`].
    pub fn with_encoded<T: Type>(self, id: impl Into<GenericIdentifier>, value: &T) -> per::Result<Self> {
        Ok(self.with(id, Content::Raw(per::encode(value)?.into())))
    }

    fn with_parameter(mut self, parameter: EnumeratedParameter) -> Self {
        self.parameters.get_or_insert_default().push(parameter);
        self
    }
}

/// What the `raw` content of a standard parameter of a standard feature of H.225.0 holds, if ASN.1.
pub fn raw_type(feature: i64, parameter: i64) -> Option<OpenType> {
    Some(match (feature, parameter) {
        (QOS_MONITORING, QOS_MONITORING_REPORT_DATA) => {
            OpenType::of::<QosMonitoringReportData>("QosMonitoringReportData")
        }
        (QOS_MONITORING, QOS_MONITORING_EXTENDED_RTP_METRICS) => {
            OpenType::of::<ExtendedRTPMetrics>("ExtendedRTPMetrics")
        }
        (RAS_OVER_H225, RAS_MESSAGE) => OpenType::of::<RasMessage>("RasMessage"),
        (SIGNALLING_TRAVERSAL, INCOMING_CALL_INDICATION) => {
            OpenType::of::<IncomingCallIndication>("IncomingCallIndication")
        }
        (SIGNALLING_TRAVERSAL, LRQ_KEEP_ALIVE_DATA) => OpenType::of::<LRQKeepAliveData>("LRQKeepAliveData"),
        _ => return None,
    })
}

/// What an `octetString` parameter of an H.245 generic message or information holds, if ASN.1.
pub fn octet_string_type(message: &per::Oid, parameter: u8) -> Option<OpenType> {
    if *message == MEDIA_TRAVERSAL_OID && parameter == TRAVERSAL_PARAMETERS {
        return Some(OpenType::of::<TraversalParameters>("TraversalParameters"));
    }
    if *message == ALTERNATE_ADDRESSES_OID && parameter == ALTERNATE_ADDRESSES {
        return Some(OpenType::of::<AlternateAddresses>("AlternateAddresses"));
    }
    None
}
