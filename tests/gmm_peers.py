#!/usr/bin/python3
"""Gaussian mixtures of generator.type = gmm against those of scikit-learn: mean log-likelihood of
the test points, each in the mixture of its class, and time of the fit on one thread.

    tests/gmm_peers.py [--components K ...] [--seeds N] CGM DATA.h5 ...

CGM is the program, DATA.h5 an input with labels and /test. Both fit with the same number of
components (0: what the program chooses for each class), full covariances, as many starts, the same
tolerance and most iterations, and the same least variance. Times are the least of all seeds: the
elapsed time of the program's stage, and the processor's time of scikit-learn's fit, which other
work on the machine does not lengthen. For K = 0 scikit-learn fits all the sizes that the program
tries, once. Needs numpy, scipy, h5py and scikit-learn. Not part of the tests that `make test` runs.
The exit code is 1 if the program is more than 0.02 nats below scikit-learn on average over the
seeds, or takes more than half its time.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings

for variable in "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS":
    os.environ[variable] = "1"

import h5py
import numpy
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

TOLERANCE = 1e-6
ITERATIONS = 200
LEAST_VARIANCE = 1e-6  # of that of all points
STARTS = 4
SIZES = 1, 2, 3, 4, 6, 8, 12, 16
NATS_BELOW = 0.02
TIME_SHARE = 0.5


def read_points(file):
    """Points and labels of all parties together, then of the test set."""
    parties = [file["parties"][name] for name in file["parties"]]
    return (
        numpy.concatenate([party["data"][:] for party in parties]),
        numpy.concatenate([party["labels"][:] for party in parties]),
        file["test/data"][:],
        file["test/labels"][:],
    )


def read_mixtures(file):
    """Label: weights, means, covariances; of a result or of a file of `cgm generate`."""
    group = file["generator"]
    means = group["means"][:]
    covariances = group["covariances"][:].reshape(len(means), means.shape[1], means.shape[1])
    weights = group["weights"][:]
    mixtures = {}
    for k, label in enumerate(group["label"][:]):
        first = group["first_component"][k]
        rows = slice(first, first + group["components"][k])
        mixtures[label] = weights[rows], means[rows], covariances[rows]
    return mixtures


def log_likelihood(mixtures, points, labels):
    """Mean over the points, each in the mixture of its class."""
    total = 0.0
    for label, (weights, means, covariances) in mixtures.items():
        own = points[labels == label]
        parts = [
            numpy.log(weight) + multivariate_normal.logpdf(own, mean, covariance)
            for weight, mean, covariance in zip(weights, means, covariances)
            if weight > 0
        ]
        total += logsumexp(numpy.atleast_2d(parts), axis=0).sum()
    return total / len(points)


def fit_here(program, path, components, seed):
    """Mixtures and seconds of the stage, by a whole run of a small pool."""
    with tempfile.TemporaryDirectory() as directory:
        config = os.path.join(directory, "run.ini")
        result = os.path.join(directory, "result.h5")
        with open(config, "w", encoding="utf-8") as stream:
            stream.write(
                f"[input]\nparties = {os.path.abspath(path)}\n"
                f"[generator]\ntype = gmm\nsize = 1000\ncomponents = {components or 'auto'}\n"
                f"max_iterations = {ITERATIONS}\ntolerance = {TOLERANCE}\n"
                f"[kernel]\nlengthscale = 1\n[reward]\ncondition = individual\n"
                f"[metrics]\nselect = none\n"
                f"[output]\nfile = {result}\n[run]\nprogress = 0\nseed = {seed}\n"
            )
        subprocess.run([program, "run", config], check=True, stdout=subprocess.DEVNULL)
        with h5py.File(result) as file:
            stages = [name.decode() for name in file["timings/stage"][:]]
            return read_mixtures(file), file["timings/max"][stages.index("generator")]


def fit_size(points, size, least, seed):
    return GaussianMixture(
        size,
        tol=TOLERANCE,
        max_iter=ITERATIONS,
        n_init=STARTS if size > 1 else 1,
        reg_covar=least,
        random_state=seed,
    ).fit(points)


def fit_there(points, labels, components, seed):
    """The same by scikit-learn, and seconds. components: by label"""
    mixtures = {}
    least = LEAST_VARIANCE * points.var(axis=0).min()
    start = time.process_time()
    for label in numpy.unique(labels):
        fit = fit_size(points[labels == label], components[label], least, seed)
        mixtures[label] = fit.weights_, fit.means_, fit.covariances_
    return mixtures, time.process_time() - start


def search_there(points, labels):
    """Seconds that scikit-learn takes for all the sizes that the program tries."""
    least = LEAST_VARIANCE * points.var(axis=0).min()
    start = time.process_time()
    for label in numpy.unique(labels):
        own = points[labels == label]
        for size in SIZES:
            if size == 1 or size * (1 + points.shape[1]) <= len(own):
                fit_size(own, size, least, 0).bic(own)
    return time.process_time() - start


def compare(program, path, components, n_seeds):
    """One line; whether both conditions hold."""
    with h5py.File(path) as file:
        points, labels, test, test_labels = read_points(file)
    values = numpy.empty((2, n_seeds))
    trained = numpy.empty((2, n_seeds))
    seconds = numpy.empty((2, n_seeds))
    for seed in range(n_seeds):
        here = fit_here(program, path, components, seed)
        sizes = {label: len(mixture[0]) for label, mixture in here[0].items()}
        there = fit_there(points, labels, sizes, seed)
        for side, (mixtures, taken) in enumerate((here, there)):
            values[side, seed] = log_likelihood(mixtures, test, test_labels)
            trained[side, seed] = log_likelihood(mixtures, points, labels)
            seconds[side, seed] = taken
    taken = seconds.min(axis=1)
    if components == 0:
        taken[1] = search_there(points, labels)
    above = values[0] - values[1]
    holds = above.mean() >= -NATS_BELOW and taken[0] <= TIME_SHARE * taken[1]
    print(
        f"{os.path.basename(path):36} {components:2d} {values[0].mean():9.4f} "
        f"{values[1].mean():9.4f} {above.mean():8.4f} {above.std() / n_seeds**0.5:7.4f} "
        f"{(trained[0] - trained[1]).mean():8.4f} {taken[0]:8.3f} {taken[1]:8.3f} "
        f"{taken[0] / taken[1]:6.3f}{'' if holds else '  NO'}",
        flush=True,
    )
    return holds


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--components", type=int, nargs="+", default=[0, 1, 3, 8])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("program")
    parser.add_argument("data", nargs="+")
    asked = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(
        f"{'log-likelihood of /test, mean':36} {'K':>2} {'here':>9} {'sklearn':>9} {'above':>8} "
        f"{'s.e.':>7} {'of data':>8} {'s':>8} {'sklearn':>8} {'share':>6}"
    )
    holds = [
        compare(asked.program, path, components, asked.seeds)
        for path in asked.data
        for components in asked.components
    ]
    sys.exit(0 if all(holds) else 1)


if __name__ == "__main__":
    main()
