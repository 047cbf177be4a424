#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A text of ASCII as a C array with a zero behind it: embed.py INPUT NAME OUTPUT."""
import pathlib
import sys

data = pathlib.Path(sys.argv[1]).read_text("ascii").encode() + b"\0"
rows = [", ".join(map(str, data[i:i + 24])) for i in range(0, len(data), 24)]
pathlib.Path(sys.argv[3]).write_text("/* SPDX-License-Identifier: MIT */\n/* Made from %s. */\nstatic const char %s[] = {\n    %s};\n"
                                     % (pathlib.Path(sys.argv[1]).name, sys.argv[2], ",\n    ".join(rows)))
