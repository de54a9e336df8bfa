"""The sound of the scripted endpoint: RTP and RTCP ports, G.711, a tone to send, what is heard, telephone-events.

In: where to send and how to cut it into packets; datagrams. Out: datagrams, what was heard and how long a tone lasted.
"""
import asyncio
import collections
import itertools
import math
import os
import pathlib
import socket
import struct

RATE = 8_000
OWN_TONE = 440
DIGITS = "0123456789*#ABCD"
PIECE = RATE // 20


def ulaw(sample):
    """ITU-T G.711 mu-law of a 16-bit sample."""
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), 32635) + 132
    exponent = max(magnitude.bit_length() - 8, 0)
    return ~(sign | exponent << 4 | magnitude >> exponent + 3 & 0x0F) & 0xFF


def from_ulaw(octet):
    octet = ~octet & 0xFF
    magnitude = (((octet & 0x0F) << 3) + 132 << (octet >> 4 & 7)) - 132
    return -magnitude if octet & 0x80 else magnitude


def alaw(sample):
    """ITU-T G.711 A-law of a 16-bit sample."""
    magnitude = (sample if sample >= 0 else ~sample) >> 4
    segment = max(magnitude.bit_length() - 4, 0)
    octet = segment << 4 | (magnitude >> max(segment - 1, 0)) & 0x0F
    return (octet | (0x80 if sample >= 0 else 0)) ^ 0x55


def from_alaw(octet):
    octet ^= 0x55
    segment, magnitude = octet >> 4 & 7, (octet & 0x0F) << 4 | 8
    if segment:
        magnitude = magnitude + 0x100 << segment - 1
    return magnitude if octet & 0x80 else -magnitude


def tone(encode):
    """One turn of the tone: 11 periods of 440 Hz are 200 samples."""
    return bytes(encode(int(8_000 * math.sin(2 * math.pi * OWN_TONE / RATE * n))) for n in range(200))


def encoded(name):
    """A second of the tone as ffmpeg encodes it: sine=frequency=440 with -c:a g722 or libgsm, from 0.5 s to 1.5 s."""
    return (pathlib.Path(__file__).parent / name).read_bytes()


# A decoder is needed for what we announce that we receive. A unit cannot be cut; its samples are RTP's, of 8 kHz.
Codec = collections.namedtuple("Codec", "payload_type tone decode unit_samples unit_octets", defaults=(None, 1, 1))
CODECS = {"g711Ulaw64k": Codec(0, tone(ulaw), from_ulaw), "g711Alaw64k": Codec(8, tone(alaw), from_alaw),
          "g722-64k": Codec(9, encoded("tone-440.g722")), "gsmFullRate": Codec(3, encoded("tone-440.gsm"), None, 160, 33)}


def milliseconds_of(hz, samples):
    """For how long `samples` are a tone of `hz` and little else, by pieces of 50 ms (Goertzel)."""
    found = 0
    for at in range(0, len(samples) - PIECE + 1, PIECE):
        piece = samples[at:at + PIECE]
        energy = sum(s * s for s in piece)
        turn = 2 * math.pi * hz / RATE
        re = sum(s * math.cos(turn * n) for n, s in enumerate(piece))
        im = sum(s * math.sin(turn * n) for n, s in enumerate(piece))
        loud = energy > PIECE * 300 ** 2
        if loud and 2 * (re * re + im * im) > 0.8 * PIECE * energy:
            found += 50
    return found


class Port(asyncio.DatagramProtocol):
    def __init__(self, taken):
        self.taken = taken

    def datagram_received(self, data, addr):
        self.taken(data, addr)


