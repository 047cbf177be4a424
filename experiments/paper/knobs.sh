#!/bin/sh
# SPDX-License-Identifier: MIT
# The knobs of sizes-*.json and their accuracies on held-out pieces: experiments/paper/knobs.sh SMITIN CORPUS
set -e
out=out/paper/knobs held=out/paper/held
mkdir -p $out $held
for split in valid test; do
    for piece in "$2"/$split/*; do ln -sfn "$(realpath "$piece")" "$held/$split-$(basename "$piece")"; done
done
for target in drums piano; do
    for pairs in 10 100 500 1000; do
        knob=$out/$target-$pairs.knob.safetensors
        [ -e $knob ] || "$1" knob train -m models/mini --stems "$2/train" --target $target --pairs $pairs -t 1 -o $knob --quiet
        [ -e $out/$target-$pairs.json ] || {
            "$1" knob test $knob -m models/mini --stems $held --target $target --pairs 200 --test-share 0.9 -t 1 \
                --json --quiet > $out/tmp.json
            mv $out/tmp.json $out/$target-$pairs.json
        }
    done
done
# Real music against the model's own, once `smitin eval run experiments/paper/synthetic.json -o out/paper/runs/synthetic` made it.
real=$out/real.knob.safetensors
[ -e $real ] || [ ! -e out/paper/runs/synthetic/free/piece-0099.csv ] ||
    "$1" knob train -m models/mini --with out/paper/real --without out/paper/runs/synthetic/free --name real --pairs 300 -t 1 -o $real
