#include <mpi.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/check.h"
#include "cgm/comm_start.h"
#include "cgm/config.h"
#include "cgm/dense.h"
#include "cgm/diff.h"
#include "cgm/generate.h"
#include "cgm/import.h"
#include "cgm/pipeline.h"
#include "cgm/provenance.h"
#include "cgm/report.h"
#include "cgm/simulate.h"
#include "cgm/stop.h"
#include "cgm/text.h"
#include "cgm/verify.h"

typedef struct command {
    const char *name; /* first, for cgm_text_nearest */
    const char *usage;
    const char *summary;
    /* Collective. The arguments are those after the name. */
    cgm_status (*function)(cgm_comm *comm, int n_arguments, char **arguments);
    void (*print_options)(FILE *stream); /* NULL: it has none */
} command;

static cgm_status run(cgm_comm *comm, int n_arguments, char **arguments)
{
    cgm_config config;
    char *line = cgm_provenance_command(comm, "run", n_arguments, arguments);
    cgm_status status = cgm_agree(comm, line == NULL ? CGM_ERR_MEMORY : CGM_OK);
    if (status == CGM_OK) {
        status = cgm_config_load(comm, n_arguments, arguments, &config);
    }
    if (status == CGM_OK) {
        status = cgm_pipeline_run(comm, &config, line);
        cgm_config_destroy(&config);
    }
    free(line);
    return status;
}

static const command commands[] = {
    {"run", "CONFIG.ini [--section.key=VALUE ...]",
     "value the parties' data and draw their rewards", run, cgm_config_print_help},
    {"check", "CONFIG.ini [--section.key=VALUE ...]", "validate input and options, run nothing",
     cgm_check, cgm_config_print_help},
    {"simulate", "--out FILE [--name VALUE ...]", "write simulated credit ratings", cgm_simulate,
     cgm_simulate_print_help},
    {"import", "--out FILE.h5 PARTY.csv ...", "turn CSV files into input", cgm_import,
     cgm_import_print_help},
    {"generate", "CONFIG.ini --out POOL.h5", "train the generative model, draw the pool",
     cgm_generate, cgm_generate_print_help},
    {"diff", "A.h5 B.h5", "compare the results of two runs bit by bit", cgm_diff, NULL},
    {"report", "RESULT.h5 [--html FILE] [--json]", "show a result: tables, a page, or JSON",
     cgm_report, cgm_report_print_help},
    {"verify", "RESULT.h5 --party NAME FILE", "check a party's reward from its own data",
     cgm_verify, cgm_verify_print_help},
};
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static void print_usage(FILE *stream)
{
    fputs("usage: cgm COMMAND ...\n\n", stream);
    for (int k = 0; k < N_COMMANDS; k++) {
        fprintf(stream, "  cgm %-8s %-36s %s\n", commands[k].name, commands[k].usage,
                commands[k].summary);
    }
    fputs("  cgm COMMAND --help, cgm help COMMAND              its options\n"
          "  cgm --version                                     versions of program and libraries\n"
          "\nExit codes: 0 ok, 1 diff or verify says no, 2 usage, 3 input, 4 memory,\n"
          "5 reward program, 6 output, 70 bug, 75 stopped at a checkpoint: start it again\n",
          stream);
}

static void print_command_help(FILE *stream, const command *chosen)
{
    fprintf(stream, "usage: cgm %s %s\n\nTo %s.\n", chosen->name, chosen->usage, chosen->summary);
    if (chosen->print_options != NULL) {
        fputc('\n', stream);
        chosen->print_options(stream);
    }
}

static bool is_one_of(const char *word, const char *a, const char *b)
{
    return word != NULL && (strcmp(word, a) == 0 || strcmp(word, b) == 0);
}

/* argv ends with NULL; every rank has the same. */
static cgm_status dispatch(cgm_comm *comm, int argc, char **argv)
{
    bool help = is_one_of(argv[1], "--help", "help");
    if (argc < 2 || (help && argc < 3)) {
        if (comm->rank == 0) {
            print_usage(help ? stdout : stderr);
        }
        return help ? CGM_OK : cgm_fail(comm, CGM_ERR_USAGE, "no command");
    }
    if (is_one_of(argv[1], "--version", "version")) {
        if (comm->rank == 0) {
            cgm_provenance_print(stdout);
        }
        return CGM_OK;
    }
    const char *name = help ? argv[2] : argv[1];
    const command *chosen = NULL;
    for (int k = 0; k < N_COMMANDS; k++) {
        chosen = strcmp(name, commands[k].name) == 0 ? &commands[k] : chosen;
    }
    if (chosen == NULL) {
        return cgm_fail(comm, CGM_ERR_USAGE, "unknown command '%s' (did you mean %s?)", name,
                        cgm_text_nearest(name, commands, N_COMMANDS, sizeof commands[0]));
    }
    for (int k = 2; k < argc; k++) {
        help = help || is_one_of(argv[k], "--help", "-h");
    }
    if (help && comm->rank == 0) {
        print_command_help(stdout, chosen);
    }
    return help ? CGM_OK : chosen->function(comm, argc - 2, argv + 2);
}

int main(int argc, char **argv)
{
    signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files is an error like any other */
    cgm_stop_expect();
    cgm_comm_start(&argc, &argv);
    cgm_comm comm;
    cgm_comm_create(MPI_COMM_WORLD, &comm);
    cgm_dense_initialise();
    cgm_status status = dispatch(&comm, argc, argv);
    if (status == CGM_OK && fflush(stdout) != 0) {
        status = cgm_fail(&comm, CGM_ERR_OUTPUT, "cannot write to standard output");
    }
    status = cgm_agree(&comm, status);
    if (comm.rank == 0 && status == CGM_STOPPED) {
        fprintf(stderr, "cgm: %s\n", comm.error.message);
    } else if (comm.rank == 0 && status != CGM_OK && status != CGM_DIFFERENT) {
        fprintf(stderr, "cgm: error: %s (rank %d on %s)\n", comm.error.message, comm.error.rank,
                comm.error.host);
    }
    cgm_comm_destroy(&comm);
    MPI_Finalize();
    return (int)status;
}
