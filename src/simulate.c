#include "cgm/simulate.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/h5.h"
#include "cgm/provenance.h"
#include "cgm/rng.h"
#include "cgm/text.h"
#include "newfile.h"
#include "option.h"

/* Above so many parties the packed layout is written: a group a party would cost more than it. */
enum { GROUPS_MAX = 256 };
/* A class is normal with this variance in each direction. */
#define CLASS_VARIANCE (1.0 / 200.0)

typedef enum split { SPLIT_EQUALDISJOINT, SPLIT_UNEQUAL, SPLIT_DIRICHLET } split;
typedef enum sizes { SIZES_EQUAL, SIZES_HEAVY } sizes;

typedef struct arguments {
    char *out;
    int64_t n_parties;
    int64_t n_points; /* a party, on average */
    int64_t n_features;
    int64_t n_classes;
    int64_t n_candidates;
    split split;
    double alpha;
    sizes sizes;
    int64_t n_test;
    uint64_t seed;
} arguments;

static_assert(sizeof(split) == sizeof(int) && sizeof(sizes) == sizeof(int),
              "words are kept as int");

#define FIELD(member) offsetof(arguments, member)

static const cgm_option options[] = {
    {"--out", NULL, &cgm_option_path, FIELD(out), NULL, "a path; required",
     .help = "HDF5 file to write; an existing one is never replaced"},
    {"--parties", "5", &cgm_option_integer, FIELD(n_parties), NULL, "1 .. 1000000",
     .help = "number of parties, named party1, party2, ...", .low = 1, .high = 1e6},
    {"--points", "1000", &cgm_option_integer, FIELD(n_points), NULL, "1 .. 1000000000",
     .help = "points of a party", .low = 1, .high = 1e9},
    {"--features", "2", &cgm_option_integer, FIELD(n_features), NULL, "1 .. 10000",
     .help = "features of a point", .low = 1, .high = 1e4},
    {"--classes", "5", &cgm_option_integer, FIELD(n_classes), NULL, "1 .. 1000",
     .help = "classes K, numbered from 0", .low = 1, .high = 1e3},
    {"--candidates", "100000", &cgm_option_integer, FIELD(n_candidates), NULL, "1 .. 1000000000",
     .help = "points of the pool, from the mixture of all parties' classes", .low = 1, .high = 1e9},
    {"--split", "equaldisjoint", &cgm_option_word, FIELD(split),
     CGM_WORDS([SPLIT_EQUALDISJOINT] = "equaldisjoint", [SPLIT_UNEQUAL] = "unequal",
               [SPLIT_DIRICHLET] = "dirichlet"),
     NULL,
     .help = "shares of the classes in party i = 1, 2, ...\n"
             "equaldisjoint: .96 of class (i-1) mod K, .04/(K-1) of each other; K = 1: all of it\n"
             "unequal: five rows, repeated after every five parties: uniform; uniform;\n"
             "  .58 .39 .01 .01 .01; .01 .2 .58 .2 .01; .01 .01 .01 .39 .58.  K < 5: class k gets\n"
             "  what k, k+K, ... have in the row; K > 5: what class k mod 5 has, scaled to sum 1\n"
             "dirichlet: a draw of the Dirichlet distribution with all parameters alpha"},
    {"--alpha", "1", &cgm_option_number, FIELD(alpha), NULL, "a number > 0 and <= 1e6",
     .help = "of split dirichlet; small: parties of few classes", .high = 1e6},
    {"--sizes", "equal", &cgm_option_word, FIELD(sizes),
     CGM_WORDS([SIZES_EQUAL] = "equal", [SIZES_HEAVY] = "heavy"), NULL,
     .help = "points of the parties: equal: all M = --points; heavy: Pareto with exponent 2 from\n"
             "M/2 on, so M on average, rounded to the nearest and at least 1, at most 100 M"},
    {"--test", "0", &cgm_option_integer, FIELD(n_test), NULL, "0 .. 1000000000",
     .help = "points of no party in /test, from the same mixture as the pool", .high = 1e9},
    {"--seed", "1", &cgm_option_unsigned, FIELD(seed), NULL,
     "a whole number, 0 .. 18446744073709551615",
     .help = "of all random numbers; each point depends on it, on party and row alone"},
};

