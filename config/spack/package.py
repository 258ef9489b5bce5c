# SPDX-License-Identifier: MIT
#
# Recipe for Spack. In a repository of your own, `spack repo create mine`, it is
# packages/cgm/package.py. From the top of the sources:
#
#     spack dev-build cgm@0.1.0
#
# The variables are those that `make info` lists.
import os

from spack.package import *


class Cgm(MakefilePackage):
    """Fair synthetic-data rewards for parties that pool their data, on MPI ranks."""

    url = "file://{0}/cgm-0.1.0.tar.gz".format(os.getcwd())
    manual_download = True

    version("0.1.0")

    variant("gnuplot", default=True, description="Figures in the pages that cgm report makes")

    depends_on("gmake", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("mpi@3:")
    depends_on("hdf5+mpi")
    depends_on("scalapack")
    depends_on("openblas")
    depends_on("glpk")
    depends_on("random123")
    depends_on("gnuplot", type="run", when="+gnuplot")

    # Three libraries of one source file each, which Spack has not, or without its header.
    resource(
        name="inih",
        url="https://github.com/benhoyt/inih/archive/refs/tags/r58.tar.gz",
        sha256="e79216260d5dffe809bda840be48ab0eec7737b2bb9f02d2275c1b46344ea7b7",
        destination="build",
        placement="inih",
    )
    resource(
        name="libcsv",
        url="https://downloads.sourceforge.net/project/libcsv/libcsv/libcsv-3.0.3/libcsv-3.0.3.tar.gz",
        sha256="d9c0431cb803ceb9896ce74f683e6e5a0954e96ae1d9e4028d6e0f967bebd7e4",
        destination="build",
        placement="libcsv",
    )
    resource(
        name="libsvm",
        url="https://github.com/cjlin1/libsvm/archive/refs/tags/v330.tar.gz",
        sha256="e4fe41308c87cc210aec73e4f5f0fb4da14234d90e7a131763fbad3788ca2d80",
        destination="build",
        placement="libsvm",
    )

    def resource_file(self, name, *parts):
        return join_path(self.stage.source_path, "build", name, *parts)

    def compile_resources(self):
        """One object file each, to be linked as it is."""
        for compiler, name, source in (
            (spack_cc, "inih", "ini.c"),
            (spack_cc, "libcsv", "libcsv.c"),
            (spack_cxx, "libsvm", "svm.cpp"),
        ):
            with working_dir(self.resource_file(name)):
                Executable(compiler)("-O2", "-fPIC", "-c", source, "-o", name + ".o")

    def variables(self):
        """What make is told on the command line."""
        spec = self.spec
        found = ["CC=" + spec["mpi"].mpicc]
        for name, package in (("HDF5", "hdf5"), ("BLAS", "openblas"), ("GLPK", "glpk")):
            found.append(name + "_CFLAGS=-isystem " + spec[package].prefix.include)
        found += [
            "HDF5_LIBS=" + spec["hdf5"].libs.ld_flags,
            "BLAS_LIBS=" + spec["openblas"].libs.ld_flags,
            "SCALAPACK_LIBS=" + spec["scalapack"].libs.ld_flags,
            "GLPK_LIBS=-L{0} -lglpk".format(spec["glpk"].prefix.lib),
            "RANDOM123_CFLAGS=-isystem " + spec["random123"].prefix.include,
            "INIH_CFLAGS=-isystem " + self.resource_file("inih"),
            "INIH_LIBS=" + self.resource_file("inih", "inih.o"),
            "CSV_CFLAGS=-isystem " + self.resource_file("libcsv"),
            "CSV_LIBS=" + self.resource_file("libcsv", "libcsv.o"),
            "SVM_CFLAGS=-isystem " + self.resource_file("libsvm"),
            "SVM_LIBS={0} -lstdc++".format(self.resource_file("libsvm", "libsvm.o")),
        ]
        return found

    def build(self, spec, prefix):
        self.compile_resources()
        make(*self.variables())

    def install(self, spec, prefix):
        make("install", "PREFIX=" + prefix, *self.variables())
