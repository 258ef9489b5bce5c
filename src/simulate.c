#include "cgm/simulate.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/h5.h"
#include "cgm/provenance.h"
#include "cgm/result.h"
#include "cgm/rng.h"
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
             "M/2 on, so M on average, rounded to the nearest and at least 1, at most 100 M: the\n"
             "largest of N parties has about M/2 times the root of N (M = 10: 5 .. 500 of 10,000)"},
    {"--test", "0", &cgm_option_integer, FIELD(n_test), NULL, "0 .. 1000000000",
     .help = "points of no party in /test, from the same mixture as the pool", .high = 1e9},
    {"--seed", "1", &cgm_option_unsigned, FIELD(seed), NULL,
     "a whole number, 0 .. 18446744073709551615",
     .help = "of all random numbers; each point depends on it, on party and row alone"},
};

enum { N_OPTIONS = sizeof options / sizeof options[0] };

/* The distribution that was asked for, the same on every rank, and the file it goes to. */
typedef struct simulation {
    cgm_comm *comm;
    const arguments *asked;
    double *means;    /* [n_classes][n_features] */
    double *overall;  /* [n_classes] shares in all parties together */
    double *shares;   /* [n_classes] of the party at hand */
    int64_t *offsets; /* [n_parties + 1] first point of each party */
    cgm_h5_file *file;
    uint64_t checksum; /* of what this rank wrote */
} simulation;

/* Points that are written into one group. */
typedef struct source {
    simulation *sim;
    const char *stream;   /* of random numbers: tells parties, pool and test apart */
    char data_path[64];   /* [n_points][n_features] */
    char labels_path[64]; /* [n_points] */
    int64_t first_party;  /* that owns the first row; -1: the mixture of all of them */
    int64_t n_points;
} source;

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
    memset(shares, 0, (size_t)n_classes * sizeof *shares);
    for (int64_t k = 0; k < (n_classes > 5 ? n_classes : 5); k++) {
        shares[k % n_classes] += rows[party % 5][k % 5];
    }
}

/* The shares of the classes in a party's points. */
static void choose_shares(const simulation *sim, int64_t party, double *shares)
{
    const arguments *asked = sim->asked;
    const int64_t n_classes = asked->n_classes;
    for (int64_t k = 0; k < n_classes; k++) {
        shares[k] = k == party % n_classes ? 0.96 : 0.04 / (double)(n_classes - 1);
    }
    if (asked->split == SPLIT_UNEQUAL) {
        fold_unequal(party, n_classes, shares);
    } else if (asked->split == SPLIT_DIRICHLET) {
        draw_dirichlet(sim, party, shares);
    }
    double total = 0.0;
    for (int64_t k = 0; k < n_classes; k++) {
        total += shares[k];
    }
    for (int64_t k = 0; k < n_classes; k++) {
        shares[k] /= total;
    }
}

