//! Discovery and registration, the gatekeeper's side (GRQ, RRQ, URQ and their answers).
//! In: requests. Out: answers, rows of the table.

use std::net::SocketAddr;
use std::time::Duration;

use offhook_wire::h225::{
    AlternateGK, GatekeeperConfirm, GatekeeperReject, GatekeeperRejectReason, GatekeeperRequest, RasMessage,
    RegistrationConfirm, RegistrationConfirmPreGrantedARQ, RegistrationReject, RegistrationRejectReason,
    RegistrationRequest, SupportedProtocols, UnregRejectReason, UnregistrationConfirm, UnregistrationReject,
    UnregistrationRequest,
};
use offhook_wire::per::BmpString;

use super::table::EndpointRow;
use super::{Answer, DuplicateAliases, Gatekeeper, GatekeeperEvent, Leaving};
use crate::Alias;
use crate::address::{alias_from, aliases_from, aliases_to, from_h225, to_h225};
use crate::h235::SecurityFailure;
use crate::product::PROTOCOL_IDENTIFIER;
use crate::ras::message::text;

impl Gatekeeper {
    pub(super) fn on_gatekeeper_request(&mut self, source: SocketAddr, grq: &GatekeeperRequest) -> Answer {
        let number = grq.request_seq_num;
        let identifier = BmpString::from(self.config.identifier.as_str());
        let reject = |reason| {
            let mut grj = GatekeeperReject::new(number, PROTOCOL_IDENTIFIER, reason);
            grj.gatekeeper_identifier = Some(identifier.clone());
            Answer::plain(RasMessage::GatekeeperReject(Box::new(grj)))
        };
        if grq.gatekeeper_identifier.as_ref().is_some_and(|wanted| text(wanted) != self.config.identifier) {
            self.tell(GatekeeperEvent::Refused(source, "GRQ for another gatekeeper".to_owned()));
            return reject(GatekeeperRejectReason::TerminalExcluded);
        }
        let method = match self.choose(grq) {
            Ok(method) => method,
            Err(failure) => {
                self.tell(GatekeeperEvent::Refused(source, format!("GRQ: {failure}")));
                return reject(GatekeeperRejectReason::SecurityDenial);
            }
        };
        let mut gcf = GatekeeperConfirm::new(number, PROTOCOL_IDENTIFIER, to_h225(self.params.ras_address));
        gcf.gatekeeper_identifier = Some(identifier);
        gcf.authentication_mode = method.map(|method| method.mechanism());
        gcf.algorithm_oid = method.map(|method| method.algorithm());
        gcf.alternate_gatekeeper = self.alternates();
        Answer::plain(RasMessage::GatekeeperConfirm(Box::new(gcf)))
    }

    fn alternates(&self) -> Option<Vec<AlternateGK>> {
        let list = self.config.alternates.iter().map(|alternate| {
            let address = to_h225(alternate.address);
            let mut wire = AlternateGK::new(address, alternate.need_to_register, alternate.priority.min(127));
            wire.gatekeeper_identifier = alternate.identifier.as_deref().map(BmpString::from);
            wire
        });
        let list: Vec<_> = list.collect();
        (!list.is_empty()).then_some(list)
    }

    fn registration_reject(&self, number: u16, reason: RegistrationRejectReason) -> Answer {
        let mut rrj = RegistrationReject::new(number, PROTOCOL_IDENTIFIER, reason);
        rrj.gatekeeper_identifier = Some(self.config.identifier.as_str().into());
        Answer::plain(RasMessage::RegistrationReject(Box::new(rrj)))
    }

    pub(super) fn on_registration_request(
        &mut self,
        now: Duration,
        source: SocketAddr,
        octets: &[u8],
        message: &mut RasMessage,
    ) -> Option<Answer> {
        let RasMessage::RegistrationRequest(rrq) = &*message else {
            return None;
        };
        let rrq = RegistrationRequest::clone(rrq);
        let number = rrq.request_seq_num;
        if rrq.gatekeeper_identifier.as_ref().is_some_and(|wanted| text(wanted) != self.config.identifier) {
            return Some(self.registration_reject(number, RegistrationRejectReason::DiscoveryRequired));
        }
        let known = rrq.endpoint_identifier.as_ref().map(text).and_then(|identifier| {
            self.table.endpoint(&identifier).filter(|row| row.ras_address == source).cloned()
        });
        let light = rrq.keep_alive == Some(true);
        let adds = light || rrq.additive_registration.is_some();
        if adds && known.is_none() {
            self.tell(GatekeeperEvent::Refused(source, "a keep-alive of nobody".to_owned()));
            return Some(
                self.registration_reject(number, RegistrationRejectReason::FullRegistrationRequired),
            );
        }
        let registered = known.as_ref().and_then(|row| Some((row.identifier.as_str(), row.user.as_deref()?)));
        // Who keeps or adds to a registration proves itself as it did; a full RRQ may come with another method.
        let under = known.as_ref().and_then(|row| row.method).filter(|_| adds);
        let proved = match self.authenticate(now, octets, message, registered, under) {
            Ok(proved) => proved,
            Err(failure) => {
                self.counters.denied = self.counters.denied.saturating_add(1);
                self.tell(GatekeeperEvent::Refused(source, format!("RRQ: {failure}")));
                let reason = match failure {
                    SecurityFailure::Missing => RegistrationRejectReason::SecurityDenial,
                    other => RegistrationRejectReason::SecurityError(other.to_errors()),
                };
                return Some(self.registration_reject(number, reason));
            }
        };
        if light && let Some(row) = known {
            return Some(self.refresh(now, number, row, &rrq));
        }
        Some(self.register(now, source, &rrq, known, proved))
    }

