# SPDX-License-Identifier: MIT
"""Renders MIDI bytes with libfluidsynth, called directly (ctypes), bit for bit repeatable.

A synthesiser that has already played keeps some voice state, so every rendering gets a fresh
one. Another one per soundfont is kept open for the life of the process; while it lives the
library caches the decoded samples, which makes a fresh synthesiser cheap.
"""

import ctypes
import functools
import os

import numpy as np

RATE = 32000            # samples per second
GAIN = 0.3
POLYPHONY = 512

FONT_FOLDERS = ("/usr/share/sounds/sf2", "/usr/share/sounds/sf3")
DEFAULT_FONTS = ("FluidR3_GM.sf2", "MuseScore_General_Lite.sf3", "sf_GMbank.sf2")

_LOG_LEVELS = 5


class SynthError(RuntimeError):
    """The renderer or a soundfont is missing or refused."""


def font_path(name):
    """Full path of a soundfont given by file name or path."""
    if os.path.sep in name:
        candidates = [name]
    else:
        candidates = [os.path.join(folder, name) for folder in FONT_FOLDERS]
    for path in candidates:
        if os.path.exists(path):
            return path
    raise SynthError("soundfont %s not found in %s" % (name, ", ".join(FONT_FOLDERS)))


@functools.lru_cache(maxsize=None)
def _library():
    try:
        lib = ctypes.CDLL("libfluidsynth.so.3")
    except OSError as error:
        raise SynthError("libfluidsynth.so.3 not found: install libfluidsynth3") from error
    pointer = ctypes.c_void_p
    for name in ("new_fluid_settings", "new_fluid_synth", "new_fluid_player"):
        getattr(lib, name).restype = pointer
    for level in range(1, _LOG_LEVELS):      # keep "panic", silence the chatter
        lib.fluid_set_log_function(level, None, None)
    return lib


def _open(path):
    """(settings, synth) with `path` loaded; reverb and chorus off."""
    lib = _library()
    settings = ctypes.c_void_p(lib.new_fluid_settings())
    for key, value in (("synth.sample-rate", RATE), ("synth.gain", GAIN)):
        lib.fluid_settings_setnum(settings, key.encode(), ctypes.c_double(value))
    for key, value in (("synth.reverb.active", 0), ("synth.chorus.active", 0),
                       ("synth.polyphony", POLYPHONY), ("synth.lock-memory", 0)):
        lib.fluid_settings_setint(settings, key.encode(), value)
    lib.fluid_settings_setstr(settings, b"player.timing-source", b"sample")
    synth = ctypes.c_void_p(lib.new_fluid_synth(settings))
    if lib.fluid_synth_sfload(synth, path.encode(), 1) < 0:
        raise SynthError("cannot load soundfont %s" % path)
    return settings, synth


@functools.lru_cache(maxsize=None)
def _keep(path):
    return _open(path)


def render(midi_bytes, font, samples):
    """Mono float64 array of `samples` samples: the mean of left and right."""
    lib, path = _library(), font_path(font)
    _keep(path)
    settings, synth = _open(path)
    player = ctypes.c_void_p(lib.new_fluid_player(synth))
    try:
        lib.fluid_player_add_mem(player, midi_bytes, ctypes.c_size_t(len(midi_bytes)))
        lib.fluid_player_play(player)
        left, right = np.zeros(samples, np.float32), np.zeros(samples, np.float32)
        lib.fluid_synth_write_float(synth, samples, ctypes.c_void_p(left.ctypes.data), 0, 1,
                                    ctypes.c_void_p(right.ctypes.data), 0, 1)
        lib.fluid_player_stop(player)
    finally:
        lib.delete_fluid_player(player)
        lib.delete_fluid_synth(synth)
        lib.delete_fluid_settings(settings)
    return (left.astype(np.float64) + right) / 2
