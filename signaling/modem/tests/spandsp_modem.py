"""A modem made of spandsp's AT interpreter (the one of IAXmodem and of FreeSWITCH's modem) on a pseudo-terminal.

Standard output: the name of the terminal, then a line for whatever the interpreter has the modem do.
Standard input: `ring` (with the caller's number), `ring-on` (another ring), `hangup` (the far end has hung up).
Numbers: 100 is busy, 101 has no dial tone, 102 is not answered, any other is dialled.
Exits with 77 if the library is not there.
"""

import ctypes as c
import os
import pty
import select
import sys
import tty

try:
    lib = c.CDLL("libspandsp.so.2")
except OSError as why:
    print(why, flush=True)
    sys.exit(77)

ALERTING, CONNECTED, ANSWERED, BUSY, NO_DIALTONE, NO_ANSWER, HANGUP = range(1, 8)
CALL, ANSWER, HANG_UP, OFF_HOOK, ON_HOOK = range(5)
RESTART = 12
RESPONSE_OK, RESPONSE_NO_CARRIER = 0, 3
MODE_ON_HOOK, MODE_OFF_HOOK = 0, 1

TX = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p, c.POINTER(c.c_uint8), c.c_size_t)
CONTROL = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p, c.c_int, c.c_void_p)
lib.at_init.restype = c.c_void_p
lib.at_init.argtypes = [c.c_void_p, TX, c.c_void_p, CONTROL, c.c_void_p]
lib.at_interpreter.argtypes = [c.c_void_p, c.c_char_p, c.c_int]
lib.at_call_event.argtypes = [c.c_void_p, c.c_int]
lib.at_set_call_info.argtypes = [c.c_void_p, c.c_char_p, c.c_char_p]
lib.at_reset_call_info.argtypes = [c.c_void_p]
lib.at_put_response_code.argtypes = [c.c_void_p, c.c_int]
lib.at_set_at_rx_mode.argtypes = [c.c_void_p, c.c_int]

master, slave = pty.openpty()
tty.setraw(slave)
todo = []


def say(what):
    print(what, flush=True)


def transmit(_state, _user, octets, count):
    os.write(master, bytes(octets[:count]))
    return 0


def control(_state, _user, operation, argument):
    # What the telephone line would do; done once the interpreter has returned.
    if operation == CALL:
        number = c.string_at(argument).decode()
        say("dials " + number)
        todo.append({"100": BUSY, "101": NO_DIALTONE, "102": NO_ANSWER}.get(number, CONNECTED))
    elif operation == OFF_HOOK:
        say("off hook")
    elif operation in (HANG_UP, ON_HOOK):
        say("on hook")
    elif operation == RESTART:
        todo.append(HANGUP)
    return 0


callbacks = TX(transmit), CONTROL(control)
state = lib.at_init(None, callbacks[0], None, callbacks[1], None)
say(os.ttyname(slave))

while True:
    ready, _, _ = select.select([master, sys.stdin], [], [])
    if master in ready:
        octets = os.read(master, 256)
        lib.at_interpreter(state, octets, len(octets))
    if sys.stdin in ready:
        order = sys.stdin.readline().split()
        if not order:
            break
        if order[0] == "ring":
            lib.at_reset_call_info(state)
            for key, value in (("DATE", "0321"), ("TIME", "1405"), ("NAME", "SMITH JOHN"), ("NMBR", order[1])):
                lib.at_set_call_info(state, key.encode(), value.encode())
            lib.at_call_event(state, ALERTING)
        elif order[0] == "ring-on":
            lib.at_call_event(state, ALERTING)
        elif order[0] == "hangup":
            lib.at_set_at_rx_mode(state, MODE_ON_HOOK)
            lib.at_put_response_code(state, RESPONSE_NO_CARRIER)
    while todo:
        event = todo.pop(0)
        if event == CONNECTED:
            # Dialled with a semicolon: back to commands, off hook. Carriers are for T.31 above the interpreter.
            lib.at_set_at_rx_mode(state, MODE_OFF_HOOK)
            lib.at_put_response_code(state, RESPONSE_OK)
        else:
            if event == HANGUP:
                say("on hook")
            lib.at_call_event(state, event)
