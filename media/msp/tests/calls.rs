//! Two MSP addresses talk over loopback sockets, as a TSP tells them to.

mod support;

use offhook_pair::{Codec, ToMsp};
use support::*;

#[test]
fn a_file_played_at_one_end_is_recorded_at_the_other_and_the_numbers_agree() {
    let dir = tempfile::tempdir().unwrap();
    let (mut a, mut b) = (End::new(), End::new());
    let source = write_sound(&dir.path().join("source.wav"), 8_000, 1.0);
    let played = a.play(&dir.path().join("source.wav"));
    let recorded = b.record(&dir.path().join("heard.wav"));
    assert_eq!(a.status(played).first_sample_at, None, "not before the stream");
    pause(50);
    join(&mut a, &mut b, Codec::Pcma);
    until("the file has ended", || a.status(played).finished);
    pause(300);
    let (sent, received) = (a.sent(), b.received());
    let (at_a, at_b) = (a.status(played), b.status(recorded));
    for end in [&a, &b] {
        end.tell(&ToMsp::StopAll).unwrap();
    }
    b.msp.release_terminal(recorded).unwrap();
    let heard = read_sound(&dir.path().join("heard.wav"));

    assert_eq!((at_a.samples, at_a.sample_rate), (8_000, 8_000));
    assert!(at_b.samples as usize <= heard.len() && heard.len() < at_b.samples as usize + 1_600);
    assert_eq!(sent.codec.as_deref(), Some("PCMA"));
    assert!(sent.packets >= 50 && sent.octets == sent.packets * 160, "{sent:?}");
    assert!(received.packets + 3 >= sent.packets && received.lost == 0, "{received:?}");
    assert_eq!((received.late, received.duplicate, received.dropped, sent.dropped), (0, 0, 0, 0));
    assert!(received.samples > 8_000 && received.first_packet_at > sent.first_packet_at);
    assert!(received.first_sound_at >= received.first_packet_at);
    assert_eq!(received.remote, sent.local);
    assert_eq!(sent.remote, received.local);

    // What was played is there, sample by sample but for the codec and playout's adaptation.
    let lag = (at_a.first_sample_at.unwrap().0 as i64 - at_b.first_sample_at.unwrap().0 as i64) / 125_000;
    let best = (0..heard.len() - 4_000)
        .min_by_key(|from| {
            source[2_000..3_000]
                .iter()
                .zip(&heard[*from..])
                .map(|(s, h)| i64::from(*s).abs_diff(i64::from(*h)))
                .sum::<u64>()
        })
        .unwrap() as i64;
    let delay = best - 2_000 - lag;
    assert!((0..4_000).contains(&delay), "mouth to ear {delay} samples");
    let error: Vec<i16> =
        source[2_000..3_000].iter().zip(&heard[best as usize..]).map(|(s, h)| s.saturating_sub(*h)).collect();
    let ratio = level_dbfs(&source[2_000..3_000]) - level_dbfs(&error);
    assert!(ratio > 25.0, "speech is {ratio:.1} dB above the error");
}