enum { N_OPTIONS = sizeof options / sizeof options[0] };

/* The distribution that was asked for, and the file it goes to. Rank 0 only. */
typedef struct simulation {
    cgm_comm *comm;
    const arguments *asked;
    double *means;    /* [n_classes][n_features] */
    double *shares;   /* [n_parties][n_classes] */
    double *overall;  /* [n_classes] shares in all parties together */
    int64_t *offsets; /* [n_parties + 1] first point of each party */
    cgm_h5_file *file;
} simulation;

/* ---- the distribution ---- */

static cgm_rng stream(const simulation *sim, const char *name)
{
    return (cgm_rng){sim->asked->seed, cgm_rng_hash(name), CGM_RNG_SIMULATE};
}

static void choose_means(simulation *sim)
{
    const arguments *asked = sim->asked;
    cgm_rng rng = stream(sim, "means");
    for (int64_t k = 0; k < asked->n_classes; k++) {
        for (int64_t f = 0; f < asked->n_features; f++) {
            uint64_t words[4];
            cgm_rng_words(&rng, (uint64_t)k, (uint64_t)(f / 4), 0, words);
            sim->means[k * asked->n_features + f] = cgm_rng_uniform(words[f % 4]);
        }
    }
}

static void choose_sizes(simulation *sim)
{
    const arguments *asked = sim->asked;
    cgm_rng rng = stream(sim, "sizes");
    double mean = (double)asked->n_points;
    for (int64_t i = 0; i < asked->n_parties; i++) {
        int64_t size = asked->n_points;
        if (asked->sizes == SIZES_HEAVY) {
            uint64_t words[4];
            cgm_rng_words(&rng, (uint64_t)i, 0, 0, words);
            double pareto = 0.5 * mean / sqrt(1.0 - cgm_rng_uniform(words[0]));
            size = (int64_t)llround(fmax(1.0, fmin(pareto, 100.0 * mean)));
        }
        sim->offsets[i + 1] = sim->offsets[i] + size;
    }
}

/* The logarithm of a gamma variate by Marsaglia and Tsang (2000), a shape below 1 through shape +
 * 1: with a small shape the variate itself would underflow. */
static double log_gamma_variate(const cgm_rng *rng, double shape, int64_t party, int64_t class)
{
    double d = (shape < 1.0 ? shape + 1.0 : shape) - 1.0 / 3.0;
    double c = 1.0 / sqrt(9.0 * d);
    for (uint64_t attempt = 0;; attempt++) {
        uint64_t words[4];
        double normal[2];
        cgm_rng_words(rng, (uint64_t)party, (uint64_t) class, attempt, words);
        cgm_rng_normal(words, normal);
        double x = normal[0];
        double root = 1.0 + c * x;
        if (root <= 0.0) {
            continue;
        }
        double log_v = 3.0 * log(root);
        if (log(1.0 - cgm_rng_uniform(words[2])) < 0.5 * x * x + d * (1.0 - exp(log_v) + log_v)) {
            double boost = shape < 1.0 ? log(1.0 - cgm_rng_uniform(words[3])) / shape : 0.0;
            return log(d) + log_v + boost;
        }
    }
}

static void draw_dirichlet(const simulation *sim, int64_t party, double *shares)
{
    int64_t n_classes = sim->asked->n_classes;
    cgm_rng rng = stream(sim, "shares");
    double largest = -INFINITY;
    for (int64_t k = 0; k < n_classes; k++) {
        shares[k] = log_gamma_variate(&rng, sim->asked->alpha, party, k);
        largest = fmax(largest, shares[k]);
    }
    for (int64_t k = 0; k < n_classes; k++) {
        shares[k] = exp(shares[k] - largest);
    }
}

