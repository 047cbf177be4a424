# SPDX-License-Identifier: MIT
"""The neural codec: an EnCodec with few filters."""
