"""The rows of the rival bench: which layer, on which array. The only list of them.

The layers are those of the networks named. Shapes are (N, C, *spatial) whatever the memory order.
"""

from dataclasses import dataclass, field, replace
from math import prod
from typing import Any


@dataclass(frozen=True)
class Row:
    """One problem: `function` of torch.nn.functional with `arguments`, on an array of `shape`."""

    name: str
    function: str
    shape: tuple[int, ...]
    arguments: dict[str, Any] = field(default_factory=dict)
    dtype: str = "float32"
    layout: str = "NCHW"  # or "NHWC": the memory order, channels last
    backward: bool = False

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Row":
        """The row whose fields went through JSON, which knows no tuples."""
        arguments = {
            k: tuple(v) if isinstance(v, list) else v for k, v in fields["arguments"].items()
        }
        return cls(**{**fields, "shape": tuple(fields["shape"]), "arguments": arguments})

    @property
    def ndim(self) -> int:
        """The number of pooled axes."""
        return len(self.shape) - 2

    @property
    def operator(self) -> str:
        """The function's name without its dimension: ``"max_pool"`` for ``"max_pool2d"``."""
        return self.function[:-2]

    @property
    def label(self) -> str:
        """The row's name with what sets it apart from the plain f32 forward row."""
        marks = [mark for mark in (self.dtype, self.layout) if mark not in ("float32", "NCHW")]
        if self.arguments.get("return_indices"):
            marks.append("with indices")
        if self.backward:
            marks.append("backward")
        return ", ".join([self.name, *marks])

    def per_axis(self, argument: str, default: int = 0) -> tuple[int, ...]:
        """`argument` as one number for each pooled axis."""
        value = self.arguments.get(argument, default)
        return tuple(value) if isinstance(value, tuple) else (value,) * self.ndim

    def window(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Kernel size, stride and padding of each pooled axis."""
        kernel = self.per_axis("kernel_size")
        stride = self.per_axis("stride") if "stride" in self.arguments else kernel
        return kernel, stride, self.per_axis("padding")

    def output_size(self) -> tuple[int, ...]:
        """The spatial sizes of the output."""
        if "output_size" in self.arguments:
            return self.per_axis("output_size")
        axes = zip(self.shape[2:], *self.window(), strict=True)
        if self.operator == "max_unpool":
            return tuple((length - 1) * s - 2 * p + k for length, k, s, p in axes)
        return tuple((length + 2 * p - k) // s + 1 for length, k, s, p in axes)

    def numbers_moved(self) -> int:
        """Elements of input and output together: what any implementation has to move."""
        return prod(self.shape) + prod(self.shape[:2]) * prod(self.output_size())

    def small(self) -> "Row":
        """The same layer on an array small enough for a test, its sizes as odd as before."""
        spatial = self.shape[2:]
        if "output_size" not in self.arguments:
            kernel, *_ = self.window()
            spatial = tuple(
                min(n, 3 * k + 12 + n % 2) for n, k in zip(spatial, kernel, strict=True)
            )
        return replace(self, shape=(min(self.shape[0], 2), min(self.shape[1], 3), *spatial))


def pool(name: str, kind: str, shape: tuple[int, ...], k: Any, s: Any = None, p: Any = 0) -> Row:
    """A max or average row, from the numbers that a paper gives."""
    arguments = {"kernel_size": k, "stride": k if s is None else s, "padding": p}
    return Row(name, f"{kind}_pool{len(shape) - 2}d", shape, arguments)


def with_backward(row: Row) -> list[Row]:
    """The row, and the gradient of the same layer."""
    return [row, replace(row, backward=True)]


STEM = pool("ResNet-50 stem", "max", (16, 64, 112, 112), 3, 2, 1)
HEAD = Row("ResNet-50 head", "adaptive_avg_pool2d", (32, 2048, 7, 7), {"output_size": 1})
DENSENET = pool("DenseNet transition", "avg", (8, 256, 56, 56), 2)
FRACTIONAL = Row(
    "fractional", "fractional_max_pool2d", (8, 64, 112, 112), {"kernel_size": 2, "output_size": 79}
)
PICTURE = (1, 1, 1080, 1920)

ROWS: list[Row] = [
    pool("AlexNet 55", "max", (8, 96, 55, 55), 3, 2),
    pool("AlexNet 27", "max", (16, 256, 27, 27), 3, 2),
    pool("AlexNet 13", "max", (16, 256, 13, 13), 3, 2),
    *with_backward(pool("GoogLeNet stem", "max", (8, 64, 114, 114), 3, 2)),
    pool("GoogLeNet 28", "max", (8, 192, 28, 28), 3, 1, 1),
    pool("GoogLeNet 14", "max", (16, 512, 14, 14), 3, 1, 1),
    pool("GoogLeNet 7", "max", (16, 832, 7, 7), 3, 1, 1),
    pool("GoogLeNet head", "avg", (32, 1024, 7, 7), 7),
    pool("Inception stem", "max", (8, 192, 71, 71), 3, 2),
    *with_backward(pool("Inception 35", "avg", (8, 256, 35, 35), 3, 1, 1)),
    pool("Inception 17", "avg", (8, 768, 17, 17), 3, 1, 1),
    pool("Inception 8", "avg", (16, 1280, 8, 8), 3, 1, 1),
    pool("Inception 8", "max", (16, 2048, 8, 8), 3, 1, 1),
    pool("Inception head", "avg", (16, 2048, 8, 8), 8),
    replace(STEM, name="ResNet-50 stem, one image", shape=(1, 64, 112, 112)),
    *with_backward(STEM),
    *with_backward(HEAD),
    pool("VGG 224, one image", "max", (1, 64, 224, 224), 2),
    *with_backward(pool("VGG 224", "max", (8, 64, 224, 224), 2)),
    pool("VGG 14", "max", (16, 512, 14, 14), 2),
    pool("3-D U-Net 64", "max", (1, 64, 64, 64, 64), 2),
    pool("3-D U-Net 28", "max", (1, 128, 28, 28, 28), 2),
    pool("I3D stem", "max", (1, 64, 16, 112, 112), (1, 3, 3), (1, 2, 2), (0, 1, 1)),
    DENSENET,
    *(pool(f"YOLO SPP {k}", "max", (4, 512, 20, 20), k, 1, k // 2) for k in (5, 9, 13)),
    pool("audio encoder", "max", (16, 256, 4096), 4),
    pool("audio pooling", "avg", (16, 64, 5905), 10),
    *(
        replace(pool(f"picture {k}x{k}", kind, PICTURE, k, 1, k // 2), dtype=dtype)
        for dtype in ("float32", "uint8")
        for kind in ("max", "avg")
        for k in (5, 7, 31)
    ),
    pool("4K picture", "avg", (1, 3, 2160, 3840), 4),
    pool("photo", "max", (1, 3, 224, 224), 2),
    pool("tiny", "max", (1, 1, 4, 4), 2),
    *(replace(row, layout="NHWC") for row in (STEM, DENSENET)),
    *(
        replace(row, dtype=dtype)
        for dtype in ("bfloat16", "float16", "uint8", "float64")
        for row in (STEM, DENSENET)
    ),
    replace(STEM, arguments={**STEM.arguments, "return_indices": True}),
    Row("SegNet decoder", "max_unpool2d", (16, 64, 56, 56), {"kernel_size": 2, "stride": 2}),
    Row("adaptive 7", "adaptive_avg_pool2d", (8, 256, 50, 50), {"output_size": 7}),
    Row("adaptive 7", "adaptive_max_pool2d", (8, 256, 50, 50), {"output_size": 7}),
    Row("power average", "lp_pool2d", (8, 64, 112, 112), {"norm_type": 2.0, "kernel_size": 2}),
    FRACTIONAL,
]
