"""Train a small LeNet on handwritten digits, from scratch: NumPy, and poolnd for its layers.

    python examples/train_digits.py [--epochs 40] [--seed 0]

Two convolutions, each followed by a maximum over 2 x 2 pixels, then two dense layers. Going back
through the network is `vjp`: pooling layers have it, a layer defined here adds its own, and
`nn.Sequential` chains them. The 1797 images of 8 x 8 pixels ship with scikit-learn; a fifth of them
is held out and only looked at in the end. Fewer than 97 % of these right is an error.
"""

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits
from tqdm import tqdm

import poolnd
import poolnd.nn.functional as F
from poolnd import nn
from poolnd.nn import grad

Array = NDArray[np.float32]
Labels = NDArray[np.int64]
Pullback = Callable[[Any], Array]

BATCH = 32
RATE = 2e-3
REQUIRED = 0.97


def main() -> int:
    """Train, test, and say whether it was good enough."""
    parser = argparse.ArgumentParser(description="Train a small LeNet on handwritten digits.")
    parser.add_argument("--epochs", type=int, default=40, help="how often every image is seen")
    parser.add_argument("--seed", type=int, default=0, help="of the split, the weights, the order")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    images, labels, held_out, truth = load(rng)
    features = Convolution(rng, 1, 32), ReLU(), nn.MaxPool2d(2)
    features += Convolution(rng, 32, 64), ReLU(), nn.MaxPool2d(2)
    classes = Flatten(), Dense(rng, 64 * 2 * 2, 128), ReLU(), Dense(rng, 128, 10)
    network = nn.Sequential(*features, *classes)
    began = time.perf_counter()
    with threadpool_limits(1):  # matrices as small as these are slower on several threads
        train(network, images, labels, options.epochs, rng)
    seconds = time.perf_counter() - began
    score = float(np.mean(network(held_out).argmax(axis=1) == truth))
    print(
        f"{score:.2%} of {len(truth)} held-out digits are right, after {seconds:.1f} s of training"
    )
    if score < REQUIRED:
        print(f"that is less than {REQUIRED:.0%}", file=sys.stderr)
    return int(score < REQUIRED)


def load(rng: np.random.Generator) -> tuple[Array, Labels, Array, Labels]:
    """Return images (N, 1, 8, 8) from 0 to 1 with their labels: to train on, and held out."""
    digits = load_digits()
    images = (digits.images[:, np.newaxis] / 16).astype(np.float32)
    held_out, rest = np.split(rng.permutation(len(images)), [len(images) // 5])
    return images[rest], digits.target[rest], images[held_out], digits.target[held_out]


class Layer(nn.Module):
    """A layer that defines `vjp`."""

    def forward(self, x: Array) -> Array:
        """Return the result without its pullback."""
        return self.vjp(x)[0]


class Trained(Layer):
    """A layer with a weight and a bias; its pullback leaves their gradients in `gradients`."""

    def __init__(self, rng: np.random.Generator, shape: tuple[int, ...], inputs: int) -> None:
        # Values keep their scale from layer to layer (He et al., 2015, arXiv 1502.01852).
        self.weight = rng.normal(0, np.sqrt(2 / inputs), shape).astype(np.float32)
        self.bias = np.zeros(shape[0], np.float32)
        self.gradients: tuple[Array, ...] = ()


class Convolution(Trained):
    """Filters of 3 x 3 pixels over images that keep their size."""

    def __init__(self, rng: np.random.Generator, channels_in: int, channels_out: int) -> None:
        super().__init__(rng, (channels_out, channels_in, 3, 3), channels_in * 9)

    def vjp(self, x: Array) -> tuple[Array, Pullback]:
        """Return the result and its pullback."""
        y, pullback = poolnd.vjp(F.conv2d, x, self.weight, self.bias, padding=1)

        def back(of_y: Array) -> Array:
            of_weight = grad.conv2d_weight(x, self.weight.shape, of_y, padding=1)
            self.gradients = of_weight, of_y.sum(axis=(0, 2, 3))
            return pullback(of_y)

        return y, back


class Dense(Trained):
    """Every output is a weighted sum of all inputs."""

    def __init__(self, rng: np.random.Generator, inputs: int, outputs: int) -> None:
        super().__init__(rng, (outputs, inputs), inputs)

    def vjp(self, x: Array) -> tuple[Array, Pullback]:
        """Return the result and its pullback."""

        def back(of_y: Array) -> Array:
            self.gradients = of_y.T @ x, of_y.sum(axis=0)
            return of_y @ self.weight

        return x @ self.weight.T + self.bias, back


class ReLU(Layer):
    """Negative values become 0."""

    def vjp(self, x: Array) -> tuple[Array, Pullback]:
        """Return the result and its pullback."""
        return np.maximum(x, 0), lambda of_y: of_y * (x > 0)


class Flatten(Layer):
    """All channels and pixels of an image in one row."""

    def vjp(self, x: Array) -> tuple[Array, Pullback]:
        """Return the result and its pullback."""
        return x.reshape(len(x), -1), lambda of_y: of_y.reshape(x.shape)


def train(
    network: nn.Module, images: Array, labels: Labels, epochs: int, rng: np.random.Generator
) -> None:
    """Change the weights step by step, each step for a batch of slightly shifted images."""
    adam = Adam([layer for layer in network.modules() if isinstance(layer, Trained)])
    batches = len(images) // BATCH
    with tqdm(total=epochs * batches, desc="training", unit="batch") as bar:
        for epoch in range(epochs):
            rate = RATE / 2 * (1 + np.cos(np.pi * epoch / epochs))
            for batch in np.split(rng.permutation(len(images))[: batches * BATCH], batches):
                scores, pullback = network.vjp(shifted(images[batch], rng))
                loss, of_scores = cross_entropy(scores, labels[batch])
                pullback(of_scores)
                adam.step(rate)
                bar.update()
            bar.set_postfix(loss=f"{loss:.4f}")


def shifted(images: Array, rng: np.random.Generator) -> Array:
    """Move each image by at most a pixel, so that the network sees more than the images it has."""
    padded = np.pad(images[:, 0], ((0, 0), (1, 1), (1, 1)))
    views = np.lib.stride_tricks.sliding_window_view(padded, (8, 8), axis=(1, 2))
    down, right = rng.integers(3, size=(2, len(images)))
    return views[np.arange(len(images)), down, right][:, np.newaxis]


def cross_entropy(scores: Array, labels: Labels) -> tuple[float, Array]:
    """Mean of -log(softmax) at the labels, and its gradient."""
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = -float(np.log(shares[rows, labels]).mean())
    shares[rows, labels] -= 1
    return loss, shares / len(labels)


class Adam:
    """Steps along averaged gradients, as long in every direction (Kingma and Ba, 2015)."""

    def __init__(self, layers: list[Trained]) -> None:
        self.layers = layers
        self.weights = [array for layer in layers for array in (layer.weight, layer.bias)]
        self.means = [np.zeros_like(array) for array in self.weights]
        self.squares = [np.zeros_like(array) for array in self.weights]
        self.steps = 0

    def step(self, rate: float) -> None:
        """Change all weights by the gradients that the last pullback left."""
        self.steps += 1
        rate *= np.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps)
        gradients = (gradient for layer in self.layers for gradient in layer.gradients)
        for i, gradient in enumerate(gradients):
            self.means[i] += 0.1 * (gradient - self.means[i])
            self.squares[i] += 0.001 * (gradient**2 - self.squares[i])
            self.weights[i] -= rate * self.means[i] / (np.sqrt(self.squares[i]) + 1e-8)


if __name__ == "__main__":
    sys.exit(main())
