#!/bin/sh
# SPDX-License-Identifier: MIT
# `meson install` into a clean prefix gives a tool that runs and a library that a program outside the tree builds against.
# Usage: install.sh SOURCE_ROOT BUILD_ROOT TINY_MODEL CC...
set -eu
source=$1 build=$2 model=$3
shift 3
cc=$* # may be several words, such as "ccache cc"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

DESTDIR="$work/root" meson install -C "$build" --no-rebuild --quiet
header=$(find "$work/root" -name smitin.h)
prefix=${header%/include/smitin/smitin.h}
pc=$(dirname "$(find "$work/root" -name smitin.pc)")
libraries=$(dirname "$(find "$work/root" -name libsmitin.so)")
[ -e "$libraries/libsmitin.so.0" ] || { echo "no soname link beside libsmitin.so"; exit 1; }
[ -n "$(find "$work/root" -name smitin.1)" ] || { echo "no man page"; exit 1; }

cp "$source/examples/minimal.c" "$work/"
cd "$work"
export PKG_CONFIG_PATH="$pc" PKG_CONFIG_SYSROOT_DIR="$work/root"
flags=$(pkg-config --cflags --libs smitin)
# shellcheck disable=SC2086
$cc -std=c11 -Wall -Wextra -Werror -o minimal minimal.c $flags ${SANITIZE:-}
printf '#include <smitin/smitin.h>\nint main() { return smitin_version()[0] == 0; }\n' >header.cc
# shellcheck disable=SC2086
c++ -std=c++17 -Wall -Wextra -Wpedantic -Werror -o header header.cc $flags ${SANITIZE:-}

export LD_LIBRARY_PATH="$libraries"
"$prefix/bin/smitin" --version
./header
python3 - <<'PY'
import math, os, struct, wave
for kind, frequency, loudness in (("with", 60.0, 0.9), ("without", 700.0, 0.2)):
    os.mkdir(kind)
    for i in range(6):
        with wave.open(f"{kind}/{i}.wav", "wb") as file:
            file.setnchannels(1); file.setsampwidth(2); file.setframerate(2000)
            file.writeframes(b"".join(struct.pack("<h", int(32767 * loudness * math.sin(2 * math.pi * frequency *
                             (1 + 0.05 * i) * n / 2000))) for n in range(6000)))
PY
"$prefix/bin/smitin" knob train -m "$model" --with with --without without --name low --clip-seconds 0.4 --pairs 24 \
    --calibrate-pieces 0 --quiet
./minimal "$model" low.knob.safetensors >music.f32
[ "$(wc -c <music.f32)" -eq $((5 * 2000 * 4)) ] || { echo "wrong length"; exit 1; }
