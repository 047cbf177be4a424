# SPDX-License-Identifier: MIT
"""Shared fixtures: a handful of pieces rendered once with the small public-domain font."""

import os
import shutil

import pytest

from corpus import build, grooves, stats, synth

FONTS = ("sf_GMbank.sf2",)
COUNTS = {"train": 4, "valid": 1, "test": 1}


def _missing():
    if shutil.which("mma") is None:
        return "the program mma is not installed"
    try:
        synth.font_path(FONTS[0])
    except synth.SynthError as error:
        return str(error)
    return None


@pytest.fixture(scope="session")
def families():
    return grooves.families(grooves.load())


@pytest.fixture(scope="session")
def rendered(tmp_path_factory):
    """Folder of a small corpus made with two processes."""
    if _missing():
        if os.environ.get("CI"):
            pytest.fail(_missing())
        pytest.skip(_missing())
    out = str(tmp_path_factory.mktemp("corpus"))
    build.make(out, COUNTS, jobs=2, fonts=FONTS, with_mixture=True, report=lambda text: None)
    return out


@pytest.fixture(scope="session")
def pieces(rendered):
    """List of (folder, meta, {stem: int16 samples}) of the small corpus."""
    folders = [f for split in grooves.SPLITS for f in stats.pieces(rendered, split)]
    assert len(folders) == sum(COUNTS.values())
    return [(f, *stats.load(f)) for f in folders]
