"""What real endpoints do that a naive stack chokes on, a class each: how it differs from an endpoint that behaves.

A scenario is played by name, with an argument after a colon where one is said. In both roles unless it says otherwise.
"""
import asyncio
import struct

import pdu
from endpoint import Peer
from media import DIGITS
from pdu import ALAW, ULAW, audio, forward_channel, reverse_channel, unicast

SCENARIOS = {}


def scenario(kind):
    SCENARIOS[kind.__name__] = kind
    return kind


def named(name):
    if name not in SCENARIOS:
        raise SystemExit(f"no scenario {name!r}; there are {', '.join(SCENARIOS)}")
    return SCENARIOS[name]


# --- the four ways to start ------------------------------------------------------------------------------------------

@scenario
class SlowTunnelled(Peer):
    """H.245 in Facility messages, channels by OpenLogicalChannel."""


@scenario
class SlowSeparate(Peer):
    """H.245 on a connection of its own."""
    tunnel = False


@scenario
class FastTunnelled(Peer):
    """Fast connect; H.245 in Facility messages if the other side begins it."""
    fast = True


@scenario
class FastSeparate(Peer):
    """Fast connect; H.245 on a connection of its own if the other side begins it."""
    fast, tunnel = True, False


# --- fast start may end without any H.245 ----------------------------------------------------------------------------

@scenario
class FastWithoutH245(Peer):
    """After an accepted, tunnelled fast start this side says no H.245 at all and answers none (H323Plus)."""
    fast, mute_h245 = True, True


@scenario
class FastThenStartH245(Peer):
    """Untunnelled, this side sends Facility startH245 and then exchanges nothing on the connection (H323Plus). The
    argument `them`: it connects where the other side's startH245 says, and is as silent."""
    fast, tunnel, mute_h245 = True, False, True

    def start_h245(self):
        self.send("facility", self.body("facility", reason=("startH245", 0), h245Address=pdu.transport(
            self.listen_h245()), conferenceID=self.conference_id))

    async def answer(self):
        self.send("callProceeding")
        if self.argument != "them":
            self.start_h245()
        self.send("alerting")
        await asyncio.sleep(0.05)
        self.connect()

    async def talk(self):
        if self.calls and self.argument != "them":
            self.start_h245()
        await super().talk()
        await self.until("the connection of H.245", lambda: self.h245 is not None)

    def on_h245_address(self, address):
        """Of the two connections that both sides ask for, ours is the one: no other is made."""
        if self.argument == "them":
            super().on_h245_address(address)


# --- the wrappers of tunnelled H.245 ---------------------------------------------------------------------------------

@scenario
class TransportedInformation(Peer):
    """Tunnelled H.245 rides in Facility with the reason transportedInformation (ooh323, Asterisk)."""
    wrapper = "transportedInformation"


@scenario
class Bundled(Peer):
    """Several H.245 messages in one h245Control (H323Plus)."""
    bundled = True


@scenario
class H245InConnect(Peer):
    """Role answer: TerminalCapabilitySet and MasterSlaveDetermination inside Connect (H323Plus)."""

    def connect(self, **more):
        self.tcs_sent = self.msd_sent = True
        self.send("connect", self.body("connect", **more), controls=[
            self.capability_set(self.capabilities()), self.determination()])
        self.on_connected()


@scenario
class H245InSetup(Peer):
    """Role call: both of them inside Setup; beside a fast start if the argument is `fast`."""

    def place(self):
        self.tcs_sent = self.msd_sent = True
        controls = [self.capability_set(self.capabilities()), self.determination()]
        if self.argument == "fast":
            self.fast = True
            return super().place(
                parallelH245Control=[pdu.encode(pdu.H245_PDU, message) for message in controls])
        return super().place(controls)


@scenario
class EndSessionInRelease(Peer):
    """endSession rides in ReleaseComplete."""

    def hang_up(self):
        self.h245_ended = True
        self.release(controls=[("command", ("endSessionCommand", ("disconnect", 0)))])


