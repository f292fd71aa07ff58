#!/usr/bin/env bash
# Compile mmcv's ops for the CPU and install them in the environment of `python` (or of $PYTHON).
#
#     tools/build_mmcv_ops.sh [VERSION]
#
# onedl-mmcv asks for C++17, but torch's headers need C++20, so a compiler wrapper changes the flag.
# It also precompiles torch's headers, because they take most of the compile time.
set -euo pipefail

PYTHON=${PYTHON:-python}
VERSION=${1:-2.3.6}
COMPILER=$(command -v "${CXX:-g++}") || { echo "error: ${CXX:-g++} was not found: install it, or set CXX" >&2; exit 1; }
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

echo '#include <torch/extension.h>' > "$WORK/torch_headers.h"
cat > "$WORK/compiler" <<END
#!/usr/bin/env bash
set -e
words=("\${@/-std=c++17/-std=c++20}" -O1 -g0)
case " \$* " in
*.cpp\ *)
    if [ ! -e "$WORK/torch_headers.h.gch" ]; then
        settings=()
        for ((i = 0; i < \${#words[@]}; i++)); do
            case "\${words[i]}" in
            -c | *.cpp) ;;
            -o | -MF | -MT) ((i += 1)) ;;
            -MMD | -MD) ;;
            *) settings+=("\${words[i]}") ;;
            esac
        done
        "$COMPILER" "\${settings[@]}" -x c++-header "$WORK/torch_headers.h"
    fi
    exec "$COMPILER" -include "$WORK/torch_headers.h" "\${words[@]}" ;;
*)
    exec "$COMPILER" "\${words[@]}" ;;
esac
END
chmod +x "$WORK/compiler"

"$PYTHON" -m pip install --quiet 'setuptools>=77' wheel ninja
CC="$WORK/compiler" CXX="$WORK/compiler" MMCV_WITH_OPS=1 FORCE_CUDA=0 MAX_JOBS=${MAX_JOBS:-1} \
    "$PYTHON" -m pip install --no-deps --no-build-isolation --no-binary onedl-mmcv \
    --no-cache-dir --force-reinstall "onedl-mmcv==$VERSION"
# From another folder, so that no local module shadows the installed one.
cd "$WORK"
"$PYTHON" -c 'import torch, mmcv.ops; print("mmcv._ext:", mmcv._ext.__file__)'
