"""spandsp's coders and its ear for digits, by its shared library.

In: what to do as arguments, samples (16 bits, little-endian) or octets on standard input. Out: the other, or digits.

    spandsp.py                                         exit status 0: the library is here
    spandsp.py g726 RATE left|right encode|decode      the packing of I.366.2, of RFC 3551
    spandsp.py g722 64000|56000|48000 - decode         and encode at 64000
    spandsp.py gsm - - encode|decode
    spandsp.py dtmf - - hear|say                       8 kHz; digits as text
"""
import ctypes
import sys

library = ctypes.CDLL("libspandsp.so.2")


def made(function, *arguments):
    """What an init function makes of no memory: an object of its own."""
    function = getattr(library, function)
    function.restype = ctypes.c_void_p
    return ctypes.c_void_p(function(None, *arguments))


def coded(function, state, octets, scale):
    """`octets` through an encoder or decoder, which returns how much it wrote: samples if it decodes."""
    samples = len(octets) // 2 if scale < 1 else len(octets)
    out = ctypes.create_string_buffer(int(len(octets) * scale) + 1_000)
    written = getattr(library, function)(state, out, octets, samples)
    return out.raw[:written * (2 if scale >= 1 else 1)]


def run(what, rate, packing, way):
    octets = sys.stdin.buffer.read()
    scale = 0.5 if way == "encode" else 2 * 8
    if what == "g726":
        state = made("g726_init", int(rate), 0, {"left": 1, "right": 2}[packing])
    elif what == "g722":
        state = made(f"g722_{way}_init", int(rate), 0)
    elif what == "gsm":
        # Packed as RFC 3551 has it.
        state = made("gsm0610_init", 2)
        what = "gsm0610"
    elif way == "hear":
        state = made("dtmf_rx_init", None, None)
        library.dtmf_rx(state, octets, len(octets) // 2)
        digits = ctypes.create_string_buffer(129)
        library.dtmf_rx_get(state, digits, 128)
        return digits.value
    else:
        state = made("dtmf_tx_init")
        library.dtmf_tx_put(state, octets, len(octets))
        out = ctypes.create_string_buffer(2 * 8_000 * 10)
        written = library.dtmf_tx(state, out, 8_000 * 10)
        return out.raw[:2 * written]
    return coded(f"{what}_{way}", state, octets, scale)


if len(sys.argv) > 1:
    sys.stdout.buffer.write(run(*sys.argv[1:]))