static void fold_unequal(int64_t party, int64_t n_classes, double *shares)
{
    static const double rows[5][5] = {{.2, .2, .2, .2, .2},
                                      {.2, .2, .2, .2, .2},
                                      {.58, .39, .01, .01, .01},
                                      {.01, .2, .58, .2, .01},
                                      {.01, .01, .01, .39, .58}};
    for (int64_t k = 0; k < (n_classes > 5 ? n_classes : 5); k++) {
        shares[k % n_classes] += rows[party % 5][k % 5];
    }
}

static void choose_shares(simulation *sim)
{
    const arguments *asked = sim->asked;
    int64_t n_classes = asked->n_classes;
    double n_points = (double)sim->offsets[asked->n_parties];
    for (int64_t i = 0; i < asked->n_parties; i++) {
        double *shares = sim->shares + i * n_classes;
        for (int64_t k = 0; k < n_classes && asked->split == SPLIT_EQUALDISJOINT; k++) {
            shares[k] = k == i % n_classes ? 0.96 : 0.04 / (double)(n_classes - 1);
        }
        if (asked->split == SPLIT_UNEQUAL) {
            fold_unequal(i, n_classes, shares);
        } else if (asked->split == SPLIT_DIRICHLET) {
            draw_dirichlet(sim, i, shares);
        }
        double total = 0.0;
        for (int64_t k = 0; k < n_classes; k++) {
            total += shares[k];
        }
        double weight = (double)(sim->offsets[i + 1] - sim->offsets[i]) / n_points;
        for (int64_t k = 0; k < n_classes; k++) {
            shares[k] /= total;
            sim->overall[k] += weight * shares[k];
        }
    }
}

/* ---- points ---- */

static int64_t choose_class(const double *shares, int64_t n_classes, double uniform)
{
    int64_t chosen = 0;
    double below = 0.0;
    for (int64_t k = 0; k < n_classes && below <= uniform; k++) {
        /* Rounding may leave the sum of all below 1: then the last class that occurs is it. */
        chosen = shares[k] > 0.0 ? k : chosen;
        below += shares[k];
    }
    return chosen;
}

/* Points [n_points][n_features] of the classes' mixture; source tells parties, pool and test apart.
 */
static void draw_points(const simulation *sim, const char *source, int64_t party,
                        const double *shares, int64_t n_points, double *points, int64_t *labels)
{
    const arguments *asked = sim->asked;
    int64_t n_features = asked->n_features;
    const double deviation = sqrt(CLASS_VARIANCE);
    cgm_rng rng = stream(sim, source);
    for (int64_t row = 0; row < n_points; row++) {
        uint64_t words[4];
        double normal[4];
        cgm_rng_words(&rng, (uint64_t)party, (uint64_t)row, 0, words);
        labels[row] = choose_class(shares, asked->n_classes, cgm_rng_uniform(words[0]));
        const double *mean = sim->means + labels[row] * n_features;
        for (int64_t f = 0; f < n_features; f++) {
            if (f % 4 == 0) {
                cgm_rng_words(&rng, (uint64_t)party, (uint64_t)row, (uint64_t)(1 + f / 4), words);
                cgm_rng_normal(words, normal);
                cgm_rng_normal(words + 2, normal + 2);
            }
            points[row * n_features + f] = mean[f] + deviation * normal[f % 4];
        }
    }
}

/* ---- the file ---- */

static cgm_status write_points(simulation *sim, const char *group, int64_t n_points,
                               const double *points, const int64_t *labels)
{
    char path[64];
    const int64_t dims[2] = {n_points, sim->asked->n_features};
    snprintf(path, sizeof path, "%s/data", group);
    cgm_status status = cgm_h5_write(sim->file, path, CGM_H5_DOUBLE, 2, dims, 0, n_points, points);
    if (status == CGM_OK) {
        snprintf(path, sizeof path, "%s/labels", group);
        status = cgm_h5_write(sim->file, path, CGM_H5_INT64, 1, dims, 0, n_points, labels);
    }
    return status;
}

