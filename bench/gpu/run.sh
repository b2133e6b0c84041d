#!/bin/sh
# Run bench.gpu on a machine with CUDA, Python 3.12, torch, transformers and torchaudio, without a network.
#
# Wheels in the folder .whl of the checkout are installed first, into a temporary folder. What is worth bringing:
#   pip download --no-deps --only-binary=:all: --python-version 3.12 --platform manylinux_2_17_x86_64 \
#     --platform manylinux_2_28_x86_64 -d .whl whisperx==3.8.6 ctranslate2==4.8.5
# Without whisperx, its alignment is skipped; without ctranslate2, the decoder.
set -eu
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

if ls .whl/*.whl >/dev/null 2>&1; then
    $python -m pip install -q --no-index --no-deps --no-compile --target "$place/site" .whl/*.whl
    export PYTHONPATH="$place/site${PYTHONPATH:+:$PYTHONPATH}"
fi

# CTranslate2 opens libcublas.so.12 by name, where the machine may have a newer one only.
folders=$($python -c 'import sys; print(*filter(None, sys.path))')
cublas=$(find $folders /usr/local/cuda*/ -name 'libcublas.so.1[2-9]' 2>/dev/null | sort | head -n 1)
if [ -n "$cublas" ]; then
    mkdir "$place/lib"
    ln -s "$cublas" "$place/lib/libcublas.so.12"
    light=$(dirname "$cublas")/libcublasLt.${cublas##*libcublas.}
    [ ! -e "$light" ] || ln -s "$light" "$place/lib/libcublasLt.so.12"
    export LD_LIBRARY_PATH="$place/lib:$(dirname "$cublas")${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    echo "libcublas.so.12 is $cublas"
fi

PYTHONUNBUFFERED=1 timeout 480 $python -m bench.gpu "$@"
