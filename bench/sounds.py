"""Sounds in which nobody speaks, made from a seed: noises, signals of telephones and machines, typing, coughs, engines.

Every maker takes a generator and a number of samples at 16 kHz and returns as many float32 samples; how loud they are
means nothing, for whoever uses them sets the level. Pure numpy, so that the same seed is the same sound everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from edgevoice.config import SAMPLE_RATE

Samples = npt.NDArray[np.float32]
Rng = np.random.Generator
Maker = Callable[[Rng, int], Samples]

DTMF_HZ = ((697, 770, 852, 941), (1209, 1336, 1477))
"""Rows and columns of a telephone's keys."""


def tone(hertz: float | npt.NDArray[np.float64], count: int) -> npt.NDArray[np.float64]:
    """A sine of a frequency that may change with every sample."""
    return np.sin(2 * np.pi * np.cumsum(np.broadcast_to(np.asarray(hertz, dtype=np.float64), (count,))) / SAMPLE_RATE)


def shaped(sound: npt.NDArray[np.floating], gain: Callable[[npt.NDArray[np.float64]], npt.ArrayLike]) -> Samples:
    """Sound whose spectrum is multiplied by the gain at each frequency in Hz."""
    spectrum = np.fft.rfft(sound.astype(np.float64))
    hertz = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE).astype(np.float64)
    return np.fft.irfft(spectrum * np.asarray(gain(hertz)), len(sound)).astype(np.float32)


