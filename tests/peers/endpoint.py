"""A scripted H.323 endpoint: it behaves, and what a scenario wants otherwise is overridden (scenarios.py).

In: TPKTs, RTP, what the job says. Out: TPKTs, RTP, a verdict. Every PDU goes through pycrate (pdu.py).

    the caller    course: place ─▶ Setup … Connect ─▶ talk ─▶ endSession, ReleaseComplete
    the called    course: Setup ─▶ answer: CallProceeding, Alerting, Connect ─▶ talk ─▶ the same
    H.245         begin_h245 when it is time; on_h245_* for each message; a channel once both sides are ready
"""
import asyncio
import itertools
import os
import socket
import struct

import pdu
from media import DIGITS, Media
from pdu import ALAW, ULAW, Wrong, address_of, audio, forward_channel, parts_of, reverse_channel, transport, unicast

class Link:
    """A TCP connection that carries TPKTs; `cut` says in what segments they leave."""

    def __init__(self, peer, reader, writer, handle):
        self.peer, self.reader, self.writer, self.handle = peer, reader, writer, handle
        self.closed = False
        self.waiting, self.sender = bytearray(), None
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.task = asyncio.get_running_loop().create_task(self.read())

    def send(self, payload):
        if self.closed:
            return
        octets = pdu.tpkt(payload)
        if self.peer.cut is None:
            self.writer.write(octets)
            return
        self.waiting += octets
        if self.sender is None:
            self.sender = asyncio.get_running_loop().create_task(self.send_cut())

    async def send_cut(self):
        """What comes up within a moment leaves in pieces of `cut` octets, wherever a TPKT begins."""
        await asyncio.sleep(0.03)
        while self.waiting and not self.closed:
            piece = bytes(self.waiting[:self.peer.cut])
            del self.waiting[:self.peer.cut]
            self.writer.write(piece)
            await asyncio.sleep(0.0005)
        self.sender = None

    async def sent(self):
        """Returns once everything has left."""
        while self.waiting and not self.closed:
            await asyncio.sleep(0.005)

    async def read(self):
        buffer = bytearray()
        try:
            while data := await self.reader.read(65_536):
                buffer += data
                while len(buffer) >= 4:
                    length = struct.unpack("!BBH", buffer[:4])[2]
                    if buffer[0] != 3 or length < 4:
                        raise Wrong(f"not a TPKT: {bytes(buffer[:4]).hex()}")
                    if len(buffer) < length:
                        break
                    packet = bytes(buffer[4:length])
                    del buffer[:length]
                    if packet:
                        self.handle(packet)
            if buffer:
                raise Wrong(f"the connection ended within a TPKT: {bytes(buffer).hex()}")
        except ConnectionError:
            pass
        except Exception as error:
            self.peer.wrong(f"{type(error).__name__}: {error}")
        self.closed = True

    def close(self):
        self.closed = True
        self.task.cancel()
        self.writer.close()


