"""Downstream accuracies of a result against scikit-learn's SVC, trained and tested anew.

    python3 tests/downstream_peers.py RESULT.h5 INPUT.h5 [POOL.h5]

RESULT.h5 is what `cgm run` made of INPUT.h5 (groups /parties/<name>; /test is read from POOL.h5
where input.candidates names one). Needs numpy, h5py and scikit-learn, of Debian's python3-sklearn
and python3-h5py; make check-slow runs it where PYTHON has them. Prints a line a number: party, beta,
column, the result's, scikit-learn's, difference; the exit code is 1 if a difference exceeds 0.002,
or a number is missing on one side alone. Sets of more than metrics.downstream_points points, of
which a run uses a part that is not chosen here again, are named and left out: make the run with a
larger limit to have them compared.
"""

import configparser
import sys

import h5py
import numpy
from sklearn.svm import SVC

ALLOWED = 2e-3


def accuracies(training, tests):
    """Share of right labels among each of some sets of points."""
    points, labels = training
    tests = [t if t is not None and len(t[1]) > 0 else None for t in tests]
    if len(numpy.unique(labels)) == 1:
        return [numpy.nan if t is None else numpy.mean(t[1] == labels[0]) for t in tests]
    variance = points.var(axis=0).mean()
    gamma = 1.0 / (points.shape[1] * variance) if variance > 0.0 else 1.0
    model = SVC(C=1.0, kernel="rbf", gamma=gamma, cache_size=500)
    model.fit(points, labels)
    return [numpy.nan if t is None else model.score(t[0], t[1]) for t in tests]


class Comparison:
    """A result beside its input, and how far they are apart."""

    def __init__(self, result, source, pool):
        self.result = result
        self.names = [n.decode() if isinstance(n, bytes) else n for n in result["parties/name"][:]]
        config = configparser.ConfigParser(interpolation=None)
        text = result.attrs["config"]
        config.read_string(text.decode() if isinstance(text, bytes) else text)
        self.limit = int(config["metrics"]["downstream_points"])
        self.parties = [self.read(source["parties"][n]) for n in self.names]
        self.test = None
        if "test" in pool and "labels" in pool["test"]:
            self.test = self.read(pool["test"])
        self.worst = 0.0
        self.compared = 0
        self.left_out = 0

    def scaled(self, points):
        """Points as the run computes with them."""
        points = numpy.asarray(points, dtype=float)
        if "features" not in self.result:
            return points
        features = self.result["features"]
        return (points - features["mean"][:]) / features["scale"][:]

    def read(self, group):
        """Points and labels of a group."""
        return self.scaled(group["data"][:]), group["labels"][:]

    def rewards(self, beta, i):
        """Points and labels of a party's rewards."""
        group = self.result["sampling"][beta]
        rows = slice(group["offsets"][i], group["offsets"][i + 1])
        return self.scaled(group["data"][rows]), group["labels"][rows]

    def tests(self, i):
        """What a party's models are tested on."""
        others = [p for j, p in enumerate(self.parties) if j != i]
        if not others:
            return [None, self.test]
        return [tuple(numpy.concatenate(part) for part in zip(*others)), self.test]

    def report(self, i, beta, when, found):
        """Compare with the columns of one training set."""
        for kind, theirs in zip(("others", "test"), found):
            column = f"downstream_{kind}_{when}"
            ours = self.result["metrics"][beta][column][i]
            if numpy.isnan(ours) and numpy.isnan(theirs):
                continue
            difference = abs(ours - theirs)
            difference = numpy.inf if numpy.isnan(difference) else difference
            self.worst = max(self.worst, difference)
            self.compared += 1
            print(self.names[i], beta, column, f"{ours:.6f}", f"{theirs:.6f}", f"{difference:.6f}",
                  sep="\t")

    def is_too_large(self, i, beta, training, tests):
        """Would the run have used a part alone?"""
        largest = max(len(s[1]) for s in [training, *tests] if s is not None)
        if largest > self.limit:
            print(self.names[i], beta, f"left out: {largest} points", sep="\t")
            self.left_out += 1
        return largest > self.limit

    def compare(self, i):
        """All numbers of a party."""
        tests = self.tests(i)
        betas = sorted(self.result["sampling"])
        if not self.is_too_large(i, "before", self.parties[i], tests):
            found = accuracies(self.parties[i], tests)
            for beta in betas:
                self.report(i, beta, "before", found)
        for beta in betas:
            training = tuple(numpy.concatenate(part)
                             for part in zip(self.parties[i], self.rewards(beta, i)))
            if not self.is_too_large(i, beta, training, tests):
                self.report(i, beta, "after", accuracies(training, tests))


def main():
    """The exit code."""
    if len(sys.argv) not in (3, 4):
        print(__doc__, file=sys.stderr)
        return 2
    with h5py.File(sys.argv[1]) as result, h5py.File(sys.argv[2]) as source, \
            h5py.File(sys.argv[-1]) as pool:
        comparison = Comparison(result, source, pool)
        for i in range(len(comparison.names)):
            comparison.compare(i)
        print(f"{comparison.compared} compared, {comparison.left_out} left out, "
              f"largest difference {comparison.worst:.6f}, {ALLOWED} allowed")
    return 0 if comparison.compared > 0 and comparison.worst <= ALLOWED else 1


sys.exit(main())
