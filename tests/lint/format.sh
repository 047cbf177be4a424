#!/bin/sh
# SPDX-License-Identifier: MIT
# Every C file is as clang-format writes it. Usage: format.sh SOURCE_ROOT
set -eu
cd "$1"
git ls-files '*.c' '*.h' '*.cc' | xargs clang-format --dry-run --Werror
