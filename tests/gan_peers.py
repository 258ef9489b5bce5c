#!/usr/bin/python3
"""What generator.type = gan draws, against real points that nothing was fitted on and as
scikit-learn sees it.

    tests/gan_peers.py [--seeds N] [--launch "mpirun -n 2"] CGM DATA.h5 ...

CGM is the program, DATA.h5 an input with labels and /test. For every seed a run draws 10,000
points at the default options; a line shows
    s            seconds of the training
    mmd2         unbiased MMD² of these points to /test at the lengthscale that the run chose
    untrained    the same of a network that was trained for one step
    share        the largest factor by which a class's share is off that in the parties' points
    accuracy     on /test of a support vector machine that is trained on the points drawn, and as a
                 part of that of one trained on the parties' points
    agreement    of all classes the least: how often the latter takes a drawn point for its class,
                 as a part of how often it does so with one of /test
Exit code 1 where mmd2 is above 0.003 or above a twentieth of untrained, a share off by more than 2,
the accuracy below 85 %, the agreement below 70 %, or the seconds above 300, which is for a machine
that does nothing else. Needs numpy, h5py and scikit-learn. Called by tests/slow.sh.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile

for variable in "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS":
    os.environ.setdefault(variable, "1")

import h5py
import numpy
from sklearn.svm import SVC

SIZE = 10000
MMD2 = 0.003
MMD2_PART = 0.05
SHARE = 2.0
ACCURACY_PART = 0.85
AGREEMENT_PART = 0.7
SECONDS = 300.0


def read(group):
    """Points and labels."""
    return group["data"][:].astype(float), group["labels"][:]


def kernel_sum(one, other, lengthscale):
    """Of all pairs."""
    total = 0.0
    for first in range(0, len(one), 500):
        rows = one[first : first + 500]
        squared = (rows**2).sum(1)[:, None] + (other**2).sum(1) - 2.0 * rows @ other.T
        total += numpy.exp(-0.5 * numpy.maximum(squared, 0.0) / lengthscale**2).sum()
    return total


def mmd2(one, other, lengthscale):
    """Unbiased; the kernel of a point with itself is 1."""
    m, n = len(one), len(other)
    return (
        (kernel_sum(one, one, lengthscale) - m) / (m * (m - 1.0))
        + (kernel_sum(other, other, lengthscale) - n) / (n * (n - 1.0))
        - 2.0 * kernel_sum(one, other, lengthscale) / (m * n)
    )


def fit(points, labels):
    """As the program's own (MATH.md §7)."""
    gamma = 1.0 / (points.shape[1] * points.var(axis=0).mean())
    return SVC(C=1.0, gamma=gamma).fit(points, labels)


def agreement(classifier, points, labels, classes):
    """For every class the part of its points that the classifier takes for it."""
    found = classifier.predict(points)
    return numpy.array([(found[labels == c] == c).mean() for c in classes])


def draw(program, path, seed, directory):
    """Points and labels of a run, those of an untrained network, lengthscale, seconds."""
    config = os.path.join(directory, "run.ini")
    result = os.path.join(directory, "result.h5")
    pool = os.path.join(directory, "pool.h5")
    with open(config, "w", encoding="utf-8") as stream:
        stream.write(
            f"[input]\nparties = {os.path.abspath(path)}\n"
            f"[generator]\ntype = gan\nsize = {SIZE}\n"
            f"[reward]\ncondition = individual\n[metrics]\nselect = none\n"
            f"[output]\nfile = {result}\n[run]\nprogress = 0\nseed = {seed}\n"
        )
    for command in ["run", config], ["generate", config, "--out", pool, "--generator.steps=1"]:
        subprocess.run(program + command, check=True, stdout=subprocess.DEVNULL)
    with h5py.File(result) as file, h5py.File(pool) as raw:
        stages = [name.decode() for name in file["timings/stage"][:]]
        return (
            read(file["candidates"]),
            read(raw["candidates"]),
            float(numpy.ravel(file["kernel/lengthscale"][()])[0]),
            file["timings/max"][stages.index("generator")],
        )


class Truth:
    """The real points of a file, and what is expected of those drawn."""

    def __init__(self, path):
        with h5py.File(path) as file:
            parties = [read(group) for group in file["parties"].values()]
            self.test = read(file["test"])
        labels = numpy.concatenate([c for _, c in parties])
        self.classes, counts = numpy.unique(labels, return_counts=True)
        self.shares = counts / len(labels)
        self.classifier = fit(numpy.vstack([p for p, _ in parties]), labels)
        self.accuracy = self.classifier.score(*self.test)
        self.agreement = agreement(self.classifier, *self.test, self.classes)

    def judge(self, program, path, seed):
        """One line; whether all holds."""
        with tempfile.TemporaryDirectory() as directory:
            drawn, raw, lengthscale, seconds = draw(program, path, seed, directory)
        distance = mmd2(drawn[0], self.test[0], lengthscale)
        untrained = mmd2(raw[0], self.test[0], lengthscale)
        shares = numpy.array([(drawn[1] == c).mean() for c in self.classes])
        with numpy.errstate(divide="ignore"):
            share = numpy.maximum(shares / self.shares, self.shares / shares).max()
        accuracy = fit(*drawn).score(*self.test)
        agrees = agreement(self.classifier, *drawn, self.classes) / self.agreement
        holds = (
            distance <= min(MMD2, MMD2_PART * untrained)
            and share <= SHARE
            and accuracy >= ACCURACY_PART * self.accuracy
            and agrees.min() >= AGREEMENT_PART
            and seconds <= SECONDS
        )
        print(
            f"{os.path.basename(path):40} {seed:4d} {seconds:6.1f} {lengthscale:9.5f} "
            f"{distance:10.2e} {untrained:9.4f} {share:6.3f} {accuracy:8.4f} "
            f"{accuracy / self.accuracy:6.3f} {agrees.min():9.2f}{'' if holds else '  NO'}",
            flush=True,
        )
        return holds


def main():
    """All files, all seeds."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--launch", default="")
    parser.add_argument("program")
    parser.add_argument("data", nargs="+")
    asked = parser.parse_args()
    program = shlex.split(asked.launch) + [asked.program]
    print(
        f"{'points drawn by a network':40} seed      s lengthsc.       mmd2 untrained  share "
        f"accuracy   part agreement"
    )
    holds = []
    for path in asked.data:
        truth = Truth(path)
        print(f"{os.path.basename(path):40} accuracy of the parties' points {truth.accuracy:.4f}")
        holds += [truth.judge(program, path, seed) for seed in range(1, asked.seeds + 1)]
    sys.exit(0 if all(holds) else 1)


if __name__ == "__main__":
    main()
