"""Recorded pooling cases for poolnd, and the code that runs them.

The files cases-NAME.jsonl / cases-NAME.npz beside this module hold calls,
their inputs, and what PyTorch answered; README.md describes the format.
NumPy is the only requirement (ml_dtypes, where present, enables the bfloat16
cases; without it they are counted as skipped).

    python conformance.py [--set NAME] [--filter TEXT]

or, in a test file (see README.md):

    @pytest.mark.parametrize("case", conformance.cases(), ids=str)
    def test_case(case):
        conformance.check(case)
"""

import argparse
import collections
import hashlib
import importlib
import inspect
import json
import os
import queue
import re
import subprocess
import sys
import threading
import time
import warnings

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))

# torch raises one of these for a bad call; which one of them is not tested.
ACCEPTED_ERRORS = (RuntimeError, ValueError, TypeError, IndexError)


class Mismatch(AssertionError):
    """The package answered, and the answer is not the recorded one."""


class Missing(Exception):
    """The package has no such function."""


class Skipped(Exception):
    """The case cannot be run on this installation."""


# --------------------------------------------------------------------------
# Call conventions. The only three places that know how poolnd is called.


def call_function(package, path, args, kwargs):
    """path is e.g. 'nn.functional.max_pool2d'."""
    return lookup(package, path)(*args, **kwargs)


def call_module(package, path, init_args, init_kwargs, args, kwargs):
    """path is e.g. 'nn.MaxPool2d': construct the layer, then call it."""
    return lookup(package, path)(*init_args, **init_kwargs)(*args, **kwargs)


def call_vjp(package, path, args, kwargs, grad_output):
    """Gradient of sum(output * grad_output) with respect to args[0].

    output, pullback = poolnd.vjp(F.max_pool2d, x, 2, stride=1), and pullback(grad_output) is the gradient of x.
    """
    function = lookup(package, path)
    if hasattr(package, "vjp"):
        output, pullback = package.vjp(function, *args, **kwargs)
    else:
        vjp = lookup(package, "nn.functional.vjp")
        output, pullback = vjp(path.rsplit(".", 1)[-1])(*args, **kwargs)
    return output, pullback(grad_output)


def lookup(package, path):
    target = package
    for name in path.split("."):
        try:
            target = getattr(target, name)
        except AttributeError:
            try:
                target = importlib.import_module(f"{target.__name__}.{name}")
            except (ImportError, AttributeError):
                raise Missing(path) from None
    return target


def load_package(name):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Missing(f"{name}: {error}") from None


# --------------------------------------------------------------------------
# Arrays


def bfloat16():
    try:
        import ml_dtypes
    except ImportError:
        raise Skipped("bfloat16 needs ml_dtypes") from None
    return np.dtype(ml_dtypes.bfloat16)


def as_dtype(name):
    return bfloat16() if name == "bfloat16" else np.dtype(name)


def storage_dtype(name):
    return np.dtype(np.uint16) if name == "bfloat16" else np.dtype(name)


def to_bfloat16_bits(values):
    """Round float64 to bfloat16 (nearest, ties to even), as uint16 bits."""
    bits = np.asarray(values, np.float32).view(np.uint32).astype(np.uint64)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return rounded.astype(np.uint16)


def splitmix64(count, seed):
    """The first `count` outputs of the splitmix64 generator."""
    with np.errstate(over="ignore"):
        state = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(
            0x9E3779B97F4A7C15
        )
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return state ^ (state >> np.uint64(31))


def generated(shape, dtype, recipe):
    """Rebuild an input too large to store; the same bits on every machine."""
    count = int(np.prod(shape, dtype=np.int64))
    kind = recipe["kind"]
    if kind == "uniform":
        unit = (splitmix64(count, recipe["seed"]) >> np.uint64(11)) * 2.0**-53
        flat = recipe["low"] + (recipe["high"] - recipe["low"]) * unit
    elif kind == "integers":
        span = np.uint64(recipe["high"] - recipe["low"] + 1)
        flat = (splitmix64(count, recipe["seed"]) % span).astype(np.int64) + recipe["low"]
    elif kind == "ramp":
        flat = recipe["start"] + recipe["step"] * np.arange(count, dtype=np.float64)
    elif kind == "constant":
        flat = np.full(count, recipe["value"], np.float64)
    else:
        raise ValueError(f"unknown recipe {kind!r}")
    for position, value in recipe.get("put", []):
        flat[position] = parse_value(value, None)
    if dtype == "bfloat16":
        flat = to_bfloat16_bits(flat)
    return flat.astype(storage_dtype(dtype)).reshape(shape)


