//! Supplementary services of calls and addresses: hold, transfer, conference, park, pickup, forward, completion; and who
//! of several applications has a call.
//!
//! In: the application's verbs. Out: requests to the broker; calls that come of them.
//! Which of them an address has is in [`LineDevCaps::features`](crate::LineDevCaps::features).
//! Not here: what a verb does at the far end (the provider).
//!
//! A *consultation* is a call made by [`Address::create_call`] and not dialled by itself: its streams and terminals are
//! chosen as for any call, then [`Call::transfer`], [`Call::setup_conference`] or [`Call::prepare_add`] dials it.

use offhook_spi::{
    AppReply, AppRequest, CompletionMode, Forward, HandoffTarget, LineError, MediaTypes, ParkMode, Privilege,
    TransferMode,
};

use crate::call::CallShared;
use crate::core::{Pending, lock, unexpected_reply};
use crate::{Address, Call, Tapi, TapiError};

impl Call {
    /// Puts the call on hold; returns when the provider has done so, and the state follows as an event.
    #[doc(alias = "ITBasicCallControl::Hold")]
    #[doc(alias = "lineHold")]
    pub async fn hold(&self) -> Result<(), TapiError> {
        let call = self.shared().bound()?;
        self.request(AppRequest::Hold { call }).await
    }

    /// Takes it back.
    #[doc(alias = "ITBasicCallControl::Hold")]
    #[doc(alias = "lineUnhold")]
    pub async fn unhold(&self) -> Result<(), TapiError> {
        let call = self.shared().bound()?;
        self.request(AppRequest::Unhold { call }).await
    }

    /// Puts this call on hold and takes `held` back.
    #[doc(alias = "ITBasicCallControl::SwapHold")]
    #[doc(alias = "lineSwapHold")]
    pub async fn swap_hold(&self, held: &Call) -> Result<(), TapiError> {
        let (active, held) = (self.shared().bound()?, self.beside(held)?.bound()?);
        self.request(AppRequest::SwapHold { active, held }).await
    }

    /// Sends the far end to `destination` without a word with anybody there; both ends here end.
    #[doc(alias = "ITBasicCallControl::BlindTransfer")]
    #[doc(alias = "lineBlindTransfer")]
    pub async fn blind_transfer(&self, destination: &str) -> Result<(), TapiError> {
        let call = self.shared().bound()?;
        self.request(AppRequest::BlindTransfer { call, destination: destination.to_owned() }).await
    }

    /// Begins a transfer: this call goes on hold, and `consult`, a call of the same address that was not dialled, is.
    /// Its states come as events; [`finish`](Self::finish) ends the transfer, ending `consult` gives it up.
    #[doc(alias = "ITBasicCallControl::Transfer")]
    #[doc(alias = "lineSetupTransfer")]
    pub async fn transfer(&self, consult: &Call) -> Result<(), TapiError> {
        let call = self.shared().bound()?;
        let consult = self.beside(consult)?;
        consult.dial_by(|params| AppRequest::SetupTransfer { call, params: dialled(params) }).await
    }

    /// Ends a transfer that [`transfer`](Self::transfer) began, or one between two calls that stand: with
    /// [`TransferMode::Transfer`] the two far ends talk with each other and both calls here end; with
    /// [`TransferMode::Conference`] all three talk, and the conference is answered.
    #[doc(alias = "ITBasicCallControl::Finish")]
    #[doc(alias = "lineCompleteTransfer")]
    pub async fn finish(&self, consult: &Call, mode: TransferMode) -> Result<Option<Call>, TapiError> {
        let (call, consult) = (self.shared().bound()?, self.beside(consult)?.bound()?);
        let what = AppRequest::CompleteTransfer { call, consult, mode };
        if mode == TransferMode::Transfer {
            return self.request(what).await.map(|()| None);
        }
        let conference = self.address().arising("")?;
        conference.shared().dial_by(|_| what).await?;
        Ok(Some(conference))
    }

    /// Makes a conference of this call and `consult`, which is not dialled yet and is: this call waits on hold until
    /// [`add_to_conference`](Self::add_to_conference) on the conference answered adds `consult`.
    #[doc(alias = "ITBasicCallControl::Conference")]
    #[doc(alias = "lineSetupConference")]
    pub async fn setup_conference(&self, consult: &Call) -> Result<Call, TapiError> {
        self.beside(consult)?;
        self.address().conference(Some(self), consult).await
    }

    /// Holds this conference and dials `consult`, to be added to it.
    #[doc(alias = "linePrepareAddToConference")]
    pub async fn prepare_add(&self, consult: &Call) -> Result<(), TapiError> {
        let conference = self.shared().bound()?;
        let consult = self.beside(consult)?;
        let asked = |params| AppRequest::PrepareAddToConference { conference, params: dialled(params) };
        consult.dial_by(asked).await
    }

