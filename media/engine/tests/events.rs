//! Digits (RFC 4733) from one engine to another on a virtual clock.

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use offhook_codecs::CodecKind;
use offhook_engine::simulate::{LinkConfig, Party, link};
use offhook_engine::{
    EventStringError, RxCommand, RxFormat, SenderIdentity, TxCommand, TxEvents, TxFormat, packet_tap,
};
use offhook_rtp::{EventBlock, EventCode, PlannedEvent, ReceivedEvent};
use support::{MS, Setup, World, at, speech};

mod support;

#[global_allocator]
static TRAP: AllocDisabler = AllocDisabler;

const ANNA: &str = "10.0.0.1:5004";
const BERT: &str = "10.0.0.2:5004";
/// What both ends agreed on.
const EVENTS: u8 = 101;

/// Anna speaks to Bert over `there`; Bert knows events.
fn world(there: LinkConfig) -> World {
    let mut world = World::new();
    let back = LinkConfig::perfect(at(BERT));
    let (to_bert, at_bert, _) = link(&world.clock, there);
    let (to_anna, at_anna, _) = link(&world.clock, back);
    world.add(Setup::new(speech(9, 1), BERT, 1), (to_bert, at_anna), Party::default());
    world.add(Setup::new(speech(9, 2), ANNA, 2), (to_anna, at_bert), Party::default());
    world.ends[1].control.rx(RxCommand::SetEventPayloadType(Some(EVENTS))).unwrap();
    world
}

fn dial(digits: &str) -> TxCommand {
    TxCommand::PlayEvents(Box::new(TxEvents::dial(EVENTS, digits, 80, 60, 8_000).unwrap()))
}

fn heard(world: &mut World) -> Vec<ReceivedEvent> {
    std::iter::from_fn(|| world.ends[1].control.next_event()).collect()
}

fn digits(events: &[ReceivedEvent]) -> String {
    events.iter().map(|event| event.code.to_char()).collect()
}

#[test]
fn digits_arrive_once_in_order_with_their_lengths_and_the_sound_keeps_silent_meanwhile() {
    let mut world = world(LinkConfig::perfect(at(ANNA)).delayed_ms(30));
    let (mut packets, tap) = packet_tap(400);
    world.ends[0].control.tx(TxCommand::SetPacketTap(tap)).unwrap();
    world.run_ms(500);
    world.ends[0].control.tx(dial("1*#A!")).unwrap();
    world.run_ms(300);
    assert!(world.ends[0].control.meters().tx().is_playing_events);
    world.run_ms(1_200);
    let events = heard(&mut world);
    assert_eq!(digits(&events), "1*#A!");
    assert!(events.iter().all(|event| event.duration == 640 && event.has_ended && event.volume == 10));
    let begun: Vec<_> = events.windows(2).map(|e| e[1].timestamp.wrapping_sub(e[0].timestamp)).collect();
    assert_eq!(begun, [1_120; 4], "80 ms and 60 ms of pause");

    let tx = world.ends[0].control.meters().tx();
    assert!(!tx.is_playing_events && tx.events_refused == 0);
    // Four updates and two repeats each.
    assert_eq!(tx.event_packets, 30);
    let rx = world.ends[1].control.meters().rx();
    assert_eq!((rx.events, rx.events_lost, rx.receiver.wrong_payload_type), (5, 0, 0));
    assert_eq!((rx.receiver.lost(), rx.receiver.runs.lost, rx.receiver.jitter_ns), (0, 0, 0));

    // On the wire: one numbering without a gap, and the sound's clock goes on over the events.
    let mut sent = Vec::new();
    while let Some(packet) = packets.read() {
        let view = packet.view;
        let block = EventBlock::read(view.payload()).filter(|_| view.payload_type() == EVENTS);
        sent.push((
            view.sequence_number(),
            view.payload_type(),
            view.marker(),
            view.timestamp(),
            block.and_then(|mut blocks| blocks.next()),
        ));
    }
    assert!(sent.windows(2).all(|pair| pair[1].0 == pair[0].0.wrapping_add(1)));
    assert_eq!(sent.iter().filter(|packet| packet.1 == EVENTS && packet.2).count(), 5, "a marker each");
    let sound: Vec<_> = sent.iter().filter(|packet| packet.1 == 0).collect();
    let gaps: Vec<_> = sound
        .windows(2)
        .map(|pair| (pair[1].3.wrapping_sub(pair[0].3), pair[1].2))
        .filter(|(step, _)| *step != 160)
        .collect();
    // From the first digit to the end of the last: four times 140 ms and 80 ms.
    assert_eq!(gaps, [(5_120 + 160, true)], "one silence, and the marker after it");
}

#[test]
fn a_bad_network_loses_no_digit_of_which_a_packet_arrives() {
    for seed in 1..=6 {
        let there = LinkConfig {
            delay_ns: 30 * MS,
            jitter_ns: 40 * MS,
            loss: 0.2,
            duplicates: 0.1,
            seed,
            ..LinkConfig::perfect(at(ANNA))
        };
        let mut world = world(there);
        world.run_ms(400);
        world.ends[0].control.tx(dial("0123456789*#ABCD")).unwrap();
        world.run_ms(4_000);
        // Six packets a digit: one in 15000 is lost whole.
        assert_eq!(digits(&heard(&mut world)), "0123456789*#ABCD", "seed {seed}");
        assert!(world.ends[1].control.meters().rx().receiver.runs.lost > 10);
    }
}

