# SPDX-License-Identifier: MIT
"""The text encoder and the MusicGen decoder."""
