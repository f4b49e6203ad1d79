"""ONNX Runtime: a model of one node, input and output bound so that nothing is copied."""

from math import prod

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

from adapters import require

VERSION = onnxruntime.__version__
NODES = {
    "max_pool": "MaxPool",
    "avg_pool": "AveragePool",
    "lp_pool": "LpPool",
    "max_unpool": "MaxUnpool",
}


def node(row):
    """The type and the attributes of a row's node."""
    if row.operator.startswith("adaptive"):
        require(row.output_size() == (1,) * row.ndim, "adaptive only to one value")
        return "GlobalMaxPool" if "max" in row.operator else "GlobalAveragePool", {}
    require(row.operator in NODES, f"no {row.operator}")
    kernel, stride, padding = row.window()
    attributes = {"kernel_shape": kernel, "strides": stride, "pads": padding * 2}
    if row.operator == "avg_pool":
        attributes["count_include_pad"] = 1
    if row.operator == "lp_pool":
        attributes["p"] = int(row.arguments["norm_type"])
    return NODES[row.operator], attributes


def model(row, inputs, outputs):
    """The serialised model of a row; what follows the first input or output is positions."""
    dtype = helper.np_dtype_to_tensor_dtype(np.dtype(row.dtype))
    kind, attributes = node(row)

    def values(names, shape):
        types = [dtype] + [TensorProto.INT64] * (len(names) - 1)
        make = helper.make_tensor_value_info
        return [make(name, type_, shape) for name, type_ in zip(names, types, strict=True)]

    graph = helper.make_graph(
        [helper.make_node(kind, inputs, outputs, **attributes)],
        "pool",
        values(inputs, row.shape),
        values(outputs, None),
    )
    opset = helper.make_opsetid("", 21)
    return helper.make_model(graph, opset_imports=[opset], ir_version=10).SerializeToString()


def planes(problem, size):
    """Where each plane starts: ONNX counts positions in the whole tensor, PyTorch in a plane."""
    batch, channels = problem.row.shape[:2]
    starts = np.arange(batch * channels) * prod(size)
    return starts.reshape(batch, channels, *(1 for _ in size))


def build(problem):
    """Run the session of the row."""
    row = problem.row
    require(not row.backward, "inference only")
    require(row.layout == "NCHW", "NCHW only")
    require(row.dtype != "bfloat16", "no bfloat16 arrays on CPU")
    arrays = {"x": problem.input}
    if problem.indices is not None:
        arrays["positions"] = problem.indices + planes(problem, row.output_size())
    outputs = ["y", "positions_of_y"] if row.arguments.get("return_indices") else ["y"]
    session = onnxruntime.InferenceSession(
        model(row, list(arrays), outputs), providers=["CPUExecutionProvider"]
    )
    binding = session.io_binding()
    for name, array in arrays.items():
        binding.bind_cpu_input(name, array)
    for name in outputs:
        binding.bind_output(name)

    def call():
        session.run_with_iobinding(binding)
        return binding

    return call


def answer(problem, result):
    """Values, and positions where there are any."""
    values, *positions = result.copy_outputs_to_cpu()
    return [values, *(p - planes(problem, problem.row.shape[2:]) for p in positions)]
