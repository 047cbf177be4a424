# SPDX-License-Identifier: MIT
"""Trains `models/mini`, a small MusicGen checkpoint, from the rendered corpus."""
