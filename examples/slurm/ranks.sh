#!/bin/bash
# SPDX-License-Identifier: MIT
# An experiment as one Slurm job of several ranks, on one node or on many, and then its tables. A rank that has made its
# share takes pieces that nobody works on, so all are busy until the end.
#
#     sbatch examples/slurm/ranks.sh experiments/methods.json out/methods
#
# Submit from a folder that every node sees: the paths in the experiment and of the results begin there. When the job
# failed or had no time left, give the same line again: pieces that are there stay, and the results are the same bytes.
#
# Edit: ranks (--ntasks), cores and memory of each (memory: the weights and 1 GB), the longest it may take, and what
# your site wants, such as --partition and --account. "smitin" must be on the nodes' path.
#SBATCH --job-name=smitin
#SBATCH --ntasks=4
#SBATCH --cpus-per-task=1
#SBATCH --mem-per-cpu=4G
#SBATCH --time=08:00:00
#SBATCH --output=smitin-%j.log
#SBATCH --open-mode=append
#SBATCH --requeue
set -euo pipefail

if [ $# -ne 2 ]; then
    echo "usage: sbatch ranks.sh EXPERIMENT.json DIR" >&2
    exit 2
fi
# "mpirun" and "srun --mpi=pmi2" in the place of "srun" do the same.
srun --cpus-per-task="$SLURM_CPUS_PER_TASK" smitin eval run "$1" -o "$2" -t "$SLURM_CPUS_PER_TASK"
smitin eval merge "$2"
