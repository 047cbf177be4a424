#!/bin/sh
# SPDX-License-Identifier: MIT
# The knobs of sizes-*.json and their accuracies on held-out pieces: experiments/paper/knobs.sh SMITIN CORPUS
set -e
smitin=$1 corpus=$2
out=out/paper/knobs held=out/paper/held
mkdir -p $out $held
for split in valid test; do
    for piece in "$corpus"/$split/*; do ln -sfn "$(realpath "$piece")" "$held/$split-$(basename "$piece")"; done
done
for target in drums piano; do
    for pairs in 10 100 500 1000; do
        knob=$out/$target-$pairs.knob.safetensors
        [ -e $knob ] || "$smitin" knob train -m models/mini --stems "$corpus/train" --target $target --pairs $pairs -t 1 -o $knob --quiet
        [ -e $out/$target-$pairs.json ] || {
            "$smitin" knob test $knob -m models/mini --stems $held --target $target --pairs 200 --test-share 0.9 -t 1 \
                --json --quiet > $out/tmp.json
            mv $out/tmp.json $out/$target-$pairs.json
        }
    done
done
# Real music against the model's own, once synthetic.json and synthetic-matched.json have been run, and against itself through
# the codec, which tells how much of a difference is the codec's.
against() {
    [ -e $out/$1.knob.safetensors ] || [ ! -e $3/$4 ] ||
        "$smitin" knob train -m models/mini --with out/paper/$2 --without $3 --name $1 --pairs 300 -t 1 --quiet -o $out/$1.knob.safetensors
}
# One frame more than the clip, as a piece is longer than its prompt; what is written of the prompt has been through the codec.
[ -e out/paper/decoded/099.wav ] ||
    "$smitin" generate -m models/mini $(printf -- '-i %s ' out/paper/real/*.wav) -d 10.02 -s 1 -t 1 --quiet -o out/paper/decoded/
against real real out/paper/runs/synthetic/free piece-0099.wav
against matched matched out/paper/runs/synthetic-matched/free piece-0099.wav
against codec real out/paper/decoded 099.wav
