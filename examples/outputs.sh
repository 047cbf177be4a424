#!/bin/sh
# SPDX-License-Identifier: MIT
# One piece in every format, then a loop, a long piece, and the same piece again from its tags.
# Usage: examples/outputs.sh [SMITIN] [MODEL] [FOLDER]
set -eu
smitin=${1:-build/cli/smitin} model=${2:-models/mini} folder=${3:-out/outputs}
mkdir -p "$folder"

make() { # FILE OPTIONS...
    file=$1
    shift
    "$smitin" generate -m "$model" -s 7 "$@" -o "$folder/$file"
}
make 16.wav -d 4
make 24.wav -d 4 --bits 24
make float.wav -d 4 --bits 32f
make 44100.flac -d 4 --bits 24 --rate 44100
make 48000.ogg -d 4 --rate 48000
make loud.mp3 -d 4 --rate 48000 --lufs -14
make loop.wav --bars 2 --bpm 120 --rate 44100
make long.flac -d 40 --long rolling --rate 44100
"$smitin" generate -m "$model" -s 7 -d 4 -o - >"$folder/pipe.wav"
cmp "$folder/16.wav" "$folder/pipe.wav"
echo "the pipe got the bytes of the file"
for name in 16.wav 24.wav float.wav 44100.flac loop.wav; do
    "$smitin" generate --from "$folder/$name" --quiet -o "$folder/again.${name##*.}"
    cmp "$folder/$name" "$folder/again.${name##*.}"
    echo "$name: the same again from its tags"
done
for name in 48000.ogg loud.mp3; do
    "$smitin" generate --from "$folder/$name" --quiet -o "$folder/again.wav"
    "$smitin" generate --from "$folder/${name%.*}.json" --quiet -o "$folder/again-json.wav"
    cmp "$folder/again.wav" "$folder/again-json.wav"
    echo "$name: tags and JSON make the same again"
done
