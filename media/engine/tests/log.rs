//! What the two halves have to say: records that control reads, each change once. (A full trash: `src/trash.rs`.)

use offhook_engine::simulate::{LinkConfig, Party, link};
use offhook_engine::{LogEvent, SendOutcome};
use support::{Endpoint, MS, Setup, World, at, speech};

mod support;

const ANNA: &str = "10.0.0.1:5004";
const BERT: &str = "10.0.0.2:5004";

fn said(end: &mut Endpoint) -> Vec<LogEvent> {
    std::iter::from_fn(|| end.control.next_log()).map(|record| record.event).collect()
}

#[test]
fn whom_a_half_hears_and_whether_it_is_let_send_is_told_once_each() {
    let mut world = World::new();
    let narrow = LinkConfig { capacity: 3, delay_ns: 200 * MS, ..LinkConfig::perfect(at(ANNA)) };
    let (a_tx, b_rx, to_bert) = link(&world.clock, narrow);
    let (b_tx, a_rx, _) = link(&world.clock, LinkConfig::perfect(at(BERT)));
    world.add(Setup::new(speech(2, 1), BERT, 1), (a_tx, a_rx), Party::default());
    world.add(Setup::new(speech(2, 2), ANNA, 2), (b_tx, b_rx), Party::default());
    world.run_ms(100);
    let anna = said(&mut world.ends[0]);
    assert_eq!(
        anna,
        [LogEvent::SendingFails(SendOutcome::WouldBlock), LogEvent::Peer(at(BERT)), LogEvent::Source(2)]
    );
    to_bert.set(LinkConfig::perfect(at(ANNA)));
    world.run_ms(1_000);
    assert_eq!(said(&mut world.ends[0]), [LogEvent::SendingWorks]);
    assert_eq!(said(&mut world.ends[1]), [LogEvent::Peer(at(ANNA)), LogEvent::Source(1)]);
}