    /// Adds a call to this conference.
    #[doc(alias = "ITBasicCallControl::Conference")]
    #[doc(alias = "lineAddToConference")]
    pub async fn add_to_conference(&self, call: &Call) -> Result<(), TapiError> {
        let (conference, call) = (self.shared().bound()?, self.beside(call)?.bound()?);
        self.request(AppRequest::AddToConference { conference, call }).await
    }

    /// Takes this call out of its conference.
    #[doc(alias = "ITBasicCallControl::RemoveFromConference")]
    #[doc(alias = "lineRemoveFromConference")]
    pub async fn remove_from_conference(&self) -> Result<(), TapiError> {
        let call = self.shared().bound()?;
        self.request(AppRequest::RemoveFromConference { call }).await
    }

    /// Parks the call at `address`.
    #[doc(alias = "ITBasicCallControl::ParkDirect")]
    #[doc(alias = "linePark")]
    pub async fn park(&self, address: &str) -> Result<(), TapiError> {
        let call = self.shared().bound()?;
        self.request(AppRequest::Park { call, mode: ParkMode::Directed(address.to_owned()) }).await
    }

    /// Parks the call where the switch has room; where that is.
    #[doc(alias = "ITBasicCallControl::ParkIndirect")]
    #[doc(alias = "linePark")]
    pub async fn park_anywhere(&self) -> Result<String, TapiError> {
        let call = self.shared().bound()?;
        match self.ask(AppRequest::Park { call, mode: ParkMode::NonDirected }).await? {
            AppReply::Address(address) => Ok(address),
            _ => Err(unexpected_reply()),
        }
    }

    /// Has a call that meets a busy party or no answer completed; by what it can be cancelled
    /// ([`Address::uncomplete_call`]). To camp on there is [`camp_on`](Self::camp_on).
    #[doc(alias = "lineCompleteCall")]
    pub async fn complete(&self, mode: CompletionMode) -> Result<u32, TapiError> {
        let call = self.shared().bound()?;
        if mode == CompletionMode::CampOn {
            let why = "who camps on gets another call: Call::camp_on";
            return Err(LineError::InvalParam(why.to_owned()).into());
        }
        match self.ask(AppRequest::CompleteCall { call, mode }).await? {
            AppReply::CompletionId(id) => Ok(id),
            _ => Err(unexpected_reply()),
        }
    }

    /// Waits with a call that met a busy party until that is free. To an application a call that met a busy party is
    /// over, and stays so: what goes on is the call answered here, which has the streams from now on; and by what it can
    /// be cancelled.
    #[doc(alias = "LINECALLCOMPLMODE_CAMPON")]
    pub async fn camp_on(&self) -> Result<(Call, u32), TapiError> {
        let call = self.shared().bound()?;
        let waiting = self.address().arising("")?;
        let shared = waiting.shared();
        shared.begin_to_dial()?;
        let what = AppRequest::CompleteCall { call, mode: CompletionMode::CampOn };
        let pending = |tx| Pending::CampOn { from: self.shared().clone(), to: shared.clone(), tx };
        match self.shared().address.core.request_with(what, pending).await {
            Ok(AppReply::CompletionId(id)) => Ok((waiting, id)),
            Ok(_) => Err(unexpected_reply()),
            Err(error) => Err(shared.not_dialled(error)),
        }
    }

    /// Makes another application an owner of the call, by its name or by its place among those that want the media. The
    /// call's media go there. This application stays an owner until it releases the call or
    /// [gives ownership up](Self::set_privilege).
    #[doc(alias = "ITBasicCallControl::HandoffDirect")]
    #[doc(alias = "ITBasicCallControl::HandoffIndirect")]
    #[doc(alias = "lineHandoff")]
    pub async fn handoff(&self, to: HandoffTarget) -> Result<(), TapiError> {
        let call = self.shared().bound()?;
        self.request(AppRequest::Handoff { call, to }).await
    }

    /// Becomes an owner of a call that it monitors, or the reverse. The last owner of a call that is not over cannot give
    /// it up.
    #[doc(alias = "lineSetCallPrivilege")]
    pub async fn set_privilege(&self, privilege: Privilege) -> Result<(), TapiError> {
        let call = self.shared().bound()?;
        self.request(AppRequest::SetCallPrivilege { call, privilege }).await
    }

    async fn ask(&self, what: AppRequest) -> Result<AppReply, TapiError> {
        self.shared().address.core.request(what).await
    }

