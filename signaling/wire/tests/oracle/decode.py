#!/usr/bin/env python3
"""Decodes PDUs with pycrate (PyPI), which shares no code with offhook.

In: JSON lines {"pdu": "h225::RasMessage", "hex": "..."} on standard input.
Out: for each a JSON line on standard output, {"value": ...} in the notation of offhook_wire::per::json, or
{"error": "..."}.

Only pycrate's decoder is used: 0.8.1's aligned-PER encoder departs from X.691 in three places, its decoder does not.
"""
import json
import sys

from pycrate_asn1dir import H225, H235, H245

MODULES = {
    "h225": H225.H323_MESSAGES,
    "h235": H235.H235_SECURITY_MESSAGES,
    "h245": H245.MULTIMEDIA_SYSTEM_CONTROL,
}
# Where Rust's spelling of the name is not Python's.
NAMES = {"H323UserInformation": "H323_UserInformation"}


def of_open_type(value):
    """Octets, whatever pycrate could have made of them."""
    return value[1].hex() if isinstance(value, tuple) and isinstance(value[1], bytes) else {"_typed": repr(value)}


def describe(asn1, value):
    kind = asn1.TYPE
    if kind in ("SEQUENCE", "SET"):
        return {name: describe(asn1._cont[name], member) for name, member in value.items() if name in asn1._cont} | {
            name: member.hex() for name, member in value.items() if name not in asn1._cont}
    if kind == "CHOICE":
        name, chosen = value
        return {name: describe(asn1._cont[name], chosen) if name in asn1._cont else chosen.hex()}
    if kind in ("SEQUENCE OF", "SET OF"):
        return [describe(asn1._cont, element) for element in value]
    if kind == "NULL":
        return None
    if kind == "OCTET STRING":
        return value.hex()
    if kind == "BIT STRING":
        number, bits = value
        octets = (bits + 7) // 8
        return {"hex": (number << (8 * octets - bits)).to_bytes(octets, "big").hex(), "bits": bits}
    if kind == "OBJECT IDENTIFIER":
        return ".".join(map(str, value))
    if kind == "INTEGER" and not -(1 << 63) <= value < 1 << 63:
        magnitude = value if value >= 0 else ~value
        return value.to_bytes(magnitude.bit_length() // 8 + 1, "big", signed=True).hex()
    if kind == "OPEN_TYPE":
        return of_open_type(value)
    return value


def main():
    for line in sys.stdin:
        row = json.loads(line)
        module, name = row["pdu"].split("::")
        try:
            asn1 = getattr(MODULES[module], NAMES.get(name, name))
            asn1.from_aper(bytes.fromhex(row["hex"]))
            answer = {"value": describe(asn1, asn1.get_val())}
        except Exception as error:  # whatever pycrate raises, the message is what counts
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer))


if __name__ == "__main__":
    main()