def lay_out(array, strides, flags):
    """Copy `array` into memory with the given strides (counted in elements)."""
    if "unaligned" in flags:
        raw = np.zeros(array.nbytes + 1, np.uint8)[1:]
        view = raw.view(array.dtype).reshape(array.shape)
        view[...] = array
    elif strides is None:
        view = array.copy()
    else:
        reach = [(n - 1) * s for n, s in zip(array.shape, strides)] if array.size else [0]
        start = -sum(r for r in reach if r < 0)
        buffer = np.zeros(start + sum(r for r in reach if r > 0) + 1, array.dtype)
        steps = [s * array.itemsize for s in strides]
        view = np.lib.stride_tricks.as_strided(buffer[start:], array.shape, steps)
        view[...] = array
    if "readonly" in flags:
        view.flags.writeable = False
    return view


class Store:
    """The arrays of one set: one flat, concatenated array per dtype."""

    def __init__(self, path):
        with np.load(path) as archive:
            self.flat = {name: archive[name] for name in archive.files}

    def stored(self, ref):
        name, shape = ref["array"], ref["shape"]
        if "recipe" in ref:
            return generated(shape, name, ref["recipe"])
        count = int(np.prod(shape, dtype=np.int64))
        return self.flat[name][ref["at"] : ref["at"] + count].reshape(shape)

    def array(self, ref):
        """The input array of a reference, laid out in memory as recorded."""
        dtype = as_dtype(ref["array"])
        values = self.stored(ref)
        return lay_out(values, ref.get("strides"), ref.get("flags", ())).view(dtype)


def parse_value(value, store):
    """JSON to the Python value it stands for."""
    if isinstance(value, list):
        return [parse_value(v, store) for v in value]
    if isinstance(value, dict):
        if "array" in value:
            return store.array(value)
        if "tuple" in value:
            return tuple(parse_value(v, store) for v in value["tuple"])
        if "float" in value:
            return float(value["float"])
        if "np.int64" in value:
            return np.int64(value["np.int64"])
        raise ValueError(f"unknown value {value!r}")
    return value


# --------------------------------------------------------------------------
# Cases


class Case:
    def __init__(self, record, store):
        self.record = record
        self.store = store
        self.id = record["id"]
        self.function = record["function"]
        self.source = record["source"]
        self.kind = record.get("kind", "call")

    def __str__(self):
        return self.id

    __repr__ = __str__

    def args(self):
        args = [parse_value(v, self.store) for v in self.record.get("args", [])]
        kwargs = {k: parse_value(v, self.store) for k, v in self.record.get("kwargs", {}).items()}
        return args, kwargs

    def init(self):
        """Constructor arguments of a layer; None for a function."""
        if "init" not in self.record:
            return None
        init = self.record["init"]
        args = [parse_value(v, self.store) for v in init.get("args", [])]
        kwargs = {k: parse_value(v, self.store) for k, v in init.get("kwargs", {}).items()}
        return args, kwargs

    def describe(self):
        """The call in one line, for messages."""

        def show(value):
            if isinstance(value, dict) and "array" in value:
                layout = f" {value['layout']}" if "layout" in value else ""
                return f"<{value['array']}{tuple(value['shape'])}{layout}>"
            if isinstance(value, dict) and "tuple" in value:
                inside = ", ".join(show(v) for v in value["tuple"])
                return f"({inside},)" if len(value["tuple"]) == 1 else f"({inside})"
            if isinstance(value, list):
                return "[" + ", ".join(show(v) for v in value) + "]"
            if isinstance(value, dict):
                return "".join(f"{kind}({v})" for kind, v in value.items())
            return repr(value)

        def call(part):
            named = [f"{k}={show(v)}" for k, v in part.get("kwargs", {}).items()]
            return "(" + ", ".join([show(v) for v in part.get("args", [])] + named) + ")"

        if self.kind == "signature":
            return self.function + str(tuple(name for name, _ in self.record["signature"]))
        init = call(self.record["init"]) if "init" in self.record else ""
        return self.function + init + call(self.record)


def set_names(directory=HERE):
    names = (re.fullmatch(r"cases-(.+)\.jsonl", f) for f in sorted(os.listdir(directory)))
    return [m.group(1) for m in names if m]


