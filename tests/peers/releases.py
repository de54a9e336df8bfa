"""The octets of a call's messages and of every way to release it, by pycrate (pdu.py): a JSON object on standard output.

    {"guid": …, "setup": …, "proceeding": …, "alerting": …, "connect": …, "releases": [["cause 17", …], …]}

All in hexadecimal, each a whole TPKT. The call reference is 0x0101 and the caller's; whoever plays them puts in his own,
and another callIdentifier in the place of `guid`.
"""
import json

import pdu

GUID, CONFERENCE = bytes(range(1, 17)), bytes(range(101, 117))
REFERENCE = 0x0101

# ReleaseCompleteReason (H.225.0 7.2.2.8), each with contents where it has some.
REASONS = {
    "noBandwidth": 0, "gatekeeperResources": 0, "unreachableDestination": 0, "destinationRejection": 0,
    "invalidRevision": 0, "noPermission": 0, "unreachableGatekeeper": 0, "gatewayResources": 0, "badFormatAddress": 0,
    "adaptiveBusy": 0, "inConf": 0, "undefinedReason": 0, "facilityCallDeflection": 0, "securityDenied": 0,
    "calledPartyNotRegistered": 0, "callerNotRegistered": 0, "newConnectionNeeded": 0,
    "nonStandardReason": {"nonStandardIdentifier": ("object", (1, 3, 6, 1, 4, 1, 32473)), "data": b"\x00"},
    "replaceWithConferenceInvite": CONFERENCE, "genericDataReason": 0, "neededFeatureNotSupported": 0,
    "tunnelledSignallingRejected": 0, "invalidCID": 0, "securityError": ("securityIntegrityFailed", 0),
    "hopCountExceeded": 0}


def body(**more):
    return {"protocolIdentifier": (0, 0, 8, 2250, 0, 7), "callIdentifier": {"guid": GUID}, **more}


def message(name, contents, elements=(), reference=REFERENCE):
    uuie = {"h323-message-body": (name, contents), "h245Tunnelling": True}
    return pdu.tpkt(pdu.q931(reference, name, elements, uuie)).hex()


def cause(value):
    return [(pdu.CAUSE, bytes([0x80, 0x80 | value]))]


def main():
    terminal = {"terminal": {}, "mc": False, "undefinedNode": False}
    place = pdu.transport(("127.0.0.1", 1720))
    answer = {"destinationInfo": terminal, "multipleCalls": False, "maintainConnection": False}
    back = REFERENCE | 0x8000
    releases = [[f"cause {value}", message("releaseComplete", body(), cause(value))] for value in range(1, 128)]
    releases += [[f"reason {name}", message("releaseComplete", body(reason=(name, contents)))]
                 for name, contents in REASONS.items()]
    releases.append(["nothing", message("releaseComplete", body())])
    print(json.dumps({
        "guid": GUID.hex(),
        "setup": message("setup", body(
            sourceInfo=terminal, sourceAddress=[("h323-ID", "pycrate")], activeMC=False, conferenceID=CONFERENCE,
            conferenceGoal=("create", 0), callType=("pointToPoint", 0), sourceCallSignalAddress=place,
            destCallSignalAddress=place, mediaWaitForConnect=False, canOverlapSend=False, multipleCalls=False,
            maintainConnection=False), [(pdu.BEARER, bytes.fromhex("88c0a5"))]),
        "proceeding": message("callProceeding", body(**answer), reference=back),
        "alerting": message("alerting", body(**answer), reference=back),
        "connect": message("connect", body(conferenceID=CONFERENCE, **answer), reference=back),
        "releases": releases}))


if __name__ == "__main__":
    main()
