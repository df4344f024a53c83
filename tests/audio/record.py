"""Run as a program by test_microphone.py: a stuck sound library then costs a process, not the test run.

record.py DEVICE SECONDS OUTPUT.npy  records; prints one JSON object.
record.py --stall DEVICE             waits for audio that never comes, then closes from another thread.
"""

from __future__ import annotations

import json
import sys
import threading
import time

import numpy as np

from edgevoice.audio.devices import list_devices
from edgevoice.audio.microphone import Microphone
from edgevoice.errors import EdgeVoiceError


def record(device: str, seconds: float, output: str) -> dict[str, object]:
    microphone = Microphone(device)
    pieces, lost = [], 0.0
    began = time.monotonic()
    for block in microphone.blocks():
        pieces.append(block.samples)
        lost += block.lost
        print("listening", flush=True) if len(pieces) == 1 else None
        if sum(map(len, pieces)) >= seconds * microphone.sample_rate:
            microphone.close()
    np.save(output, np.concatenate(pieces))
    return {"rate": microphone.sample_rate, "name": microphone.name, "lost": lost, "took": time.monotonic() - began}


def stall(device: str) -> dict[str, object]:
    microphone = Microphone(device, stall_s=60)
    closed_at = []

    def close() -> None:
        closed_at.append(time.monotonic())
        microphone.close()

    threading.Timer(1.5, close).start()
    count = sum(1 for _ in microphone.blocks())
    return {"blocks": count, "closing": time.monotonic() - closed_at[0]}


def watchdog(device: str) -> dict[str, object]:
    began = time.monotonic()
    for _ in Microphone(device, stall_s=1.0).blocks():
        began = time.monotonic()
        print("listening", flush=True)
    return {"took": time.monotonic() - began}


def devices() -> dict[str, object]:
    return {"devices": [[device.name, device.is_default, device.sample_rate] for device in list_devices()]}


def main(arguments: list[str]) -> None:
    try:
        if arguments[0] == "--stall":
            result = stall(arguments[1])
        elif arguments[0] == "--watchdog":
            result = watchdog(arguments[1])
        elif arguments[0] == "--devices":
            result = devices()
        else:
            result = record(arguments[0], float(arguments[1]), arguments[2])
    except EdgeVoiceError as error:
        result = {"error": type(error).__name__, "message": str(error)}
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
