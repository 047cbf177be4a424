# SPDX-License-Identifier: MIT
"""Cheap variety of sound per stem: a gentle random equaliser and a small synthetic room."""

import numpy as np
from scipy import signal

EQ_CHANCE = 0.7
ROOM_CHANCE = 0.6
ROOM_LEVEL = {"drums": (-26, -15), "bass": (-32, -22), "guitar": (-24, -12),
              "piano": (-24, -12), "other": (-24, -11)}     # wet against dry, dB


def _shelf(kind, frequency, decibels, rate):
    """Second-order low or high shelf (audio EQ cookbook), slope 0.7; one row for sosfilt."""
    a, w = 10 ** (decibels / 40), 2 * np.pi * frequency / rate
    cos, slope = np.cos(w), 0.7
    alpha = np.sin(w) / 2 * np.sqrt((a + 1 / a) * (1 / slope - 1) + 2)
    root, sign = 2 * np.sqrt(a) * alpha, 1 if kind == "low" else -1
    b = (a * ((a + 1) - sign * (a - 1) * cos + root),
         sign * 2 * a * ((a - 1) - sign * (a + 1) * cos),
         a * ((a + 1) - sign * (a - 1) * cos - root))
    c = ((a + 1) + sign * (a - 1) * cos + root, -sign * 2 * ((a - 1) + sign * (a + 1) * cos),
         (a + 1) + sign * (a - 1) * cos - root)
    return np.array(b + c) / c[0]


def _bell(frequency, decibels, width, rate):
    """Second-order peak of quality `width`; one row for sosfilt."""
    a, w = 10 ** (decibels / 40), 2 * np.pi * frequency / rate
    alpha, cos = np.sin(w) / (2 * width), np.cos(w)
    row = np.array((1 + alpha * a, -2 * cos, 1 - alpha * a,
                    1 + alpha / a, -2 * cos, 1 - alpha / a))
    return row / row[3]


def draw(rng, stem):
    """Random settings as plain numbers, for `apply` and for the metadata."""
    settings = {}
    if rng.random() < EQ_CHANCE:
        settings["eq"] = {
            "low": [round(rng.uniform(90, 300), 1), round(rng.uniform(-4, 4), 2)],
            "bell": [round(400 * 10 ** rng.random(), 1), round(rng.uniform(-4, 4), 2),
                     round(rng.uniform(0.5, 1.5), 2)],
            "high": [round(rng.uniform(2500, 7000), 1), round(rng.uniform(-6, 5), 2)]}
    if rng.random() < ROOM_CHANCE:
        low, high = ROOM_LEVEL[stem]
        settings["room"] = {"seconds": round(0.2 * 6 ** rng.random(), 3),
                            "level": round(rng.uniform(low, high), 2),
                            "dark": round(rng.uniform(0.2, 0.75), 3),
                            "seed": rng.randrange(1 << 30)}
    return settings


def _room(settings, rate):
    """Impulse response of unit energy: filtered noise that falls by 60 dB in `seconds`."""
    noise = np.random.Generator(np.random.PCG64(settings["seed"]))
    length = int(settings["seconds"] * rate)
    response = noise.standard_normal(length)
    response *= 10 ** (-3 * np.arange(length) / length)
    response = signal.lfilter([1 - settings["dark"]], [1, -settings["dark"]], response)
    delay = np.zeros(int(rate * (0.004 + 0.012 * noise.random())))
    response = np.concatenate((delay, response))
    return response / np.sqrt((response ** 2).sum())


def apply(x, settings, rate):
    """Equalised and reverberated copy of `x`, of the same length."""
    if "eq" in settings:
        eq = settings["eq"]
        rows = np.stack((_shelf("low", *eq["low"], rate), _bell(*eq["bell"], rate),
                         _shelf("high", *eq["high"], rate)))
        x = signal.sosfilt(rows, x)
    if "room" in settings:
        room = settings["room"]
        wet = signal.oaconvolve(x, _room(room, rate))[:len(x)]
        x = x + 10 ** (room["level"] / 20) * wet
    return x