#[test]
fn playing_and_receiving_events_allocates_nothing() {
    let there =
        LinkConfig { loss: 0.1, jitter_ns: 50 * MS, duplicates: 0.1, ..LinkConfig::perfect(at(ANNA)) };
    let mut world = world(there);
    let blocks = |world: &mut World, n: usize| {
        for _ in 0..n {
            assert_no_alloc(|| world.driver.step());
            world.ends.iter_mut().for_each(support::Endpoint::pump);
        }
    };
    blocks(&mut world, 100);
    world.ends[0].control.tx(dial("55555")).unwrap();
    blocks(&mut world, 40);
    world.ends[0].control.tx(TxCommand::CancelEvents).unwrap();
    blocks(&mut world, 40);
    world.ends[0].control.tx(dial("12")).unwrap();
    world.ends[1].control.rx(RxCommand::SetEventPayloadType(None)).unwrap();
    blocks(&mut world, 40);
    world.ends[1].control.rx(RxCommand::SetEventPayloadType(Some(EVENTS))).unwrap();
    blocks(&mut world, 300);
    assert!(!digits(&heard(&mut world)).is_empty());
    let receiver = world.ends[1].control.meters().rx().receiver;
    assert!(receiver.wrong_payload_type > 0, "while no payload type was agreed");
}

#[test]
fn what_cannot_be_dialled_is_told_and_what_finds_no_room_is_counted() {
    let dial = |digits: &str| TxEvents::dial(EVENTS, digits, 80, 60, 8_000);
    assert_eq!(dial("12x"), Err(EventStringError::Character('x')));
    assert_eq!(dial(&"1".repeat(65)), Err(EventStringError::TooLong));
    assert_eq!(TxEvents::dial(128, "1", 80, 60, 8_000), Err(EventStringError::PayloadType(128)));
    assert!(dial("12x").unwrap_err().to_string().contains('x'));

    let mut world = world(LinkConfig::perfect(at(ANNA)));
    for _ in 0..2 {
        let full = TxCommand::PlayEvents(Box::new(dial(&"7".repeat(40)).unwrap()));
        world.ends[0].control.tx(full).unwrap();
    }
    world.run_ms(20);
    assert_eq!(world.ends[0].control.meters().tx().events_refused, 16);
    // Nobody fetches them: 64 wait.
    world.run_ms(9_600);
    let rx = world.ends[1].control.meters().rx();
    assert_eq!((rx.events, rx.events_lost), (64, 0));
    assert_eq!(heard(&mut world).len(), 64);
}

#[test]
fn a_stop_a_restart_and_another_format_leave_no_event_behind() {
    let long = || {
        let code = EventCode::from_char('9').unwrap();
        let event = PlannedEvent { code, volume: 10, duration: 80_000, pause: 0 };
        TxCommand::PlayEvents(Box::new(TxEvents::new(EVENTS, vec![event]).unwrap()))
    };
    let mut world = world(LinkConfig::perfect(at(ANNA)));
    world.run_ms(200);
    world.ends[0].control.tx(long()).unwrap();
    world.run_ms(200);
    world.ends[0].control.tx(TxCommand::Stop).unwrap();
    world.run_ms(100);
    world.ends[0].control.tx(TxCommand::Start).unwrap();
    world.run_ms(400);
    assert!(!world.ends[0].control.meters().tx().is_playing_events);
    let events = heard(&mut world);
    assert_eq!(digits(&events), "9");
    assert!(!events[0].has_ended && (1_000..2_500).contains(&events[0].duration), "{events:?}");

    world.ends[0].control.tx(long()).unwrap();
    world.run_ms(200);
    let identity = SenderIdentity { ssrc: 77, first_sequence_number: 5, first_timestamp: 9 };
    world.ends[0].control.tx(TxCommand::Restart(identity)).unwrap();
    world.ends[1].control.rx(RxCommand::ExpectSourceChange).unwrap();
    world.run_ms(500);
    assert!(!world.ends[0].control.meters().tx().is_playing_events);
    assert_eq!(digits(&heard(&mut world)), "9", "what had come of it");
    world.ends[0].control.tx(dial("4")).unwrap();
    world.run_ms(500);
    let events = heard(&mut world);
    assert_eq!((digits(&events), events[0].duration), ("4".to_owned(), 640));

    // Another codec of the same clock changes nothing.
    world.ends[1]
        .control
        .rx(RxCommand::SetFormat(Box::new(RxFormat::new(CodecKind::Pcma, 8).unwrap())))
        .unwrap();
    world.ends[0].control.tx(dial("67")).unwrap();
    world.run_ms(60);
    world.ends[0]
        .control
        .tx(TxCommand::SetFormat(Box::new(TxFormat::new(CodecKind::Pcma, 8, 30).unwrap())))
        .unwrap();
    world.run_ms(800);
    assert_eq!(digits(&heard(&mut world)), "67");
}
