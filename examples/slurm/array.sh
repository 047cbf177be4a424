#!/bin/bash
# SPDX-License-Identifier: MIT
# An experiment as an array of Slurm tasks, each with its share of the pieces, and a last job that makes the tables.
#
#     bash examples/slurm/array.sh experiments/methods.json out/methods
#
# submits both, from a folder that every node sees: the paths in the experiment and of the results begin there. A task
# that failed, was killed or had no time left takes the job of the tables with it; give the same line again then, with
# as many tasks as you like: pieces that are there stay, and the results are the same bytes.
#
# Edit: tasks (--array; 1-64%8 runs 8 at a time), cores and memory of each (memory: the weights and 1 GB), the longest
# it may take, and what your site wants, such as --partition and --account. "smitin" must be on the nodes' path.
#SBATCH --job-name=smitin
#SBATCH --array=1-4
#SBATCH --cpus-per-task=2
#SBATCH --mem=4G
#SBATCH --time=08:00:00
#SBATCH --output=smitin-%A_%a.log
#SBATCH --open-mode=append
#SBATCH --requeue
set -euo pipefail

if [ $# -ne 2 ]; then
    echo "usage: bash array.sh EXPERIMENT.json DIR" >&2
    exit 2
fi
if [ -z "${SLURM_ARRAY_TASK_ID:-}" ]; then
    pieces=$(sbatch --parsable "$0" "$1" "$2")
    pieces=${pieces%%;*} # the cluster's name may follow
    tables=$(sbatch --parsable --array=0 --dependency="afterok:$pieces" --kill-on-invalid-dep=yes "$0" merge "$2")
    echo "pieces: job $pieces; tables: job ${tables%%;*}; squeue --me shows them"
elif [ "$1" = merge ]; then
    exec smitin eval merge "$2"
else
    exec smitin eval run "$1" -o "$2" -t "$SLURM_CPUS_PER_TASK"
fi
