"""A tour of poolnd on a photograph: what pooling computes, and three reasons to pool.

    python examples/tour.py [--out FOLDER]

Every result is printed beside what it must be; the first that differs ends the tour with an error
that names it. FOLDER/tour.png shows the photograph at several scales and on its way down to one
value per channel.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, DTypeLike, NDArray

import poolnd.nn.functional as F
from poolnd import nn

Image = NDArray[np.float32]

SCALES = (4, 8, 16, 32)
BINS = (64, 16, 8, 4, 2, 1)
CHANNELS = {"red": "#ff6b5e", "green": "#5fd47a", "blue": "#6aa5ff"}
INK, QUIET = "#22252b", "#6d737d"
CELL, GAP, MARGIN = 2.2, 0.16, 0.5  # of the picture, in inches


def main() -> None:
    """Walk through the tour, then save its picture."""
    parser = argparse.ArgumentParser(description="A tour of poolnd on a photograph.")
    parser.add_argument("--out", type=Path, default=Path("build/tour"), help="output folder")
    folder = parser.parse_args().out
    photo = load_photo()
    sixteen_numbers()
    chained_layers(photo[:, :, :224, 112:336])
    less_to_carry(photo)
    scales = several_scales(photo)
    steps = one_value_per_channel(photo)
    path = save_picture(folder, photo, scales, steps)
    print(f"\nEvery result is what it must be. To look at: {path}")


def load_photo() -> Image:
    """Return scikit-image's photograph of an astronaut: (1, 3, 512, 512), values 0 to 1."""
    pixels = skimage.data.astronaut().astype(np.float32) / 255
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[np.newaxis])


def sixteen_numbers() -> None:
    """Pool the numbers 0 to 15 in every way that fits on a page."""
    print("Sixteen numbers: x = 0, 1, ... 15 as an image of 4 x 4")
    x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    mean_filter = np.full((1, 1, 2, 2), 1 / 4, np.float32)
    maxima = [[5, 6, 7], [9, 10, 11], [13, 14, 15]]
    means = [[2.5, 4.5], [10.5, 12.5]]
    adaptive = [[2.5, 3.5, 4.5], [6.5, 7.5, 8.5], [10.5, 11.5, 12.5]]
    show("max_pool2d(x, 2, stride=1)", F.max_pool2d(x, 2, stride=1)[0, 0], maxima)
    show("max_pool2d(x, 2)", F.max_pool2d(x, 2)[0, 0], [[5, 7], [13, 15]])
    show("avg_pool2d(x, 2)", F.avg_pool2d(x, 2)[0, 0], means)
    show("conv2d(x, 2 x 2 of 1/4, stride=2)", F.conv2d(x, mean_filter, stride=2)[0, 0], means)
    show("adaptive_avg_pool2d(x, (3, 3))", F.adaptive_avg_pool2d(x, (3, 3))[0, 0], adaptive)


def chained_layers(image: Image) -> None:
    """Chain three layers, one by one and as a `Sequential`."""
    print("\nLayers: a piece of the photograph through three of them")
    layers = [nn.MaxPool2d(2), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d((5, 5))]
    shapes = [(1, 3, 112, 112), (1, 3, 56, 56), (1, 3, 5, 5)]
    show("image", image.shape, (1, 3, 224, 224))
    result = image
    for position, (layer, shape) in enumerate(zip(layers, shapes, strict=True), 1):
        result = layer(result)
        show(f"{position}. {type(layer).__name__}", result.shape, shape)
    chain = nn.Sequential(*layers)
    print(f"\n{chain}")
    output = chain(image)
    show("Sequential of the three", output.shape, shapes[-1])
    show("largest difference to one by one", np.abs(output - result).max(), 0)
    show("trainable parameters", len(list(chain.parameters())), 0)


