#!/usr/bin/env python3
"""Scripted H.323 endpoints that share no code with offhook, many calls at once.

Every PDU that they send is encoded, and every PDU that they receive decoded, by pycrate (PyPI); what is received must
also be what pycrate would have encoded. A job is a line of JSON on standard input, each of its answers a line on
standard output; the end of the input ends everything.

    {"id": 1, "scenario": "SlowTunnelled", "role": "call", "to": "127.0.0.1:1720", "listen_for": 700,
     "packets": 30}
    {"id": 2, "scenario": "Cut:7@separate", "role": "answer", "listen_for": 700, "packets": 30}
      ─▶ {"id": 2, "address": "127.0.0.1:40001"}      role answer: where to call
      ─▶ {"id": 1, "verdict": {…}}                    errors, log, what was heard: Peer.verdict in endpoint.py

They listen for a tone of 700 Hz, and talk for 30 packets each way.

A scenario has its argument behind a colon, and behind an @ how the call starts, if not as the scenario has it.
`pycrate_peer.py list` prints the scenarios. Needed: Python 3.11, pycrate.
"""
import asyncio
import inspect
import json
import sys

import scenarios

# Seconds that a call may take on a machine that does much else.
PATIENCE = 25

# Whether with fast connect, whether H.245 is tunnelled.
MODES = {"slow": (False, True), "separate": (False, False), "fast": (True, True), "fast-separate": (True, False)}


def say(answer):
    print(json.dumps(answer), flush=True)


async def play(job):
    told, _, mode = job["scenario"].partition("@")
    name, _, argument = told.partition(":")
    if "to" in job:
        host, _, port = job["to"].rpartition(":")
        job["to"] = (host, int(port))
    peer = scenarios.named(name)(job, argument)
    if mode:
        peer.fast, peer.tunnel = MODES[mode]
    try:
        await asyncio.wait_for(peer.run(lambda address: say({"id": job["id"], "address": address})), PATIENCE)
    except TimeoutError:
        peer.wrong(f"{peer.awaited} did not come in {PATIENCE} s")
    except Exception as error:  # whatever went wrong belongs into the verdict
        peer.wrong(f"{type(error).__name__}: {error}")
    say({"id": job["id"], "verdict": peer.verdict()})


async def serve():
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    jobs = set()
    while line := await lines.readline():
        job = loop.create_task(play(json.loads(line)))
        jobs.add(job)
        job.add_done_callback(jobs.discard)


def main():
    if sys.argv[1:] == ["list"]:
        for name, scenario in scenarios.SCENARIOS.items():
            print(f"{name:24} {' '.join((inspect.getdoc(scenario) or '').split())}")
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        asyncio.run(serve())


if __name__ == "__main__":
    main()
