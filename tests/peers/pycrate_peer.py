#!/usr/bin/env python3
"""A scripted H.323 endpoint that shares no code with offhook.

Every PDU it sends is encoded, and every PDU it receives decoded, by pycrate (PyPI), so that a mistake that offhook's
encoder and decoder agree on still shows. It places one call or answers one, plays a G.711 mu-law tone, keeps what it
hears, and prints one JSON object on standard output.

    pycrate_peer.py call   --to HOST:PORT  --mode slow-tunnel|slow-h245tcp|fast-tunnel|fast-h245tcp [--seconds S]
    pycrate_peer.py answer --listen HOST:PORT --mode ...                          [--ring S] [--hear FILE.ulaw]

Exit status 0: the call connected, sound came and went, and nothing undecodable was received.
"""
import argparse
import json
import math
import os
import select
import socket
import struct
import sys
import time

from pycrate_asn1dir import H225, H245
from pycrate_asn1rt.asnobj_construct import _CONSTRUCT
from pycrate_asn1rt.codecs import ASN1CodecPER
from pycrate_core.utils import TYPE_UINT as T_UINT

UUIE = H225.H323_MESSAGES.H323_UserInformation
H245_PDU = H245.MULTIMEDIA_SYSTEM_CONTROL.MultimediaSystemControlMessage
OLC = H245.MULTIMEDIA_SYSTEM_CONTROL.OpenLogicalChannel
H225_OID = (0, 0, 8, 2250, 0, 4)
H245_OID = (0, 0, 8, 245, 0, 13)
MESSAGES = {0x01: "alerting", 0x02: "callProceeding", 0x03: "progress", 0x05: "setup", 0x07: "connect",
            0x5A: "releaseComplete", 0x62: "facility", 0x6E: "notify", 0x75: "statusInquiry", 0x7B: "information",
            0x7D: "status"}
CODES = {name: code for code, name in MESSAGES.items()}
BODY = {"setup": "setup", "alerting": "alerting", "callProceeding": "callProceeding", "connect": "connect",
        "releaseComplete": "releaseComplete", "facility": "facility", "progress": "progress",
        "information": "information", "notify": "notify", "status": "status", "statusInquiry": "statusInquiry"}


def encode_additions_where_they_belong():
    """pycrate 0.8.1 pads extension additions from the wrong bit offset and announces long bitmaps in the wrong form;
    this replaces the extended branch of its encoder with what X.691 clause 18 says."""
    plain = _CONSTRUCT._to_per

    def to_per(self):
        present = [name for name in (self._ext_nest or []) if name in self._val] if self._ext is not None else []
        if not present:
            return plain(self)
        off = ASN1CodecPER._off
        gen = [(T_UINT, 1, 1)]
        off[-1] += 1
        if self._root_opt:
            gen.append((T_UINT, sum(1 << i for i, name in enumerate(reversed(self._root_opt)) if name in self._val),
                        len(self._root_opt)))
            off[-1] += len(self._root_opt)

        def part(name, encode):
            component = self._cont[name]
            parent, component._parent, component._val = component._parent, self, self._val[name]
            gen.extend(encode(component))
            component._parent = parent

        for name in self._root:
            if name in self._val:
                part(name, lambda c: c._to_per())
        n = len(self._ext_nest)
        if n <= 64:
            gen.append((T_UINT, n - 1, 7))
            off[-1] += 7
        else:
            gen.append((T_UINT, 1, 1))
            off[-1] += 1
            if off[-1] % 8:
                gen.extend(ASN1CodecPER.encode_pad())
            gen.append((T_UINT, n, 8))
            off[-1] += 8
        gen.append((T_UINT, sum(1 << (n - 1 - i) for i, name in enumerate(self._ext_nest) if name in present), n))
        off[-1] += n
        if off[-1] % 8:
            gen.extend(ASN1CodecPER.encode_pad())
        for name in self._ext_nest:
            if name in present:
                part(name, ASN1CodecPER.encode_unconst_open)
        return gen

    _CONSTRUCT._to_per = to_per


