#!/usr/bin/env python3
"""Kernel sums as torch and scikit-learn compute them, on one thread: what tests/bench.sh sets beside
the program's own. Prints a line for each: name, unit, a value for every repetition, parted by tabs.

    bench_peers.py REPEATS
"""
import importlib
import sys
import time

DIMENSIONS = (2, 4, 8, 32, 128, 784)
POINTS = 4096
# Rows at a time: better for either peer than whole matrices, which leave the caches.
ROWS = 256
SECONDS = 0.2


def find(name):
    """The module, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def measure(sums, evaluations):
    """Evaluations a second of a function, in whole calls."""
    sums()
    calls = 0
    started = time.perf_counter()
    elapsed = 0.0
    while elapsed < SECONDS:
        sums()
        calls += 1
        elapsed = time.perf_counter() - started
    return calls * evaluations / elapsed


def report(name, dimension, sums, repeats):
    """One line: sums over all pairs of points, each pair in both orders, by sums(rows)."""
    def all_rows():
        for first in range(0, POINTS, ROWS):
            sums(slice(first, first + ROWS))

    values = [measure(all_rows, POINTS * POINTS) for _ in range(repeats)]
    print(f"{name}_d{dimension}", "evaluations/s", *(f"{v:.6g}" for v in values), sep="\t")


def main():
    """All peers and dimensions."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    numpy = find("numpy")
    torch = find("torch")
    sklearn = find("sklearn.metrics.pairwise")
    if numpy is None:
        return
    if torch is not None:
        torch.set_num_threads(1)
    for d in DIMENSIONS:
        points = numpy.random.default_rng(1).random((POINTS, d))
        lengthscale = (d / 6.0) ** 0.5
        if torch is not None:
            tensor = torch.from_numpy(points) / lengthscale
            report("torch", d,
                   lambda r, t=tensor: torch.exp(-0.5 * torch.cdist(t[r], t) ** 2).sum(dim=1),
                   repeats)
        if sklearn is not None:
            gamma = 0.5 / lengthscale ** 2
            report("scikit-learn", d,
                   lambda r, p=points, g=gamma: sklearn.rbf_kernel(p[r], p, gamma=g).sum(axis=1),
                   repeats)


main()
