#!/usr/bin/env bash
# Usage: tools/dist_search.sh CONFIG CHECKPOINT PROCESSES [arguments of search.py]
set -euo pipefail
CONFIG=$1
CHECKPOINT=$2
PROCESSES=$3
here=$(dirname "$0")
PYTHONPATH="$here/..:${PYTHONPATH:-}" python "$here/launch.py" \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
    --nproc_per_node="$PROCESSES" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    "$here/search.py" "$CONFIG" "$CHECKPOINT" --launcher pytorch "${@:4}"