/* Draws parties first .. last - 1 into one group, or n_points of the mixture if first == last. */
static cgm_status write_drawn(simulation *sim, const char *group, const char *source, int64_t first,
                              int64_t last, int64_t n_points)
{
    const arguments *asked = sim->asked;
    double *points = cgm_alloc(sim->comm, n_points * asked->n_features, sizeof *points);
    int64_t *labels = cgm_alloc(sim->comm, n_points, sizeof *labels);
    cgm_status status = CGM_ERR_MEMORY;
    if (points != NULL && labels != NULL) {
        if (first == last) {
            draw_points(sim, source, 0, sim->overall, n_points, points, labels);
        }
        for (int64_t i = first; i < last; i++) {
            int64_t row = sim->offsets[i] - sim->offsets[first];
            draw_points(sim, source, i, sim->shares + i * asked->n_classes,
                        sim->offsets[i + 1] - sim->offsets[i], points + row * asked->n_features,
                        labels + row);
        }
        status = write_points(sim, group, n_points, points, labels);
    }
    free(points);
    free(labels);
    return status;
}

static cgm_status write_names(simulation *sim)
{
    enum { NAME_MAX_BYTES = 32 };
    int64_t n_parties = sim->asked->n_parties;
    char *memory = cgm_alloc(sim->comm, n_parties, NAME_MAX_BYTES);
    char **names = cgm_alloc(sim->comm, n_parties, sizeof *names);
    cgm_status status = CGM_ERR_MEMORY;
    if (memory != NULL && names != NULL) {
        for (int64_t i = 0; i < n_parties; i++) {
            names[i] = memory + i * NAME_MAX_BYTES;
            snprintf(names[i], NAME_MAX_BYTES, "party%lld", (long long)i + 1);
        }
        status = cgm_h5_write_texts(sim->file, "/packed/name", n_parties, names);
    }
    free(memory);
    free(names);
    return status;
}

static cgm_status write_parties(simulation *sim)
{
    int64_t n_parties = sim->asked->n_parties;
    cgm_status status = CGM_OK;
    if (n_parties > GROUPS_MAX) {
        const int64_t count = n_parties + 1;
        status = write_drawn(sim, "/packed", "party", 0, n_parties, sim->offsets[n_parties]);
        if (status == CGM_OK) {
            status = cgm_h5_write(sim->file, "/packed/offsets", CGM_H5_INT64, 1, &count, 0, count,
                                  sim->offsets);
        }
        return status == CGM_OK ? write_names(sim) : status;
    }
    for (int64_t i = 0; i < n_parties && status == CGM_OK; i++) {
        char group[48];
        snprintf(group, sizeof group, "/parties/party%lld", (long long)i + 1);
        status = write_drawn(sim, group, "party", i, i + 1, sim->offsets[i + 1] - sim->offsets[i]);
    }
    return status;
}

/* How the data came about: a run reads none of it. */
static cgm_status write_origin(simulation *sim)
{
    const arguments *asked = sim->asked;
    cgm_h5_file *file = sim->file;
    const int64_t means_dims[2] = {asked->n_classes, asked->n_features};
    const int64_t shares_dims[2] = {asked->n_parties, asked->n_classes};
    const char *split_word =
        options[cgm_option_find(options, N_OPTIONS, "--split")].words[asked->split];
    cgm_status status = cgm_h5_write_attribute(file, "/", "program", CGM_H5_TEXT, "cgm simulate");
    if (status == CGM_OK) {
        status = cgm_h5_write_attribute(file, "/", "version", CGM_H5_TEXT, cgm_version());
    }
    if (status == CGM_OK) {
        status = cgm_h5_write_attribute(file, "/", "seed", CGM_H5_UINT64, &asked->seed);
    }
    if (status == CGM_OK) {
        status = cgm_h5_write_attribute(file, "/", "split", CGM_H5_TEXT, split_word);
    }
    if (status == CGM_OK) {
        status = cgm_h5_write_attribute(file, "/", "classes", CGM_H5_INT64, &asked->n_classes);
    }
    if (status == CGM_OK) {
        status = cgm_h5_write(file, "/means", CGM_H5_DOUBLE, 2, means_dims, 0, asked->n_classes,
                              sim->means);
    }
    if (status == CGM_OK) {
        status = cgm_h5_write(file, "/proportions", CGM_H5_DOUBLE, 2, shares_dims, 0,
                              asked->n_parties, sim->shares);
    }
    return status;
}

