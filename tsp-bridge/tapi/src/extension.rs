//! What an address has beyond TAPI: interface versions, the provider's extension, the MSP's own objects.
//!
//! In: the application's verbs. Out: requests whose octets nobody between here and the provider reads.

use std::any::Any;
use std::sync::Arc;

use offhook_spi::{
    ApiVersion, AppReply, AppRequest, ExtensionId, ExtensionVersion, MspAddress, MspCallId, Opaque,
};

use crate::core::{lock, unexpected_reply};
use crate::{Address, Call, TapiError};

impl Address {
    /// Picks the interface version of those from `lowest` to `highest`; without it, the newest that broker and provider
    /// have. Disconnect modes that it does not know are told as Normal or Unknown.
    #[doc(alias = "lineNegotiateAPIVersion")]
    pub async fn negotiate_version(
        &self,
        lowest: ApiVersion,
        highest: ApiVersion,
    ) -> Result<ApiVersion, TapiError> {
        let device = self.caps().device;
        let what = AppRequest::NegotiateApiVersion { device, lowest, highest };
        match self.shared.core.request(what).await? {
            AppReply::ApiVersion(version) => Ok(version),
            _ => Err(unexpected_reply()),
        }
    }

    /// The provider's extension of TAPI on this address, and the version to use of those from `lowest` to `highest`.
    #[doc(alias = "lineNegotiateExtVersion")]
    #[doc(alias = "ITAddress2::NegotiateExtVersion")]
    pub async fn extension(
        &self,
        lowest: ExtensionVersion,
        highest: ExtensionVersion,
    ) -> Result<(ExtensionId, ExtensionVersion), TapiError> {
        let device = self.caps().device;
        let what = AppRequest::NegotiateExtVersion { device, lowest, highest };
        match self.shared.core.request(what).await? {
            AppReply::Extension { id, version } => Ok((id, version)),
            _ => Err(unexpected_reply()),
        }
    }

    /// From now on the extension is spoken in this version, and its messages come as
    /// [`Event::DevSpecific`](crate::Event::DevSpecific); 0 ends it. The address is open.
    #[doc(alias = "TSPI_lineSelectExtVersion")]
    pub async fn select_extension(&self, version: ExtensionVersion) -> Result<(), TapiError> {
        let line = lock(&self.shared.inner).base.ok_or(TapiError::NotOpen)?;
        self.shared.core.request(AppRequest::SelectExtVersion { line, version }).await.map(drop)
    }

    /// A word of the extension, about `call` or about the address; what is answered.
    #[doc(alias = "ITAddress2::DeviceSpecific")]
    #[doc(alias = "lineDevSpecific")]
    pub async fn dev_specific(&self, call: Option<&Call>, data: Opaque) -> Result<Opaque, TapiError> {
        let line = lock(&self.shared.inner).base.ok_or(TapiError::NotOpen)?;
        let call = call.map(|call| call.shared().bound()).transpose()?;
        match self.shared.core.request(AppRequest::DevSpecific { line, call, data }).await? {
            AppReply::DevSpecific(data) => Ok(data),
            _ => Err(unexpected_reply()),
        }
    }

    /// An interface of the MSP's own on this address, if it has one of that type.
    #[doc(alias = "IUnknown::QueryInterface")]
    pub fn interface<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        interface(&self.shared.msp().ok()?, None)
    }
}

impl Call {
    /// An interface of the MSP's own on this call, if it has one of that type.
    #[doc(alias = "IUnknown::QueryInterface")]
    pub fn interface<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let half = self.shared().media().ok()?;
        interface(&half.msp, Some(half.id))
    }
}

fn interface<T: Any + Send + Sync>(msp: &Arc<dyn MspAddress>, call: Option<MspCallId>) -> Option<Arc<T>> {
    msp.private_object(call)?.downcast()
}