@scenario
class Joined(Peer):
    """Several TPKTs in one segment."""
    cut = 60_000


@scenario
class Cut(Peer):
    """Segments of so many octets (the argument), wherever a TPKT begins or ends."""

    def __init__(self, job, argument):
        self.cut = int(argument)
        super().__init__(job, argument)


# --- Asterisk --------------------------------------------------------------------------------------------------------

@scenario
class RoundTripBeforeDetermination(Peer):
    """RoundTripDelayRequest before master and slave are determined; the call waits for its answer (Asterisk)."""

    def begin_h245(self):
        if not self.tcs_sent:
            self.tcs_sent = True
            self.control(*self.capability_set(self.capabilities()))
            self.control("request", ("roundTripDelayRequest", {"sequenceNumber": 5}))

    def on_roundTripDelayResponse(self, value):
        super().on_roundTripDelayResponse(value)
        if not self.msd_sent:
            self.facts["determined_before"] = self.msd_done
            self.msd_sent = True
            self.control(*self.determination())

    def on_masterSlaveDetermination(self, value):
        """Theirs is left to ours: Asterisk determines once it has asked for itself."""
        self.theirs = value
        if self.msd_sent:
            super().on_masterSlaveDetermination(value)


@scenario
class ProgressAfterConnect(Peer):
    """Role answer: Progress comes after Connect (Asterisk)."""

    def connect(self, **more):
        super().connect(**more)
        self.send("progress")


@scenario
class CapabilitiesBeforeConnect(Peer):
    """H.245 begins while the called side rings: the caller in a Facility after Setup, the called with Alerting. The
    argument `fast`: the caller's fast start is not answered, nor does anybody wait for answers of H.245."""

    def place(self):
        super().place()
        asyncio.get_running_loop().call_later(0.05, self.begin_h245)

    async def answer(self):
        self.send("callProceeding")
        self.tcs_sent = True
        self.send("alerting", controls=[self.capability_set(self.capabilities())])
        if self.argument != "fast":
            await self.until("an answer to capabilities before Connect", lambda: self.tcs_acked and self.tcs_seen)
        self.facts["before_connect"] = self.tcs_acked
        self.control(*self.determination())
        self.connect()

    def on_connected(self):
        if self.calls:
            self.facts["before_connect"] = self.tcs_acked and self.tcs_seen
        super().on_connected()


@scenario
class FastStartIn(Peer):
    """Role answer: the answer to fast start comes in the messages named, joined by `+` (Asterisk: alerting; ooh323c
    repeats it: alerting+connect)."""
    fast = True

    async def answer(self):
        where = self.argument.split("+")
        for name in ("callProceeding", "alerting", "progress", "facility"):
            more = {"fastStart": self.setup_accepted} if name in where else {}
            if name == "facility" and more:
                self.send(name, self.body(name, reason=("transportedInformation", 0), **more))
            elif name != "facility" and (more or name in ("callProceeding", "alerting")):
                self.send(name, self.body(name, **more))
        await asyncio.sleep(0.05)
        self.connect(fastStart=self.setup_accepted if "connect" in where else None)


@scenario
class TerminalType(Peer):
    """The terminalType of the argument: 50 as H323Plus's, 60 as Asterisk's. Equal ones are decided by the number."""

    def __init__(self, job, argument):
        self.terminal_type = int(argument)
        super().__init__(job, argument)


@scenario
class IdenticalNumbers(Peer):
    """The same terminalType and the same statusDeterminationNumber: nobody is master, and the number is drawn anew."""
    terminal_type = 50

    def begin_h245(self):
        if not self.tcs_sent:
            self.tcs_sent = True
            self.control(*self.capability_set(self.capabilities()))

    def on_masterSlaveDetermination(self, value):
        """The first of theirs comes back as if ours had been the same; from the second on ours is another."""
        number = value["statusDeterminationNumber"]
        if self.facts.setdefault("first", number) == number:
            self.msd_number = number
        else:
            self.facts["drawn_anew"] = True
            self.msd_number = number + 1 & 0xFF_FFFF
        super().on_masterSlaveDetermination(value)


