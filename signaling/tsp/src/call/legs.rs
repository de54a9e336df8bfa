//! An outgoing call from its first Setup to its last: forwarded calls are several machines, one after the other.
//!
//! ```text
//! MakeCall ─▶ leg 1: connect, Prepare, machine ── Facility callForwarded ─▶ leg 2: connect, Prepare, machine ─▶ …
//! ```
//! In: a destination; the [`Forward`] that ended a leg. Out: one TAPI call from beginning to end.
//! A new leg keeps the conferenceID (or joins the one that is named) and takes a new callIdentifier and call reference.
//!
//! Not here: whether a forward is followed (`h323`, by `Config::forwarding`).

use std::net::SocketAddr;

use offhook_h323::{
    Alias, Call, ConferenceGoal, Config, Forward, ForwardKind, Number, OutgoingParams, Redirecting, UserUser,
};
use offhook_pair::ToMsp;
use offhook_spi::{CallInfoChange, CallParams, DisconnectMode, LineCallState, Party, RequestId};
use tokio::sync::mpsc;

use super::admit::{self, Wanted};
use super::establish::{self, Ended, Established};
use super::running::{Next, Running};
use super::sockets::Signaling;
use super::{Command, Context, Identity};
use crate::destination::Destination;
use crate::info;

/// What one leg is about.
pub(super) struct Leg {
    config: Config,
    identity: Identity,
    goal: ConferenceGoal,
    /// Whom to ask for at the address.
    alias: Option<Alias>,
    overlap: bool,
    withhold_identity: bool,
    redirecting: Option<Redirecting>,
    user_user: Option<UserUser>,
    /// Where the call was already: a circle ends it.
    visited: Vec<(SocketAddr, Option<Alias>)>,
}

impl Leg {
    pub(super) fn first(
        config: Config,
        identity: Identity,
        alias: Option<Alias>,
        goal: ConferenceGoal,
        params: &CallParams,
        user_user: Option<UserUser>,
    ) -> Self {
        Self {
            config,
            identity,
            goal,
            alias,
            overlap: params.partial,
            withhold_identity: params.block_id,
            redirecting: None,
            user_user,
            visited: Vec::new(),
        }
    }

    /// Turns to where `forward` leads; the error says why that cannot be. `at`: who said so.
    fn follow(&mut self, forward: &Forward, at: SocketAddr) -> Result<SocketAddr, String> {
        let transport = forward.aliases.iter().find_map(|alias| match alias {
            Alias::Transport(address) => Some(*address),
            _ => None,
        });
        // An alias alone is for whoever named it to place: a gateway or a switch.
        let address = forward.address.or(transport).unwrap_or(at);
        let named = forward.aliases.iter().find(|alias| !matches!(alias, Alias::Transport(_))).cloned();
        match forward.kind {
            ForwardKind::CallForwarded => {
                self.redirecting = self.alias.as_ref().and_then(number).map(|number| Redirecting {
                    number,
                    // Facility does not say why.
                    reason: Some(0),
                });
                self.alias = named;
            }
            // The same user, by another way.
            ForwardKind::RouteCallToGatekeeper => self.alias = named.or(self.alias.take()),
            ForwardKind::RouteCallToMc => {
                self.alias = named.or(self.alias.take());
                self.goal = ConferenceGoal::Join;
                if let Some(conference) = forward.conference_id {
                    self.identity.conference = conference;
                }
            }
        }
        // All digits that there were are in the forward.
        self.overlap = false;
        let place = (address, self.alias.clone());
        if self.visited.contains(&place) {
            return Err(format!("forwarded in a circle, to {address} again"));
        }
        self.renew()?;
        Ok(address)
    }

    /// Another call of the same conference.
    fn renew(&mut self) -> Result<(), String> {
        let conference = self.identity.conference;
        let fresh = Identity::draw().map_err(|error| error.to_string())?;
        self.identity = Identity { conference, ..fresh };
        Ok(())
    }

