//! Who owns a call, who monitors it, and where its media are.
//!
//! In: SetCallPrivilege, Handoff, MoveMedia; owners that go (`deallocate.rs`). Out: NewCall, CallPrivilege and CallState
//! to who receives a call, CallInfo(Holders) to everybody else who holds it, `line_move_media` to the provider.
//!
//! # Who is told
//!
//! Who receives a call by handoff gets NewCall (or CallPrivilege, if it held the call before) and then the call's state.
//! Who changes its own privilege gets CallPrivilege, then the reply. Everybody else who holds the call gets CallInfo with
//! [`CallInfoChange::Holders`](offhook_spi::CallInfoChange::Holders), from the call's first state to its Idle. Which
//! application accepted or answered a call is no news (there is no LINECALLINFOSTATE for it): it is read.
//!
//! # Where the media are
//!
//! At one MSP instance. At first at none: the first owner's instance that answers the TSP has them. They go
//!
//! - to the receiver of a handoff, and to a monitor that makes itself the only owner;
//! - to the first of the remaining owners that has an instance, if the one that has them gives up the call, its
//!   ownership, its line or its life;
//! - where MoveMedia says.
//!
//! Each time the provider is asked `line_move_media`, and speaks first to an instance that is new to the media
//! (`opaque.rs`). If the provider cannot move media they stay, and the handoff stands all the same. A receiver without an
//! instance moves none.

use std::sync::Arc;

use offhook_spi::{
    AppEvent, AppReply, CallInfo, HCall, HLine, HandoffTarget, HdCall, HdMspLine, HtCall, HtLine, HtMspLine,
    LineCallState, LineError, MediaTypes, Privilege, RequestId, Tspi,
};

use crate::model::{Call, ClientId, Inner, Open, Report, State};
use crate::report::MOST_WAITING;
use crate::requests::owned;
use crate::versions;

/// Media that are to go elsewhere.
pub(crate) struct Move {
    tsp: Arc<dyn Tspi>,
    call: HtCall,
    hd: HdCall,
    to: HtMspLine,
    hd_msp: HdMspLine,
    from: Option<HtMspLine>,
    /// It never had them before.
    fresh: bool,
}

impl Inner {
    /// Makes a client owner or monitor of a call that it holds.
    pub(crate) fn set_privilege(
        &self,
        client: ClientId,
        call: HCall,
        privilege: Privilege,
    ) -> Result<AppReply, LineError> {
        let (ht, moved) = self.with(|state| {
            let (ht, entry) = state.call_of(client, call)?;
            let now = entry.holder(client).ok_or(LineError::InvalCallHandle)?.privilege;
            let others = entry.holders.iter().any(|h| h.client != client && h.privilege == Privilege::Owner);
            let idle = entry.state == Some(LineCallState::Idle);
            match privilege {
                Privilege::None => return Err(LineError::InvalParam("owner or monitor".to_owned())),
                _ if privilege == now => return Ok((ht, None)),
                Privilege::Monitor if !others && !idle => return Err(LineError::InvalCallState),
                Privilege::Monitor | Privilege::Owner => {}
            }
            state.privilege(ht, client, privilege);
            state.push(client, AppEvent::CallPrivilege { call, privilege });
            let moved = match privilege {
                Privilege::Owner if !others => state.move_to_holder(ht, client),
                Privilege::Owner => None,
                _ => state.rehome(ht, client),
            };
            state.note_holders(ht, client);
            Ok((ht, moved))
        })?;
        self.work_on_reports(ht);
        self.perform_move(moved);
        Ok(AppReply::Done)
    }

    /// Gives a call to another application. The asking one stays an owner.
    pub(crate) fn hand_off(
        &self,
        (client, request): (ClientId, RequestId),
        call: HCall,
        to: &HandoffTarget,
    ) -> Option<Result<AppReply, LineError>> {
        let asked = self.with(|state| {
            let (ht, entry) = state.call_of(client, call)?;
            state.receiver(client, entry, to)?;
            Ok((ht, entry.tsp.clone(), entry.hd.ok_or(LineError::InvalCallHandle)?))
        });
        let (ht, tsp, hd) = match asked {
            Ok(asked) => asked,
            Err(error) => return Some(Err(error)),
        };
        // What the receiver is shown; without the lock, so the rest is looked up once more.
        let info = tsp.line_call_info(hd);
        let given = self.with(|state| {
            let (_, entry) = state.call_of(client, call)?;
            let open = state.receiver(client, entry, to)?;
            if let (Ok(info), Some(entry)) = (info, state.calls.get_mut(&ht)) {
                entry.info = Some(info);
            }
            let moved = state.give(ht, open);
            state.reply(client, request, Ok(AppReply::Done));
            Ok(moved)
        });
        match given {
            Ok(moved) => {
                self.work_on_reports(ht);
                self.perform_move(moved);
                None
            }
            Err(error) => Some(Err(error)),
        }
    }