# --- ooh323c ---------------------------------------------------------------------------------------------------------

@scenario
class InformationAfterSetup(Peer):
    """Role call: Information right behind Setup, in the same segment."""
    cut = 60_000

    def place(self):
        super().place()
        self.send("information")


@scenario
class OffersVideo(Peer):
    """Role call: the fast start offer begins with H.264, both ways."""
    fast = True

    def proposals(self):
        video = {"mediaControlChannel": unicast((self.media.host, self.media.rtcp_at[1] + 2))}
        return [forward_channel(7, pdu.H264, session=2, dynamicRTPPayloadType=97, **video),
                reverse_channel(8, pdu.H264, session=2, dynamicRTPPayloadType=97, mediaChannel=unicast(
                    (self.media.host, self.media.rtp_at[1] + 2)), **video), *super().proposals()]


@scenario
class Version(Peer):
    """The H.225.0 version of the argument in protocolIdentifier (ooh323c 4, H323Plus 7), H.245's of its time."""

    def __init__(self, job, argument):
        self.h225_version = int(argument)
        self.h245_version = {2: 3, 3: 5, 4: 7, 5: 9, 6: 13}.get(self.h225_version, 15)
        super().__init__(job, argument)


# --- channels --------------------------------------------------------------------------------------------------------

@scenario
class AlternativesShareANumber(Peer):
    """Role call: the alternatives of a fast start offer, first the one of the argument, have one number a direction."""
    fast = True

    def __init__(self, job, argument):
        self.order = [ALAW, ULAW] if argument == "alaw" else [ULAW, ALAW]
        super().__init__(job, argument)
        self.codec = self.order[0]

    def proposals(self):
        control = {"mediaControlChannel": unicast(self.media.rtcp_at)}
        return [*(forward_channel(101, audio(codec, 30), **control) for codec in self.order),
                *(reverse_channel(101, audio(codec, 30), mediaChannel=unicast(self.media.rtp_at), **control)
                  for codec in self.order)]


@scenario
class ALaw(Peer):
    """Opens its channel with A-law, in session 1 under number 101, as the other side opens its own."""
    codec = ALAW


# --- refusals and names ----------------------------------------------------------------------------------------------

@scenario
class RefusesFastStart(Peer):
    """Role answer: fastConnectRefused in CallProceeding, whether fast start was offered or not."""

    async def answer(self):
        self.send("callProceeding", self.body("callProceeding", fastConnectRefused=0))
        self.send("alerting")
        self.connect()


@scenario
class NulTerminated(Peer):
    """Display, product and version end in NUL."""
    display = b"Peer\0"
    vendor = (9, 0, 61, b"Terminated\0", b"1.0\0")


# --- release ---------------------------------------------------------------------------------------------------------

@scenario
class CrossingRelease(Peer):
    """Sends ReleaseComplete of its own, with another cause, when the other side's has come: they cross."""
    hangs_up = False

    async def part(self):
        self.release(cause=41)
        await self.until_closed()

    async def until_closed(self):
        while not self.signal.closed:
            await asyncio.sleep(0.01)


@scenario
class CauseOnly(Peer):
    """ReleaseComplete with the cause of the argument and no reason: the called before it answers, the caller while it
    rings. `17,bare`: without a User-user element; `17,inConf`: with that reason; `16,connected`: after a talk."""

    def __init__(self, job, argument):
        cause, *self.how = argument.split(",")
        super().__init__(job, argument)
        self.cause = int(cause)

    async def answer(self):
        if "connected" in self.how:
            await super().answer()

    async def course(self):
        if "connected" in self.how:
            await self.until("Connect", lambda: self.connected)
            await self.talk()
        elif self.calls:
            await self.until("Alerting", lambda: "< alerting" in self.log)
        reasons = {"bare": False, "inConf": ("inConf", 0)}
        self.release(reason=next((reasons[how] for how in self.how if how in reasons), None))


