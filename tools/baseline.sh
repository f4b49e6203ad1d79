#!/bin/sh
# baseline.sh PYTHON WHEEL: does the wheel run on a processor that has nothing beyond the x86-64 baseline?
# QEMU's qemu64 has SSE3 and none of SSSE3, SSE4, POPCNT, AVX, AVX2, FMA, BMI or AVX-512, and stops a program at
# the first such instruction. Results must have the same bits as on this machine with all it has.
set -eu
command -v qemu-x86_64 >/dev/null || {
    echo "missing: qemu-x86_64. Debian, Ubuntu: sudo apt install qemu-user" >&2
    exit 1
}
[ "$(uname -m)" = x86_64 ] || {
    echo "this machine is $(uname -m): the wheel that was built here is not for x86-64" >&2
    exit 1
}
base=$1
wheel=$2
"$base" -m venv --clear .venv-baseline
.venv-baseline/bin/python -m pip install --quiet "$wheel" ml_dtypes "numpy==1.26.*; python_version < \"3.13\""
# Newer releases of NumPy themselves need SSE4.2 and POPCNT.
case $(.venv-baseline/bin/python -c 'import importlib.metadata as m; print(m.version("numpy"))') in
1.*) processor=qemu64 ;;
*) processor=qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt ;;
esac
emulated="qemu-x86_64 -cpu $processor .venv-baseline/bin/python"

$emulated -c 'import poolnd; poolnd.show_config()' | tee target/make/baseline.txt
grep -q 'baseline (found: baseline)' target/make/baseline.txt
.venv-baseline/bin/python tests/python/digests.py >target/make/digests-here.json
$emulated tests/python/digests.py >target/make/digests-baseline.json
cmp target/make/digests-here.json target/make/digests-baseline.json
echo "the same bits on $processor"