static void mix_shares(simulation *sim)
{
    const arguments *asked = sim->asked;
    const double n_points = (double)sim->offsets[asked->n_parties];
    for (int64_t i = 0; i < asked->n_parties; i++) {
        choose_shares(sim, i, sim->shares);
        const double weight = (double)(sim->offsets[i + 1] - sim->offsets[i]) / n_points;
        for (int64_t k = 0; k < asked->n_classes; k++) {
            sim->overall[k] += weight * sim->shares[k];
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

static int64_t draw_label(const simulation *sim, const cgm_rng *rng, int64_t party, int64_t row,
                          const double *shares)
{
    uint64_t words[4];
    cgm_rng_words(rng, (uint64_t)party, (uint64_t)row, 0, words);
    return choose_class(shares, sim->asked->n_classes, cgm_rng_uniform(words[0]));
}

/* A point [n_features] of a class; it depends on seed, stream, party and row alone. */
static void draw_point(const simulation *sim, const cgm_rng *rng, int64_t party, int64_t row,
                       int64_t class, double *point)
{
    const int64_t n_features = sim->asked->n_features;
    const double deviation = sqrt(CLASS_VARIANCE);
    const double *mean = sim->means + class * n_features;
    double normal[4];
    for (int64_t f = 0; f < n_features; f++) {
        if (f % 4 == 0) {
            uint64_t words[4];
            cgm_rng_words(rng, (uint64_t)party, (uint64_t)row, (uint64_t)(1 + f / 4), words);
            cgm_rng_normal(words, normal);
            cgm_rng_normal(words + 2, normal + 2);
        }
        point[f] = mean[f] + deviation * normal[f % 4];
    }
}

/* The party that a point of all parties belongs to. */
static int64_t find_party(const simulation *sim, int64_t point)
{
    int64_t low = 0;
    int64_t high = sim->asked->n_parties;
    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        if (sim->offsets[middle] <= point) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Rows first .. first + n_rows - 1 of a source: points, or labels where points is NULL. */
static void draw_rows(const source *from, int64_t first, int64_t n_rows, double *points,
                      int64_t *labels)
{
    simulation *sim = from->sim;
    const cgm_rng rng = stream(sim, from->stream);
    const bool mixture = from->first_party < 0;
    const int64_t begin = mixture ? 0 : sim->offsets[from->first_party];
    const double *shares = mixture ? sim->overall : sim->shares;
    int64_t party = 0;
    int64_t end = first; /* of the party at hand, in rows of the source */
    int64_t party_first = 0;
    for (int64_t k = first; k < first + n_rows; k++) {
        if (!mixture && k == end) {
            party = find_party(sim, begin + k);
            party_first = sim->offsets[party] - begin;
            end = sim->offsets[party + 1] - begin;
            choose_shares(sim, party, sim->shares);
        }
        const int64_t row = k - party_first;
        const int64_t label = draw_label(sim, &rng, party, row, shares);
        if (points != NULL) {
            draw_point(sim, &rng, party, row, label, points + (k - first) * sim->asked->n_features);
        } else {
            labels[k - first] = label;
        }
    }
}

/* ---- the file ---- */

static void make_points(void *state, int64_t first, int64_t n_rows, void *rows)
{
    const source *from = state;
    const int64_t dims[2] = {from->n_points, from->sim->asked->n_features};
    draw_rows(from, first, n_rows, rows, NULL);
    from->sim->checksum += cgm_result_checksum_rows(from->data_path, 2, dims, first, n_rows, rows);
}

static void make_labels(void *state, int64_t first, int64_t n_rows, void *rows)
{
    const source *from = state;
    draw_rows(from, first, n_rows, NULL, rows);
    from->sim->checksum +=
        cgm_result_checksum_rows(from->labels_path, 1, &from->n_points, first, n_rows, rows);
}

static void make_shares(void *state, int64_t first, int64_t n_rows, void *rows)
{
    simulation *sim = state;
    const int64_t dims[2] = {sim->asked->n_parties, sim->asked->n_classes};
    for (int64_t i = 0; i < n_rows; i++) {
        choose_shares(sim, first + i, (double *)rows + i * dims[1]);
    }
    sim->checksum += cgm_result_checksum_rows("/proportions", 2, dims, first, n_rows, rows);
}

/* A dataset whose rows the ranks make, about the same number each. */
static cgm_status write_made(simulation *sim, const char *path, cgm_h5_type type, int rank,
                             const int64_t *dims, cgm_h5_make make, void *state)
{
    const int64_t first = dims[0] / sim->comm->size * sim->comm->rank;
    const int64_t end =
        sim->comm->rank == sim->comm->size - 1 ? dims[0] : first + dims[0] / sim->comm->size;
    if (sim->comm->rank == 0) {
        sim->checksum += cgm_result_checksum_shape(path, rank, dims);
    }
    return cgm_h5_write_made(sim->file, path, type, rank, dims, first, end - first, make, state);
}

/* A dataset that every rank holds and rank 0 writes. */
static cgm_status write_whole(simulation *sim, const char *path, cgm_h5_type type, int rank,
                              const int64_t *dims, const void *data)
{
    const int64_t rows = sim->comm->rank == 0 ? dims[0] : 0;
    if (sim->comm->rank == 0) {
        sim->checksum += cgm_result_checksum_shape(path, rank, dims);
    }
    sim->checksum += cgm_result_checksum_rows(path, rank, dims, 0, rows, data);
    return cgm_h5_write(sim->file, path, type, rank, dims, 0, rows, data);
}

static cgm_status write_attribute(simulation *sim, const char *name, cgm_h5_type type,
                                  const void *value)
{
    if (sim->comm->rank == 0) {
        sim->checksum += cgm_result_checksum_attribute("/", name, type == CGM_H5_TEXT, value);
    }
    return cgm_h5_write_attribute(sim->file, "/", name, type, value);
}

/* n_points points of the parties from first_party on, or of the mixture for -1, into a group. */
static cgm_status write_drawn(simulation *sim, const char *group, const char *stream_name,
                              int64_t first_party, int64_t n_points)
{
    const int64_t dims[2] = {n_points, sim->asked->n_features};
    source from = {
        .sim = sim, .stream = stream_name, .first_party = first_party, .n_points = n_points};
    snprintf(from.data_path, sizeof from.data_path, "%s/data", group);
    snprintf(from.labels_path, sizeof from.labels_path, "%s/labels", group);
    cgm_status status = write_made(sim, from.data_path, CGM_H5_DOUBLE, 2, dims, make_points, &from);
    if (status == CGM_OK) {
        status = write_made(sim, from.labels_path, CGM_H5_INT64, 1, dims, make_labels, &from);
    }
    return status;
}

enum { NAME_MAX_BYTES = 32 };

static cgm_status write_names(simulation *sim)
{
    const int64_t n_parties = sim->asked->n_parties;
    char *memory = cgm_alloc(sim->comm, n_parties, NAME_MAX_BYTES);
    char **names = cgm_alloc(sim->comm, n_parties, sizeof *names);
    cgm_status status =
        cgm_agree(sim->comm, memory != NULL && names != NULL ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        for (int64_t i = 0; i < n_parties; i++) {
            names[i] = memory + i * NAME_MAX_BYTES;
            snprintf(names[i], NAME_MAX_BYTES, "party%lld", (long long)i + 1);
        }
        if (sim->comm->rank == 0) {
            sim->checksum += cgm_result_checksum_texts("/packed/name", n_parties, names);
        }
        status = cgm_h5_write_texts(sim->file, "/packed/name", n_parties, names);
    }
    free(memory);
    free(names);
    return status;
}

static cgm_status write_parties(simulation *sim)
{
    const int64_t n_parties = sim->asked->n_parties;
    cgm_status status = CGM_OK;
    if (n_parties > GROUPS_MAX) {
        const int64_t count = n_parties + 1;
        status = write_drawn(sim, "/packed", "party", 0, sim->offsets[n_parties]);
        if (status == CGM_OK) {
            status = write_whole(sim, "/packed/offsets", CGM_H5_INT64, 1, &count, sim->offsets);
        }
        return status == CGM_OK ? write_names(sim) : status;
    }
    for (int64_t i = 0; i < n_parties && status == CGM_OK; i++) {
        char group[48];
        snprintf(group, sizeof group, "/parties/party%lld", (long long)i + 1);
        status = write_drawn(sim, group, "party", i, sim->offsets[i + 1] - sim->offsets[i]);
    }
    return status;
}

/* How the data came about: a run reads none of it. */
static cgm_status write_origin(simulation *sim)
{
    const arguments *asked = sim->asked;
    const int64_t means_dims[2] = {asked->n_classes, asked->n_features};
    const int64_t shares_dims[2] = {asked->n_parties, asked->n_classes};
    const char *split_word =
        options[cgm_option_find(options, N_OPTIONS, "--split")].words[asked->split];
    cgm_status status = write_attribute(sim, "program", CGM_H5_TEXT, "cgm simulate");
    if (status == CGM_OK) {
        status = write_attribute(sim, "version", CGM_H5_TEXT, cgm_version());
    }
    if (status == CGM_OK) {
        status = write_attribute(sim, "seed", CGM_H5_UINT64, &asked->seed);
    }
    if (status == CGM_OK) {
        status = write_attribute(sim, "split", CGM_H5_TEXT, split_word);
    }
    if (status == CGM_OK) {
        status = write_attribute(sim, "classes", CGM_H5_INT64, &asked->n_classes);
    }
    if (status == CGM_OK) {
        status = write_whole(sim, "/means", CGM_H5_DOUBLE, 2, means_dims, sim->means);
    }
    if (status == CGM_OK) {
        status = write_made(sim, "/proportions", CGM_H5_DOUBLE, 2, shares_dims, make_shares, sim);
    }
    return status;
}

/* The largest number of coordinates of all parties together: far beyond any memory, and products
 * of counts below it do not overflow. */
#define COORDINATES_MAX 1e15

/* Local, the same on every rank. */
static cgm_status prepare(simulation *sim)
{
    const arguments *asked = sim->asked;
    sim->means = cgm_alloc(sim->comm, asked->n_classes * asked->n_features, sizeof *sim->means);
    sim->shares = cgm_alloc(sim->comm, asked->n_classes, sizeof *sim->shares);
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
    mix_shares(sim);
    return CGM_OK;
}

static cgm_status write_content(cgm_h5_file *file, void *state, uint64_t *checksum)
{
    simulation *sim = state;
    sim->file = file;
    cgm_status status = write_parties(sim);
    if (status == CGM_OK) {
        status = write_drawn(sim, "/candidates", "candidates", -1, sim->asked->n_candidates);
    }
    if (status == CGM_OK && sim->asked->n_test > 0) {
        status = write_drawn(sim, "/test", "test", -1, sim->asked->n_test);
    }
    if (status == CGM_OK) {
        status = write_origin(sim);
    }
    *checksum = sim->checksum;
    cgm_comm_sum_unsigned(sim->comm, checksum, 1);
    return status;
}

/* More than the file will take: points, labels, what is kept for each party, and room for what HDF5
 * keeps beside every dataset. */
static int64_t bound_bytes(const simulation *sim)
{
    const arguments *asked = sim->asked;
    const int64_t n_points = sim->offsets[asked->n_parties] + asked->n_candidates + asked->n_test;
    const int64_t words = n_points * (asked->n_features + 1) +
                          (asked->n_parties + asked->n_features) * (asked->n_classes + 1);
    const int64_t groups = asked->n_parties > GROUPS_MAX ? 0 : asked->n_parties;
    return (int64_t)sizeof(double) * words + NAME_MAX_BYTES * asked->n_parties + 8192 * groups +
           (1 << 18);
}

static cgm_status simulate(cgm_comm *comm, const arguments *asked)
{
    simulation sim = {.comm = comm, .asked = asked};
    cgm_status status = cgm_agree(comm, prepare(&sim));
    if (status == CGM_OK) {
        const cgm_newfile file = {.path = asked->out,
                                  .option = "--out",
                                  .mode = 0640,
                                  .bytes = bound_bytes(&sim),
                                  .write = write_content,
                                  .state = &sim};
        status = cgm_newfile_write_together(comm, &file);
    }
    if (status == CGM_OK && comm->rank == 0) {
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

/* What was asked for on every rank; asked->out is allocated. */
static cgm_status take_arguments(cgm_comm *comm, int n_arguments, char **given, arguments *asked)
{
    cgm_status status = CGM_OK;
    if (comm->rank == 0) {
        status = cgm_option_take(comm, options, N_OPTIONS, n_arguments, given, asked, NULL, NULL);
        if (status == CGM_OK) {
            status = cgm_newfile_check(comm, asked->out, "--out");
        }
    }
    status = cgm_agree(comm, status);
    if (status != CGM_OK) {
        return status;
    }
    char *out = asked->out;
    cgm_comm_broadcast(comm, asked, sizeof *asked, 0);
    int64_t bytes = comm->rank == 0 ? (int64_t)strlen(out) + 1 : 0;
    cgm_comm_broadcast(comm, &bytes, sizeof bytes, 0);
    asked->out = comm->rank == 0 ? out : cgm_alloc(comm, bytes, 1);
    status = cgm_agree(comm, asked->out != NULL ? CGM_OK : CGM_ERR_MEMORY);
    if (status == CGM_OK) {
        cgm_comm_broadcast(comm, asked->out, (size_t)bytes, 0);
    }
    return status;
}

cgm_status cgm_simulate(cgm_comm *comm, int n_arguments, char **given)
{
    arguments asked = {.out = NULL};
    cgm_status status = take_arguments(comm, n_arguments, given, &asked);
    if (status == CGM_OK) {
        status = simulate(comm, &asked);
    }
    free(asked.out);
    return status;
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
