//! One RAS client on a bench: the test plays its gatekeeper by hand.
//! In: messages. Out: what the client answers, its events.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use offhook_h323::{Ras, RasConfig, RasEvent, RasParams, RasState};
use offhook_wire::h225::{
    GatekeeperConfirm, RasMessage, RegistrationConfirm, TransportAddress, TransportAddressIpAddress,
};
use offhook_wire::per::{self, Oid};

use super::{EPOCH, SECOND, client_at, config, keeper_at, signal_at};

pub(crate) const V7: Oid = Oid::new(&[0, 0, 8, 2250, 0, 7]);

pub(crate) fn wire(address: SocketAddr) -> TransportAddress {
    let SocketAddr::V4(v4) = address else { panic!("IPv4") };
    TransportAddress::IpAddress(TransportAddressIpAddress::new(v4.ip().octets(), v4.port()))
}

pub(crate) struct Bench {
    pub(crate) ras: Ras,
    pub(crate) now: Duration,
    /// Every datagram that the client sent.
    pub(crate) sent: Vec<Bytes>,
}

impl Bench {
    pub(crate) fn new(config: RasConfig) -> Self {
        let params = RasParams {
            ras_address: client_at(1),
            signal_addresses: vec![signal_at(1)],
            unix_epoch: EPOCH,
            seed: 7,
        };
        Self { ras: Ras::new(config, params), now: SECOND * 10, sent: Vec::new() }
    }

    /// A client that is registered as `endpoint`, with an RCF that the test has changed.
    pub(crate) fn registered(change: impl FnOnce(&mut RegistrationConfirm)) -> Self {
        Self::registered_as(config(keeper_at(1), "alice"), change)
    }

    pub(crate) fn registered_as(config: RasConfig, change: impl FnOnce(&mut RegistrationConfirm)) -> Self {
        let mut bench = Self::new(config);
        bench.ras.start(bench.now);
        let RasMessage::GatekeeperRequest(grq) = bench.take() else { panic!("GRQ") };
        let mut gcf = GatekeeperConfirm::new(grq.request_seq_num, V7, wire(keeper_at(1)));
        gcf.gatekeeper_identifier = Some("gk".into());
        gcf.algorithm_oid = grq.algorithm_oids.and_then(|list| list.first().cloned());
        bench.give(RasMessage::GatekeeperConfirm(Box::new(gcf)));
        let RasMessage::RegistrationRequest(rrq) = bench.take() else { panic!("RRQ") };
        bench.confirm(rrq.request_seq_num, change);
        assert_eq!(bench.ras.state(), RasState::Registered, "{:?}", bench.ras.why_not(bench.now));
        bench.events();
        bench
    }

    pub(crate) fn confirm(&mut self, number: u16, change: impl FnOnce(&mut RegistrationConfirm)) {
        let signal = vec![wire(([10, 0, 0, 1], 1721).into())];
        let mut rcf = RegistrationConfirm::new(number, V7, signal, "endpoint".into());
        rcf.gatekeeper_identifier = Some("gk".into());
        rcf.time_to_live = Some(600);
        change(&mut rcf);
        self.give(RasMessage::RegistrationConfirm(Box::new(rcf)));
    }

    /// The next message that the client sends.
    pub(crate) fn take(&mut self) -> RasMessage {
        self.poll().expect("a message")
    }

    pub(crate) fn poll(&mut self) -> Option<RasMessage> {
        let transmit = self.ras.poll_transmit()?;
        self.sent.push(transmit.bytes.clone());
        Some(per::decode::<RasMessage>(&transmit.bytes).expect("RAS").into_value())
    }

    pub(crate) fn give(&mut self, message: RasMessage) {
        self.give_from(keeper_at(1), message);
    }

    pub(crate) fn give_from(&mut self, source: SocketAddr, message: RasMessage) {
        let octets = per::encode(&message).expect("RAS");
        self.ras.handle_datagram(self.now, source, &octets);
    }

    pub(crate) fn events(&mut self) -> Vec<RasEvent> {
        std::iter::from_fn(|| self.ras.poll_event()).collect()
    }

    /// Lets time pass, timer by timer.
    pub(crate) fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.ras.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.ras.handle_timeout(self.now);
        }
        self.now = end;
    }
}