# --- bandwidth -------------------------------------------------------------------------------------------------------

@scenario
class InsufficientBandwidth(Peer):
    """Rejects OpenLogicalChannel for want of bandwidth; its own channel stands."""

    def on_openLogicalChannel(self, value):
        number = value["forwardLogicalChannelNumber"]
        self.channel_numbers["theirs"].append(number)
        self.control("response", ("openLogicalChannelReject", {
            "forwardLogicalChannelNumber": number, "cause": ("insufficientBandwidth", 0)}))

    async def talk(self):
        await self.until("an OpenLogicalChannel", lambda: self.channel_numbers["theirs"])
        await self.until("sound out", lambda: self.media.sent >= self.enough)


@scenario
class FlowControl(Peer):
    """Lets the other side send nothing for a while: FlowControlCommand with a rate of 0 for its channel, or for all of
    them with the argument `whole`; then without a restriction."""

    def limit(self, restriction):
        channel = ("logicalChannelNumber", self.channel_numbers["theirs"][-1])
        scope = ("wholeMultiplex", 0) if self.argument == "whole" else channel
        self.control("command", ("flowControlCommand", {"scope": scope, "restriction": restriction}))

    async def talk(self):
        await super().talk()
        await self.until("a channel of theirs", lambda: self.channel_numbers["theirs"])
        self.limit(("maximumBitRate", 0))
        # What was under way still comes; then there is silence, however long it takes on a busy machine.
        while True:
            heard, sent = self.media.received, self.media.sent
            await asyncio.sleep(0.5)
            if self.media.received == heard or self.media.received > 2_000:
                break
        self.facts["heard_in_pause"] = self.media.received - heard
        self.facts["sent_in_pause"] = self.media.sent - sent
        self.limit(("noRestriction", 0))
        await super().talk()


# --- copies of packets within later ones (RFC 2198) ------------------------------------------------------------------