class Peer:
    # How calls start.
    fast, tunnel = False, True
    codec = ULAW
    h225_version, h245_version = 7, 13
    terminal_type = 60
    # T.35 country, extension, manufacturer, productId, versionId.
    vendor = None
    display = b"pycrate peer"
    aliases = [("h323-ID", "pycrate")]
    # The Facility that carries H.245: the body `empty`, or this reason.
    wrapper = None
    # All H.245 messages of a turn in one h245Control, or each in a message of its own.
    bundled = False
    # TCP segments of so many octets, wherever TPKTs begin; None: a segment each.
    cut = None
    # Says no H.245 and answers none.
    mute_h245 = False
    # The channel of fast connect in which we send.
    fast_number = 1
    # What H.245 says that we take as user input.
    user_input = ("dtmf",)
    telephone_events = None
    hangs_up = True
    cause = 16
    framing = (160,)

    def __init__(self, job, argument):
        self.job, self.argument = job, argument
        self.calls = job["role"] == "call"
        # How many packets each way make a talk.
        self.enough = job["packets"]
        self.log, self.errors, self.facts = [], [], {}
        self.reference, self.call_id, self.conference_id = 0x1234, os.urandom(16), os.urandom(16)
        self.signal = self.h245 = self.h245_server = self.setup = self.their_capabilities = None
        self.msd_number = int.from_bytes(os.urandom(3), "big")
        self.msd_sent = self.msd_acknowledged = self.msd_done = False
        self.tcs_number, self.tcs_sent, self.tcs_acked, self.tcs_seen = 0, False, False, False
        self.channels = itertools.count(101)
        self.open_channels, self.their_channels, self.channel_numbers = {}, {}, {"ours": [], "theirs": []}
        self.connected = self.fast_offered = self.fast_accepted = self.fast_refused = False
        self.h245_connecting = self.h245_ended = False
        self.released, self.release_sent = None, False
        self.waiting_h245, self.flushing = [], None
        self.digits = []
        self.media = Media(job.get("host", "127.0.0.1"), self.wrong)
        self.media.framing = self.framing

    def wrong(self, what):
        if len(self.errors) < 20:
            self.errors.append(what)

    # --- the course ----------------------------------------------------------------------------------------------

    async def run(self, say):
        """The whole call; `say` tells where we listen."""
        await self.media.open()
        server = None
        try:
            if self.calls:
                reader, writer = await asyncio.open_connection(*self.job["to"])
                self.signal = Link(self, reader, writer, self.on_signal)
                self.place()
            else:
                server = await asyncio.start_server(self.accept, self.media.host, 0)
                say("%s:%d" % server.sockets[0].getsockname()[:2])
                await self.until("Setup", lambda: self.setup is not None)
                await self.answer()
            await self.course()
            await self.part()
        finally:
            self.media.close()
            for link in (self.signal, self.h245, self.h245_server, server):
                if link is not None:
                    link.close()

    async def accept(self, reader, writer):
        self.signal = Link(self, reader, writer, self.on_signal)

    async def course(self):
        await self.until("Connect", lambda: self.connected)
        await self.talk()
        await self.end()

    async def talk(self):
        sent, heard = self.media.sent + self.enough, self.media.received + self.enough
        await self.until("sound both ways", lambda: self.media.sent >= sent and self.media.received >= heard)

    async def end(self):
        if self.hangs_up:
            self.hang_up()
            await self.signal.sent()
        else:
            await self.until("ReleaseComplete", lambda: self.released is not None)

    async def part(self):
        """Who hears ReleaseComplete closes the connection."""
        if self.released is None:
            await self.until("the end of the connection", lambda: self.signal.closed)
        else:
            # What left with it on the connection of H.245 is to be read too.
            await asyncio.sleep(0.05)

    async def until(self, what, true):
        """Waits; the job as a whole has a limit, a call that is over never gets any further."""
        self.awaited = what
        while not true():
            over = self.released is not None or self.signal is not None and self.signal.closed
            if self.errors or over:
                why = self.released or "the connection is closed"
                raise Wrong(f"{what} did not come: {why if over else 'see above'}")
            await asyncio.sleep(0.01)

    def verdict(self):
        return {"scenario": self.job["scenario"], "role": self.job["role"], "connected": self.connected,
                "fast_offered": self.fast_offered, "fast_accepted": self.fast_accepted, "tunnelled": self.tunnel,
                "sent": self.media.sent, "received": self.media.received, "rtcp": self.media.rtcp_received,
                "heard_ms": self.media.heard_milliseconds(self.job["listen_for"]), "released": self.released,
                "channels": self.channel_numbers, "digits": self.digits, "events": "".join(self.media.digits),
                "facts": self.facts, "log": self.log, "errors": self.errors}

    # --- Q.931 and H.225.0 ---------------------------------------------------------------------------------------

    def oid(self):
        return (0, 0, 8, 2250, 0, self.h225_version)

    def identity(self, **more):
        return {"protocolIdentifier": self.oid(), "callIdentifier": {"guid": self.call_id}, **more}

    def endpoint(self):
        us = {"terminal": {}, "mc": False, "undefinedNode": False}
        if self.vendor is not None:
            country, extension, code, product, version = self.vendor
            us["vendor"] = {"vendor": {"t35CountryCode": country, "t35Extension": extension,
                                       "manufacturerCode": code}, "productId": product, "versionId": version}
        return us

    def body(self, name, **more):
        """What a message of this name has to carry."""
        if name in ("callProceeding", "alerting", "progress", "connect"):
            more["destinationInfo"] = self.endpoint()
        if name in ("callProceeding", "alerting", "progress", "connect", "facility"):
            more.update(multipleCalls=False, maintainConnection=False)
        if name == "connect":
            more["conferenceID"] = self.conference_id
        return self.identity(**more)

    def send(self, name, body=None, elements=(), controls=()):
        """Sends a message; a Facility without a body is `empty`."""
        if body is None and name != "facility":
            body = self.body(name)
        uuie = {"h323-message-body": ("empty", 0) if body is None else (name, body), "h245Tunnelling": self.tunnel}
        if controls:
            uuie["h245Control"] = [pdu.encode(pdu.H245_PDU, message) for message in controls]
            self.log.extend(f"> {kind}.{value[0]}" for kind, value in controls)
        self.send_octets(name, elements, uuie)

    def send_octets(self, name, elements, uuie):
        elements = list(elements)
        if name == "setup":
            elements += [(pdu.BEARER, bytes.fromhex("88c0a5"))]
        if name in ("setup", "alerting", "connect") and self.display:
            elements += [(pdu.DISPLAY, self.display)]
        reference = self.reference if self.calls else self.reference | 0x8000
        self.log.append(f"> {name}")
        self.signal.send(pdu.q931(reference, name, sorted(elements), uuie))

    def place(self, controls=(), **more):
        if self.fast:
            more["fastStart"] = [pdu.encode(pdu.OLC, channel) for channel in self.proposals()]
        ours, theirs = (self.signal.writer.get_extra_info(name) for name in ("sockname", "peername"))
        self.send("setup", self.identity(
            sourceInfo=self.endpoint(), sourceAddress=self.aliases, activeMC=False, conferenceID=self.conference_id,
            conferenceGoal=("create", 0), callType=("pointToPoint", 0), sourceCallSignalAddress=transport(ours),
            destCallSignalAddress=transport(theirs), mediaWaitForConnect=False, canOverlapSend=False,
            multipleCalls=False, maintainConnection=False, **more), controls=controls)

    async def answer(self):
        self.send("callProceeding")
        self.send("alerting")
        await asyncio.sleep(0.02)
        self.connect()

    def connect(self, **more):
        if self.setup_accepted is not None:
            more.setdefault("fastStart", self.setup_accepted)
        elif not self.tunnel and not self.mute_h245 and self.h245 is None and self.h245_server is None:
            more["h245Address"] = transport(self.listen_h245())
        more = {name: value for name, value in more.items() if value is not None}
        self.send("connect", self.body("connect", **more))
        self.on_connected()

    def hang_up(self):
        if self.h245_is_up():
            self.h245_ended = True
            self.control("command", ("endSessionCommand", ("disconnect", 0)))
            self.flush()
        self.release()

    def release(self, cause=None, reason=("undefinedReason", 0), controls=()):
        """ReleaseComplete; without a reason, or with no User-user element at all (`reason` is False)."""
        cause = self.cause if cause is None else cause
        elements = [(pdu.CAUSE, bytes([0x80, 0x80 | cause]))]
        self.release_sent = True
        if reason is False:
            return self.send_octets("releaseComplete", elements, None)
        more = {} if reason is None else {"reason": reason}
        self.send("releaseComplete", self.identity(**more), elements, controls)

    def on_signal(self, octets):
        reference, name, elements, message = pdu.parse_q931(octets)
        self.log.append(f"< {name}")
        kind, body = message["h323-message-body"]
        body = body or {}
        if name == "setup":
            self.reference, self.call_id = reference, body["callIdentifier"]["guid"]
            self.conference_id = body["conferenceID"]
        if reference & 0x7FFF != self.reference or (reference >> 15 == 1) != self.calls:
            self.wrong(f"{name} with call reference {reference:#x}, not {self.reference:#x}")
        if kind != "empty" and kind != name:
            self.wrong(f"{name} with the body of {kind}")
        if "callIdentifier" in body and body["callIdentifier"]["guid"] != self.call_id:
            self.wrong(f"{name} with another callIdentifier")
        if body.get("conferenceID", self.conference_id) != self.conference_id:
            self.wrong(f"{name} with another conferenceID")
        if not message.get("h245Tunnelling"):
            self.tunnel = False
        self.on_message(name, body, elements)
        for octets in [*body.get("parallelH245Control", []), *message.get("h245Control", [])]:
            self.on_h245(octets)

    def on_message(self, name, body, elements):
        if name == "setup":
            self.on_setup(body)
        elif "fastStart" in body:
            self.on_fast_start(body["fastStart"])
        self.fast_refused |= "fastConnectRefused" in body
        if "h245Address" in body and not self.tunnel and self.h245 is None and not self.h245_connecting:
            self.h245_connecting = True
            self.on_h245_address(address_of(body["h245Address"]))
        if name == "information" and pdu.KEYPAD in elements:
            self.digits.extend(["keypad", chr(key)] for key in elements[pdu.KEYPAD])
        if name == "connect":
            self.on_connected()
        if name == "releaseComplete":
            self.released = {"cause": pdu.cause_of(elements.get(pdu.CAUSE)),
                             "reason": body["reason"][0] if "reason" in body else None}

    def on_connected(self):
        self.connected = True
        if self.tunnel and not self.fast_accepted:
            self.begin_h245()

    def on_setup(self, setup):
        self.setup = setup
        self.fast_offered = "fastStart" in setup
        self.setup_accepted = self.accept_proposals(setup["fastStart"]) if self.fast and self.fast_offered else None

    # --- fast connect --------------------------------------------------------------------------------------------

    def proposals(self):
        return [forward_channel(1, audio(self.codec), mediaControlChannel=unicast(self.media.rtcp_at)),
                reverse_channel(2, audio(self.codec), mediaChannel=unicast(self.media.rtp_at),
                                mediaControlChannel=unicast(self.media.rtcp_at))]

    def on_fast_start(self, elements):
        """The called side's choice. A reverse channel has no address that we could use: it is theirs to send in."""
        if not self.fast:
            return self.wrong("fastStart was not proposed")
        first = not self.fast_accepted
        self.fast_accepted = True
        for octets in elements:
            channel = pdu.decode(pdu.OLC, octets)
            reverse, data, parameters = parts_of(channel)
            if not reverse:
                self.media.start(address_of(parameters["mediaChannel"]), data[1][0])
            elif first:
                self.note_channel(channel["forwardLogicalChannelNumber"], data)
            self.facts.setdefault("accepted", []).append(["reverse" if reverse else "forward", data[1][0]])

    def accept_proposals(self, offers):
        """One proposal each way of our codec; the elements of the answer."""
        answer, have = [], set()
        for octets in offers:
            channel = pdu.decode(pdu.OLC, octets)
            reverse, data, parameters = parts_of(channel)
            if data[0] != "audioData" or data[1][0] != self.codec or reverse in have:
                continue
            have.add(reverse)
            if reverse:
                self.fast_number = channel["forwardLogicalChannelNumber"]
                self.media.start(address_of(parameters.pop("mediaChannel")), self.codec)
            else:
                parameters["mediaChannel"] = unicast(self.media.rtp_at)
                self.note_channel(channel["forwardLogicalChannelNumber"], data)
            parameters["mediaControlChannel"] = unicast(self.media.rtcp_at)
            answer.append(pdu.encode(pdu.OLC, channel))
        self.fast_accepted = have == {True, False}
        if not self.fast_accepted:
            self.wrong("fastStart without our codec both ways")
        return answer

    # --- the way of H.245 ----------------------------------------------------------------------------------------

    def h245_is_up(self):
        return self.tcs_sent and (self.h245 is not None and not self.h245.closed or self.tunnel)

    def listen_h245(self):
        """A port for H.245, whose connection is taken when it comes."""
        listener = socket.create_server((self.media.host, 0))
        loop = asyncio.get_running_loop()

        async def serve():
            self.h245_server = await asyncio.start_server(self.accept_h245, sock=listener)

        self.h245_server = listener
        loop.create_task(serve())
        return listener.getsockname()

    async def accept_h245(self, reader, writer):
        self.take_h245(reader, writer)

    def on_h245_address(self, address):
        async def connect():
            self.take_h245(*await asyncio.open_connection(*address))

        asyncio.get_running_loop().create_task(connect())

    def take_h245(self, reader, writer):
        self.facts["h245_connections"] = self.facts.get("h245_connections", 0) + 1
        self.h245 = Link(self, reader, writer, self.on_h245)
        self.begin_h245()

    def control(self, kind, value):
        """Says a message; all of a turn leave together."""
        self.waiting_h245.append((kind, value))
        if self.flushing is None:
            self.flushing = asyncio.get_running_loop().call_soon(self.flush)

    def flush(self):
        self.flushing = None
        messages, self.waiting_h245 = self.waiting_h245, []
        if self.h245 is not None:
            for kind, value in messages:
                self.log.append(f"> {kind}.{value[0]}")
                self.h245.send(pdu.encode(pdu.H245_PDU, (kind, value)))
        elif self.tunnel:
            for part in [messages] if self.bundled and messages else [[message] for message in messages]:
                body = None if self.wrapper is None else self.body("facility", reason=(self.wrapper, 0))
                self.send("facility", body, controls=part)

    # --- H.245 ---------------------------------------------------------------------------------------------------

    def capabilities(self):
        table = [("receiveAudioCapability", (ULAW, 60)), ("receiveAudioCapability", (ALAW, 60))]
        table += [("receiveUserInputCapability", (name, 0)) for name in self.user_input]
        if self.telephone_events is not None:
            table.append(("receiveRTPAudioTelephonyEventCapability", {
                "dynamicRTPPayloadType": self.telephone_events, "audioTelephoneEvent": "0-15"}))
        return {"multiplexCapability": pdu.H2250_CAPABILITY,
                "capabilityTable": [{"capabilityTableEntryNumber": n, "capability": capability}
                                    for n, capability in enumerate(table, 1)],
                "capabilityDescriptors": [{
                    "capabilityDescriptorNumber": 1,
                    "simultaneousCapabilities": [[1, 2], *([n] for n in range(3, len(table) + 1))]}]}

    def capability_set(self, content):
        self.tcs_number += 1
        return ("request", ("terminalCapabilitySet", {
            "sequenceNumber": self.tcs_number, "protocolIdentifier": (0, 0, 8, 245, 0, self.h245_version),
            **content}))

    def determination(self):
        return ("request", ("masterSlaveDetermination", {
            "terminalType": self.terminal_type, "statusDeterminationNumber": self.msd_number}))

    def begin_h245(self):
        if not self.tcs_sent and not self.mute_h245:
            self.tcs_sent = self.msd_sent = True
            self.control(*self.capability_set(self.capabilities()))
            self.control(*self.determination())

    def open_channel(self):
        """Opens ours once capabilities and roles are known."""
        if self.open_channels or self.fast_accepted or not (self.tcs_acked and self.tcs_seen and self.msd_done):
            return
        number = next(self.channels)
        self.open_channels[number] = False
        self.channel_numbers["ours"].append(number)
        self.control("request", ("openLogicalChannel", forward_channel(
            number, audio(self.codec), mediaControlChannel=unicast(self.media.rtcp_at), silenceSuppression=False)))

    def on_h245(self, octets):
        kind, (name, value) = pdu.decode(pdu.H245_PDU, octets)
        self.log.append(f"< {kind}.{name}")
        if self.mute_h245:
            return
        handle = getattr(self, f"on_{name}", None)
        if handle is not None:
            handle(value)
        elif kind == "request":
            self.wrong(f"{name} is not expected")
        self.open_channel()

    def on_terminalCapabilitySet(self, value):
        if "capabilityTable" in value:
            self.their_capabilities = [entry["capability"] for entry in value["capabilityTable"]
                                       if "capability" in entry]
            events = [c[1] for c in self.their_capabilities if c[0] == "receiveRTPAudioTelephonyEventCapability"]
            self.their_event_type = events[0]["dynamicRTPPayloadType"] if events else None
        self.tcs_seen = True
        self.control("response", ("terminalCapabilitySetAck", {"sequenceNumber": value["sequenceNumber"]}))
        self.begin_h245()

    def on_terminalCapabilitySetAck(self, value):
        self.tcs_acked = value["sequenceNumber"] == self.tcs_number

    def on_terminalCapabilitySetReject(self, value):
        self.wrong(f"terminalCapabilitySetReject: {value}")

    def on_masterSlaveDetermination(self, value):
        self.begin_h245()
        theirs, number = value["terminalType"], value["statusDeterminationNumber"]
        difference = number - self.msd_number & 0xFF_FFFF
        if theirs == self.terminal_type and difference in (0, 0x80_0000):
            return self.control("response", ("masterSlaveDeterminationReject", {"cause": ("identicalNumbers", 0)}))
        # H.245 C.2: the greater terminal type; of equal ones who is ahead by less than half of the circle.
        they_lead = theirs > self.terminal_type or theirs == self.terminal_type and difference > 0x80_0000
        self.facts["master"] = not they_lead
        self.acknowledge_determination(they_lead)

    def acknowledge_determination(self, they_lead):
        self.msd_acknowledged = True
        self.control("response", ("masterSlaveDeterminationAck", {"decision": (
            "master" if they_lead else "slave", 0)}))

    def on_masterSlaveDeterminationAck(self, value):
        """Who has not determined by itself is told, and confirms."""
        we_lead = value["decision"][0] == "master"
        if self.facts.setdefault("master", we_lead) != we_lead:
            self.wrong("both sides are master, or both are slave")
        if not self.msd_acknowledged:
            self.acknowledge_determination(not we_lead)
        self.msd_done = True

    def on_masterSlaveDeterminationReject(self, value):
        self.facts["rejected"] = self.facts.get("rejected", 0) + 1

    def on_openLogicalChannel(self, value):
        number = value["forwardLogicalChannelNumber"]
        reverse, data, _ = parts_of(value)
        if reverse or data[0] != "audioData":
            return self.wrong(f"openLogicalChannel of {data}")
        self.note_channel(number, data)
        self.control("response", ("openLogicalChannelAck", {
            "forwardLogicalChannelNumber": number,
            "forwardMultiplexAckParameters": ("h2250LogicalChannelAckParameters", {
                "sessionID": 1, "mediaChannel": unicast(self.media.rtp_at),
                "mediaControlChannel": unicast(self.media.rtcp_at)})}))

    def note_channel(self, number, data):
        """A channel in which the other side sends."""
        if number in self.their_channels:
            self.wrong(f"channel {number} is open")
        self.their_channels[number] = data[1][0]
        self.channel_numbers["theirs"].append(number)

    def on_openLogicalChannelAck(self, value):
        self.open_channels[value["forwardLogicalChannelNumber"]] = True
        parameters = value["forwardMultiplexAckParameters"][1]
        self.media.start(address_of(parameters["mediaChannel"]), self.codec)

    def on_openLogicalChannelReject(self, value):
        self.wrong(f"openLogicalChannelReject: {value['cause'][0]}")

    def on_closeLogicalChannel(self, value):
        number = value["forwardLogicalChannelNumber"]
        self.their_channels.pop(number, None)
        self.control("response", ("closeLogicalChannelAck", {"forwardLogicalChannelNumber": number}))

    def on_closeLogicalChannelAck(self, value):
        self.open_channels.pop(value["forwardLogicalChannelNumber"], None)

    def on_roundTripDelayRequest(self, value):
        self.control("response", ("roundTripDelayResponse", {"sequenceNumber": value["sequenceNumber"]}))

    def on_roundTripDelayResponse(self, value):
        self.facts.setdefault("round_trips", []).append(value["sequenceNumber"])

    def on_userInput(self, value):
        name, content = value
        if name == "alphanumeric":
            self.digits.extend(["alphanumeric", key] for key in content)
        elif name == "signal":
            if content["signalType"] not in DIGITS + "!":
                self.wrong(f"signalType {content['signalType']}")
            self.digits.append(["signal", content["signalType"]])
        else:
            self.wrong(f"userInput {name}")

    def on_endSessionCommand(self, value):
        if not self.h245_ended:
            self.h245_ended = True
            self.control("command", ("endSessionCommand", ("disconnect", 0)))
