"""The octets of H.323, by pycrate: nothing of offhook's is used, so that a mistake that offhook's encoder and decoder
agree on still shows.

In: values in pycrate's notation, octets. Out: octets, values. Not here: what to say when (endpoint.py).
"""
import socket
import struct

from pycrate_asn1dir import H225, H245
from pycrate_asn1rt.asnobj_construct import _CONSTRUCT
from pycrate_asn1rt.codecs import ASN1CodecPER
from pycrate_core.utils import TYPE_UINT as T_UINT

UUIE = H225.H323_MESSAGES.H323_UserInformation
H245_PDU = H245.MULTIMEDIA_SYSTEM_CONTROL.MultimediaSystemControlMessage
OLC = H245.MULTIMEDIA_SYSTEM_CONTROL.OpenLogicalChannel

MESSAGES = {0x01: "alerting", 0x02: "callProceeding", 0x03: "progress", 0x05: "setup", 0x07: "connect",
            0x5A: "releaseComplete", 0x62: "facility", 0x6E: "notify", 0x75: "statusInquiry", 0x7B: "information",
            0x7D: "status"}
CODES = {name: code for code, name in MESSAGES.items()}
BEARER, CAUSE, DISPLAY, KEYPAD, USER_USER = 0x04, 0x08, 0x28, 0x2C, 0x7E

ULAW, ALAW = "g711Ulaw64k", "g711Alaw64k"
NULL_DATA = ("nullData", 0)


class Wrong(Exception):
    """The other side said something that it must not say."""


# --- pycrate's encoder, put right ------------------------------------------------------------------------------------

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


encode_additions_where_they_belong()


def encode(kind, value):
    kind.set_val(value)
    return kind.to_aper()


def decode(kind, octets):
    """The value. What was said must be the one encoding of it, to the last octet."""
    octets = bytes(octets)
    kind.from_aper(octets)
    value = kind.get_val()
    again = encode(kind, value)
    if again != octets:
        raise Wrong(f"{kind._name} {octets.hex()} is encoded as {again.hex()}")
    return value


# --- TPKT and Q.931 --------------------------------------------------------------------------------------------------

def tpkt(payload):
    return struct.pack("!BBH", 3, 0, len(payload) + 4) + payload


def q931(reference, name, elements, uuie):
    """A message; `elements` are (identifier, contents), `uuie` is what UUIE encodes or None."""
    octets = bytes([8, 2]) + struct.pack("!H", reference) + bytes([CODES[name]])
    for identifier, contents in elements:
        octets += bytes([identifier, len(contents)]) + contents
    if uuie is not None:
        contents = b"\x05" + encode(UUIE, {"h323-uu-pdu": uuie})
        octets += bytes([USER_USER]) + struct.pack("!H", len(contents)) + contents
    return octets


def parse_q931(octets):
    """(call reference, name, {identifier: contents}, h323-uu-pdu)."""
    if octets[0] != 8 or octets[1] != 2:
        raise Wrong("not a Q.931 message with a two-octet call reference")
    reference, name = struct.unpack("!H", octets[2:4])[0], MESSAGES[octets[4]]
    at, elements, last = 5, {}, -1
    while at < len(octets):
        identifier = octets[at]
        if identifier & 0x80:
            at += 1
            continue
        if identifier <= last:
            raise Wrong(f"{name}: element {identifier:#x} after {last:#x}")
        last = identifier
        size = 2 if identifier == USER_USER else 1
        length = int.from_bytes(octets[at + 1:at + 1 + size], "big")
        elements[identifier] = octets[at + 1 + size:at + 1 + size + length]
        at += 1 + size + length
    if at != len(octets):
        raise Wrong(f"{name}: information elements overrun the message")
    user_user = elements.pop(USER_USER, None)
    if user_user is None:
        raise Wrong(f"{name} without a User-user element")
    if user_user[0] != 5:
        raise Wrong("user-user protocol discriminator is not 5")
    return reference, name, elements, decode(UUIE, user_user[1:])["h323-uu-pdu"]


def cause_of(element):
    return None if element is None else element[1] & 0x7F


# --- addresses -------------------------------------------------------------------------------------------------------

def transport(address):
    """A TransportAddress of H.225.0."""
    return ("ipAddress", {"ip": socket.inet_aton(address[0]), "port": address[1]})


def unicast(address):
    """A TransportAddress of H.245."""
    return ("unicastAddress", ("iPAddress", {"network": socket.inet_aton(address[0]), "tsapIdentifier": address[1]}))


def address_of(value):
    if value[0] == "unicastAddress":
        value = value[1]
    if value[0] == "iPAddress":
        return socket.inet_ntoa(value[1]["network"]), value[1]["tsapIdentifier"]
    if value[0] == "ipAddress":
        return socket.inet_ntoa(value[1]["ip"]), value[1]["port"]
    raise Wrong(f"not an IPv4 address: {value}")


# --- channels --------------------------------------------------------------------------------------------------------

def audio(codec, milliseconds=20):
    if codec == "gsmFullRate":
        return ("audioData", (codec, {
            "audioUnitSize": milliseconds // 20 * 33, "comfortNoise": False, "scrambled": False}))
    return ("audioData", (codec, milliseconds))


def forward_channel(number, data, session=1, **parameters):
    return {"forwardLogicalChannelNumber": number, "forwardLogicalChannelParameters": {
        "dataType": data, "multiplexParameters": ("h2250LogicalChannelParameters", {
            "sessionID": session, **parameters})}}


def reverse_channel(number, data, session=1, **parameters):
    return {"forwardLogicalChannelNumber": number, "forwardLogicalChannelParameters": {
        "dataType": NULL_DATA, "multiplexParameters": ("none", 0)},
        "reverseLogicalChannelParameters": {"dataType": data, "multiplexParameters": (
            "h2250LogicalChannelParameters", {"sessionID": session, **parameters})}}


def parts_of(channel):
    """(whether it is a reverse channel, its dataType, its H.225.0 parameters)."""
    reverse = channel.get("reverseLogicalChannelParameters")
    side = reverse or channel["forwardLogicalChannelParameters"]
    return reverse is not None, side["dataType"], side["multiplexParameters"][1]


# H.264 as H.241 has it: baseline, level 1.2.
H264 = ("videoData", ("genericVideoCapability", {
    "capabilityIdentifier": ("standard", (0, 0, 8, 241, 0, 0, 1)), "maxBitRate": 3840,
    "collapsing": [
        {"parameterIdentifier": ("standard", 41), "parameterValue": ("booleanArray", 64)},
        {"parameterIdentifier": ("standard", 42), "parameterValue": ("unsignedMin", 29)}]}))

NO_MULTIPOINT = {"multicastCapability": False, "multiUniCastConference": False,
                 "mediaDistributionCapability": [{"centralizedControl": False, "distributedControl": False,
                                                  "centralizedAudio": False, "distributedAudio": False,
                                                  "centralizedVideo": False, "distributedVideo": False}]}

H2250_CAPABILITY = ("h2250Capability", {
    "maximumAudioDelayJitter": 250, "receiveMultipointCapability": NO_MULTIPOINT,
    "transmitMultipointCapability": NO_MULTIPOINT, "receiveAndTransmitMultipointCapability": NO_MULTIPOINT,
    "mcCapability": {"centralizedConferenceMC": False, "decentralizedConferenceMC": False},
    "rtcpVideoControlCapability": False, "mediaPacketizationCapability": {"h261aVideoPacketization": False},
    "logicalChannelSwitchingCapability": False, "t120DynamicPortCapability": False})
