# SPDX-License-Identifier: MIT
"""What happens at a place in a piece: does the music break off, get louder or softer, change its colour? Every measure compares
what is before a place with what is after it, so it can be taken at seams and, for comparison, at places that are none."""

import wave

import numpy as np

WINDOW, HOP = 1024, 256  # samples of a spectrum, and from one to the next
BANDS = 40
SIDE = 3.0  # seconds on each side of a place
MEASURES = ("onsets", "loudness", "colour", "break")


def read(path):
    """(samples [n] in -1..1, mean of the channels; rate) of a 16-bit WAV."""
    with wave.open(str(path)) as file:
        assert file.getsampwidth() == 2, "%s: write it with --bits 16" % path
        data = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768
        return data.reshape(-1, file.getnchannels()).mean(1), file.getframerate()


def mel_bands(rate):
    """[BANDS, WINDOW / 2 + 1] triangles, even on the mel scale from 40 Hz to the top."""
    mel = np.linspace(np.log1p(40 / 700), np.log1p(rate / 2 / 700), BANDS + 2)
    edges = 700 * np.expm1(mel)
    f = np.fft.rfftfreq(WINDOW, 1 / rate)
    low, mid, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    return np.clip(np.minimum((f - low) / (mid - low), (high - f) / (high - mid)), 0, None)


def spectra(samples, rate):
    """Log-mel spectra [frames, BANDS], in dB."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(WINDOW), axis=1)) ** 2
    return 10 * np.log10(power @ mel_bands(rate).T + 1e-7)


def flux(mel):
    """Rise of the spectrum from frame to frame, mean over bands in dB: [frames - 1]."""
    return np.maximum(mel[1:] - mel[:-1], 0).mean(1)


def onsets(rise, rate, threshold):
    """Onsets a second: peaks of the flux above `threshold`, at least 60 ms apart."""
    peaks = np.flatnonzero((rise[1:-1] > rise[:-2]) & (rise[1:-1] >= rise[2:]) & (rise[1:-1] > threshold)) + 1
    count, last = 0, -10**9
    for peak in peaks:
        if (peak - last) * HOP / rate >= 0.06:
            count, last = count + 1, peak
    return count / (len(rise) * HOP / rate)


class Piece:
    def __init__(self, samples, rate):
        self.samples, self.rate = samples, rate
        self.mel = spectra(samples, rate)
        self.rise = flux(self.mel)
        # An onset rises clearly above what the piece does all the time.
        self.threshold = np.median(self.rise) + 2 * np.median(np.abs(self.rise - np.median(self.rise))) + 0.5

    def seconds(self):
        return len(self.samples) / self.rate

    def at(self, place):
        """{measure: value} around `place` in seconds; 0 is no change, larger is a larger change."""
        side = int(SIDE * self.rate / HOP)
        frame = int(place * self.rate / HOP)
        before, after = slice(frame - side, frame), slice(frame, frame + side)
        rates = [onsets(self.rise[part], self.rate, self.threshold) for part in (before, after)]
        power = [np.mean(self.samples[p.start * HOP:p.stop * HOP] ** 2) + 1e-9 for p in (before, after)]
        colour = [self.mel[p].mean(0) for p in (before, after)]
        colour = [c - c.mean() for c in colour]  # its shape; the level is what loudness measures
        # The biggest jump within 60 ms of the place, in deviations of those in the seconds around it.
        near = max(1, int(0.06 * self.rate / HOP))
        jump = np.abs(self.mel[1:] - self.mel[:-1]).mean(1)
        around = np.r_[jump[before][:-near], jump[after][near:]]
        return {
            "onsets": abs(rates[1] - rates[0]),
            "loudness": abs(10 * np.log10(power[1] / power[0])),
            "colour": float(np.sqrt(np.mean((colour[1] - colour[0]) ** 2))),
            "break": float((jump[frame - near:frame + near].max() - around.mean()) / (around.std() + 1e-6)),
        }


def seams(seconds, window, stride):
    """Places where a new window takes over, SIDE away from the ends."""
    places = np.arange(window, seconds - SIDE, stride)
    return [float(p) for p in places if p >= SIDE]


def others(seconds, places, seed):
    """As many places that are no seams, none nearer than SIDE to one."""
    rng = np.random.default_rng(seed)
    free = np.arange(SIDE, seconds - SIDE, 0.25)
    free = [p for p in free if all(abs(p - q) >= SIDE for q in places)]
    return [float(p) for p in rng.permutation(free)[:max(1, 3 * len(places))]]


def excess(at_seams, elsewhere):
    """How often a seam changes more than another place does: 0.5 = seams are places like any other, 1 = always."""
    a, b = np.asarray(at_seams, float)[:, None], np.asarray(elsewhere, float)[None]
    return float(((a > b) + 0.5 * (a == b)).mean())
