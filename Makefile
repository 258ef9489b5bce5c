# cgm. `make help` lists the targets, `make info` what a build would use; every variable that it
# prints can be given on the command line.
SHELL = /bin/bash
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory

VERSION = 0.1.0
BUILD = build
PREFIX = /usr/local
DESTDIR =

PKG_CONFIG = pkg-config
CLANG_FORMAT = clang-format
CLANG_TIDY = clang-tidy
CPPCHECK = cppcheck
VALGRIND = valgrind
CLANG = clang
SMPICC = smpicc
SMPIRUN = smpirun

# openmpi or mpich. Debian installs both beside each other, where mpicc and mpirun are Open MPI's.
MPI = openmpi
MPIRUN = $(if $(filter mpich,$(MPI)),mpirun.mpich,mpirun)
MPICC = $(if $(filter mpich,$(MPI)),mpicc.mpich,mpicc)
ifeq ($(filter openmpi mpich,$(MPI)),)
$(error MPI=$(MPI): openmpi or mpich)
endif

# The C compiler behind mpicc, if not its own: COMPILER=clang.
COMPILER =
# A CC in the environment names a plain compiler as a rule, so only one on the command line counts.
ifneq ($(origin CC),command line)
CC = $(if $(COMPILER),env OMPI_CC=$(COMPILER) MPICH_CC=$(COMPILER) )$(MPICC)
endif
CFLAGS = -O3 -g
ASAN_CFLAGS = -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined \
    -fno-omit-frame-pointer
FUZZ_CFLAGS = -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined \
    -fno-omit-frame-pointer -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
# No reader of files runs the kernel's unrolled loops, and clang takes long to optimise them.
FUZZ_KERNEL_CFLAGS = -O0 -fno-sanitize=all
FUZZ_SECONDS = 60
WARNINGS = -Wall -Wextra -Wshadow -Wconversion -Wvla $(if $(WERROR),-Werror)
# Results must not depend on whether the compiler fuses a product and a sum. Nobody reads the
# floating-point exception flags: free of them, loops with conditional expressions become vector code.
STANDARD = -std=c11 -D_XOPEN_SOURCE=700 -ffp-contract=off -fno-trapping-math -fopenmp

# $(call pkg_config,VARIABLE,options): asked once, and only if the user has not given the variable.
# Headers of libraries are system headers, whose warnings are not ours.
define pkg_config
ifeq ($$(origin $(1)),undefined)
$(1) := $$(patsubst -I%,-isystem %,$$(shell $(PKG_CONFIG) $(2) 2>/dev/null))
endif
endef
$(eval $(call pkg_config,HDF5_CFLAGS,--cflags hdf5-$(MPI)))
$(eval $(call pkg_config,HDF5_LIBS,--libs hdf5-$(MPI)))
$(eval $(call pkg_config,BLAS_CFLAGS,--cflags openblas))
$(eval $(call pkg_config,BLAS_LIBS,--libs openblas))
$(eval $(call pkg_config,INIH_CFLAGS,--cflags inih))
$(eval $(call pkg_config,INIH_LIBS,--libs inih))
$(eval $(call pkg_config,CMOCKA_CFLAGS,--cflags cmocka))
$(eval $(call pkg_config,CMOCKA_LIBS,--libs cmocka))
# ScaLAPACK's description would bring a second BLAS; OpenBLAS has all that it needs. GLPK, libcsv,
# LIBSVM and Random123 (headers alone) come without descriptions.
SCALAPACK_CFLAGS =
SCALAPACK_LIBS = -lscalapack-$(MPI)
GLPK_CFLAGS =
GLPK_LIBS = -lglpk
CSV_CFLAGS =
CSV_LIBS = -lcsv
SVM_CFLAGS = -isystem /usr/include/libsvm
SVM_LIBS = -lsvm
RANDOM123_CFLAGS =

# inih before the libraries of MPICH, whose UCX exports another version of its functions.
LIBRARIES = INIH HDF5 SCALAPACK BLAS GLPK CSV SVM RANDOM123
LIB_CFLAGS = $(foreach library,$(LIBRARIES),$($(library)_CFLAGS))
LIBS = $(foreach library,$(LIBRARIES),$($(library)_LIBS)) -lm

COMPILE = $(CC) $(STANDARD) $(CFLAGS) $(WARNINGS) -Iinclude $(LIB_CFLAGS) $(CPPFLAGS)
LINK = $(CC) -fopenmp $(CFLAGS) $(LDFLAGS)

