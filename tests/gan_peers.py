#!/usr/bin/env python3
"""Points of a generative network as scikit-learn sees them (Debian: python3-sklearn, python3-h5py):
accuracy on /test of a classifier that is trained on them, against one that is trained on the
parties' own points, and how often the latter takes a drawn point for its class, against how often
it does so with points of /test.

    gan_peers.py INPUT.h5 DRAWN.h5 ...       DRAWN.h5 as tests/slow_gan writes it

Prints a line for each file. Exit code 1 where the accuracy is below 85 % of that of the parties'
points, or where a class's agreement is below 70 % of that of /test.
"""
import sys

import h5py
import numpy
from sklearn.svm import SVC

ACCURACY_PART = 0.85
AGREEMENT_PART = 0.7


def read(group):
    """Points and labels."""
    return group["data"][:].astype(float), group["labels"][:]


def fit(points, labels):
    """As the program's own (MATH.md §7)."""
    gamma = 1.0 / (points.shape[1] * points.var(axis=0).mean())
    return SVC(C=1.0, gamma=gamma).fit(points, labels)


def agreement(classifier, points, labels, classes):
    """For every class the part of its points that the classifier takes for it."""
    found = classifier.predict(points)
    return numpy.array([(found[labels == c] == c).mean() for c in classes])


def main():
    """All files."""
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    with h5py.File(sys.argv[1]) as file:
        parties = [read(group) for group in file["parties"].values()]
        test = read(file["test"])
    points = numpy.vstack([p for p, _ in parties])
    labels = numpy.concatenate([c for _, c in parties])
    classes = numpy.unique(labels)
    real = fit(points, labels)
    accuracy = real.score(*test)
    expected = agreement(real, *test, classes)
    print(f"parties: accuracy {accuracy:.4f} agreement {numpy.round(expected, 2)}")
    failed = False
    for path in sys.argv[2:]:
        with h5py.File(path) as file:
            drawn = read(file["candidates"])
        found = fit(*drawn).score(*test)
        agrees = agreement(real, *drawn, classes)
        worst = (agrees / expected).min()
        print(f"{path}: accuracy {found:.4f} = {100 * found / accuracy:.1f} % "
              f"agreement {numpy.round(agrees, 2)} worst part {worst:.2f}")
        failed = failed or found < ACCURACY_PART * accuracy or worst < AGREEMENT_PART
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