@scenario
class Redundancy(Peer):
    """Takes mu-law with copies and says so: in its capability table, or with the argument `multiplex` in h2250Capability.
    Sends it with one copy, each sixth packet not at all. `refuse`: rejects a channel with copies after all."""
    NUMBER = 121
    ULAW_ENTRY = 1

    def __init__(self, job, argument):
        super().__init__(job, argument)
        self.facts |= {"copies_right": 0, "copies_wrong": 0, "refused": 0}
        self.theirs_under, self.last, self.own = None, None, {}
        self.media.on_rtp, self.media.send = self.on_rtp, self.send_rtp

    def capabilities(self):
        content = super().capabilities()
        cap = {"redundancyEncodingMethod": ("rtpAudioRedundancyEncoding", 0), "primaryEncoding": self.ULAW_ENTRY,
               "secondaryEncoding": [self.ULAW_ENTRY]}
        if self.argument == "multiplex":
            kind, value = content["multiplexCapability"]
            content["multiplexCapability"] = kind, {**value, "redundancyEncodingCapability": [cap]}
        else:
            table = content["capabilityTable"]
            number = len(table) + 1
            table.append({"capabilityTableEntryNumber": number, "capability": ("redundancyEncodingCap", cap)})
            content["capabilityDescriptors"][0]["simultaneousCapabilities"][0].append(number)
        return content

    def open_channel(self):
        if self.open_channels or not (self.tcs_acked and self.tcs_seen and self.msd_done):
            return
        number = next(self.channels)
        self.open_channels[number] = False
        self.channel_numbers["ours"].append(number)
        element = {"dataType": audio(ULAW), "payloadType": 0}
        data = ("redundancyEncoding", {
            "redundancyEncodingMethod": ("rtpAudioRedundancyEncoding", 0),
            "rtpRedundancyEncoding": {"primary": element, "secondary": [element]}})
        self.control("request", ("openLogicalChannel", forward_channel(
            number, data, mediaControlChannel=unicast(self.media.rtcp_at), silenceSuppression=False,
            dynamicRTPPayloadType=self.NUMBER)))

    def on_openLogicalChannel(self, value):
        _, data, parameters = pdu.parts_of(value)
        if data[0] != "redundancyEncoding":
            return super().on_openLogicalChannel(value)
        number, rtp = value["forwardLogicalChannelNumber"], data[1]["rtpRedundancyEncoding"]
        if self.argument == "refuse":
            self.facts["refused"] += 1
            return self.control("response", ("openLogicalChannelReject", {
                "forwardLogicalChannelNumber": number, "cause": ("dataTypeNotSupported", 0)}))
        self.facts["told"] = [rtp["primary"]["dataType"][1][0], rtp["primary"]["payloadType"], len(rtp["secondary"])]
        self.theirs_under = parameters["dynamicRTPPayloadType"]
        plain = {**value, "forwardLogicalChannelParameters": {
            **value["forwardLogicalChannelParameters"], "dataType": rtp["primary"]["dataType"]}}
        super().on_openLogicalChannel(plain)

    def send_rtp(self, payload_type, marker, timestamp, payload):
        media = self.media
        head = b"\0" if self.last is None else struct.pack(
            "!BBH", 0x80, (timestamp - self.last[0]) >> 6,
            ((timestamp - self.last[0]) & 0x3F) << 10 | len(self.last[1])) + b"\0" + self.last[1]
        self.last = timestamp, payload
        if media.sent % 6 == 5:
            media.sequence = media.sequence + 1 & 0xFFFF
        else:
            type(media).send(media, self.NUMBER, marker, timestamp, head + payload)

    def on_rtp(self, data, addr):
        if data[1] & 0x7F != self.theirs_under:
            return type(self.media).on_rtp(self.media, data, addr)
        (timestamp,), rest, blocks = struct.unpack("!I", data[4:8]), data[12:], []
        while rest[0] & 0x80:
            kind, fields = rest[0] & 0x7F, int.from_bytes(rest[1:4], "big")
            blocks.append((kind, fields >> 10, fields & 0x3FF))
            rest = rest[4:]
        kind, rest = rest[0], rest[1:]
        for copied, offset, length in blocks:
            copy, rest = rest[:length], rest[length:]
            right = copied == kind and self.own.get(timestamp - offset & 0xFFFF_FFFF) == copy
            self.facts["copies_right" if right else "copies_wrong"] += 1
        self.own[timestamp] = rest
        type(self.media).on_rtp(self.media, data[:1] + bytes([data[1] & 0x80 | kind]) + data[2:12] + rest, addr)


# --- packets ---------------------------------------------------------------------------------------------------------

@scenario
class Framing(Peer):
    """Packets of so many samples (the argument, joined by `+`, in turn) where 20 ms were agreed; after a comma in
    another codec, and after another with the `fast` clock that some give G.722."""

    def __init__(self, job, argument):
        framing, *more = argument.split(",")
        self.framing = [int(n) for n in framing.split("+")]
        self.codec = more[0] if more else ULAW
        super().__init__(job, argument)
        self.media.clock_speed = 2 if "fast" in more else 1

    async def talk(self):
        """As long as any talk, in samples."""
        packets = self.enough * 160 * len(self.framing) // sum(self.framing)
        await self.until("sound both ways", lambda: self.media.sent >= packets and self.media.received >= self.enough)


@scenario
class OneOctetDatagrams(Peer):
    """Datagrams of one octet reach the RTP and RTCP ports of the other side, as H323Plus wakes itself."""
    strays = 20

    async def talk(self):
        await self.until("a channel to send in", lambda: self.media.to is not None)
        host, port = self.media.to
        for _ in range(self.strays):
            self.media.rtp.sendto(b"\0", (host, port))
            self.media.rtcp.sendto(b"\0", (host, port + 1))
            await asyncio.sleep(0.02)
        await super().talk()


