"""OpenVINO: a model of one operation, compiled for latency; input and output tensors are shared."""

import numpy as np
import openvino as ov
from openvino import opset8, opset14

from adapters import require

VERSION = ov.__version__.split("-")[0]
TYPES = {
    "float32": ov.Type.f32,
    "float16": ov.Type.f16,
    "bfloat16": ov.Type.bf16,
    "uint8": ov.Type.u8,
}


def operation(row, x):
    """The operation of a row on the parameter `x`."""
    if row.operator.startswith("adaptive"):
        size = ov.op.Constant(ov.Type.i64, ov.Shape([row.ndim]), list(row.output_size()))
        if row.operator == "adaptive_avg_pool":
            return opset8.adaptive_avg_pool(x, size)
        return opset8.adaptive_max_pool(x, size, "i32")
    require(row.operator in ("max_pool", "avg_pool"), f"no {row.operator}")
    kernel, stride, padding = (list(numbers) for numbers in row.window())
    if row.operator == "avg_pool":
        return opset14.avg_pool(x, stride, padding, padding, kernel, False, "floor")
    return opset8.max_pool(x, stride, [1] * row.ndim, padding, padding, kernel, "floor", axis=2)


def build(problem):
    """Infer the request of the row."""
    row = problem.row
    require(not row.backward, "inference only")
    require(row.layout == "NCHW", "NCHW only")
    require(row.dtype in TYPES, "computes f64 in f32")
    parameter = opset8.parameter(list(row.shape), TYPES[row.dtype])
    # An output that no result takes is not computed, except where the plugin insists on both.
    pooled = operation(row, parameter)
    both = row.arguments.get("return_indices") or row.operator == "adaptive_max_pool"
    results = pooled.outputs() if both else [pooled.output(0)]
    # By default it computes f32 models in bf16 where the processor can.
    precision = TYPES[row.dtype] if "16" in row.dtype else ov.Type.f32
    compiled = ov.Core().compile_model(
        ov.Model(results, [parameter]),
        "CPU",
        {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision},
    )
    request = compiled.create_infer_request()
    # Its Python side has no bfloat16 arrays, so the memory is handed over with its type.
    bits = problem.input.view(np.uint16) if row.dtype == "bfloat16" else problem.input
    request.set_input_tensor(ov.Tensor(bits, ov.Shape(row.shape), TYPES[row.dtype]))
    if row.dtype == "bfloat16":
        size = (*row.shape[:2], *row.output_size())
        output = np.empty(size, np.uint16)
        request.set_output_tensor(ov.Tensor(output, ov.Shape(size), ov.Type.bf16))
        return lambda: request.infer() and output

    def call():
        request.infer()
        return request

    return call


def answer(problem, result):
    """Values, and positions where there are any."""
    if isinstance(result, np.ndarray):
        return [result.view(problem.input.dtype)]
    arrays = [tensor.data.copy() for tensor in result.output_tensors]
    return arrays if problem.row.arguments.get("return_indices") else arrays[:1]
