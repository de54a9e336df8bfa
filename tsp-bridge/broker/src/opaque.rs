//! Which opaque buffer goes to whom. The buffers are never read here: there is nothing here that could.
//!
//! In: buffers of TSPs (LINE_SENDMSPDATA) and of clients' MSPs (ME_TSP_DATA). Out: the same, to the other side.
//!
//! | from | level | to |
//! |---|---|---|
//! | TSP | call, one MSP instance | that instance, if its client holds the call |
//! | TSP | call, all | every instance on the line whose client holds the call |
//! | TSP | address, one or all | that instance, or every instance on the line |
//! | MSP | call | the TSP, if the client owns the call, the TSP has spoken to this instance on it, and it has or had the media |
//! | MSP | address | the TSP |
//!
//! Everything else is an error to the sender; nothing is kept. An MSP stands behind an opening of a line once
//! CreateMspInstance was asked for, one behind each; a client that has opened a line several times may have several, and
//! the opening names the one that a buffer comes from or goes to. (A buffer that names an opening without one comes from
//! the client's first on that line.) A call's buffers go in the order in which they were sent, among its other events.
//!
//! The media of a call are at one instance: the first owner's that answers the TSP takes them, and they move as
//! `ownership.rs` says. To an instance that never had them the TSP speaks first after a move, whatever it said to all
//! before. Who never had them may not speak on the call (`OperationFailed`), though its client owns it: it would answer
//! what was meant for another. Who had them may, as long as its client owns the call: a provider takes its time to move
//! media, and may give that up; until then the old instance plays, and says what there is to say. The TSP is told which
//! instance speaks.

use offhook_spi::{AppEvent, AppReply, HCall, HLine, HtCall, HtLine, HtMspLine, LineError, Opaque};

use crate::model::{ClientId, Inner, ProviderId, State};
use crate::requests::owned;

impl Inner {
    /// A buffer of a client's MSP for the TSP.
    pub(crate) fn msp_data(
        &self,
        client: ClientId,
        line: HLine,
        call: Option<HCall>,
        data: Opaque,
    ) -> Result<AppReply, LineError> {
        let (tsp, hd_line, hd_call, hd_msp) = self.with(|state| {
            let ht_line = state.line_of(client, line)?;
            let entry = state.lines.get(&ht_line).ok_or(LineError::InvalLineHandle)?;
            let of = || state.msps.iter().filter(|(_, msp)| msp.client == client && msp.line == ht_line);
            let behind = of().find(|(_, msp)| msp.opened == line).or_else(|| of().next());
            let (key, msp) = behind.ok_or(LineError::OperationUnavail)?;
            let (key, hd_msp) = (*key, msp.hd.ok_or(LineError::OperationUnavail)?);
            let hd_call = match call {
                None => None,
                Some(call) => {
                    let (ht, call) = state.call_of(client, call)?;
                    if call.line != ht_line {
                        return Err(LineError::InvalCallHandle);
                    }
                    owned(call, client)?;
                    if call.media.is_some() && !call.had_media.contains(&key) {
                        return Err(LineError::failed("another MSP instance has the call's media"));
                    }
                    if !call.spoken_to.contains(&key) {
                        return Err(LineError::failed("the TSP speaks first"));
                    }
                    Some((ht, call.hd.ok_or(LineError::InvalCallHandle)?))
                }
            };
            let (tsp, hd) = (entry.tsp.clone(), entry.hd);
            if let Some(call) = hd_call.and_then(|(ht, _)| state.calls.get_mut(&ht))
                && call.media.is_none()
            {
                call.media = Some(key);
                if !call.had_media.contains(&key) {
                    call.had_media.push(key);
                }
            }
            Ok((tsp, hd, hd_call.map(|(_, hd)| hd), hd_msp))
        })?;
        tsp.line_receive_msp_data(hd_line, hd_call, hd_msp, data).map(|()| AppReply::Done)
    }
}

impl State {
    /// Whether a call-level buffer of the TSP can be taken.
    pub(crate) fn check_call_data(
        &mut self,
        provider: ProviderId,
        line: HtLine,
        ht: HtCall,
        msp: Option<HtMspLine>,
    ) -> Result<(), LineError> {
        self.check_msp(provider, line, msp)?;
        let call = self.calls.get(&ht).filter(|call| call.line == line).ok_or(LineError::InvalCallHandle)?;
        let error = if !call.takes_reports() {
            LineError::InvalCallHandle
        } else if call.is_unannounced() {
            LineError::InvalCallState
        } else if call.busy || !call.reports.is_empty() || !self.call_targets(ht, msp).is_empty() {
            // Reports before it may still bring the holders.
            return Ok(());
        } else {
            return Err(nobody());
        };
        self.diagnostics.early_events += 1;
        Err(error)
    }

    fn check_msp(&self, provider: ProviderId, line: HtLine, msp: Option<HtMspLine>) -> Result<(), LineError> {
        if !self.reports_for(provider, line) {
            return Err(LineError::InvalLineHandle);
        }
        match msp {
            Some(msp) if self.msps.get(&msp).is_none_or(|known| known.line != line) => {
                Err(LineError::InvalParam("no such MSP instance on this line".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// An address-level buffer of the TSP.
    pub(crate) fn address_data(
        &mut self,
        provider: ProviderId,
        line: HtLine,
        msp: Option<HtMspLine>,
        data: &Opaque,
    ) -> Result<(), LineError> {
        self.check_msp(provider, line, msp)?;
        let targets: Vec<_> = self
            .msps
            .iter()
            .filter(|(key, known)| known.line == line && msp.is_none_or(|one| one == **key))
            .map(|(_, known)| (known.client, known.opened))
            .collect();
        if targets.is_empty() {
            return Err(nobody());
        }
        for (client, line) in targets {
            self.push(client, AppEvent::MspData { line, call: None, data: data.clone() });
        }
        Ok(())
    }

    fn call_targets(&self, ht: HtCall, msp: Option<HtMspLine>) -> Vec<(HtMspLine, ClientId, HLine, HCall)> {
        let Some(call) = self.calls.get(&ht) else { return Vec::new() };
        self.msps
            .iter()
            .filter(|(key, known)| known.line == call.line && msp.is_none_or(|one| one == **key))
            .filter_map(|(key, known)| {
                let holder = call.holder(known.client)?;
                Some((*key, known.client, known.opened, holder.call))
            })
            .collect()
    }

    /// Delivers a call-level buffer of the TSP. From now on the MSP may answer.
    pub(crate) fn route(&mut self, ht: HtCall, msp: Option<HtMspLine>, data: &Opaque) {
        let targets = self.call_targets(ht, msp);
        if targets.is_empty() {
            self.diagnostics.late_events += 1;
            return;
        }
        for (key, client, line, call) in targets {
            if let Some(entry) = self.calls.get_mut(&ht)
                && !entry.spoken_to.contains(&key)
            {
                entry.spoken_to.push(key);
            }
            self.push(client, AppEvent::MspData { line, call: Some(call), data: data.clone() });
        }
    }
}

fn nobody() -> LineError {
    LineError::failed("no MSP instance to deliver to")
}