# --- pause -----------------------------------------------------------------------------------------------------------

@scenario
class EmptyCapabilitySet(Peer):
    """A pause by a third party: an empty TerminalCapabilitySet, while this side goes on sending; then the full one
    again, and channels under new numbers. The argument `both`: this side's channel is closed and opened anew too."""

    async def talk(self):
        await super().talk()
        await self.until("their capabilities", lambda: self.tcs_acked and self.tcs_seen)
        before = list(self.channel_numbers["theirs"])
        self.control(*self.capability_set({}))
        await self.until("the close of their channel", lambda: not self.their_channels)
        await self.until("the empty set's answer", lambda: self.tcs_acked)
        if self.argument == "both":
            self.media.stop()
            number = self.channel_numbers["ours"][-1]
            self.control("request", ("closeLogicalChannel", {
                "forwardLogicalChannelNumber": number, "source": ("user", 0)}))
            await self.until("the close of our channel", lambda: not self.open_channels)
        # What was under way when the channel closed may still come; then there is silence.
        await asyncio.sleep(0.1)
        heard, sent = self.media.received, self.media.sent
        await asyncio.sleep(0.4)
        self.facts["heard_in_pause"] = self.media.received - heard
        self.facts["sent_in_pause"] = self.media.sent - sent
        self.facts["opened_in_pause"] = len(self.channel_numbers["theirs"]) - len(before)
        self.control(*self.capability_set(self.capabilities()))
        await self.until("another channel", lambda: self.their_channels)
        await super().talk()

    def on_terminalCapabilitySetAck(self, value):
        super().on_terminalCapabilitySetAck(value)
        self.facts["acknowledged"] = value["sequenceNumber"]

    def open_channel(self):
        """In a pause that `both` keep, not before capabilities are back."""
        if self.tcs_number != 2:
            super().open_channel()


@scenario
class Held(Peer):
    """The other side holds this one by an empty set, and takes it back. This side closes its channel and answers; the
    argument `late`: it answers first; `keeps`: it goes on sending all the while. Then everything begins anew: sets, roles,
    channels under new numbers."""
    held = False

    def our_numbers(self):
        return list(self.open_channels) or ([self.fast_number] if self.fast_accepted else [])

    def fall_silent(self):
        if self.argument == "keeps":
            return
        self.media.stop()
        for number in self.our_numbers():
            self.open_channels[number] = True
            self.control("request", ("closeLogicalChannel", {
                "forwardLogicalChannelNumber": number, "source": ("user", 0)}))

    def on_terminalCapabilitySet(self, value):
        empty = "capabilityTable" not in value
        self.facts.setdefault("sets", []).append("empty" if empty else "full")
        if empty:
            self.held = True
            if self.argument != "late":
                self.fall_silent()
            self.control("response", ("terminalCapabilitySetAck", {"sequenceNumber": value["sequenceNumber"]}))
            if self.argument == "late":
                self.fall_silent()
            return
        if self.held:
            # As just after H.245 was established (H.323 8.4.6), but for the channels that are open.
            self.held = self.fast_accepted = False
            self.facts["sent_in_hold"] = self.media.sent - self.facts.get("sent_before", 0)
            self.facts["heard_in_hold"] = self.media.received - self.facts.get("heard_before", 0)
            self.tcs_sent = self.tcs_acked = self.msd_sent = self.msd_acknowledged = self.msd_done = False
            self.facts.pop("master", None)
        super().on_terminalCapabilitySet(value)

    def open_channel(self):
        if not self.held:
            super().open_channel()

    async def talk(self):
        await self.until("the hold", lambda: self.held)
        if self.media.sent < 10 or self.media.received < 10:
            self.wrong(f"{self.media.sent} packets sent and {self.media.received} received before the hold")
        quiet = lambda: not self.their_channels and (self.argument == "keeps" or not self.open_channels)
        await self.until("the close of all channels", quiet)
        # What was under way when the channels closed may still come; then there is silence.
        await asyncio.sleep(0.1)
        self.facts["heard_before"], self.facts["sent_before"] = self.media.received, self.media.sent
        await self.until("the end of the hold", lambda: not self.held)
        await self.until("another channel", lambda: self.their_channels)
        await super().talk()


