#!/bin/sh
# SPDX-License-Identifier: MIT
# Every symbol that the shared library exports carries the prefix, and every function of the header is there.
# Usage: exports.sh LIBRARY HEADER
set -eu
foreign=$(nm -D --defined-only "$1" | awk '{print $3}' | grep -v '^smitin_' | grep -v '^_\(init\|fini\)$' || true)
if [ -n "$foreign" ]; then
    echo "exported without the prefix:"
    echo "$foreign"
    exit 1
fi
missing=0
for name in $(tr '\n' ' ' <"$2" | grep -o 'SMITIN_API[^;]*;' | grep -o 'smitin_[a-z_]*(' | tr -d '('); do
    if ! nm -D --defined-only "$1" | grep -q " T $name\$"; then
        echo "declared in the header but not exported: $name"
        missing=1
    fi
done
exit $missing