    fn lifetime(&self, wanted: Option<u32>) -> Duration {
        let most = self.config.time_to_live.max(Duration::from_secs(1));
        let wanted = wanted.map_or(most, |seconds| Duration::from_secs(seconds.into()));
        wanted.max(self.config.least_time_to_live).min(most)
    }

    fn refresh(&mut self, now: Duration, number: u16, row: EndpointRow, rrq: &RegistrationRequest) -> Answer {
        let ttl = self.lifetime(rrq.time_to_live);
        if let Some(row) = self.table.endpoint_mut(&row.identifier) {
            row.expires = now.saturating_add(ttl);
        }
        self.counters.refreshed = self.counters.refreshed.saturating_add(1);
        self.confirm(number, &row, ttl)
    }

    fn confirm(&self, number: u16, row: &EndpointRow, ttl: Duration) -> Answer {
        let mut rcf = RegistrationConfirm::new(
            number,
            PROTOCOL_IDENTIFIER,
            self.params.signal_address.into_iter().map(to_h225).collect(),
            row.identifier.as_str().into(),
        );
        rcf.terminal_alias = aliases_to(&row.aliases);
        rcf.gatekeeper_identifier = Some(self.config.identifier.as_str().into());
        rcf.time_to_live = Some(ttl.as_secs().clamp(1, u64::from(u32::MAX)) as u32);
        rcf.alternate_gatekeeper = self.alternates();
        rcf.will_respond_to_irr = Some(true);
        rcf.maintain_connection = Some(false);
        rcf.supports_additive_registration = Some(());
        let granted = self.config.pre_granted;
        if granted.make_call || granted.answer_call {
            let mut wire = RegistrationConfirmPreGrantedARQ::new(
                granted.make_call,
                granted.make_by_gatekeeper,
                granted.answer_call,
                granted.answer_by_gatekeeper,
            );
            wire.total_bandwidth_restriction = granted.total_bandwidth;
            wire.irr_frequency_in_call =
                granted.irr_interval.map(|interval| interval.as_secs().clamp(1, 65_535) as u16);
            rcf.pre_granted_arq = Some(wire);
        }
        Answer::to_endpoint(RasMessage::RegistrationConfirm(Box::new(rcf)), row)
    }

