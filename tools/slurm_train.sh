#!/usr/bin/env bash
# Usage: [GPUS=8] [GPUS_PER_NODE=8] [CPUS_PER_TASK=8] [SRUN_ARGS=...] \
#   tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [arguments of train.py]
# SRUN_ARGS='--signal=USR1@120' signals the job 120 s before its time limit. It then saves
# WORK_DIR/interrupted.pth and exits with status 138 (143 after SIGTERM). Start it again with
# --resume. In an sbatch script: '#SBATCH --signal=USR1@120'.
set -euo pipefail
PARTITION=$1
JOB_NAME=$2
CONFIG=$3
WORK_DIR=$4
GPUS=${GPUS:-8}
GPUS_PER_NODE=${GPUS_PER_NODE:-8}
here=$(dirname "$0")
export PYTHONPATH="$here/..:${PYTHONPATH:-}"
# shellcheck disable=SC2086
exec srun -p "$PARTITION" --job-name="$JOB_NAME" \
    --gres="gpu:$GPUS_PER_NODE" --ntasks="$GPUS" --ntasks-per-node="$GPUS_PER_NODE" \
    --cpus-per-task="${CPUS_PER_TASK:-8}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    python -u "$here/train.py" "$CONFIG" --work-dir "$WORK_DIR" --launcher slurm "${@:5}"