    /// The media go to the instance behind one of the client's own openings.
    pub(crate) fn move_media(
        &self,
        client: ClientId,
        call: HCall,
        line: HLine,
    ) -> Result<AppReply, LineError> {
        let moved = self.with(|state| {
            let (ht, entry) = state.call_of(client, call)?;
            owned(entry, client)?;
            if state.line_of(client, line)? != entry.line {
                return Err(LineError::InvalLineHandle);
            }
            if entry.state == Some(LineCallState::Idle) {
                return Err(LineError::InvalCallState);
            }
            let there = entry.media;
            let behind = state.msps.iter().find(|(_, msp)| msp.opened == line).map(|(key, _)| *key);
            let to = behind.ok_or(LineError::OperationUnavail)?;
            if there == Some(to) {
                return Ok(None);
            }
            state.plan_move(ht, to).map(Some).ok_or(LineError::OperationUnavail)
        })?;
        moved.map_or(Ok(()), |moved| self.perform_one_move(moved)).map(|()| AppReply::Done)
    }

    pub(crate) fn perform_move(&self, moved: Option<Move>) {
        if let Some(moved) = moved
            && let Err(error) = self.perform_one_move(moved)
        {
            tracing::debug!(%error, "the provider does not move a call's media");
        }
    }

    fn perform_one_move(&self, moved: Move) -> Result<(), LineError> {
        let Move { tsp, call, hd, to, hd_msp, from, fresh } = moved;
        tsp.line_move_media(hd, hd_msp).inspect_err(|_| {
            self.with(|state| {
                let from = from.filter(|from| state.msps.contains_key(from));
                if let Some(call) = state.calls.get_mut(&call).filter(|call| call.media == Some(to)) {
                    call.media = from;
                    if fresh {
                        call.had_media.retain(|known| *known != to);
                    }
                }
            });
        })
    }
}

impl State {
    fn privilege(&mut self, ht: HtCall, client: ClientId, privilege: Privilege) {
        let call = self.calls.get_mut(&ht);
        let mut holders = call.into_iter().flat_map(|call| &mut call.holders);
        if let Some(holder) = holders.find(|holder| holder.client == client) {
            holder.privilege = privilege;
        }
    }

    /// To which opening a client's call is to be handed.
    fn receiver(&self, client: ClientId, call: &Call, to: &HandoffTarget) -> Result<Open, LineError> {
        owned(call, client)?;
        if call.state.is_none() {
            // Nobody could be told of it: its first state is to come.
            return Err(LineError::InvalCallState);
        }
        let candidates = match to {
            HandoffTarget::Application(name) => {
                let opens = self.lines.get(&call.line).map(|line| line.opens.as_slice()).unwrap_or_default();
                let named = |open: &&Open| self.clients.get(&open.client).is_some_and(|c| c.name == *name);
                let owners = opens.iter().filter(|open| open.privilege == Privilege::Owner);
                owners.filter(named).copied().collect()
            }
            HandoffTarget::Media(kind @ (MediaTypes::AUDIO | MediaTypes::VIDEO)) => {
                self.ranked(call.line, *kind)
            }
            HandoffTarget::Media(_) => return Err(LineError::InvalMediaMode),
        };
        match candidates.iter().find(|open| open.client != client) {
            Some(open) => Ok(*open),
            None if candidates.is_empty() => Err(LineError::TargetNotFound),
            None => Err(LineError::TargetSelf),
        }
    }

