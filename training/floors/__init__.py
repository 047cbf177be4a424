# SPDX-License-Identifier: MIT
"""Committed measurements on held-out style families."""