    fn register(
        &mut self,
        now: Duration,
        source: SocketAddr,
        rrq: &RegistrationRequest,
        known: Option<EndpointRow>,
        proved: Option<(String, crate::Method)>,
    ) -> Answer {
        let number = rrq.request_seq_num;
        let signal: Vec<SocketAddr> = rrq.call_signal_address.iter().take(8).filter_map(from_h225).collect();
        if signal.is_empty() {
            return self.registration_reject(number, RegistrationRejectReason::InvalidCallSignalAddress);
        }
        let mut aliases = aliases_from(rrq.terminal_alias.as_ref());
        aliases.truncate(self.config.limits.aliases);
        let additive = rrq.additive_registration.is_some();
        let user = proved.as_ref().map(|(user, _)| user.as_str());
        // Who has registered from this address before does so anew; so does who takes the same calls at the same address.
        // Another user does neither: a row is its user's, and its aliases are taken.
        let before = known.filter(|row| row.user.as_deref() == user).or_else(|| {
            let shares = |row: &EndpointRow| row.aliases.iter().any(|alias| aliases.contains(alias));
            let same = |row: &&EndpointRow| {
                row.ras_address == source || (row.signal_addresses == signal && shares(row))
            };
            self.table.endpoints().filter(|row| row.user.as_deref() == user).find(same).cloned()
        });
        // Another user's name is not to be had.
        let name = |alias: &Alias| self.users.iter().any(|known| known.name == alias.to_string());
        let foreign = |alias: &&Alias| user.is_some_and(|user| name(alias) && alias.to_string() != user);
        if aliases.iter().any(|alias| foreign(&alias)) {
            self.tell(GatekeeperEvent::Refused(source, "RRQ with another user's alias".to_owned()));
            return self.registration_reject(number, RegistrationRejectReason::SecurityDenial);
        }
        let own = before.as_ref().map(|row| row.identifier.as_str());
        let taken: Vec<(Alias, String)> = aliases
            .iter()
            .filter_map(|alias| Some((alias.clone(), self.table.owner(alias)?.to_owned())))
            .filter(|(_, owner)| Some(owner.as_str()) != own)
            .collect();
        if !taken.is_empty() && self.config.duplicates == DuplicateAliases::Reject {
            let list: Vec<Alias> = taken.into_iter().map(|(alias, _)| alias).collect();
            self.tell(GatekeeperEvent::Refused(source, "RRQ with an alias that is taken".to_owned()));
            let wire = aliases_to(&list).unwrap_or_default();
            return self.registration_reject(number, RegistrationRejectReason::DuplicateAlias(wire));
        }
        for (_, owner) in taken {
            self.unregister(now, &owner);
        }
        if before.is_none() && self.table.count() >= self.config.limits.endpoints {
            self.counters.limited = self.counters.limited.saturating_add(1);
            return self.registration_reject(number, RegistrationRejectReason::ResourceUnavailable);
        }
        let ttl = self.lifetime(rrq.time_to_live);
        let identifier = match &before {
            Some(row) => row.identifier.clone(),
            None => self.next_identifier(),
        };
        if additive {
            self.table.add_aliases(&identifier, &aliases, self.config.limits.aliases);
        } else {
            let vendor = &rrq.endpoint_vendor;
            let words = [&vendor.product_id, &vendor.version_id].into_iter().flatten();
            let product = words.map(|word| String::from_utf8_lossy(word).trim_end_matches('\0').to_owned());
            self.table.insert(EndpointRow {
                identifier: identifier.clone(),
                ras_address: source,
                signal_addresses: signal,
                aliases,
                prefixes: prefixes(rrq),
                product: product.collect::<Vec<_>>().join(" "),
                user: proved.as_ref().map(|(user, _)| user.clone()),
                method: proved.map(|(_, method)| method),
                since: now,
                expires: now.saturating_add(ttl),
                almost_out: false,
            });
        }
        if rrq.restart.is_some() {
            self.end_calls_of(&identifier);
        }
        let Some(row) = self.table.endpoint(&identifier).cloned() else {
            return self.registration_reject(number, RegistrationRejectReason::UndefinedReason);
        };
        self.counters.registered = self.counters.registered.saturating_add(1);
        self.tell(GatekeeperEvent::Registered(Box::new(row.clone())));
        self.confirm(number, &row, ttl)
    }

    fn next_identifier(&mut self) -> String {
        loop {
            // Long enough that nobody guesses another endpoint's.
            let identifier = format!("{:016x}", self.random.next());
            if self.table.endpoint(&identifier).is_none() {
                return identifier;
            }
        }
    }

    pub(super) fn on_unregistration_request(
        &mut self,
        source: SocketAddr,
        urq: &UnregistrationRequest,
    ) -> Answer {
        let number = urq.request_seq_num;
        let named = urq.endpoint_identifier.as_ref().map(text);
        let found = match &named {
            Some(identifier) => self.table.endpoint(identifier).filter(|row| row.ras_address == source),
            None => self.table.endpoints().find(|row| row.ras_address == source),
        };
        let Some(row) = found.cloned() else {
            let why = UnregRejectReason::NotCurrentlyRegistered;
            let urj = UnregistrationReject::new(number, why);
            return Answer::plain(RasMessage::UnregistrationReject(Box::new(urj)));
        };
        let ucf = RasMessage::UnregistrationConfirm(Box::new(UnregistrationConfirm::new(number)));
        let answer = Answer::to_endpoint(ucf, &row);
        let aliases = aliases_from(urq.endpoint_alias.as_ref());
        let all = aliases.is_empty() || self.table.remove_aliases(&row.identifier, &aliases);
        if all {
            self.forget_endpoint(&row.identifier, Leaving::Asked);
        }
        answer
    }
}

fn prefixes(rrq: &RegistrationRequest) -> Vec<String> {
    let protocols = rrq.terminal_type.gateway.iter().flat_map(|gateway| gateway.protocol.iter().flatten());
    let prefixes = protocols.take(8).flat_map(|protocol| match protocol {
        SupportedProtocols::Voice(caps) => caps.supported_prefixes.as_deref().unwrap_or_default(),
        SupportedProtocols::H323(caps) => caps.supported_prefixes.as_deref().unwrap_or_default(),
        _ => &[],
    });
    let digits = prefixes.take(32).filter_map(|prefix| match alias_from(&prefix.prefix)? {
        Alias::DialedDigits(digits) => Some(digits),
        _ => None,
    });
    digits.collect()
}
