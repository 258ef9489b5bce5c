#!/usr/bin/env python3
"""Fashion-MNIST as input of cgm, and principal components of a result against numpy's of the input.

    fashion_mnist.py make DATA.h5 [--source DIRECTORY] [--parties N] [--points M] [--candidates G]
    fashion_mnist.py compare DATA.h5 RESULT.h5

The images are those of Debian's package dataset-fashion-mnist: 784 features, 0 .. 255, ten classes.
The classes are dealt out to the parties; 96 % of a party's M images are of its own classes, in
equal parts, and 0.5 % of each other one, if there are five parties. No image is in two places, and each
party has its images in the order of the data set. /test is the test images. With G > 0 there is a
pool of images that no party has, with noise added and cut to whole numbers of the same range. Needs
python3-h5py and python3-numpy. The comparison is meant for features.type = pca without
features.scale.
"""
import argparse
import gzip
import sys

import h5py
import numpy

SOURCE = "/usr/share/datasets/fashion-mnist"
CLASSES = 10
OTHER_SHARE = 0.005
NOISE = 16.0
SEED = 1
# Components, their variances and projected points agree with numpy's to this, of the largest.
CLOSE = 1e-8


def read(directory, name):
    """An IDX file as an array of whole numbers, images flattened."""
    with gzip.open(f"{directory}/{name}.gz") as file:
        dimensions = file.read(4)[3]
        shape = [int.from_bytes(file.read(4), "big") for _ in range(dimensions)]
        numbers = numpy.frombuffer(file.read(), dtype=numpy.uint8)
    return numbers.reshape(shape[0], -1)


def put(file, group, images, labels):
    """Points and labels of one group of the input layout."""
    file.create_dataset(f"{group}/data", data=images.astype(numpy.float32))
    file.create_dataset(f"{group}/labels", data=labels.ravel().astype(numpy.int64))


def deal(labels, n_parties, n_points):
    """The rows of every party, and those that are left."""
    rows_of = [list(numpy.flatnonzero(labels == c)) for c in range(CLASSES)]
    dealt = []
    for i in range(n_parties):
        own = [c for c in range(CLASSES) if c * n_parties // CLASSES == i]
        counts = [round(n_points * OTHER_SHARE)] * CLASSES
        for k, c in enumerate(own):
            rest = n_points - counts[c] * (CLASSES - len(own))
            counts[c] = rest * (k + 1) // len(own) - rest * k // len(own)
        if any(len(rows_of[c]) < counts[c] for c in range(CLASSES)) or sum(counts) != n_points:
            sys.exit("fashion_mnist.py: there are too few images of a class for that")
        mine = [row for c in range(CLASSES) for row in rows_of[c][: counts[c]]]
        rows_of = [rows_of[c][counts[c] :] for c in range(CLASSES)]
        dealt.append(numpy.sort(mine))
    return dealt, numpy.sort(numpy.concatenate(rows_of))


def make(arguments):
    """Writes the input."""
    images = read(arguments.source, "train-images-idx3-ubyte")
    labels = read(arguments.source, "train-labels-idx1-ubyte").ravel()
    dealt, left = deal(labels, arguments.parties, arguments.points)
    if arguments.candidates > len(left):
        sys.exit(f"fashion_mnist.py: no party has {len(left)} images, too few for that")
    pool = left[: arguments.candidates]
    with h5py.File(arguments.data, "w-") as file:
        for i, rows in enumerate(dealt):
            put(file, f"/parties/party{i + 1}", images[rows], labels[rows])
        if arguments.candidates > 0:
            noise = numpy.random.default_rng(SEED).normal(0.0, NOISE, images[pool].shape)
            put(file, "/candidates", numpy.clip(numpy.rint(images[pool] + noise), 0, 255),
                labels[pool])
        put(file, "/test", read(arguments.source, "t10k-images-idx3-ubyte"),
            read(arguments.source, "t10k-labels-idx1-ubyte"))


def apart(name, found, expected, unit):
    """Prints the largest difference; whether it is small."""
    difference = numpy.abs(found - expected).max() / unit
    print(f"{name:20} {difference:.3g} apart, {CLOSE:g} allowed")
    return bool(difference <= CLOSE)


def compare(arguments):
    """Exit code 0 if the result's components are numpy's, up to sign."""
    with h5py.File(arguments.data) as file:
        parties = file["/parties"]
        points = numpy.concatenate([parties[name]["data"][:] for name in parties]).astype(float)
    with h5py.File(arguments.result) as file:
        mean = file["/features/mean"][:]
        components = file["/features/components"][:]
        variance = file["/features/explained_variance"][:]
    expected_mean = points.mean(axis=0)
    _, singular, axes = numpy.linalg.svd(points - expected_mean, full_matrices=False)
    axes = axes[: len(components)]
    signs = numpy.sign((components * axes).sum(axis=1))
    largest = numpy.abs(components).argmax(axis=1)
    expected_variance = singular[: len(variance)] ** 2 / (len(points) - 1)
    good = [
        apart("mean", mean, expected_mean, 255.0),
        apart("components", components, signs[:, None] * axes, 1.0),
        apart("explained variance", variance, expected_variance, expected_variance[0]),
        bool((components[range(len(components)), largest] > 0.0).all()),
    ]
    return 0 if all(good) else 1


def main():
    """Exit code 0: done, or the same."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    commands = parser.add_subparsers(dest="command", required=True)
    maker = commands.add_parser("make")
    maker.add_argument("data")
    maker.add_argument("--source", default=SOURCE)
    maker.add_argument("--parties", type=int, default=5)
    maker.add_argument("--points", type=int, default=5000)
    maker.add_argument("--candidates", type=int, default=0)
    comparer = commands.add_parser("compare")
    comparer.add_argument("data")
    comparer.add_argument("result")
    arguments = parser.parse_args()
    if arguments.command == "make":
        make(arguments)
        return 0
    return compare(arguments)


if __name__ == "__main__":
    sys.exit(main())
