#!/usr/bin/env bash
# Usage: tools/dist_search.sh CONFIG CHECKPOINT PROCESSES [arguments of search.py]
set -euo pipefail
CONFIG=$1
CHECKPOINT=$2
PROCESSES=$3
here=$(dirname "$0")
export PYTHONPATH="$here/..:${PYTHONPATH:-}"
# torchrun forwards these signals to all ranks and gives them time to save.
export PET_SIGNALS_TO_HANDLE="${PET_SIGNALS_TO_HANDLE:-SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1}"
export PET_SHUTDOWN_TIMEOUT="${PET_SHUTDOWN_TIMEOUT:-60}"
# exec, so that a signal to this script reaches the ranks.
exec python "$here/launch.py" \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
    --nproc_per_node="$PROCESSES" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    "$here/search.py" "$CONFIG" "$CHECKPOINT" --launcher pytorch "${@:4}"