/* The largest number of coordinates of all parties together: far beyond any memory, and products
 * of counts below it do not overflow. */
#define COORDINATES_MAX 1e15

static cgm_status prepare(simulation *sim)
{
    const arguments *asked = sim->asked;
    sim->means = cgm_alloc(sim->comm, asked->n_classes * asked->n_features, sizeof *sim->means);
    sim->shares = cgm_alloc(sim->comm, asked->n_parties * asked->n_classes, sizeof *sim->shares);
    sim->overall = cgm_alloc(sim->comm, asked->n_classes, sizeof *sim->overall);
    sim->offsets = cgm_alloc(sim->comm, asked->n_parties + 1, sizeof *sim->offsets);
    if (sim->means == NULL || sim->shares == NULL || sim->overall == NULL || sim->offsets == NULL) {
        return CGM_ERR_MEMORY;
    }
    choose_means(sim);
    choose_sizes(sim);
    double n_points = (double)sim->offsets[asked->n_parties];
    if (n_points * (double)asked->n_features > COORDINATES_MAX) {
        return cgm_fail(sim->comm, CGM_ERR_USAGE,
                        "%.3g points of %lld features are too many; lower --parties, --points or "
                        "--features",
                        n_points, (long long)asked->n_features);
    }
    choose_shares(sim);
    return CGM_OK;
}

static cgm_status write_content(cgm_h5_file *file, void *state)
{
    simulation *sim = state;
    sim->file = file;
    cgm_status status = write_parties(sim);
    if (status == CGM_OK) {
        status = write_drawn(sim, "/candidates", "candidates", 0, 0, sim->asked->n_candidates);
    }
    if (status == CGM_OK && sim->asked->n_test > 0) {
        status = write_drawn(sim, "/test", "test", 0, 0, sim->asked->n_test);
    }
    return status == CGM_OK ? write_origin(sim) : status;
}

/* Rank 0 alone. */
static cgm_status simulate(cgm_comm *comm, const arguments *asked)
{
    simulation sim = {.comm = comm, .asked = asked};
    cgm_status status = prepare(&sim);
    if (status == CGM_OK) {
        status = cgm_newfile_write(comm, asked->out, "--out", write_content, &sim);
    }
    if (status == CGM_OK) {
        printf("%s: %lld parties with %lld points of %lld features, %lld candidates\n", asked->out,
               (long long)asked->n_parties, (long long)sim.offsets[asked->n_parties],
               (long long)asked->n_features, (long long)asked->n_candidates);
    }
    free(sim.means);
    free(sim.shares);
    free(sim.overall);
    free(sim.offsets);
    return status;
}

cgm_status cgm_simulate(cgm_comm *comm, int n_arguments, char **given)
{
    cgm_status status = CGM_OK;
    if (comm->rank == 0) {
        arguments asked = {.out = NULL};
        status = cgm_option_take(comm, options, N_OPTIONS, n_arguments, given, &asked, NULL, NULL);
        if (status == CGM_OK) {
            status = simulate(comm, &asked);
        }
        free(asked.out);
    }
    return cgm_agree(comm, status);
}

void cgm_simulate_print_help(FILE *stream)
{
    fputs("K Gaussian classes with means uniform in [0,1]^d and covariance I/200. A point's label "
          "is\n"
          "its class, drawn by its party's shares. The file is input for `cgm run`; above 256\n"
          "parties it has the packed layout. Options are --name VALUE or --name=VALUE.\n\n",
          stream);
    for (int k = 0; k < N_OPTIONS; k++) {
        cgm_option_print(&options[k], stream);
    }
}