    /// Another call of the same address.
    fn beside<'a>(&self, other: &'a Call) -> Result<&'a std::sync::Arc<CallShared>, TapiError> {
        if std::sync::Arc::ptr_eq(&self.shared().address, &other.shared().address) {
            Ok(other.shared())
        } else {
            Err(LineError::InvalRelatedCall.into())
        }
    }
}

/// What to dial, or nothing yet: the digits follow by [`Call::dial_digits`].
fn dialled(params: offhook_spi::CallParams) -> Option<offhook_spi::CallParams> {
    (!params.destination.is_empty()).then_some(params)
}

impl Address {
    /// A call that comes of a service, not of dialling; its MSP call is made now.
    fn arising(&self, from: &str) -> Result<Call, TapiError> {
        self.create_call(from, self.caps().media)
    }

    /// Makes a conference of `call`, or of none yet, and dials `consult`, to be added to it. Answers the conference.
    #[doc(alias = "lineSetupConference")]
    pub async fn conference(&self, call: Option<&Call>, consult: &Call) -> Result<Call, TapiError> {
        let line = lock(&self.shared.inner).base.ok_or(TapiError::NotOpen)?;
        let begun = call.map(|call| call.shared().bound()).transpose()?;
        let conference = self.arising("")?;
        let (conference_of, consult_of) = (conference.shared(), consult.shared());
        let params = dialled(consult_of.begin_to_dial()?);
        conference_of.begin_to_dial()?;
        let what = AppRequest::SetupConference { line, call: begun, params };
        let pending =
            |tx| Pending::Conference { conference: conference_of.clone(), consult: consult_of.clone(), tx };
        match self.shared.core.request_with(what, pending).await {
            Ok(AppReply::Conference { .. }) => Ok(conference),
            Ok(_) => Err(unexpected_reply()),
            Err(error) => {
                consult_of.not_dialled(error.clone());
                Err(conference_of.not_dialled(error))
            }
        }
    }

    /// Fetches the call that is parked at `address`.
    #[doc(alias = "ITBasicCallControl::Unpark")]
    #[doc(alias = "lineUnpark")]
    pub async fn unpark(&self, address: &str) -> Result<Call, TapiError> {
        let line = lock(&self.shared.inner).base.ok_or(TapiError::NotOpen)?;
        let call = self.arising(address)?;
        call.shared().dial_by(|_| AppRequest::Unpark { line, address: address.to_owned() }).await?;
        Ok(call)
    }

    /// Takes a call that rings at `address`, or, with none, in the group of that name or the line's own.
    #[doc(alias = "ITBasicCallControl::Pickup")]
    #[doc(alias = "linePickup")]
    pub async fn pickup(&self, address: Option<&str>, group: Option<&str>) -> Result<Call, TapiError> {
        let line = lock(&self.shared.inner).base.ok_or(TapiError::NotOpen)?;
        let call = self.arising(address.unwrap_or_default())?;
        let (address, group) = (address.map(str::to_owned), group.map(str::to_owned));
        call.shared().dial_by(|_| AppRequest::Pickup { line, address, group }).await?;
        Ok(call)
    }

    /// Replaces the line's forwarding by `instructions`, all of them; none ends it.
    #[doc(alias = "ITAddress2")]
    #[doc(alias = "ITForwardInformation")]
    #[doc(alias = "lineForward")]
    pub async fn forward(
        &self,
        instructions: &[Forward],
        no_answer_rings: Option<u32>,
    ) -> Result<(), TapiError> {
        let line = lock(&self.shared.inner).base.ok_or(TapiError::NotOpen)?;
        let instructions = instructions.to_vec();
        let what = AppRequest::Forward { line, instructions, no_answer_rings };
        self.shared.core.request(what).await.map(drop)
    }

    /// Cancels what [`Call::complete`] asked for.
    #[doc(alias = "lineUncompleteCall")]
    pub async fn uncomplete_call(&self, completion: u32) -> Result<(), TapiError> {
        let line = lock(&self.shared.inner).base.ok_or(TapiError::NotOpen)?;
        self.shared.core.request(AppRequest::UncompleteCall { line, completion }).await.map(drop)
    }
}

impl Tapi {
    /// Where this application stands among those that want calls of a media type: at the front, or in no list, which is
    /// after those that are.
    #[doc(alias = "ITTAPI::SetApplicationPriority")]
    #[doc(alias = "lineSetAppPriority")]
    pub async fn set_priority(&self, media: MediaTypes, first: bool) -> Result<(), TapiError> {
        self.session.core.request(AppRequest::SetAppPriority { media, first }).await.map(drop)
    }
}
