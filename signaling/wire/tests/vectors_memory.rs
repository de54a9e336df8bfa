//! Memory: decoding allocates no more than its budget, whatever the octets announce.
//! In: the vectors of `vectors_common` and messages made to inflate. Every allocation is counted.

mod vectors_common;

use bytes::Bytes;
use offhook_wire::per::{self, Kind as Fault, MEMORY_FLOOR, MEMORY_PER_OCTET};
use offhook_wire::{h225, h245};
use vectors_common::{decode_as_everything, vectors};

/// Error and path, the message's own reference count, and what does not depend on the message.
const SLACK: u64 = 6 * 1024;

fn budget(octets: &Bytes) -> u64 {
    (octets.len() * MEMORY_PER_OCTET).max(MEMORY_FLOOR) as u64 + SLACK
}

/// The octets that `work` allocates in total.
fn allocated(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).bytes_total
}

#[test]
fn no_vector_takes_more_memory_than_its_budget() {
    for vector in vectors() {
        for decode in [
            (|octets| drop(per::decode::<h225::RasMessage>(octets))) as fn(&Bytes),
            |octets| drop(per::decode::<h225::H323UserInformation>(octets)),
            |octets| drop(per::decode::<h245::MultimediaSystemControlMessage>(octets)),
            |octets| drop(per::decode::<h245::OpenLogicalChannel>(octets)),
        ] {
            let total = allocated(|| decode(&vector.octets));
            assert!(total <= budget(&vector.octets), "{}: {total} octets", vector.id);
        }
    }
}

#[test]
fn a_list_of_small_elements_does_not_inflate() {
    // An LCF full of alternate endpoints without any member: two octets each on the wire, some
    // hundred in memory.
    let mut confirm = h225::LocationConfirm::new(
        1,
        h225::TransportAddress::IpAddress(h225::TransportAddressIpAddress { ip: [127, 0, 0, 1], port: 1 }),
        h225::TransportAddress::IpAddress(h225::TransportAddressIpAddress { ip: [127, 0, 0, 1], port: 2 }),
    );
    confirm.alternate_endpoints = Some(vec![h225::Endpoint::default(); 16_000]);
    let octets = per::encode(&h225::RasMessage::LocationConfirm(confirm.into())).expect("encodes");
    let octets = Bytes::from(octets);
    let total = allocated(|| {
        let error = per::decode::<h225::RasMessage>(&octets).expect_err("too large");
        assert_eq!(error.kind(), Fault::TooLarge);
        assert_eq!(error.path(), "locationConfirm.alternateEndpoints");
    });
    assert!(total <= budget(&octets), "{total} octets for a message of {}", octets.len());
}

#[test]
fn announced_lengths_allocate_nothing_by_themselves() {
    for announced in [0xc4, 0xc1, 0xbf, 0xff, 0x7f] {
        for fill in [0x00, 0x55, 0xff] {
            for at in 0..64 {
                let mut octets = vec![fill; 80];
                octets[at] = announced;
                let octets = Bytes::from(octets);
                let total = allocated(|| decode_as_everything(&octets));
                assert!(total <= 5 * budget(&octets), "{total} octets");
            }
        }
    }
}

#[test]
fn open_types_in_fragments_inside_each_other_are_paid_for() {
    // Each level of an open type of 16K or more is joined into a copy of its own.
    let mut value = vec![0u8; 60_000];
    for _ in 0..8 {
        let mut writer = Vec::new();
        let mut left = &value[..];
        while left.len() >= 16_384 {
            let blocks = (left.len() / 16_384).min(4);
            writer.push(0xc0 | blocks as u8);
            writer.extend_from_slice(&left[..blocks * 16_384]);
            left = &left[blocks * 16_384..];
        }
        writer.extend([0x80 | (left.len() >> 8) as u8, left.len() as u8]);
        writer.extend_from_slice(left);
        value = writer;
    }
    for head in [&[0x18, 0x00][..], &[0x2c, 0x00, 0x04, 0x82], &[0x10, 0x80], &[0x62, 0x82, 0xe0]] {
        let octets = Bytes::from([head, &value].concat());
        let total = allocated(|| decode_as_everything(&octets));
        assert!(total <= 5 * budget(&octets), "{total} octets");
    }
}