class Media:
    """One audio session: a pair of ports, one stream out, whatever comes in."""

    def __init__(self, host, wrong):
        self.host, self.wrong = host, wrong
        self.to = self.codec = self.task = None
        self.framing = (160,)
        # 2: time stamps at twice the rate that RFC 3551 gives the codec.
        self.clock_speed = 1
        self.sent = self.received = self.rtcp_received = 0
        self.heard = {}          # payload type: octets
        self.sources = set()
        self.digits = []         # by telephone-events
        self.event_type = None   # the payload type that we take telephone-events under
        self.events = set()
        self.muted = False
        self.sequence, self.clock = int.from_bytes(os.urandom(2), "big"), int.from_bytes(os.urandom(4), "big")
        self.source = os.urandom(4)

    async def open(self):
        loop = asyncio.get_running_loop()
        while True:
            rtp, rtcp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
            try:
                rtp.bind((self.host, 0))
                port = rtp.getsockname()[1]
                if port % 2 == 0:
                    rtcp.bind((self.host, port + 1))
                    break
            except OSError:
                pass
            rtp.close()
            rtcp.close()
        self.rtp_at, self.rtcp_at = (self.host, port), (self.host, port + 1)
        self.rtp, _ = await loop.create_datagram_endpoint(lambda: Port(self.on_rtp), sock=rtp)
        self.rtcp, _ = await loop.create_datagram_endpoint(lambda: Port(self.on_rtcp), sock=rtcp)

    def close(self):
        self.stop()
        self.rtp.close()
        self.rtcp.close()

    # --- out -----------------------------------------------------------------------------------------------------

    def start(self, to, codec):
        """Sends the tone from now on; to another place if it is under way."""
        self.to, self.codec = to, codec
        if self.task is None:
            self.task = asyncio.get_running_loop().create_task(self.play())

    def stop(self):
        if self.task is not None:
            self.task.cancel()
            self.task = None

    async def play(self):
        loop = asyncio.get_running_loop()
        began, played, framing = loop.time(), 0, itertools.cycle(self.framing)
        while True:
            samples = next(framing)
            await asyncio.sleep(began + (played + samples) / RATE - loop.time())
            codec = CODECS[self.codec]
            if not self.muted:
                at, length = (n // codec.unit_samples * codec.unit_octets for n in (played, samples))
                sound = bytes(codec.tone[n % len(codec.tone)] for n in range(at, at + length))
                self.send(codec.payload_type, self.sent == 0, self.clock, sound)
                self.sent += 1
            played += samples
            self.clock = self.clock + samples * self.clock_speed & 0xFFFF_FFFF

    def send(self, payload_type, marker, timestamp, payload):
        head = struct.pack("!BBHI", 0x80, marker << 7 | payload_type, self.sequence, timestamp) + self.source
        self.sequence = self.sequence + 1 & 0xFFFF
        self.rtp.sendto(head + payload, self.to)

    async def press(self, digit, payload_type):
        """A key as telephone-events (RFC 4733): 100 ms in updates of 20, the end thrice. The sound pauses meanwhile."""
        self.muted = True
        timestamp = self.clock
        for update in range(1, 8):
            end, duration = update > 4, min(update, 5) * 160
            self.send(payload_type, update == 1, timestamp,
                      struct.pack("!BBH", DIGITS.index(digit), end << 7 | 10, duration))
            if update < 5:
                await asyncio.sleep(0.02)
        self.muted = False
        await asyncio.sleep(0.06)

    # --- in ------------------------------------------------------------------------------------------------------

    def on_rtp(self, data, addr):
        if len(data) < 12 or data[0] != 0x80:
            return self.wrong(f"RTP of an unexpected form: {data[:12].hex()}")
        payload_type, timestamp = data[1] & 0x7F, data[4:8]
        self.sources.add(addr)
        self.received += 1
        if payload_type == self.event_type:
            if timestamp not in self.events:
                self.events.add(timestamp)
                self.digits.append(DIGITS[data[12]])
        else:
            self.heard.setdefault(payload_type, bytearray()).extend(data[12:])

    def on_rtcp(self, data, addr):
        self.rtcp_received += 1
        if len(data) < 8 or data[0] >> 6 != 2:
            self.wrong(f"not RTCP: {data[:8].hex()}")

    def heard_milliseconds(self, hz):
        """For how long `hz` was heard, by payload type."""
        known = {codec.payload_type: (name, codec.decode) for name, codec in CODECS.items() if codec.decode}
        found = {}
        for payload_type, octets in self.heard.items():
            name, decode = known.get(payload_type, (f"payload type {payload_type}", None))
            if decode is None:
                self.wrong(f"RTP of {name}, which was not announced")
            else:
                found[name] = milliseconds_of(hz, [decode(octet) for octet in octets])
        return found