# describe works from any commit; a copy of the sources without history has no revision.
REVISION := $(shell git --no-optional-locks describe --always --dirty 2>/dev/null || echo unknown)

SOURCES := $(wildcard src/*.c)
OBJECTS := $(SOURCES:src/%.c=$(BUILD)/src/%.o)
TEST_SOURCES := $(wildcard tests/test_*.c)
TESTS := $(TEST_SOURCES:tests/%.c=$(BUILD)/tests/%)
TEST_HELPERS := $(patsubst tests/%.c,$(BUILD)/tests/%.o,$(filter-out tests/test_%.c \
    tests/make_%.c tests/leaks_%.c tests/preload_%.c tests/bench_%.c tests/slow_%.c, \
    $(wildcard tests/*.c)))
# Programs, and what is preloaded into cgm.
TEST_TOOLS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/make_*.c))
PRELOADS := $(patsubst tests/%.c,$(BUILD)/tests/%.so,$(wildcard tests/preload_*.c))
# Fuzz targets: programs that run inputs kept in tests/fuzz/corpus, or with libFuzzer for their main
# the fuzzers of make fuzz.
FUZZERS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_MAIN = $(BUILD)/tests/fuzz/replay.o
# Programs that measure: tests/bench.sh and tests/slow.sh have them built.
BENCHES := $(patsubst %,$(BUILD)/tests/bench_%,kernel stages draws result)
SLOW_TESTS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/slow_*.c))
# Of the plain loop that the kernel is compared with; tests/bench.sh gives those of the machine.
PLAIN_CFLAGS = $(CFLAGS)
C_FILES := $(SOURCES) $(wildcard src/*.h include/cgm/*.h tests/*.c tests/*.h \
    tests/fuzz/*.c tests/fuzz/*.h tests/simgrid/*.c tests/simgrid/*.h)
SCRIPTS := $(wildcard .ci/run config/*.sh tests/run tests/*.sh tests/cli/*.sh jobs/*.sbatch jobs/*.sh \
    jobs/scaling_collect)

.PHONY: all demo run-demo test run-test bench check-slow check-faults check-valgrind check-asan check-asan-run fuzz \
        check-slurm run-check-slurm check-hosts run-check-hosts \
        simulate-scaling run-simulate-scaling \
        fuzz-run lint format check-format info \
        help install uninstall deb check-install clean FORCE

all: $(BUILD)/cgm

$(BUILD)/cgm: $(OBJECTS)
	$(LINK) -o $@ $^ $(LIBS)

# Everything but main, and what the tests share: a test links what it needs of them.
$(BUILD)/libcgm.a: $(filter-out $(BUILD)/src/main.o,$(OBJECTS))
$(BUILD)/libtests.a: $(TEST_HELPERS)
$(BUILD)/libcgm.a $(BUILD)/libtests.a:
	rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/src/%.o: src/%.c $(BUILD)/flags
	$(COMPILE) $(INSTRUCTIONS) -MMD -MP -c -o $@ $<

$(BUILD)/src/provenance.o: $(BUILD)/revision
$(BUILD)/src/provenance.o: CPPFLAGS += -DCGM_VERSION='"$(VERSION)"' -DCGM_GIT='"$(REVISION)"' \
    -DCGM_CC_FLAGS='"$(strip $(STANDARD) $(CFLAGS))"'

# The kernel's loops are compiled for several instruction sets; at run time one is chosen that the
# processor has.
ifneq ($(filter x86_64-%,$(shell $(CC) -dumpmachine 2>/dev/null)),)
$(BUILD)/src/kernel_avx2.o $(BUILD)/src/embedding_avx2.o: INSTRUCTIONS = -mavx2 -mfma $(KERNEL_CFLAGS)
$(BUILD)/src/kernel_avx512.o $(BUILD)/src/embedding_avx512.o: INSTRUCTIONS = -mavx512f -mprefer-vector-width=512 $(KERNEL_CFLAGS)
endif
$(BUILD)/src/kernel_portable.o: INSTRUCTIONS = $(KERNEL_CFLAGS)

$(BUILD)/tests/%.o: tests/%.c $(BUILD)/flags
	$(COMPILE) $(PIC) $(CMOCKA_CFLAGS) -MMD -MP -c -o $@ $<

$(TESTS): $(BUILD)/tests/test_%: $(BUILD)/tests/test_%.o $(BUILD)/libtests.a $(BUILD)/libcgm.a
	$(LINK) -o $@ $^ $(CMOCKA_LIBS) $(LIBS)

$(TEST_TOOLS): %: %.o
	$(LINK) -o $@ $^ $(HDF5_LIBS) -lm

$(BUILD)/tests/make_leaks: $(BUILD)/tests/leaks_units.o

$(PRELOADS): %.so: %.o
	$(LINK) -shared -o $@ $^ -ldl

$(PRELOADS:.so=.o): PIC = -fPIC

$(BENCHES) $(SLOW_TESTS): %: %.o $(BUILD)/libtests.a $(BUILD)/libcgm.a
	$(LINK) -o $@ $^ $(CMOCKA_LIBS) $(LIBS)

$(FUZZERS): $(BUILD)/tests/fuzz/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/tests/fuzz/fuzz.o \
    $(FUZZ_MAIN) $(BUILD)/libcgm.a
	$(LINK) -o $@ $^ $(LIBS)

$(BUILD)/tests/bench_kernel: $(BUILD)/tests/bench_plain.o
$(BUILD)/tests/bench_plain.o: CFLAGS = $(PLAIN_CFLAGS)

# Objects are rebuilt when flags change, and the one that holds the revision when that does.
$(BUILD)/flags: FORCE
	@command -v $(firstword $(CC)) >/dev/null && [[ -n '$(strip $(HDF5_LIBS))' ]] || { \
	    echo 'no MPI compiler or no parallel HDF5: see make info, or run config/packages.sh build' >&2; \
	    exit 1; }
	@mkdir -p $(BUILD)/src $(BUILD)/tests/fuzz
	@text='$(COMPILE) $(VERSION)'; [[ -f $@ && "$$(<$@)" == "$$text" ]] || echo "$$text" >$@
$(BUILD)/revision: FORCE | $(BUILD)/flags
	@[[ -f $@ && "$$(<$@)" == '$(REVISION)' ]] || echo '$(REVISION)' >$@

-include $(wildcard $(BUILD)/src/*.d $(BUILD)/tests/*.d $(BUILD)/tests/fuzz/*.d \
    $(BUILD)/simgrid/*.d $(BUILD)/simgrid/src/*.d)

# The set-up may install the very tools that this file asks for flags while it is read: hence a make
# of its own after it.
demo:
	@MPI=$(MPI) config/packages.sh build
	@config/packages.sh demo || echo 'Without gnuplot the demo works, but its page has no figures.'
	@$(MAKE) run-demo

test:
	@MPI=$(MPI) config/packages.sh build test
	@$(MAKE) run-test

run-demo: $(BUILD)/cgm
	@MPIRUN='$(MPIRUN)' config/demo.sh $(BUILD)

run-test: $(BUILD)/cgm $(TESTS) $(TEST_TOOLS) $(PRELOADS) $(FUZZERS)
	@BUILD=$(BUILD) MPIRUN='$(MPIRUN)' tests/run

check-asan:
	@$(MAKE) BUILD=$(BUILD)/asan CFLAGS='$(ASAN_CFLAGS)' check-asan-run

check-asan-run: $(BUILD)/cgm $(TESTS) $(TEST_TOOLS) $(FUZZERS)
	@BUILD=$(BUILD) MPIRUN='$(MPIRUN)' tests/run --asan

check-valgrind: $(BUILD)/cgm $(TESTS) $(TEST_TOOLS) $(FUZZERS)
	@BUILD=$(BUILD) MPIRUN='$(MPIRUN)' VALGRIND='$(VALGRIND)' tests/run --valgrind

# Every target for FUZZ_SECONDS; what is found new goes to $(BUILD)/fuzz, never into the sources.
fuzz:
	@MPI=$(MPI) config/packages.sh build fuzz
	@$(MAKE) BUILD=$(BUILD)/fuzz CC='env OMPI_CC=$(CLANG) mpicc' CFLAGS='$(FUZZ_CFLAGS)' \
	    KERNEL_CFLAGS='$(FUZZ_KERNEL_CFLAGS)' \
	    FUZZ_MAIN= LDFLAGS='$(LDFLAGS) -fsanitize=fuzzer' fuzz-run

fuzz-run: $(FUZZERS)
	@BUILD=$(BUILD) FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz.sh

bench: $(BUILD)/cgm
	@BUILD=$(BUILD) MPIRUN='$(MPIRUN)' CC='$(CC)' tests/bench.sh

# The stages on a simulated cluster. What is simulated links without HDF5 and ScaLAPACK, which know
# only the MPI that they were built with: of the sources those with the stages alone, and what they
# read files by is hidden, so that the linker drops it.
SIMULATED := $(patsubst %,$(BUILD)/simgrid/src/%.o,accumulator chain coalition comm comm_window diagnostics \
    generator kernel_sums kernel_sums_finish lengthscale lengthscale_median lengthscale_pass log pairs \
    pool rng sampling sampling_partial sampling_resume sampling_rows sampling_team shapley \
    shapley_grid shapley_quadrature shard spread text timer units) \
    $(patsubst tests/%.c,$(BUILD)/%.o,$(wildcard tests/simgrid/*.c))
SIMULATED_COMPILE = $(SMPICC) $(filter-out -fopenmp,$(STANDARD)) -O3 -g -ffunction-sections \
    -fdata-sections $(HIDDEN) -Wno-unknown-pragmas -Iinclude $(RANDOM123_CFLAGS) $(CPPFLAGS)

$(filter-out %/simulate.o,$(SIMULATED)): HIDDEN = -fvisibility=hidden

$(BUILD)/simgrid/src/diagnostics.o: CPPFLAGS += -Dcgm_pairs_visit=sim_pairs_visit

simulate-scaling:
	@config/packages.sh build simulate
	@$(MAKE) run-simulate-scaling

run-simulate-scaling: $(BUILD)/cgm $(BUILD)/simgrid/simulate $(BUILD)/tests/bench_result
	@BUILD=$(BUILD) MPIRUN='$(MPIRUN)' CC='$(CC)' SMPIRUN='$(SMPIRUN)' tests/simgrid.sh

$(BUILD)/simgrid/src/%.o: src/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(SIMULATED_COMPILE) -w -include tests/simgrid/costs.h -MMD -MP -c -o $@ $<

$(BUILD)/simgrid/%.o: tests/simgrid/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(SIMULATED_COMPILE) $(WARNINGS) -MMD -MP -c -o $@ $<

$(BUILD)/simgrid/simulate: $(SIMULATED)
	$(SMPICC) -g -Wl,--gc-sections -o $@ $^ -lgomp -lm

check-slow: $(BUILD)/cgm $(BUILD)/tests/bench_result $(SLOW_TESTS)
	@BUILD=$(BUILD) MPIRUN='$(MPIRUN)' tests/slow.sh

# Faults of every kind in every stage, and runs interrupted at random moments.
check-faults: $(BUILD)/cgm $(TEST_TOOLS)
	@BUILD=$(BUILD) MPIRUN='$(MPIRUN)' tests/faults.sh
	@BUILD=$(BUILD) MPIRUN='$(MPIRUN)' tests/interruptions.sh

# The scripts of jobs/ on a Slurm and over ssh, on nodes that are network namespaces. As root.
check-slurm check-hosts: check-%:
	@config/packages.sh build $*
	@$(MAKE) run-check-$*

run-check-slurm run-check-hosts: run-check-%: $(BUILD)/cgm
	@BUILD=$(BUILD) tests/$*.sh

lint:
	@CPPCHECK='$(CPPCHECK)' CLANG_TIDY='$(CLANG_TIDY)' COMPILE='$(COMPILE) $(CMOCKA_CFLAGS)' \
	    tests/lint.sh $(C_FILES) $(SCRIPTS)

format:
	$(CLANG_FORMAT) -i $(C_FILES)

check-format:
	$(CLANG_FORMAT) --dry-run -Werror $(C_FILES)

# $(call library,name,version command,variable prefix)
define print_library
@printf '%-10s %-14s %s %s\n' '$(1)' "$$($(2) 2>/dev/null || echo '[not found]')" \
    '$(strip $($(1)_CFLAGS))' '$($(1)_LIBS)'
endef
header_version = echo '\#include <$(1)>' | $(CC) $(LIB_CFLAGS) -E -o /dev/null -x c - && echo found

info:
	@printf '%-10s %s\n' VERSION '$(VERSION) ($(REVISION))' MPI '$(MPI)' CC '$(CC)' \
	    compiler "$$($(CC) --version 2>/dev/null | head -n 1 | grep . || echo '[not found]')" \
	    launcher "$$($(MPIRUN) --version 2>/dev/null | head -n 1 | grep . || echo '[not found]')" \
	    MPIRUN '$(MPIRUN)' CFLAGS '$(CFLAGS)' CPPFLAGS '$(CPPFLAGS)' STANDARD '$(STANDARD)' \
	    WARNINGS '$(WARNINGS)' LDFLAGS '$(LDFLAGS)' BUILD '$(BUILD)' PREFIX '$(PREFIX)' \
	    DESTDIR '$(DESTDIR)'
	@echo; printf '%-10s %-14s %s\n' library version 'flags (LIBRARY_CFLAGS, LIBRARY_LIBS)'
	$(call print_library,HDF5,$(PKG_CONFIG) --modversion hdf5-$(MPI))
	$(call print_library,SCALAPACK,$(PKG_CONFIG) --modversion scalapack-$(MPI))
	$(call print_library,BLAS,$(PKG_CONFIG) --modversion openblas)
	$(call print_library,GLPK,$(call header_version,glpk.h))
	$(call print_library,INIH,$(PKG_CONFIG) --modversion inih)
	$(call print_library,CSV,$(call header_version,csv.h))
	$(call print_library,SVM,$(call header_version,svm.h))
	$(call print_library,RANDOM123,$(call header_version,Random123/philox.h))
	$(call print_library,CMOCKA,$(PKG_CONFIG) --modversion cmocka)
	@echo; for tool in $(PKG_CONFIG) $(CLANG_FORMAT) $(CLANG_TIDY) $(CPPCHECK) $(VALGRIND); do \
	    printf '%-14s %s\n' "$$tool" "$$(command -v "$$tool" || echo '[not found]')"; done

help:
	@echo 'make                  build $(BUILD)/cgm'
	@echo 'make demo             set up this machine if need be, simulate data, run it on 5 ranks, show it'
	@echo 'make test             set up this machine if need be, run all tests'
	@echo 'make check-asan       tests under the address and undefined-behaviour sanitizers'
	@echo 'make check-valgrind   tests under valgrind'
	@echo 'make fuzz             every reader of files for FUZZ_SECONDS=$(FUZZ_SECONDS) with inputs made up by libFuzzer'
	@echo 'make bench            speed of this machine: tables, and $(BUILD)/bench.json'
	@echo 'make simulate-scaling strong and weak scaling to 1024 ranks on simulated clusters, as tables and a page'
	@echo 'make check-faults     a fault of every kind in every stage, runs interrupted at random'
	@echo 'make check-slurm      the scripts of jobs/ on a real Slurm of three nodes, as root'
	@echo 'make check-hosts      runs over three hosts with sshd, as root'
	@echo 'make check-slow       runs of 1000 and of 10,000 parties, and scikit-learn on real data'
	@echo 'make lint             static checks and the rules of the sources'
	@echo 'make format           lay out the C sources; make check-format only checks'
	@echo 'make install          program, manual page, job scripts to $$(DESTDIR)$$(PREFIX), PREFIX=$(PREFIX)'
	@echo 'make uninstall        remove what make install puts there'
	@echo 'make deb              a package for Debian, $(BUILD)/cgm_$(VERSION)_*.deb'
	@echo 'make check-install    install and package, by what they put on this machine and remove'
	@echo 'make info             compilers, flags, libraries and versions that a build would use'
	@echo 'make clean            remove $(BUILD)'
	@echo
	@echo 'MPI=mpich builds with MPICH, COMPILER=clang with clang: give each its own BUILD=build/NAME.'
	@echo 'WERROR=1 makes warnings errors. RANKS="1 2 3" and ONLY="test_shapley cli/usage" choose'
	@echo 'the rank counts and the programs of the tests.'

# Out of the program's own help: it has to run here, as it does after a build for this machine.
$(BUILD)/cgm.1: $(BUILD)/cgm config/manpage.sh
	config/manpage.sh $(BUILD)/cgm >$@

install: $(BUILD)/cgm $(BUILD)/cgm.1
	@config/install.sh install '$(BUILD)' '$(VERSION)' '$(PREFIX)' '$(DESTDIR)'

uninstall:
	@config/install.sh uninstall '$(BUILD)' '$(VERSION)' '$(PREFIX)' '$(DESTDIR)'

deb: $(BUILD)/cgm $(BUILD)/cgm.1
	@config/deb.sh '$(BUILD)' '$(VERSION)' '$(MPI)'

check-install: deb
	@BUILD='$(BUILD)' MPI=$(MPI) MPIRUN='$(MPIRUN)' tests/install.sh

clean:
	rm -rf $(BUILD)
