#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Print how many tests passed and failed in a Meson run, from its JSON log. Usage: count_tests.py LOG.json"""
import json
import sys

passed = failed = 0
with open(sys.argv[1], encoding="utf-8") as log:
    for line in log:
        result = json.loads(line)["result"]
        passed += result in ("OK", "EXPECTEDFAIL")
        failed += result not in ("OK", "EXPECTEDFAIL", "SKIP")
print(passed, failed)
