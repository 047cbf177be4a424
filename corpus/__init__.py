# SPDX-License-Identifier: MIT
"""Multi-stem training corpus rendered from Debian packages (MMA, FluidSynth, GM soundfonts)."""