def band(low: float, high: float, steep: float = 4.0) -> Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]:
    """The gain of a band from `low` to `high` Hz."""

    def gain(hertz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        above = 1 / (1 + (low / np.maximum(hertz, 1e-3)) ** (2 * steep))
        return np.asarray(np.sqrt(above / (1 + (hertz / high) ** (2 * steep))))

    return gain


def peaks(*places: tuple[float, float, float]) -> Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]:
    """The gain of resonances, each (Hz, width in Hz, height)."""

    def gain(hertz: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(np.sum([height / (1 + ((hertz - at) / width) ** 2) for at, width, height in places], axis=0))

    return gain


def fade(count: int, rise_s: float, fall_s: float) -> npt.NDArray[np.float64]:
    """An envelope that rises, stays and falls."""
    moment = np.arange(count) / SAMPLE_RATE
    rise = np.minimum(1.0, moment / max(rise_s, 1e-4))
    return np.asarray(np.minimum(rise, (moment[-1:] - moment) / max(fall_s, 1e-4)).clip(0, 1))


def decay(count: int, seconds: float) -> npt.NDArray[np.float64]:
    """An envelope that falls to a third in so many seconds."""
    return np.asarray(np.exp(-np.arange(count) / (SAMPLE_RATE * seconds)))


def add(into: npt.NDArray[np.floating], sound: npt.NDArray[np.floating], at_s: float) -> None:
    """Mixes a sound in at a moment; what reaches over the end is left out."""
    start = round(at_s * SAMPLE_RATE)
    part = sound[: max(0, len(into) - start)]
    into[start : start + len(part)] += part


# --- noise


def noise_of(slope: float) -> Maker:
    """Noise whose power falls with the frequency to the power `slope`: 0 white, 1 pink, 2 brown."""

    def make(rng: Rng, count: int) -> Samples:
        return shaped(rng.normal(size=count), lambda hertz: np.maximum(hertz, 20.0) ** (-slope / 2))

    return make


def wind(rng: Rng, count: int) -> Samples:
    """Low noise in gusts."""
    return (noise_of(1.6)(rng, count) * (0.15 + _wandering(rng, count, 0.3) ** 2)).astype(np.float32)


def rain(rng: Rng, count: int) -> Samples:
    """A hiss with drops."""
    sound = 0.15 * shaped(rng.normal(size=count), band(1000, 7000, 1))
    for at in rng.uniform(0, count / SAMPLE_RATE, count // 400):
        size = int(rng.integers(40, 200))
        add(sound, rng.exponential(0.5) * decay(size, 0.002) * tone(rng.uniform(800, 5000), size), at)
    return sound


def silence(_rng: Rng, count: int) -> Samples:
    """Digital silence."""
    return np.zeros(count, dtype=np.float32)


# --- telephones and machines


def cadence(hertz: Sequence[float], on_s: float, off_s: float) -> Maker:
    """Tones together, on and off, as exchanges send them."""

    def make(_rng: Rng, count: int) -> Samples:
        moment = np.arange(count) / SAMPLE_RATE
        sounding = (moment % (on_s + off_s)) < on_s
        return (sounding * np.sum([tone(each, count) for each in hertz], axis=0)).astype(np.float32)

    return make


def dialling(rng: Rng, count: int) -> Samples:
    """Numbers dialled in DTMF by people and by machines."""
    sound, at = np.zeros(count, dtype=np.float32), 0.5
    while at * SAMPLE_RATE < count:
        long = float(rng.choice([0.07, 0.1, 0.25]))
        for _ in range(int(rng.integers(1, 12))):
            size = round(long * SAMPLE_RATE)
            pair = tone(float(rng.choice(DTMF_HZ[0])), size) + tone(float(rng.choice(DTMF_HZ[1])), size)
            add(sound, pair * fade(size, 0.002, 0.002), at)
            at += long + float(rng.uniform(0.5, 1.5)) * long
        at += float(rng.uniform(0.5, 3))
    return sound


def modem(rng: Rng, count: int) -> Samples:
    """An answer tone, then bits in two tones, then a scrambled carrier, over and over."""
    pieces, length = [], 0
    while length < count:
        bits = np.repeat(rng.integers(0, 2, 3 * 300), SAMPLE_RATE // 300)
        carrier = shaped(rng.normal(size=6 * SAMPLE_RATE), band(600, 3000, 8))
        answer = tone(2100, 2 * SAMPLE_RATE)
        pieces += [answer, tone(np.where(bits, 1270.0, 1070.0), len(bits)), carrier / carrier.std()]
        length = sum(map(len, pieces))
    return np.concatenate(pieces)[:count].astype(np.float32)


def fax(rng: Rng, count: int) -> Samples:
    """The calling tone of a fax machine, and its answers."""
    calling = cadence((1100.0,), 0.5, 3.0)(rng, count)
    bits = np.repeat(rng.integers(0, 2, count // 53 + 1), 53)[:count]
    answers = tone(np.where(bits, 1650.0, 1850.0), count) * ((np.arange(count) / SAMPLE_RATE) % 7 > 4.5)
    return (calling + answers).astype(np.float32)


def alarms(rng: Rng, count: int) -> Samples:
    """Beeps of smoke detectors, reversing lorries and kitchen timers, one after the other, and a siren."""
    moment = np.arange(count) / SAMPLE_RATE
    kind = (moment // 15).astype(int) % 4
    beeps = [(3100.0, 0.5, 1.0), (1250.0, 0.6, 1.2), (2400.0, 0.08, 0.16)]
    sound = np.zeros(count)
    for which, (hertz, on_s, period_s) in enumerate(beeps):
        sound += (kind == which) * (moment % period_s < on_s) * tone(hertz, count)
    siren = tone(700 + 350 * np.sin(2 * np.pi * moment / rng.uniform(2, 5)), count)
    return (sound + (kind == 3) * siren).astype(np.float32)


def sweeps(rng: Rng, count: int) -> Samples:
    """Tones that glide up and down, and single steady ones."""
    steps = np.exp(rng.uniform(np.log(120), np.log(3500), count // (2 * SAMPLE_RATE) + 2))
    places = np.arange(len(steps)) * 2 * SAMPLE_RATE
    return tone(np.interp(np.arange(count), places, steps), count).astype(np.float32)


def fan(rng: Rng, count: int) -> Samples:
    """Air through blades, and the hum of the motor."""
    base, blades = rng.uniform(45, 60), rng.integers(3, 9)
    air = noise_of(float(rng.uniform(0.8, 1.6)))(rng, count)
    beat = 1 + 0.2 * tone(base / 4 * blades / 3, count)
    hum = np.sum([tone(base * n, count) / n**1.5 for n in (1, 2, 3, 4, 6, blades)], axis=0)
    return (air / air.std() * beat + rng.uniform(0.2, 1.5) * hum).astype(np.float32)


def engine(rng: Rng, count: int) -> Samples:
    """Firing cylinders at a speed that wanders, through an exhaust."""
    speed = 18 + rng.uniform(20, 70) * _wandering(rng, count, 0.25)
    phase = np.cumsum(speed) / SAMPLE_RATE
    firing = np.exp(-8 * (phase % 1)) * (1 + 0.3 * (np.floor(phase) % 4 == 0))
    rough = firing + 0.15 * rng.normal(size=count) * firing
    return shaped(rough, peaks((90, 40, 1), (240, 90, 0.7), (700, 250, 0.2), (2200, 900, 0.05)))


def train_wheels(rng: Rng, count: int) -> Samples:
    """A rumble, with two knocks at every joint of the rails."""
    rumble = noise_of(2.0)(rng, count)
    sound = rumble / rumble.std()
    period = float(rng.uniform(0.7, 1.2))
    for joint in np.arange(0.3, count / SAMPLE_RATE, period):
        for late in (0.0, 0.16, 0.32):
            add(sound, _knock(rng, 120, 0.05) * 6, joint + late)
    return sound


# --- hands, bodies and things


def typing(keys_per_s: float, sharp: float) -> Maker:
    """A keyboard: words with pauses in between, presses and releases.

    Args:
        keys_per_s: while a word is typed.
        sharp: 0 for a flat keyboard, 1 for one with loud switches.
    """

    def make(rng: Rng, count: int) -> Samples:
        sound, at = np.zeros(count, dtype=np.float32), 0.2
        while at * SAMPLE_RATE < count:
            for _ in range(int(rng.integers(1, 10))):
                strength = rng.lognormal(0, 0.4)
                add(sound, strength * _click(rng, sharp), at)
                add(sound, 0.4 * strength * _click(rng, sharp), at + rng.uniform(0.06, 0.12))
                at += rng.lognormal(0, 0.35) / keys_per_s
            add(sound, 1.5 * _click(rng, 0.0), at)  # the space bar
            at += rng.choice([0.25, 0.25, 0.5, 2.5]) * rng.lognormal(0, 0.5)
        return sound

    return make


def coughs(rng: Rng, count: int) -> Samples:
    """Bursts of breath through a throat: noise in the shape of a vocal tract, in twos and threes, and sniffs."""
    sound, at = np.zeros(count, dtype=np.float32), 0.6
    while at * SAMPLE_RATE < count:
        tract = float(rng.uniform(0.85, 1.2))
        for _ in range(int(rng.integers(1, 4))):
            add(sound, rng.uniform(0.6, 1) * _cough(rng, tract), at)
            at += float(rng.uniform(0.3, 0.55))
        if rng.random() < 0.3:
            size = round(0.35 * SAMPLE_RATE)
            sniff = shaped(rng.normal(size=size), band(1500, 6000, 2)) * fade(size, 0.2, 0.05)
            add(sound, 0.2 * sniff / sniff.std(), at)
        at += float(rng.uniform(0.8, 4))
    return sound


def taps(rng: Rng, count: int) -> Samples:
    """Knuckles on a desk, fingers drumming, things put down."""
    sound, at = np.zeros(count, dtype=np.float32), 0.4
    while at * SAMPLE_RATE < count:
        pace, pitch = float(rng.choice([0.12, 0.25, 0.5])), float(rng.uniform(90, 900))
        for _ in range(int(rng.integers(1, 8))):
            add(sound, rng.lognormal(0, 0.4) * _knock(rng, pitch, float(rng.uniform(0.01, 0.06))), at)
            at += pace * float(rng.uniform(0.85, 1.15))
        at += float(rng.uniform(0.3, 3))
    return sound


def claps(rng: Rng, count: int) -> Samples:
    """Hands, alone and many of them."""
    sound = np.zeros(count, dtype=np.float32)
    together = _wandering(rng, count, 0.1)
    for at in np.cumsum(rng.exponential(0.04, round(25 * count / SAMPLE_RATE))):
        place = round(at * SAMPLE_RATE)
        if place >= count:
            break
        if rng.random() < together[place] ** 2:
            size = round(0.05 * SAMPLE_RATE)
            middle = rng.uniform(900, 2200)
            add(sound, shaped(rng.normal(size=size), band(middle * 0.7, middle * 1.4, 2)) * decay(size, 0.008), at)
    return sound


def steps(rng: Rng, count: int) -> Samples:
    """Somebody walks on a hard floor, and doors fall shut."""
    sound, at, pace = np.zeros(count, dtype=np.float32), 0.3, float(rng.uniform(0.45, 0.7))
    while at * SAMPLE_RATE < count:
        add(sound, _knock(rng, 180, 0.02), at)
        add(sound, 0.3 * _knock(rng, 2000, 0.01), at)
        add(sound, 0.6 * _knock(rng, 260, 0.015), at + 0.09)
        at += pace * float(rng.uniform(0.95, 1.05))
        if rng.random() < 0.05:
            add(sound, 5 * _knock(rng, 70, 0.15), at)
            at += 2
    return sound


def glasses(rng: Rng, count: int) -> Samples:
    """Glasses and cutlery."""
    sound = np.zeros(count, dtype=np.float32)
    for at in np.cumsum(rng.exponential(0.5, 2 * count // SAMPLE_RATE)):
        size, base = round(0.6 * SAMPLE_RATE), rng.uniform(1500, 4000)
        ratios = [ratio for ratio in (1, 1.52, 1.9) if base * ratio < 0.49 * SAMPLE_RATE]
        partials = [tone(base * ratio, size) * decay(size, 0.15 / ratio) for ratio in ratios]
        add(sound, rng.exponential(0.5) * np.sum(partials, axis=0), at)
    return sound


def _wandering(rng: Rng, count: int, hertz: float) -> npt.NDArray[np.float64]:
    """A value that wanders between 0 and 1, about so fast."""
    points = rng.uniform(0, 1, max(2, int(count / SAMPLE_RATE * hertz * 2) + 2))
    places = np.linspace(0, len(points) - 1, count)
    whole = np.minimum(places.astype(int), len(points) - 2)
    part = (1 - np.cos(np.pi * (places - whole))) / 2
    return np.asarray(points[whole] * (1 - part) + points[whole + 1] * part)


def _click(rng: Rng, sharp: float) -> Samples:
    size = round(0.03 * SAMPLE_RATE)
    low = rng.uniform(150, 400) + 1200 * sharp
    burst = shaped(rng.normal(size=size), band(low, min(7500.0, 4 * low + 3000 * sharp), 2))
    return (burst / burst.std() * decay(size, 0.004 + 0.002 * (1 - sharp))).astype(np.float32)


def _knock(rng: Rng, hertz: float, seconds: float) -> npt.NDArray[np.float64]:
    size = round(6 * seconds * SAMPLE_RATE) + 1
    thud = shaped(rng.normal(size=size), band(hertz / 2, 3 * hertz, 2))
    return (thud / (thud.std() + 1e-9) + tone(hertz, size)) * decay(size, seconds)


def _cough(rng: Rng, tract: float) -> Samples:
    size = round(float(rng.uniform(0.18, 0.35)) * SAMPLE_RATE)
    throat = peaks((650 * tract, 150, 1), (1250 * tract, 200, 0.8), (2700 * tract, 350, 0.4), (4200, 1500, 0.2))
    burst = shaped(rng.normal(size=size), throat)
    return (burst / burst.std() * (fade(size, 0.008, 0.2) ** 1.5)).astype(np.float32)
