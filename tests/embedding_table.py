#!/usr/bin/env python3
"""What values from embeddings cost and how far off they are, against the exact ones.

    tests/embedding_table.py CGM [FEATURES ...]

runs CGM on simulated parties of 2, 4, 8 and 784 features (or of those given), on RANKS ranks (2), and
prints a table: number of frequencies; root mean square error over parties and three seeds of v and of
phi, relative to the largest, and of alpha; the largest error of v*; how often the ranking is the
exact one; seconds of the sums and Shapley values; bytes sent for them. Needs h5py and numpy.
Environment: RANKS, MPIRUN, FREQUENCIES (1024 4096 16384 65536), PARTIES (5), POINTS (500), CANDIDATES
(5000).
"""

import os
import subprocess
import sys
import tempfile

import h5py
import numpy

STAGES = ("kernel_sums", "shapley")
SEEDS = (1, 2, 3)


def setting(name, default):
    return int(os.environ.get(name, default))


def simulate(cgm, features, directory):
    """One file a party, and the pool."""
    data = os.path.join(directory, "data.h5")
    subprocess.run(
        [cgm, "simulate", "--out", data, "--features", str(features),
         "--parties", str(setting("PARTIES", 5)), "--points", str(setting("POINTS", 500)),
         "--candidates", str(setting("CANDIDATES", 5000))],
        check=True, stdout=subprocess.DEVNULL)
    parties = os.path.join(directory, "parties")
    os.mkdir(parties)
    with h5py.File(data) as file:
        for name in file["parties"]:
            with h5py.File(os.path.join(parties, name + ".h5"), "w") as own:
                own["data"] = file["parties"][name]["data"][:]
                own["labels"] = file["parties"][name]["labels"][:]
    return data, parties


def run(cgm, directory, data, parties, lengthscale, *options):
    """The numbers of a run."""
    result = os.path.join(directory, "result.h5")
    configuration = os.path.join(directory, "run.ini")
    with open(configuration, "w") as file:
        file.write(f"[input]\nparties = {parties}\ncandidates = {data}\n"
                   f"[kernel]\nlengthscale = {lengthscale}\n[reward]\ncondition = individual\n"
                   "[metrics]\nselect = none\n[sampling]\npatience = 0.001\n"
                   f"[output]\nfile = {result}\noverwrite = true\n[run]\nprogress = 0\n")
    subprocess.run(
        [os.environ.get("MPIRUN", "mpirun"), "-n", os.environ.get("RANKS", "2"), cgm, "run",
         configuration, *options], check=True, stdout=subprocess.DEVNULL)
    with h5py.File(result) as file:
        stages = [name.decode() for name in file["timings/stage"][:]]
        rows = [stages.index(name) for name in STAGES]
        return {"v": file["values/single"][:], "phi": file["shapley/phi"][:],
                "alpha": file["shapley/alpha"][:], "v_star": file["reward"].attrs["v_star"],
                "seconds": sum(file["timings/max"][k] for k in rows),
                "bytes": sum(file["timings/bytes_sent"][k] for k in rows)}


def compare(exact, found):
    """Errors over several runs."""
    def error(name):
        return numpy.sqrt(numpy.mean([(run[name] - exact[name]) ** 2 for run in found]))
    ranking = numpy.argsort(exact["phi"])
    kept = sum((numpy.argsort(run["phi"]) == ranking).all() for run in found)
    star = max(abs(run["v_star"] / exact["v_star"] - 1.0) for run in found)
    return (error("v") / exact["v"].max(), error("phi") / exact["phi"].max(), error("alpha"), star,
            f"{kept} of {len(found)}", min(run["seconds"] for run in found),
            found[0]["bytes"] / 1e6)


def main():
    cgm = sys.argv[1]
    print("| d | F | v | φ | α | v\\* | ranking | s | MB sent |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for features in [int(text) for text in sys.argv[2:]] or [2, 4, 8, 784]:
        lengthscale = 0.4 * numpy.sqrt(features)
        with tempfile.TemporaryDirectory() as directory:
            data, parties = simulate(cgm, features, directory)
            exact = run(cgm, directory, data, parties, lengthscale)
            print(f"| {features} | exact | | | | | | {exact['seconds']:.2f} "
                  f"| {exact['bytes'] / 1e6:.2f} |", flush=True)
            for count in os.environ.get("FREQUENCIES", "1024 4096 16384 65536").split():
                found = [run(cgm, directory, data, parties, lengthscale,
                             "--values.exchange=embeddings",
                             f"--values.embedding_features={count}", f"--run.seed={seed}")
                         for seed in SEEDS]
                print("| {} | {} | {:.2g} | {:.2g} | {:.2g} | {:.2g} | {} | {:.2f} | {:.2f} |"
                      .format(features, count, *compare(exact, found)), flush=True)


if __name__ == "__main__":
    main()