    fn wanted(&self) -> Wanted {
        Wanted {
            call_identifier: self.identity.call,
            conference: self.identity.conference,
            reference: self.identity.reference,
            alias: self.alias.clone(),
        }
    }

    fn params(
        &self,
        local: SocketAddr,
        remote: SocketAddr,
        media: offhook_h323::LocalMedia,
    ) -> OutgoingParams {
        OutgoingParams {
            call_identifier: self.identity.call,
            conference_id: self.identity.conference,
            goal: self.goal,
            call_reference: self.identity.reference,
            seed: self.identity.seed,
            destination: self.alias.clone(),
            overlap: self.overlap,
            withhold_identity: self.withhold_identity,
            redirecting: self.redirecting.clone(),
            forwards: u8::try_from(self.visited.len().saturating_sub(1)).unwrap_or(u8::MAX),
            user_user: self.user_user.clone(),
            local_signal_address: Some(local),
            remote_signal_address: remote,
            media,
        }
    }
}

fn number(alias: &Alias) -> Option<Number> {
    match alias {
        Alias::DialedDigits(digits) | Alias::PartyNumber(digits) => Some(Number::new(digits.clone())),
        _ => None,
    }
}

/// The call's task.
pub(super) async fn run(
    mut context: Context,
    mut commands: mpsc::UnboundedReceiver<Command>,
    request: RequestId,
    destination: Destination,
    mut leg: Leg,
) {
    let wanted = leg.wanted();
    let mut established =
        establish::dialled(&mut context, &mut commands, request, &destination, &wanted).await;
    loop {
        let Established { signaling, media, admission } = match established {
            Ok(established) => established,
            Err(ended) => return establish::linger(&mut context, &mut commands, ended).await,
        };
        let (local, at) = signaling.ends();
        let identity = &leg.identity;
        context.note(CallInfoChange::Other, |info| {
            info::identify(info, &identity.call, &identity.conference, identity.reference);
            info::set_id(info, "peer", &at.to_string());
        });
        context.member = Some(context.inner.gate.join(identity.conference));
        context.take_place(identity.names(leg.goal));
        let place = (at, leg.alias.clone());
        // A second attempt goes where the first one went.
        if leg.visited.last() != Some(&place) {
            leg.visited.push(place);
        }
        let now = context.inner.now();
        let params = leg.params(local, at, media);
        let mut machine = Call::outgoing(leg.config.clone(), params, now);
        if let Some(admission) = &admission {
            machine.apply_admission(admission);
            let granted =
                context.asked.as_ref().and_then(|asked| asked.granted).unwrap_or(admission.bandwidth);
            machine.set_bandwidth(now, Some(granted.saturating_mul(100)));
            let routed = matches!(signaling, Signaling::Own(_)) && admit::is_routed(admission);
            if let Some(security) = admit::signed(&context, routed, leg.identity.seed) {
                machine.secure_signaling(security);
            }
        }
        let (digits, complete) = std::mem::take(&mut context.dialled);
        if complete || !digits.is_empty() {
            machine.dial(now, &digits, complete);
        }
        let mut running = Running::new(context, machine, signaling);
        running.setup_connected();
        let Some(next) = running.run(&mut commands).await else { return };
        context = running.into_context();
        let next = match next {
            Next::Forward(forward) => leg.follow(&forward, at).map(|address| {
                announce(&mut context, &leg, address);
                (address, true)
            }),
            Next::OwnConnection => {
                if let Err(error) = context.to_msp(&ToMsp::StopAll) {
                    tracing::debug!(%error, "the MSP was not told to stop");
                }
                leg.renew().map(|()| (at, false))
            }
        };
        established = match next {
            Ok((address, reuse)) => {
                let wanted = leg.wanted();
                establish::forwarded(&mut context, &mut commands, address, &wanted, reuse).await
            }
            Err(why) => Err(Ended::Failed(DisconnectMode::Unreachable, why)),
        };
    }
}

