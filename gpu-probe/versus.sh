#!/bin/sh
# The probe beside independent tools on the same machine, taking turns: Burn's matrix product on its wgpu backend, clpeak
# on whatever OpenCL there is (Debian: apt install clpeak pocl-opencl-icd), and plain copies by the processor.
#
# `make versus-probe`. Run it where nothing else runs; every figure is printed each time, so that its spread is seen.
set -eu

ROUNDS="${ROUNDS:-3}"
cargo build --quiet --release -p gpu-probe --example probe --example bandwidth
# Burn's kernels run on the device: the everyday profile measures the same, and is built already.
cargo build --quiet -p engine --features autotune --example matmul
target="${CARGO_TARGET_DIR:-target}"

round=1
while [ "$round" -le "$ROUNDS" ]; do
    echo "== round $round of $ROUNDS: the probe"
    "$target/release/examples/probe" full
    echo "== round $round of $ROUNDS: Burn, GFLOP/s by side"
    "$target/debug/examples/matmul" 3
    echo "== round $round of $ROUNDS: plain copies"
    "$target/release/examples/bandwidth"
    echo "== round $round of $ROUNDS: clpeak"
    if command -v clpeak > /dev/null; then
        clpeak --compute-sp --global-bandwidth
    else
        echo "not installed: apt install clpeak pocl-opencl-icd" >&2
    fi
    round=$((round + 1))
done