def to_octets(kind, value):
    kind.set_val(value)
    return kind.to_aper()


def from_octets(kind, octets):
    kind.from_aper(octets)
    return kind.get_val()


def transport(address):
    return ("ipAddress", {"ip": socket.inet_aton(address[0]), "port": address[1]})


def address_of(value):
    if value[0] in ("unicastAddress",):
        value = value[1]
    if value[0] == "iPAddress":
        return socket.inet_ntoa(value[1]["network"]), value[1]["tsapIdentifier"]
    if value[0] == "ipAddress":
        return socket.inet_ntoa(value[1]["ip"]), value[1]["port"]
    raise ValueError(f"not an IPv4 address: {value}")


def unicast(address):
    return ("unicastAddress", ("iPAddress", {"network": socket.inet_aton(address[0]), "tsapIdentifier": address[1]}))


ULAW = ("audioData", ("g711Ulaw64k", 20))
NULL = ("nullData", 0)


class Peer:
    def __init__(self, args):
        self.args = args
        self.tunnel = args.mode.endswith("tunnel")
        self.fast = args.mode.startswith("fast")
        self.log, self.errors = [], []
        self.crv, self.from_destination = 0x1234, args.what == "answer"
        self.call_id, self.conference_id = os.urandom(16), os.urandom(16)
        self.signal = self.h245 = self.h245_listener = None
        self.buffers = {}
        self.msd_number, self.msd_done = int.from_bytes(os.urandom(3), "big"), False
        self.tcs_sent = self.tcs_acked = self.tcs_seen = self.olc_sent = False
        self.rtp_to, self.rtp_seq, self.rtp_sent, self.heard, self.heard_from = None, 0, 0, bytearray(), set()
        self.connected_at = self.released = None
        self.ended = self.fast_accepted = self.setup_fast = False
        self.bind_media()

    # --- media -------------------------------------------------------------------------------------------------
    def bind_media(self):
        while True:
            self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.rtp.bind(("127.0.0.1", 0))
            port = self.rtp.getsockname()[1]
            self.rtcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                if port % 2 == 0:
                    self.rtcp.bind(("127.0.0.1", port + 1))
                    self.rtp.setblocking(False)
                    self.rtp_at, self.rtcp_at = ("127.0.0.1", port), ("127.0.0.1", port + 1)
                    self.rtcp_count = 0
                    return
            except OSError:
                pass
            self.rtp.close()
            self.rtcp.close()

    def tick_media(self):
        if self.rtp_to is None:
            return
        while self.rtp_sent * 0.02 <= time.monotonic() - self.rtp_began:
            n = self.rtp_sent * 160
            tone = bytes(ulaw(int(8000 * math.sin(2 * math.pi * 440 * (n + i) / 8000))) for i in range(160))
            head = struct.pack("!BBHII", 0x80, 0x80 if self.rtp_sent == 0 else 0, self.rtp_sent & 0xFFFF, n, 0xC0FFEE)
            self.rtp.sendto(head + tone, self.rtp_to)
            self.rtp_sent += 1

    def start_rtp(self, to):
        if self.rtp_to is None:
            self.rtp_to, self.rtp_began = to, time.monotonic()

    # --- Q.931 and H.225.0 -------------------------------------------------------------------------------------
    def send(self, name, body, cause=None, controls=(), fast_start=None, facility_empty=False):
        if fast_start is not None:
            body["fastStart"] = fast_start
        pdu = {"h323-message-body": ("empty", 0) if facility_empty else (BODY[name], body),
               "h245Tunnelling": self.tunnel}
        if controls:
            pdu["h245Control"] = list(controls)
        octets = b"\x05" + to_octets(UUIE, {"h323-uu-pdu": pdu})
        ies = b""
        if name == "setup":
            ies += bytes.fromhex("0403 88c0a5")
        if cause is not None:
            ies += bytes([0x08, 0x02, 0x80, 0x80 | cause])
        if name == "setup":
            ies += b"\x28" + bytes([len(b"pycrate peer")]) + b"pycrate peer"
        ies += b"\x7e" + struct.pack("!H", len(octets)) + octets
        flag = 0x80 if self.from_destination else 0
        q931 = bytes([8, 2, flag | self.crv >> 8, self.crv & 0xFF, CODES[name]]) + ies
        self.signal.sendall(struct.pack("!BBH", 3, 0, len(q931) + 4) + q931)
        self.log.append(f"> {name}")

    def identity(self, **more):
        return {"protocolIdentifier": H225_OID, "callIdentifier": {"guid": self.call_id}, **more}

    def fast_offer(self):
        forward = {"forwardLogicalChannelNumber": 1, "forwardLogicalChannelParameters": {
            "dataType": ULAW, "multiplexParameters": ("h2250LogicalChannelParameters", {
                "sessionID": 1, "mediaControlChannel": unicast(self.rtcp_at)})}}
        reverse = {"forwardLogicalChannelNumber": 2, "forwardLogicalChannelParameters": {
            "dataType": NULL, "multiplexParameters": ("none", 0)},
            "reverseLogicalChannelParameters": {"dataType": ULAW, "multiplexParameters": (
                "h2250LogicalChannelParameters", {"sessionID": 1, "mediaChannel": unicast(self.rtp_at),
                                                  "mediaControlChannel": unicast(self.rtcp_at)})}}
        return [to_octets(OLC, forward), to_octets(OLC, reverse)]

    def place(self):
        self.signal = socket.create_connection(self.args.to, timeout=5)
        self.signal.setblocking(True)
        self.send("setup", self.identity(
            sourceInfo={"terminal": {}, "mc": False, "undefinedNode": False},
            sourceAddress=[("h323-ID", "pycrate")], activeMC=False, conferenceID=self.conference_id,
            conferenceGoal=("create", 0), callType=("pointToPoint", 0),
            sourceCallSignalAddress=transport(self.signal.getsockname()),
            destCallSignalAddress=transport(self.signal.getpeername()),
            mediaWaitForConnect=False, canOverlapSend=False, multipleCalls=False, maintainConnection=False),
            fast_start=self.fast_offer() if self.fast else None)

    def on_fast_start(self, elements):
        self.fast_accepted = True
        for octets in elements:
            olc = from_octets(OLC, octets)
            reverse = olc.get("reverseLogicalChannelParameters")
            if reverse is not None:  # our transmit direction, with where to send, seen from the answerer
                continue
            parameters = olc["forwardLogicalChannelParameters"]["multiplexParameters"][1]
            if "mediaChannel" in parameters and address_of(parameters["mediaChannel"]) != self.rtp_at:
                self.start_rtp(address_of(parameters["mediaChannel"]))
        for octets in elements:
            olc = from_octets(OLC, octets)
            reverse = olc.get("reverseLogicalChannelParameters")
            if reverse is not None:
                parameters = reverse["multiplexParameters"][1]
                if "mediaChannel" in parameters and address_of(parameters["mediaChannel"]) != self.rtp_at:
                    self.start_rtp(address_of(parameters["mediaChannel"]))

    def answer_fast(self, offers):
        """Accepts one mu-law proposal each way; returns the accepted elements."""
        answer, have = [], set()
        for octets in offers:
            olc = from_octets(OLC, octets)
            reverse = olc.get("reverseLogicalChannelParameters")
            if reverse is None:
                forward = olc["forwardLogicalChannelParameters"]
                if forward["dataType"][0] != "audioData" or forward["dataType"][1][0] != "g711Ulaw64k" or 1 in have:
                    continue
                have.add(1)
                forward["multiplexParameters"][1].update(
                    mediaChannel=unicast(self.rtp_at), mediaControlChannel=unicast(self.rtcp_at))
            else:
                if reverse["dataType"][0] != "audioData" or reverse["dataType"][1][0] != "g711Ulaw64k" or 2 in have:
                    continue
                have.add(2)
                parameters = reverse["multiplexParameters"][1]
                self.start_rtp(address_of(parameters["mediaChannel"]))
                parameters["mediaControlChannel"] = unicast(self.rtcp_at)
                parameters.pop("mediaChannel")
            answer.append(to_octets(OLC, olc))
        self.fast_accepted = have == {1, 2}
        return answer

    def on_signal(self, q931):
        if q931[0] != 8 or q931[1] != 2:
            raise ValueError("not a Q.931 message with a two-octet call reference")
        crv, name = struct.unpack("!H", q931[2:4])[0], MESSAGES[q931[4]]
        at, uuie, cause = 5, None, None
        while at < len(q931):
            ie = q931[at]
            if ie & 0x80:
                at += 1
                continue
            if ie == 0x7E:
                n = struct.unpack("!H", q931[at + 1:at + 3])[0]
                if q931[at + 3] != 5:
                    raise ValueError("user-user protocol discriminator is not 5")
                uuie = q931[at + 4:at + 3 + n]
                at += 3 + n
            else:
                if ie == 0x08:
                    cause = q931[at + 1 + q931[at + 1]] & 0x7F
                at += 2 + q931[at + 1]
        if at != len(q931):
            raise ValueError("information elements overrun the message")
        self.log.append(f"< {name}")
        pdu = from_octets(UUIE, uuie)["h323-uu-pdu"]
        kind, body = pdu["h323-message-body"]
        body = body or {}
        if name == "setup":
            self.on_setup(crv, pdu, body)
        if not pdu.get("h245Tunnelling"):
            self.tunnel = False
        if name != "setup" and "fastStart" in body:
            self.on_fast_start(body["fastStart"])
        for octets in pdu.get("h245Control", []):
            self.on_h245(octets)
        if "h245Address" in body and not self.tunnel and self.h245 is None and not self.fast_accepted:
            self.h245 = socket.create_connection(address_of(body["h245Address"]), timeout=5)
            self.begin_h245()
        if name == "connect":
            self.connected_at = time.monotonic()
            if self.tunnel and not self.fast_accepted:
                self.begin_h245()
        if name == "releaseComplete":
            self.released = {"cause": cause, "reason": body.get("reason", (None,))[0]}

    def on_setup(self, crv, pdu, setup):
        self.crv = crv
        self.call_id = setup["callIdentifier"]["guid"]
        self.conference_id = setup["conferenceID"]
        self.tunnel = self.tunnel and bool(pdu.get("h245Tunnelling"))
        self.setup_fast = "fastStart" in setup
        answer = self.answer_fast(setup["fastStart"]) if self.fast and self.setup_fast else None
        destination = {"terminal": {}, "mc": False, "undefinedNode": False}
        self.send("callProceeding", self.identity(destinationInfo=destination))
        self.send("alerting", self.identity(destinationInfo=destination))
        time.sleep(self.args.ring)
        more = {}
        if not self.tunnel and not self.fast_accepted:
            self.h245_listener = socket.create_server(("127.0.0.1", 0))
            more["h245Address"] = transport(self.h245_listener.getsockname())
        self.send("connect", self.identity(destinationInfo=destination, conferenceID=self.conference_id, **more),
                  fast_start=answer)
        self.connected_at = time.monotonic()

    # --- H.245 ---------------------------------------------------------------------------------------------------
    def control(self, kind, value):
        octets = to_octets(H245_PDU, (kind, value))
        self.log.append(f"> {kind}.{value[0]}")
        if self.h245 is not None:
            self.h245.sendall(struct.pack("!BBH", 3, 0, len(octets) + 4) + octets)
        elif self.tunnel:
            self.send("facility", {}, controls=[octets], facility_empty=True)

    def begin_h245(self):
        if self.tcs_sent:
            return
        self.tcs_sent = True
        self.control("request", ("terminalCapabilitySet", {
            "sequenceNumber": 1, "protocolIdentifier": H245_OID,
            "multiplexCapability": ("h2250Capability", {
                "maximumAudioDelayJitter": 250,
                "receiveMultipointCapability": MULTIPOINT, "transmitMultipointCapability": MULTIPOINT,
                "receiveAndTransmitMultipointCapability": MULTIPOINT,
                "mcCapability": {"centralizedConferenceMC": False, "decentralizedConferenceMC": False},
                "rtcpVideoControlCapability": False,
                "mediaPacketizationCapability": {"h261aVideoPacketization": False}}),
            "capabilityTable": [{"capabilityTableEntryNumber": 1,
                                 "capability": ("receiveAudioCapability", ("g711Ulaw64k", 20))}],
            "capabilityDescriptors": [{"capabilityDescriptorNumber": 0, "simultaneousCapabilities": [[1]]}]}))
        self.control("request", ("masterSlaveDetermination",
                                 {"terminalType": 60, "statusDeterminationNumber": self.msd_number}))

    def open_channel(self):
        if self.olc_sent or not (self.tcs_acked and self.tcs_seen and self.msd_done):
            return
        self.olc_sent = True
        self.control("request", ("openLogicalChannel", {
            "forwardLogicalChannelNumber": 101, "forwardLogicalChannelParameters": {
                "dataType": ULAW, "multiplexParameters": ("h2250LogicalChannelParameters", {
                    "sessionID": 1, "mediaControlChannel": unicast(self.rtcp_at), "silenceSuppression": False})}}))

    def on_h245(self, octets):
        kind, (name, value) = from_octets(H245_PDU, octets)
        self.log.append(f"< {kind}.{name}")
        if (kind, name) == ("request", "terminalCapabilitySet"):
            self.control("response", ("terminalCapabilitySetAck", {"sequenceNumber": value["sequenceNumber"]}))
            self.tcs_seen = True
            self.begin_h245()
        elif (kind, name) == ("response", "terminalCapabilitySetAck"):
            self.tcs_acked = True
        elif (kind, name) == ("request", "masterSlaveDetermination"):
            theirs, ours = value["terminalType"], 60
            if theirs == ours:
                master = (value["statusDeterminationNumber"] - self.msd_number) % (1 << 24) >= 1 << 23
                theirs = ours + (1 if master else -1)
            self.control("response", ("masterSlaveDeterminationAck",
                                      {"decision": ("master" if theirs > ours else "slave", 0)}))
        elif (kind, name) == ("response", "masterSlaveDeterminationAck"):
            self.msd_done = True
        elif (kind, name) == ("request", "openLogicalChannel"):
            self.control("response", ("openLogicalChannelAck", {
                "forwardLogicalChannelNumber": value["forwardLogicalChannelNumber"],
                "forwardMultiplexAckParameters": ("h2250LogicalChannelAckParameters", {
                    "sessionID": 1, "mediaChannel": unicast(self.rtp_at),
                    "mediaControlChannel": unicast(self.rtcp_at)})}))
        elif (kind, name) == ("response", "openLogicalChannelAck"):
            parameters = value["forwardMultiplexAckParameters"][1]
            self.start_rtp(address_of(parameters["mediaChannel"]))
        elif (kind, name) == ("request", "roundTripDelayRequest"):
            self.control("response", ("roundTripDelayResponse", {"sequenceNumber": value["sequenceNumber"]}))
        elif (kind, name) == ("request", "closeLogicalChannel"):
            self.control("response", ("closeLogicalChannelAck", {
                "forwardLogicalChannelNumber": value["forwardLogicalChannelNumber"]}))
        elif (kind, name) == ("command", "endSessionCommand"):
            if not self.ended:
                self.ended = True
                self.control("command", ("endSessionCommand", ("disconnect", 0)))
        self.open_channel()

    # --- the loop ------------------------------------------------------------------------------------------------
    def read(self, sock, handle):
        try:
            data = sock.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            return False
        buffer = self.buffers.setdefault(sock, bytearray())
        buffer += data
        while len(buffer) >= 4:
            n = struct.unpack("!BBH", buffer[:4])[2]
            if buffer[0] != 3 or n < 4:
                raise ValueError(f"not a TPKT: {bytes(buffer[:4]).hex()}")
            if len(buffer) < n:
                break
            packet = bytes(buffer[4:n])
            del buffer[:n]
            if packet:
                handle(packet)
        return True

    def run(self):
        if self.args.what == "call":
            self.place()
        else:
            listener = socket.create_server(self.args.listen)
            print("listening", file=sys.stderr, flush=True)
            listener.settimeout(self.args.timeout)
            self.signal, _ = listener.accept()
            listener.close()
        deadline = time.monotonic() + self.args.timeout
        hung_up = False
        while time.monotonic() < deadline and self.released is None:
            socks = [s for s in (self.signal, self.h245, self.h245_listener, self.rtp, self.rtcp) if s is not None]
            ready, _, _ = select.select(socks, [], [], 0.005)
            self.tick_media()
            for sock in ready:
                if sock is self.rtp:
                    packet, source = sock.recvfrom(2048)
                    if len(packet) > 12 and packet[0] >> 6 == 2 and packet[1] & 0x7F == 0:
                        self.heard += packet[12:]
                        self.heard_from.add(source)
                elif sock is self.rtcp:
                    self.rtcp_count += len(sock.recv(2048)) > 0
                elif sock is self.h245_listener:
                    self.h245, _ = sock.accept()
                    self.begin_h245()
                elif sock is self.signal:
                    if not self.read(sock, self.on_signal):
                        self.released = self.released or {"cause": None, "reason": "closed"}
                elif sock is self.h245:
                    if not self.read(sock, self.on_h245):
                        self.h245.close()
                        self.h245 = None
            talked = self.rtp_to is not None and len(self.heard) > 0
            if (self.args.what == "call" and self.connected_at and talked and not hung_up
                    and time.monotonic() - self.connected_at > self.args.seconds):
                hung_up = True
                if self.h245 is not None or (self.tunnel and self.tcs_sent):
                    self.ended = True
                    self.control("command", ("endSessionCommand", ("disconnect", 0)))
                self.send("releaseComplete", self.identity(reason=("undefinedReason", 0)), cause=16)
                self.released = {"cause": 16, "reason": "local"}
        if self.args.hear:
            with open(self.args.hear, "wb") as f:
                f.write(self.heard)


