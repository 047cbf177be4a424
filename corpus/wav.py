# SPDX-License-Identifier: MIT
"""16-bit mono WAV files with the plain 44-byte header, so that they can be memory-mapped."""

import struct

import numpy as np

HEADER = 44             # bytes


def write(path, samples, rate):
    """Writes int16 `samples` (mono)."""
    data = np.ascontiguousarray(samples, "<i2")
    header = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", HEADER - 8 + data.nbytes, b"WAVE",
                         b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16, b"data", data.nbytes)
    with open(path, "wb") as file:
        file.write(header)
        file.write(data.tobytes())


def read(path):
    """Memory map of the int16 samples of a file written by `write`."""
    with open(path, "rb") as file:
        head = file.read(HEADER)
    if len(head) < HEADER or head[:4] != b"RIFF" or head[36:40] != b"data":
        raise ValueError("%s: not a WAV file with a plain 44-byte header" % path)
    if struct.unpack_from("<H", head, 34)[0] != 16 or struct.unpack_from("<H", head, 22)[0] != 1:
        raise ValueError("%s: not 16-bit mono" % path)
    if struct.unpack_from("<I", head, 40)[0] == 0:
        return np.zeros(0, "<i2")
    return np.memmap(path, "<i2", "r", offset=HEADER)