# --- names -----------------------------------------------------------------------------------------------------------

@scenario
class Aliases(Peer):
    """Says which aliases came in Setup, and who is connected; has a number, a name and a URL itself."""
    aliases = [("dialledDigits", "4711"), ("h323-ID", "4711b"), ("url-ID", "h323:peer@example.org")]

    def on_setup(self, setup):
        super().on_setup(setup)
        self.facts["source"] = [list(alias) for alias in setup.get("sourceAddress", [])]
        self.facts["destination"] = [list(alias) for alias in setup.get("destinationAddress", [])]

    def on_message(self, name, body, elements):
        super().on_message(name, body, elements)
        if name == "connect":
            self.facts["connected"] = [list(alias) for alias in body.get("connectedAddress", [])]


# --- digits ----------------------------------------------------------------------------------------------------------

@scenario
class Takes(Peer):
    """Takes digits by the ways of the argument, joined by `+`, and says so: rfc2833, signal,
    alphanumeric (which needs no saying), none of H.245 (`fast`, and mute). Goes on until the other side hangs up."""
    hangs_up = False
    KNOWN = {"signal": "dtmf", "alphanumeric": "basicString"}

    def __init__(self, job, argument):
        ways = argument.split("+")
        self.user_input = [self.KNOWN[way] for way in ways if way in self.KNOWN]
        self.fast = self.mute_h245 = "none" in ways
        if "asterisk" in ways:
            self.vendor = (184, 0, 39, b"ooh323", b"v0.8.3m")
        super().__init__(job, argument)
        if "rfc2833" in ways:
            self.telephone_events = self.media.event_type = 101

    async def talk(self):
        """The other side says when it is done."""


@scenario
class ReturnsSignals(Takes):
    """Announces signals, and returns each as not supported."""

    def __init__(self, job, argument):
        super().__init__(job, "signal")

    def on_userInput(self, value):
        if value[0] == "signal":
            self.facts["returned"] = self.facts.get("returned", 0) + 1
            returned = pdu.encode(pdu.H245_PDU, ("indication", ("userInput", value)))
            self.control("indication", ("functionNotSupported", {
                "cause": ("unknownFunction", 0), "returnedFunction": returned}))
        else:
            super().on_userInput(value)


@scenario
class Dials(Peer):
    """Sends every key by the way of the argument: rfc2833, signal, alphanumeric, text (alphanumeric, all in one),
    keypad; `twice` each key by signal and in RTP, as the signal says."""
    user_input = ("dtmf", "basicString")
    telephone_events = 101

    async def talk(self):
        await super().talk()
        if self.argument == "text":
            self.user("alphanumeric", DIGITS)
        else:
            for key in DIGITS:
                await getattr(self, f"by_{self.argument}")(key)
        # The last press is told a while after its end, where it may have come by two ways.
        await super().talk()

    def user(self, name, content):
        self.control("indication", ("userInput", (name, content)))

    async def by_rfc2833(self, key):
        await self.media.press(key, self.their_event_type)

    async def by_signal(self, key):
        self.user("signal", {"signalType": key, "duration": 60})
        await asyncio.sleep(0.01)

    async def by_alphanumeric(self, key):
        self.user("alphanumeric", key)
        await asyncio.sleep(0.01)

    async def by_keypad(self, key):
        self.send("information", elements=[(pdu.KEYPAD, key.encode())])
        await asyncio.sleep(0.01)

    async def by_twice(self, key):
        self.user("signal", {"signalType": key, "duration": 100, "rtpPayloadIndication": 0})
        await self.media.press(key, self.their_event_type)