def less_to_carry(photo: Image) -> None:
    """Print what each halving saves: bytes, and time in the layer that comes next."""
    print(
        "\nReason 1, less to carry: each MaxPool2d(2) halves both sides, and a convolution follows"
    )
    print("  stage        size       bytes     saved      pooling   convolution    saved in all")
    filters = np.random.default_rng(0).standard_normal((8, 3, 3, 3), np.float32)
    image, carried = photo, photo.nbytes
    _, before = timed(F.conv2d, photo, filters, padding=1)
    print(f"  photo    {size_of(photo):>9}{carried:12,}{'':23}{before:11.3f} ms")
    for stage in range(1, 6):
        pooled, pooling = timed(nn.MaxPool2d(2), image)
        _, after = timed(F.conv2d, pooled, filters, padding=1)
        compare(f"bytes of stage {stage}", pooled.nbytes, carried // 4)
        print(
            f"  pool {stage}   {size_of(pooled):>9}{pooled.nbytes:12,}"
            f"{1 - pooled.nbytes / carried:10.0%}{pooling:10.3f} ms{after:11.3f} ms"
            f"{before - after - pooling:13.3f} ms"
        )
        image, carried, before = pooled, pooled.nbytes, after


def several_scales(photo: Image) -> dict[str, tuple[Image, float]]:
    """Return the photograph at several scales, and the milliseconds each took."""
    print("\nReason 2, several scales: the average keeps the brightness, max what stands out")
    scales = {}
    for k in SCALES:
        blocks = photo.reshape(1, 3, 512 // k, k, 512 // k, k)
        maxima, max_time = timed(F.max_pool2d, photo, k)
        averages, average_time = timed(F.avg_pool2d, photo, k)
        compare(f"max_pool2d(photo, {k})", maxima, blocks.max((3, 5)))
        compare(f"avg_pool2d(photo, {k})", averages, blocks.mean((3, 5), np.float64), 1e-6)
        show(f"brightness, max {k} x {k}", maxima.mean(), blocks.max((3, 5)).mean(), 1e-5)
        show(f"brightness, average {k} x {k}", averages.mean(), photo.mean(), 1e-5)
        scales[f"max {k} x {k}"] = maxima, max_time
        scales[f"average {k} x {k}"] = averages, average_time
    return scales


def one_value_per_channel(photo: Image) -> dict[int, Image]:
    """Return averages over n x n bins, down to a single one."""
    print("\nReason 3, one value per channel (red, green, blue) whatever the size of the picture")
    exact = photo.mean((2, 3), np.float64)[0]
    show("adaptive_avg_pool2d(photo, 1)", F.adaptive_avg_pool2d(photo, 1)[0, :, 0, 0], exact, 1e-6)
    peak = F.adaptive_max_pool2d(photo, 1)[0, :, 0, 0]
    show("adaptive_max_pool2d(photo, 1)", peak, photo.max((2, 3))[0])
    for piece in (photo[:, :, :300, :200], photo[:, :, 7:, ::-3]):
        result = F.adaptive_avg_pool2d(piece, 1)
        compare("a piece's averages", result, piece.mean((2, 3), np.float64, keepdims=True), 1e-6)
        show(f"from a piece of {size_of(piece)}", result.shape, (1, 3, 1, 1))
    return {n: F.adaptive_avg_pool2d(photo, n) for n in BINS}


def save_picture(
    folder: Path, photo: Image, scales: dict[str, tuple[Image, float]], steps: dict[int, Image]
) -> Path:
    """Draw the photograph, its scales and its way down, in equal squares."""
    figure = Figure(figsize=(15.0, 16.3), dpi=110, facecolor="white")
    write(figure, 0.55, "Three reasons to pool", 27, INK)
    write(figure, 1.2, "Less to carry, and the same picture at several scales", 17, INK)
    write(figure, 1.55, "Maxima keep what stands out, averages keep the brightness.")
    write(figure, 8.0, "One value per channel", 17, INK)
    write(figure, 8.35, "Averages over fewer and fewer bins, whatever the size of the picture.")
    side = 2 * CELL + GAP
    draw(place(figure, 0, 2.3, side), photo, f"{size_of(photo)}, {photo.nbytes:,} bytes")
    write(figure, 2.45 + side, "NASA, public domain; from scikit-image", 10)
    for position, (name, (pooled, took)) in enumerate(scales.items()):
        axes = place(figure, 2 + position // 2, 2.3 + position % 2 * (CELL + 0.62))
        draw(axes, pooled, f"{name}, {took:.2f} ms\n{size_of(pooled)}, {pooled.nbytes:,} bytes")
    for row, (name, colour) in enumerate(CHANNELS.items()):
        shades = LinearSegmentedColormap.from_list(name, ["#0b0c10", colour, "#ffffff"])
        for column, (n, step) in enumerate(steps.items()):
            axes = place(figure, column, 9.0 + row * (CELL + GAP))
            draw_channel(axes, step[0, row], shades)
            axes.set_title(f"{n} x {n}" if row == 0 else "", size=10.5, color=INK)
            axes.set_ylabel(name if column == 0 else "", size=12, color=INK)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tour.png"
    figure.savefig(path)
    return path


def write(figure: Figure, top: float, text: str, size: float = 13, color: str = QUIET) -> None:
    """Write a line at the left margin, `top` inches below the upper edge."""
    width, height = figure.get_size_inches()
    figure.text(MARGIN / width, 1 - top / height, text, size=size, color=color, va="center")


def place(figure: Figure, column: int, top: float, side: float = CELL) -> Axes:
    """Add a square, `top` inches below the upper edge."""
    width, height = figure.get_size_inches()
    left = MARGIN + column * (CELL + GAP)
    box = (left / width, 1 - (top + side) / height, side / width, side / height)
    return figure.add_axes(box, xticks=[], yticks=[], frame_on=False)


def draw(axes: Axes, image: Image, title: str) -> None:
    """Show a colour image, one square of colour for each element."""
    axes.imshow(image[0].transpose(1, 2, 0), interpolation="nearest")
    axes.set_title(title, size=10.5, color=INK, linespacing=1.4)


def draw_channel(axes: Axes, values: Image, shades: LinearSegmentedColormap) -> None:
    """Show one channel; where few elements are left, write their values on them."""
    axes.imshow(values, cmap=shades, vmin=0, vmax=1, interpolation="nearest")
    if len(values) <= 2:
        for (row, column), value in np.ndenumerate(values):
            ink, size = INK if value > 0.5 else "white", 26 / len(values)
            axes.text(column, row, f"{value:.3f}", color=ink, size=size, ha="center", va="center")


def show(name: str, got: ArrayLike, want: ArrayLike, tolerance: float = 0.0) -> None:
    """Print a result beside what it must be, and stop where they differ."""
    left, right = (text(value, np.asarray(got).dtype).splitlines() for value in (got, want))
    for line, (ours, theirs) in enumerate(zip(left, right, strict=False)):
        label, must = (name, "must be") if line == 0 else ("", "")
        print(f"  {label:36}{ours:24}{must:10}{theirs}")
    compare(name, got, want, tolerance)


def text(value: ArrayLike, dtype: DTypeLike) -> str:
    """Return a shape as the tuple that it is, and numbers with four digits."""
    if isinstance(value, tuple):
        return str(value)
    numbers = np.asarray(value, dtype)
    with np.printoptions(precision=4, suppress=True):
        return f"{numbers:.4f}" if not numbers.ndim and numbers.dtype.kind == "f" else str(numbers)


def compare(name: str, got: ArrayLike, want: ArrayLike, tolerance: float = 0.0) -> None:
    """Stop the tour, naming the difference, unless both are the same."""
    ours, theirs = np.asarray(got), np.asarray(want)
    if ours.shape != theirs.shape or not np.allclose(ours, theirs, rtol=0, atol=tolerance):
        raise SystemExit(f"The tour stops: {name} is\n{ours}\nbut must be\n{theirs}")


def timed(function: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Image, float]:
    """Return a call's result and, of seven calls, the fastest one's milliseconds."""
    times = []
    for _ in range(7):
        start = time.perf_counter()
        result = function(*args, **kwargs)
        times.append(time.perf_counter() - start)
    return result, min(times) * 1e3


def size_of(image: Image) -> str:
    """Return an image's size as people write it."""
    return f"{image.shape[3]} x {image.shape[2]}"


if __name__ == "__main__":
    main()