MULTIPOINT = {"multicastCapability": False, "multiUniCastConference": False,
              "mediaDistributionCapability": [{"centralizedControl": False, "distributedControl": False,
                                               "centralizedAudio": False, "distributedAudio": False,
                                               "centralizedVideo": False, "distributedVideo": False}]}


def ulaw(sample):
    """ITU-T G.711 mu-law of a 16-bit sample."""
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), 32635) + 132
    exponent = max(magnitude.bit_length() - 8, 0)
    return ~(sign | exponent << 4 | magnitude >> exponent + 3 & 0x0F) & 0xFF


def endpoint(text):
    host, _, port = text.rpartition(":")
    return host, int(port)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["call", "answer"])
    parser.add_argument("--to", type=endpoint)
    parser.add_argument("--listen", type=endpoint)
    parser.add_argument("--mode", default="slow-tunnel",
                        choices=["slow-tunnel", "slow-h245tcp", "fast-tunnel", "fast-h245tcp"])
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--ring", type=float, default=0.1)
    parser.add_argument("--timeout", type=float, default=20)
    parser.add_argument("--hear")
    args = parser.parse_args()
    encode_additions_where_they_belong()
    peer = Peer(args)
    try:
        peer.run()
    except Exception as error:  # whatever went wrong belongs into the verdict
        peer.errors.append(f"{type(error).__name__}: {error}")
    verdict = {"connected": peer.connected_at is not None, "rtp_sent": peer.rtp_sent,
               "heard_octets": len(peer.heard), "rtcp": peer.rtcp_count, "released": peer.released,
               "fast_offered": peer.setup_fast, "fast_accepted": peer.fast_accepted, "log": peer.log,
               "errors": peer.errors}
    print(json.dumps(verdict))
    good = verdict["connected"] and peer.rtp_sent > 10 and len(peer.heard) > 1600 and not peer.errors
    sys.exit(0 if good and peer.released is not None else 1)


if __name__ == "__main__":
    main()
