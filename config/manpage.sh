#!/usr/bin/env bash
# The manual page, out of what the program says of itself: config/manpage.sh build/cgm >cgm.1
# Commands, options and exit codes are taken from --help, so that the page cannot differ from it.
set -euo pipefail
program=${1:?usage: config/manpage.sh PROGRAM}
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
# Alone the program needs no daemon of Open MPI, whose start a build machine may forbid.
export OMPI_MCA_ess_singleton_isolated=1

usage=$("$program" --help)
version=$("$program" --version | head -n 1)
# Of run and check, and named by the help of other commands: written once.
shared='^Options, in CONFIG\.ini as$'

# escape: text as roff takes it literally.
escape()
{
    sed 's/\\/\\e/g; s/-/\\-/g; s/^[.'\'']/\\\&&/'
}

# Help of the form that all commands have: paragraphs; indented by 4 columns what is to be typed; by
# 2 a name with its default and what it accepts, and by 6 or more what it means.
to_roff()
{
    escape | awk '
        /^  [^ ]+ +default / {
            print ".TP\n\\fB" $1 "\\fR"
            line = $0
            sub(/^  [^ ]+ +default */, "", line)
            value = line
            sub(/ *accepted:.*/, "", value)
            sub(/.*accepted: */, "", line)
            print (value == "" || value == "\\-" ? "" : "default " value "; ") "accepted: " line
            begun = 1
            next
        }
        /^      / {
            text = $0
            sub(/^ +/, "", text)
            if (text ~ /^[.\047]/) text = "\\&" text
            # A line for each word that is explained; the first is apart from what is accepted.
            if (begun || /^      [a-z_]+: /) print ".br"
            begun = 0
            print text
            next
        }
        /^    [^ ]/ {
            if (!typed) print ".RS 4\n.nf"
            typed = 1
            print substr($0, 5)
            next
        }
        { if (typed) print ".fi\n.RE"; typed = 0 }
        /^$/ { gap = 1; next }
        { if (gap) print ".PP"; gap = 0; print }
        END { if (typed) print ".fi\n.RE" }'
}

# commands: one a line, the name and what it takes.
commands()
{
    local name
    for name in $(sed -nE 's/^  cgm ([a-z]+) .*/\1/p' <<<"$usage"); do
        "$program" "$name" --help | sed -nE '1s/^usage: cgm //p'
    done
}

# of NAME: the help of a command, from its summary on.
of()
{
    "$program" "$1" --help | tail -n +3
}

cat <<END
.\\" Made by config/manpage.sh from the program's own help.
.TH CGM 1 "" "$version" "User Commands"
.SH NAME
cgm \\- fair synthetic\\-data rewards for parties that pool their data
.SH SYNOPSIS
.nf
END
commands | escape | sed -E 's/^([a-z]+) (.*)/\\fBcgm \1\\fR \2/'
cat <<'END'
\fBcgm\fR \fICOMMAND\fR \fB\-\-help\fR
\fBcgm \-\-version\fR
.PP
\fBmpirun \-n\fR \fIRANKS\fR \fBcgm\fR \fICOMMAND\fR ...
.fi
.SH DESCRIPTION
Parties pool their data to train a generative model, and each is paid in synthetic data from it: the
more its own data contributed, the closer its reward brings it to what all of them have.
.B cgm
values every coalition of parties by the maximum mean discrepancy to the pooled and generated data,
divides the value by Shapley's rule, solves a linear program for rewards that keep everybody better
off inside than outside, and draws each party's synthetic points from the pool.
.PP
It is an MPI program: every command runs on any number of ranks, without
.BR mpirun (1)
on one. The results are the same, bit for bit, at any number of ranks and threads.
.SH COMMANDS
END
while read -r name takes; do
    printf '.SS %s\n\\fBcgm %s\\fR %s\n.PP\n' "$name" "$name" "$(escape <<<"$takes")"
    help=$(of "$name")
    sed "/$shared/,\$d" <<<"$help" | to_roff
    if grep -q "$shared" <<<"$help"; then
        printf '.PP\nIts options are those of a configuration, see OPTIONS.\n'
    fi
done < <(commands)
echo .SH OPTIONS
of run | sed -n "/$shared/,\$p" | sed '1s/.*/Of a run, in CONFIG.ini as/' | to_roff
echo '.SH EXIT STATUS'
sed -n '/^Exit codes: /,$p' <<<"$usage" | tr '\n' ' ' | sed 's/^Exit codes: //; s/ *$//' |
    sed -E 's/, ([0-9]+ )/\n\1/g' | escape | sed -E 's/^([0-9]+) (.*)$/.TP\n\\fB\1\\fR\n\2/'
cat <<'END'

.PP
Every failure is one line on standard error,
.BR "cgm: error: " ...,
which names the file or option and what to do, and ends with the rank and its host.
.SH FILES
.TP
.I CONFIG.ini
sections, keys and values, as under OPTIONS
.TP
.I RESULT.h5
an HDF5 file, complete once it has its name; it holds the options of its run
.TP
.I CHECKPOINT\fR, \fICHECKPOINT\fR.older
what a run that stops has done, and the checkpoint before; removed when the result is in place
.TP
.I @PREFIX@/share/cgm/config
configurations to begin with
.TP
.I @PREFIX@/share/cgm/jobs
job scripts; copy @PREFIX@/share/cgm and start them from the top of the copy
.TP
.I @PREFIX@/share/cgm/modulefiles
a module for Lmod
.TP
.I @PREFIX@/share/doc/cgm/README.md
layout of the files, measures, scaling, what is reproducible and why
.SH ENVIRONMENT
.TP
.B OMP_NUM_THREADS
threads of each rank, where run.threads is auto
.TP
.B OPENBLAS_NUM_THREADS
should be 1: more threads of BLAS than cores take very long
.SH SIGNALS
.TP
.B SIGUSR1\fR, \fBSIGTERM
with a checkpoint.file the run stops there, within a fraction of a second. To
.BR mpirun (1)
SIGUSR1 is the one to send, as SIGTERM leaves the ranks little time.
.SH EXAMPLES
.nf
cgm simulate \-\-out data.h5
printf '[input]\enparties = data.h5\en' >my.ini
mpirun \-n 5 cgm run my.ini
cgm report results.h5 \-\-html results.html
.fi
.SH SEE ALSO
.BR mpirun (1),
.BR h5dump (1),
.BR gnuplot (1)
END
