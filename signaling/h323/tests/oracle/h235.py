#!/usr/bin/env python3
"""Computes the tokens of H.235 anew, by hashlib and hmac, from the procedures of the standards.

In: JSON lines {"password": "...", "hex": "..."} on standard input: a RAS message with tokens.
Out: for each a JSON line, a list of [method, whether our own computation gives the token's value].

Messages are decoded with pycrate (PyPI); the PwdCertToken of H.235.0 is encoded here, bit by bit after X.691.
Nothing is shared with offhook.
"""
import hashlib
import hmac
import json
import sys

from pycrate_asn1dir import H225

RAS = H225.H323_MESSAGES.RasMessage


class Bits:
    """Aligned PER, as much as a PwdCertToken needs."""

    def __init__(self):
        self.bits = ""

    def put(self, value, width):
        self.bits += format(value, f"0{width}b")

    def align(self):
        self.bits += "0" * (-len(self.bits) % 8)

    def octets(self, octets):
        self.align()
        for octet in octets:
            self.put(octet, 8)

    def bmp(self, text):
        """BMPString (SIZE (1..128)): seven bits of length, then the characters on an octet boundary."""
        octets = text.encode("utf-16-be")
        self.put(len(octets) // 2 - 1, 7)
        self.octets(octets)

    def finish(self):
        self.align()
        return int(self.bits, 2).to_bytes(len(self.bits) // 8, "big")


def pwd_cert_token(name, password, time):
    """ClearToken with tokenOID 0.0, timeStamp, password and generalID."""
    bits = Bits()
    bits.put(0, 1)  # no extension additions
    bits.put(0b11000010, 8)  # timeStamp, password, …, generalID, nonStandard
    bits.octets(bytes([1, 0]))  # OBJECT IDENTIFIER { 0 0 }
    value = time - 1  # INTEGER (1..4294967295): the number of octets in two bits, then the octets
    octets = value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")
    bits.put(len(octets) - 1, 2)
    bits.octets(octets)
    bits.bmp(password)
    bits.bmp(name)
    return bits.finish()


def hash_octets(token):
    number, length = token["hash"]
    return number.to_bytes(length // 8, "big")


def check(octets, password):
    RAS.from_aper(octets)
    _, body = RAS.get_val()
    if isinstance(body, list):
        body = body[0]
    results = []
    for kind, token in body.get("cryptoTokens", []):
        if kind == "nestedcryptoToken" and token[0] == "cryptoHashedToken":
            theirs = hash_octets(token[1]["token"])
            assert octets.count(theirs) == 1 and len(theirs) == 12
            key = hashlib.sha1(password.encode()).digest()
            ours = hmac.new(key, octets.replace(theirs, bytes(12)), hashlib.sha1).digest()[:12]
            results.append(["H.235.1", ours == theirs])
        elif kind == "cryptoEPPwdHash":
            name = token["alias"][1]
            # H323Plus, GNU Gatekeeper and Cisco hash a NUL behind both texts.
            assert name.endswith("\0")
            hashed = hashlib.md5(pwd_cert_token(name, password + "\0", token["timeStamp"])).digest()
            results.append(["MD5", hashed == hash_octets(token["token"])])
    for token in body.get("tokens", []):
        if token["tokenOID"] == (1, 2, 840, 113548, 10, 1, 2, 1):
            hashed = bytes([token["random"]]) + password.encode() + token["timeStamp"].to_bytes(4, "big")
            results.append(["CAT", hashlib.md5(hashed).digest() == token["challenge"]])
    return results


def main():
    for line in sys.stdin:
        row = json.loads(line)
        print(json.dumps(check(bytes.fromhex(row["hex"]), row["password"])))


if __name__ == "__main__":
    main()