/// Says where the call goes now.
fn announce(context: &mut Context, leg: &Leg, address: SocketAddr) {
    let to = match &leg.alias {
        Some(alias) => format!("{alias}@{address}"),
        None => address.to_string(),
    };
    tracing::info!(call = context.hd.0, to, "forwarded");
    context.note(CallInfoChange::RedirectionId, |info| {
        let from = info.redirection.take().unwrap_or_else(|| info.called.clone());
        let known =
            info.provider_ids.iter().find(|(key, _)| key == "forwarded").map(|(_, chain)| chain.clone());
        let chain = known.unwrap_or_else(|| from.address.clone());
        info::set_id(info, "forwarded", &format!("{chain} > {to}"));
        info.redirecting = Some(from);
        info.redirection = Some(Party { address: to.clone(), name: None });
    });
    if context.state == Some(LineCallState::Dialing) {
        context.report(LineCallState::Proceeding);
    }
    if let Err(error) = context.to_msp(&ToMsp::StopAll) {
        tracing::debug!(%error, "the MSP was not told to stop");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leg() -> Leg {
        let identity = Identity { call: [1; 16], conference: [2; 16], reference: 3, seed: 4 };
        let alias = Some(Alias::from_text("100"));
        let (goal, params) = (ConferenceGoal::Create, CallParams::default());
        Leg::first(Config::default(), identity, alias, goal, &params, None)
    }

    fn to(kind: ForwardKind) -> Forward {
        Forward { kind, address: None, aliases: Vec::new(), conference_id: None, followed: true }
    }

    const HERE: ([u8; 4], u16) = ([10, 0, 0, 1], 1720);
    const THERE: ([u8; 4], u16) = ([10, 0, 0, 2], 1720);

    #[test]
    fn a_forwarded_call_is_another_call_of_the_same_conference() {
        let mut leg = leg();
        let forward = Forward { address: Some(THERE.into()), ..to(ForwardKind::CallForwarded) };
        assert_eq!(leg.follow(&forward, HERE.into()), Ok(THERE.into()));
        assert_eq!(leg.identity.conference, [2; 16]);
        assert_ne!(leg.identity.call, [1; 16]);
        assert_eq!((leg.alias, leg.goal), (None, ConferenceGoal::Create));
        assert_eq!(leg.redirecting.map(|r| r.number.digits).as_deref(), Some("100"));
    }

    #[test]
    fn an_alias_alone_is_asked_for_where_it_was_named() {
        let mut leg = leg();
        let aliases = vec![Alias::from_text("200")];
        let forward = Forward { aliases, ..to(ForwardKind::CallForwarded) };
        assert_eq!(leg.follow(&forward, HERE.into()), Ok(HERE.into()));
        assert_eq!(leg.alias, Some(Alias::from_text("200")));
    }

    #[test]
    fn a_gatekeeper_is_asked_for_the_same_user() {
        let mut leg = leg();
        let forward = Forward { address: Some(THERE.into()), ..to(ForwardKind::RouteCallToGatekeeper) };
        assert_eq!(leg.follow(&forward, HERE.into()), Ok(THERE.into()));
        assert_eq!((leg.alias, leg.redirecting), (Some(Alias::from_text("100")), None));
    }

    #[test]
    fn a_conference_is_joined_by_its_name() {
        let mut leg = leg();
        let address = Some(THERE.into());
        let forward = Forward { address, conference_id: Some([9; 16]), ..to(ForwardKind::RouteCallToMc) };
        assert_eq!(leg.follow(&forward, HERE.into()), Ok(THERE.into()));
        assert_eq!((leg.identity.conference, leg.goal), ([9; 16], ConferenceGoal::Join));
    }

    #[test]
    fn a_circle_is_not_followed() {
        let mut leg = leg();
        leg.visited.push((THERE.into(), None));
        let forward = Forward { address: Some(THERE.into()), ..to(ForwardKind::CallForwarded) };
        assert!(leg.follow(&forward, HERE.into()).is_err_and(|why| why.contains("circle")));
    }
}
