//! An Opus of its own: audiopus, with the system's libopus or an old copy. A process of its own, because one program
//! that links two copies of libopus has one of them, perhaps the older, without a word.
//! In (standard input): samples, or packets with their lengths before them (16 bits, network order; FFFF is a loss).
//! Out: the other. Samples are 16 bits, little endian.
//! Not here: what is compared (`tests/cross.rs`).

use std::error::Error;
use std::io::{Read, Write};

use audiopus::coder::{Decoder, Encoder};
use audiopus::packet::Packet;
use audiopus::{Application, Bitrate, Channels, MutSignals, SampleRate};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = match words.as_slice() {
        ["version"] => audiopus::version().as_bytes().to_vec(),
        ["decode", rate, samples] => decode(hz(rate)?, samples.parse()?, &input()?)?,
        ["encode", rate, samples, bitrate] => {
            encode(hz(rate)?, samples.parse()?, bitrate.parse()?, &input()?)?
        }
        _ => return Err("version | decode RATE SAMPLES | encode RATE SAMPLES BITRATE".into()),
    };
    std::io::stdout().write_all(&output)?;
    Ok(())
}

fn input() -> Result<Vec<u8>, std::io::Error> {
    let mut input = Vec::new();
    std::io::stdin().read_to_end(&mut input)?;
    Ok(input)
}

fn hz(rate: &str) -> Result<SampleRate, Box<dyn Error>> {
    Ok(SampleRate::try_from(rate.parse::<i32>()?)?)
}

/// `samples` in each packet, lost ones too.
fn decode(rate: SampleRate, samples: usize, mut input: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut decoder = Decoder::new(rate, Channels::Mono)?;
    let mut pcm = vec![0i16; samples];
    let mut output = Vec::new();
    while let Some((length, rest)) = input.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        let signals = MutSignals::try_from(&mut pcm)?;
        let written = if length == 0xFFFF {
            input = rest;
            decoder.decode(None::<Packet<'_>>, signals, false)?
        } else {
            let (packet, rest) = rest.split_at_checked(length).ok_or("a packet is cut off")?;
            input = rest;
            decoder.decode(Some(Packet::try_from(packet)?), signals, false)?
        };
        output.extend(pcm.iter().take(written).flat_map(|sample| sample.to_le_bytes()));
    }
    Ok(output)
}

fn encode(rate: SampleRate, samples: usize, bitrate: i32, input: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut encoder = Encoder::new(rate, Channels::Mono, Application::Voip)?;
    encoder.set_bitrate(Bitrate::BitsPerSecond(bitrate))?;
    let pcm: Vec<i16> = input.as_chunks::<2>().0.iter().map(|octets| i16::from_le_bytes(*octets)).collect();
    let mut packet = [0; 1_275];
    let mut output = Vec::new();
    for pcm in pcm.chunks_exact(samples.max(1)) {
        let length = encoder.encode(pcm, &mut packet)?;
        output.extend(u16::try_from(length)?.to_be_bytes());
        output.extend(packet.iter().take(length));
    }
    Ok(output)
}
