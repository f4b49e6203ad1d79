#!/bin/sh
# Print the first Python that can make our environments: 3.11 or newer, with the venv module.
# $PYTHON, when set, is the only candidate. Names in one line what is missing, and how to get it.
best=
for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
    # A shim may be on the PATH for a version that is not installed, so each one is asked.
    version=$("$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
        best=${best:-"$name is $version"}
        continue
    }
    if "$name" -c 'import ensurepip, venv' 2>/dev/null; then
        "$name" -c 'import sys; print(sys.executable)'
        exit 0
    fi
    best="python$version has no venv module (Debian, Ubuntu: sudo apt install python$version-venv)"
done
echo "missing: Python 3.11 or newer; ${best:-none found}. Get it from your system's packages" \
    "(Debian, Ubuntu: sudo apt install python3 python3-venv) or https://www.python.org/downloads," \
    "or name one: make PYTHON=/path/to/python3.12" >&2
exit 1