    /// Makes the client of an opening an owner of a call, and tells it.
    fn give(&mut self, ht: HtCall, open: Open) -> Option<Move> {
        let Open { client, line, .. } = open;
        let before = self.calls.get(&ht)?.holder(client).copied();
        let handle = match before {
            Some(holder) => {
                self.privilege(ht, client, Privilege::Owner);
                let (call, privilege) = (holder.call, Privilege::Owner);
                self.push(client, AppEvent::CallPrivilege { call, privilege });
                holder.call
            }
            None => {
                let call = self.grant(ht, client, line, Privilege::Owner);
                let info = self.calls.get(&ht)?.known();
                let privilege = Privilege::Owner;
                self.push(client, AppEvent::NewCall { line, call, privilege, info: Box::new(info) });
                call
            }
        };
        let entry = self.calls.get(&ht)?;
        if let (Some(state), Some(holder)) = (entry.state, entry.holder(client)) {
            let (state, at) = (versions::told(state, holder.version), entry.state_at);
            self.push(client, AppEvent::CallState { call: handle, state, at });
        }
        if before.is_none_or(|holder| holder.privilege != Privilege::Owner) {
            self.note_holders(ht, client);
        }
        self.move_to_holder(ht, client)
    }

    /// Everybody who holds the call, but for `by`, is to be told who holds it now, and everybody who sees its hub.
    pub(crate) fn note_holders(&mut self, ht: HtCall, by: ClientId) {
        let Some(call) = self.calls.get_mut(&ht) else { return };
        let begun = !matches!(call.state, None | Some(LineCallState::Idle));
        let others = call.hub.is_some() || call.holders.iter().any(|holder| holder.client != by);
        if begun && others && call.reports.len() < MOST_WAITING {
            call.reports.push_back(Report::Holders(by));
        }
    }

    /// An instance of a client on a line, the one behind a certain opening rather than another.
    fn instance(&self, line: HtLine, client: ClientId, opened: HLine) -> Option<HtMspLine> {
        let of = || self.msps.iter().filter(move |(_, msp)| msp.client == client && msp.line == line);
        let behind = of().find(|(_, msp)| msp.opened == opened);
        behind.or_else(|| of().next()).map(|(key, _)| *key)
    }

    fn move_to_holder(&mut self, ht: HtCall, client: ClientId) -> Option<Move> {
        let call = self.calls.get(&ht)?;
        let to = self.instance(call.line, client, call.holder(client)?.line)?;
        if call.media == Some(to) { None } else { self.plan_move(ht, to) }
    }

    /// The media are at `to` from now on, as far as the broker is concerned; the provider is to be asked.
    fn plan_move(&mut self, ht: HtCall, to: HtMspLine) -> Option<Move> {
        let hd_msp = self.msps.get(&to)?.hd?;
        let call = self.calls.get_mut(&ht)?;
        let (tsp, hd) = (call.tsp.clone(), call.hd?);
        if call.state == Some(LineCallState::Idle) {
            return None;
        }
        let fresh = !call.had_media.contains(&to);
        if fresh {
            call.spoken_to.retain(|known| *known != to);
            call.had_media.push(to);
        }
        let from = call.media.replace(to);
        Some(Move { tsp, call: ht, hd, to, hd_msp, from, fresh })
    }

    /// An owner has gone, or its instance: media that it had go to another owner.
    pub(crate) fn rehome(&mut self, ht: HtCall, gone: ClientId) -> Option<Move> {
        let call = self.calls.get(&ht)?;
        let its = |key: &HtMspLine| self.msps.get(key).is_none_or(|msp| msp.client == gone);
        let had = match &call.media {
            Some(key) => its(key),
            None => call.spoken_to.iter().any(its),
        };
        if !had {
            return None;
        }
        let owners = call.holders.iter().filter(|holder| holder.privilege == Privilege::Owner);
        let next = owners.filter_map(|h| self.instance(call.line, h.client, h.line)).next();
        if let Some(call) = self.calls.get_mut(&ht) {
            call.media = None;
        }
        self.plan_move(ht, next?)
    }
}

impl Call {
    /// What is known of the call, with who holds it.
    pub(crate) fn filled(&self, info: &CallInfo) -> CallInfo {
        let count = |privilege| self.holders.iter().filter(|holder| holder.privilege == privilege).count();
        CallInfo {
            owners: u32::try_from(count(Privilege::Owner)).unwrap_or(u32::MAX),
            monitors: u32::try_from(count(Privilege::Monitor)).unwrap_or(u32::MAX),
            application: self.application.clone(),
            ..info.clone()
        }
    }

    /// The same of what was known last.
    pub(crate) fn known(&self) -> CallInfo {
        self.filled(self.info.as_ref().unwrap_or(&crate::report::unknown()))
    }
}
