# SPDX-License-Identifier: MIT
"""Tests of the training code; they need PyTorch."""
