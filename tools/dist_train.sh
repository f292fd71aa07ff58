#!/usr/bin/env bash
# Usage: tools/dist_train.sh CONFIG PROCESSES [arguments of train.py]
set -euo pipefail
CONFIG=$1
PROCESSES=$2
here=$(dirname "$0")
PYTHONPATH="$here/..:${PYTHONPATH:-}" python "$here/launch.py" \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
    --nproc_per_node="$PROCESSES" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    "$here/train.py" "$CONFIG" --launcher pytorch "${@:3}"