def read_set(name, directory=HERE, only=None):
    """All cases of a set, or those whose id or function contains `only`."""
    archive = os.path.join(directory, f"cases-{name}.npz")
    store = Store(archive) if os.path.exists(archive) else None
    with open(os.path.join(directory, f"cases-{name}.jsonl"), encoding="utf-8") as lines:
        found = [Case(json.loads(line), store) for line in lines]
    return [c for c in found if not only or only in c.id or only in c.function]


def cases(set=None, filter=None, directory=HERE):
    """Every case, as a list to parametrize a test with."""
    names = [set] if set else set_names(directory)
    return [case for name in names for case in read_set(name, directory, filter)]


# --------------------------------------------------------------------------
# Comparing


def bits_to_float64(values):
    return (values.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def widen(values, name):
    """Stored values as float64 for comparing; integers stay as they are."""
    if name == "bfloat16":
        return bits_to_float64(values)
    return values.astype(np.float64) if values.dtype.kind == "f" else values


def digest(values, name):
    """sha256 over little-endian C-order bytes, NaN and zero made canonical."""
    data = np.ascontiguousarray(values)
    if data.dtype.kind == "f":
        data = data + data.dtype.type(0)
        data[np.isnan(data)] = np.nan
    elif name == "bfloat16":
        data = data.copy()
        data[(data & 0x7FFF) > 0x7F80] = 0x7FC0
        data[data == 0x8000] = 0
    return hashlib.sha256(data.astype(data.dtype.newbyteorder("<")).tobytes()).hexdigest()


def spacing(reference, name):
    """Distance between neighbouring numbers of a float dtype at `reference`."""
    bits, smallest = {
        "float64": (52, -1074),
        "float32": (23, -149),
        "float16": (10, -24),
        "bfloat16": (7, -133),
    }[name]
    _, exponent = np.frexp(np.abs(reference))
    exponent = np.where(reference == 0, smallest, exponent - 1 - bits)
    return np.ldexp(1.0, np.maximum(exponent, smallest))


def compare_values(got, want, tolerance):
    """None, or a sentence saying how two arrays of equal shape differ."""
    if want.dtype.kind == "f":
        with np.errstate(invalid="ignore", over="ignore"):
            equal = (got == want) | (np.isnan(got) & np.isnan(want))
            if tolerance:
                near = np.abs(got - want) <= tolerance["atol"] + tolerance["rtol"] * np.abs(want)
                equal |= near & np.isfinite(want)
    else:
        equal = got == want
    wrong = np.flatnonzero(~equal.ravel())
    if not wrong.size:
        return None
    first = wrong[0]
    where = tuple(int(i) for i in np.unravel_index(first, want.shape))
    return (
        f"{wrong.size} of {want.size} values differ, first at {where}: "
        f"got {got.ravel()[first]!r}, expected {want.ravel()[first]!r}"
        + (f", tolerance {tolerance}" if tolerance else ", exactly")
    )


def compare(got, ref, store, tolerance):
    """Raise Mismatch unless `got` is the array that `ref` describes."""
    name, shape = ref["array"], tuple(ref["shape"])
    dtype = as_dtype(name)
    if not isinstance(got, np.ndarray):
        raise Mismatch(f"expected an ndarray, got {type(got).__name__}")
    if got.dtype != dtype:
        raise Mismatch(f"expected dtype {dtype}, got {got.dtype}")
    if got.shape != shape:
        raise Mismatch(f"expected shape {shape}, got {got.shape}")
    raw = np.ascontiguousarray(got).reshape(shape).view(storage_dtype(name))
    if "pick" in ref:  # a large output: some values, and a digest where exact
        picked = store.stored(ref["pick"])
        values = raw.ravel()[picked]
        problem = compare_values(
            widen(values, name), widen(store.stored(ref["picked"]), name), tolerance
        )
        if problem:
            raise Mismatch(f"at flat positions {picked[:3]}...: {problem}")
        if "sha256" in ref and digest(raw, name) != ref["sha256"]:
            raise Mismatch("values differ from the recorded digest, outside the sampled positions")
        return
    problem = compare_values(widen(raw, name), widen(store.stored(ref), name), tolerance)
    if problem:
        raise Mismatch(problem)


def accuracy(got, spec, store):
    """Errors against the float64 result, in ulp of the dtype and relative."""
    name = spec["dtype"]
    raw = np.ascontiguousarray(got).view(storage_dtype(name)).ravel()
    if "pick" in spec:
        raw = raw[store.stored(spec["pick"])]
    values, exact = widen(raw, name), store.stored(spec["exact"]).ravel()
    finite = np.isfinite(exact)
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = np.abs(values - exact)[finite]
        ulp = distance / spacing(exact[finite], name)
        relative = np.where(distance == 0, 0.0, distance / np.abs(exact[finite]))
    return {
        "max_ulp": float(np.max(ulp, initial=0.0)),
        "max_rel": float(np.max(relative, initial=0.0)),
        "torch_max_ulp": spec["torch_max_ulp"],
        "torch_max_rel": spec["torch_max_rel"],
    }


# --------------------------------------------------------------------------
# Running one case


def check(case, package=None):
    """Run a case; return measurements (usually {}).

    Raises Mismatch, Missing or Skipped, or whatever the package raised.
    """
    if package is None:
        package = load_package(os.environ.get("CONFORMANCE_PACKAGE", "poolnd"))
    if case.kind == "signature":
        return check_signature(case, package)
    args, kwargs = case.args()
    init = case.init()
    inputs = [v for v in [*args, *kwargs.values()] if isinstance(v, np.ndarray)]
    before = [v.tobytes() for v in inputs if v.size <= 1_000_000]

    def run():
        if case.kind == "grad":
            grad_output = parse_value(case.record["grad_output"], case.store)
            return call_vjp(package, case.function, args, kwargs, grad_output)[1]
        if init is not None:
            return call_module(package, case.function, *init, args, kwargs)
        return call_function(package, case.function, args, kwargs)

    if "error" in case.record:
        check_error(case, run)
        return {}
    output = run()
    expected = case.record["expect"]
    if len(expected) > 1:
        if not isinstance(output, (tuple, list)) or len(output) != len(expected):
            raise Mismatch(f"expected a tuple of {len(expected)}, got {type(output).__name__}")
        outputs = list(output)
    else:
        outputs = [output]
    for position, (got, ref) in enumerate(zip(outputs, expected)):
        try:
            compare(got, ref, case.store, case.record.get("tolerance") if not position else None)
        except Mismatch as problem:
            if len(expected) > 1:
                raise Mismatch(f"output {position}: {problem}") from None
            raise
    if before != [v.tobytes() for v in inputs if v.size <= 1_000_000]:
        raise Mismatch("the call changed its input")
    if "accuracy" in case.record:
        return accuracy(outputs[0], case.record["accuracy"], case.store)
    return {}


def check_error(case, run):
    """The call must raise an ordinary exception; where torch's refusal is only
    a gap of torch's ("optional"), an answer is accepted too."""
    error = case.record["error"]
    try:
        run()
    except ACCEPTED_ERRORS:
        return
    except (Missing, Skipped):
        raise
    except Exception as raised:
        if type(raised).__name__ in (error["type"], *error.get("accept", ())):
            return
        raise Mismatch(f"expected {error['type']}, got {type(raised).__name__}: {raised}") from None
    if not error.get("optional"):
        raise Mismatch(f"expected {error['type']} ({error['message']!r}), but it succeeded")


def check_signature(case, package):
    """Parameter names, order and defaults. The first name is not compared; keyword-only extras with a default are allowed."""
    target = lookup(package, case.function)
    try:
        parameters = list(inspect.signature(target).parameters.values())
    except (TypeError, ValueError):
        raise Mismatch("inspect.signature cannot read it") from None
    got = [[p.name, "required" if p.default is p.empty else repr(p.default)] for p in parameters]
    want = [list(entry) for entry in case.record["signature"]]
    names = {name for name, _ in want}
    extra = {
        p.name
        for p in parameters
        if p.kind is p.KEYWORD_ONLY and p.default is not p.empty and p.name not in names
    }
    got = [entry for entry in got if entry[0] not in extra]
    if case.record.get("any_first_name") and got and want:
        got[0][0] = want[0][0]
    if got != want:
        raise Mismatch(f"expected parameters {want}, got {got}")
    return {}


Result = collections.namedtuple("Result", "id source function status detail info")


def run_case(case, package_name):
    """Run a case and say how it went, whatever happens."""

    def result(status, detail="", info=None):
        return Result(case.id, case.source, case.function, status, detail, info or {})

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return result("passed", info=check(case, load_package(package_name)))
    except Missing as reason:
        return result("missing", str(reason))
    except Skipped as reason:
        return result("skipped", str(reason))
    except KeyboardInterrupt:
        raise
    except Mismatch as problem:
        return result("failed", f"{problem}\n    {case.describe()}")
    except BaseException as raised:  # includes a Rust panic
        detail = f"{type(raised).__name__}: {raised}"
        return result("failed", f"{detail}\n    {case.describe()}")


# --------------------------------------------------------------------------
# Running a set in a child process, so that a crash costs one case


def worker(directory, name, only, start, package_name):
    """Child side: announce each case, then report it, one JSON line each."""
    report = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for index, case in enumerate(read_set(name, directory, only)):
        if index < start:
            continue
        print(
            json.dumps({"begin": index, "case": [case.id, case.source, case.function]}),
            file=report,
            flush=True,
        )
        print(
            json.dumps({"end": index, "result": list(run_case(case, package_name))}),
            file=report,
            flush=True,
        )
    print(json.dumps({"done": True}), file=report, flush=True)


def run_set(name, directory=HERE, only=None, package_name="poolnd", timeout=120.0):
    """Yield a Result for every case of a set, restarting after a crash."""
    start = 0
    while True:
        arguments = [directory, name, only or "", str(start), package_name]
        child = subprocess.Popen(
            [sys.executable, os.path.abspath(__file__), "--worker", *arguments],
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        lines = queue.Queue()

        def forward(stream=child.stdout, lines=lines):
            for line in stream:
                lines.put(line)
            lines.put(None)

        threading.Thread(target=forward, daemon=True).start()
        current, done, late = None, False, False
        try:
            while True:
                try:
                    line = lines.get(timeout=timeout)
                except queue.Empty:
                    late = True
                    child.kill()
                    break
                if line is None:
                    break
                message = json.loads(line)
                if "begin" in message:
                    current = (message["begin"], message["case"])
                elif "end" in message:
                    yield Result(*message["result"])
                    start, current = message["end"] + 1, None
                else:
                    done = True
        finally:
            if child.poll() is None and not done:
                child.kill()
            code = child.wait()
        if done:
            return
        if current is None:
            raise RuntimeError(f"set {name}: the runner itself stopped (exit status {code})")
        index, identity = current
        detail = f"no answer in {timeout:g} s" if late else f"the process died (status {code})"
        yield Result(*identity, "failed", detail, {})
        start = index + 1


def tabulate(results, key):
    """Rows of passed / failed / missing / skipped counts, by a Result field."""
    rows = collections.defaultdict(collections.Counter)
    for result in results:
        rows[getattr(result, key)][result.status] += 1
    width = max([len(str(k)) for k in rows] + [len(key)])
    lines = [f"{key:{width}}  passed  failed  missing  skipped"]
    for row in sorted(rows):
        n = rows[row]
        lines.append(
            f"{row:{width}}  {n['passed']:6}  {n['failed']:6}  {n['missing']:7}  {n['skipped']:7}"
        )
    return "\n".join(lines)


def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["--worker"]:
        directory, name, only, start, package_name = argv[1:]
        return worker(directory, name, only or None, int(start), package_name)
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--set", choices=set_names(), help="run one set only")
    parser.add_argument("--filter", help="only cases whose id or function contains this text")
    parser.add_argument("--package", default="poolnd", help="the package to test")
    parser.add_argument("--max-fail", type=int, default=10, help="failures to show in detail")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds for one case")
    options = parser.parse_args(argv)

    results, began = [], time.monotonic()
    for name in [options.set] if options.set else set_names():
        for result in run_set(name, HERE, options.filter, options.package, options.timeout):
            results.append(result)
            shown = sum(r.status == "failed" for r in results)
            if result.status == "failed" and shown <= options.max_fail:
                print(f"FAILED {result.id}\n    {result.detail}")
    print(tabulate(results, "function") if results else "no case matches")
    counts = collections.Counter(r.status for r in results)
    print(f"{time.monotonic() - began:.1f} s; a missing function counts as failed below")
    bad = counts["failed"] + counts["missing"]
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    print(f"{counts['passed']} passed, {bad} failed{skipped}")
    return 1 if bad or not results else 0


if __name__ == "__main__":
    sys.exit(main())
