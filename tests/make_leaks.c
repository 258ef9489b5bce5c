/* Searches bytes for the coordinates of a party's points, as they are or in the units of features,
 * components, kernel and generator, as numbers of 8 and of 4 bytes and as exact sums of a single
 * term:
 *
 *     make_leaks --own PARTY.h5 ... --others PARTY.h5 ... --pool POOL.h5 --result RESULT.h5
 *                --in FILE ...
 *
 * or with --plant FILE in place of --in writes what it looks for, in every form, into a new file.
 * Coordinates that others have too, and those of few bits, are not looked for. Of every form it
 * prints how many are found, and how many may be by chance, with probability 10^-6: from decoys,
 * which are coordinates changed by a thousandth, and where none of those is found from the number
 * of bits that are compared. Exit code 1 if more are found, 2 if a file cannot be searched. */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "leaks_units.h"

enum {
    N_DECOYS = 8, /* sets of them */
    LOG_TABLE = 22,
    LOG_FILTER = 24,
    FEW_BITS = 28,       /* zero bits at the end of a mantissa that do not tell much */
    FEW_BITS_SHORT = 10, /* the same of a number of 4 bytes */
    DROPPED_BITS = 12    /* of computed numbers, which rounding may change */
};

/* ---- what is looked for ---- */

/* EXACT: all 8 bytes of what is in the party's file; CLOSE: but for the last bits; SHORT: 4 bytes;
 * SUM: three integers that are a sum of it alone. */
typedef enum form { EXACT, CLOSE, SHORT, SUM, N_FORMS } form;
static const char *const form_names[N_FORMS] = {"8 bytes", "8 bytes, rounded", "4 bytes",
                                                "sum of one"};
/* Bits that chance would have to hit. */
static const double form_bits[N_FORMS] = {52.0, 52.0 - DROPPED_BITS, 23.0, 52.0 - DROPPED_BITS};

typedef struct entry {
    uint64_t key;
    int32_t value; /* 1 + its number; 0: no entry */
    uint8_t unit, set, form;
} entry;

/* Entries by a hash of form and key, and a set of hashes that tells quickly that there is none. */
static entry *table;
static uint8_t *filter;

static uint64_t hash(form kind, uint64_t key)
{
    uint64_t h = (key + (uint64_t)kind + 1) * 0x9e3779b97f4a7c15;
    return h ^ h >> 29;
}

static void insert(form kind, uint64_t key, int64_t value, int unit_number, int set)
{
    const uint64_t h = hash(kind, key);
    uint64_t at = h >> (64 - LOG_TABLE);
    for (int tries = 0; table[at].value != 0; tries++) {
        if (tries > 1000) {
            fprintf(stderr, "make_leaks: too many points\n");
            exit(2);
        }
        at = (at + 1) & (((uint64_t)1 << LOG_TABLE) - 1);
    }
    table[at] = (entry){key, (int32_t)value + 1, (uint8_t)unit_number, (uint8_t)set, (uint8_t)kind};
    const uint64_t bit = h & (((uint64_t)1 << LOG_FILTER) - 1);
    filter[bit / 8] |= (uint8_t)(1U << bit % 8);
}

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static uint32_t short_bits_of(double x)
{
    const float rounded = (float)x;
    uint32_t bits;
    memcpy(&bits, &rounded, sizeof bits);
    return bits;
}

static uint64_t close_key(double x)
{
    return bits_of(x) >> DROPPED_BITS;
}

static void look_for(double y, int64_t value, int unit_number, int set)
{
    if (unit_number == 0) {
        insert(EXACT, bits_of(y), value, 0, set);
    }
    /* What rounding may carry over the edge of the bits that are compared. */
    const uint64_t near = (uint64_t)1 << (DROPPED_BITS - 3);
    const uint64_t key = close_key(y);
    insert(CLOSE, key, value, unit_number, set);
    if ((bits_of(y) + near) >> DROPPED_BITS != key) {
        insert(CLOSE, key + 1, value, unit_number, set);
    }
    if ((bits_of(y) - near) >> DROPPED_BITS != key) {
        insert(CLOSE, key - 1, value, unit_number, set);
    }
    if ((short_bits_of(y) & ((1U << FEW_BITS_SHORT) - 1)) != 0) {
        insert(SHORT, short_bits_of(y), value, unit_number, set);
    }
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool is_telling(double x, const points *others)
{
    return (bits_of(x) & (((uint64_t)1 << FEW_BITS) - 1)) != 0 &&
           (others->count == 0 ||
            bsearch(&x, others->x, (size_t)(others->count * others->n_features), sizeof x,
                    compare) == NULL);
}

/* @return how many coordinates are looked for; others' are sorted */
static int64_t prepare(const points *own, const points *others, const units *all)
{
    const int64_t d = own->n_features;
    int64_t count = 0;
    srand(1);
    for (int64_t k = 0; k < own->count * d; k++) {
        if (!is_telling(own->x[k], others)) {
            continue;
        }
        count++;
        for (int set = 0; set <= N_DECOYS; set++) {
            const double change = set == 0 ? 0.0 : 2e-3 * (rand() / (double)RAND_MAX - 0.5);
            for (int u = 0; u < all->count; u++) {
                double y;
                if (in_unit(own, k, &all->of[u], &y)) {
                    look_for(y * (1.0 + change), k, u, set);
                }
            }
        }
    }
    return count;
}

/* ---- the search ---- */

typedef struct finds {
    uint8_t *seen[UNITS_MAX][N_DECOYS + 1][N_FORMS]; /* of each coordinate */
    int64_t bytes;
    bool told[UNITS_MAX][N_FORMS];
} finds;

static void look_up(form kind, form as, uint64_t key, int64_t place, finds *found)
{
    const uint64_t h = hash(kind, key);
    const uint64_t bit = h & (((uint64_t)1 << LOG_FILTER) - 1);
    if (((unsigned)filter[bit / 8] >> bit % 8 & 1U) == 0) {
        return;
    }
    for (uint64_t at = h >> (64 - LOG_TABLE); table[at].value != 0;
         at = (at + 1) & (((uint64_t)1 << LOG_TABLE) - 1)) {
        const entry *hit = &table[at];
        if (hit->key == key && hit->form == kind) {
            found->seen[hit->unit][hit->set][as][hit->value - 1] = 1;
            if (hit->set == 0 && !found->told[hit->unit][as]) {
                found->told[hit->unit][as] = true;
                printf("first %s in unit %d: coordinate %d at byte %lld\n", form_names[as],
                       hit->unit, hit->value - 1, (long long)place);
            }
        }
    }
}

/* An exact sum: units of 2^-64, 2^-32 and 1, which rounding to nearest leaves of either sign. */
static bool read_sum(const unsigned char *from, double *sum)
{
    int64_t limb[3];
    memcpy(limb, from, sizeof limb);
    const int64_t half = (int64_t)1 << 32;
    const bool plausible = limb[0] > -half && limb[0] < half && limb[1] > -half && limb[1] < half &&
                           limb[2] > -half && limb[2] < half && (limb[0] != 0 || limb[1] != 0);
    *sum = plausible ? ldexp((double)limb[0], -64) + ldexp((double)limb[1], -32) + (double)limb[2]
                     : 0.0;
    return plausible;
}

static void search(const char *path, finds *found)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "make_leaks: cannot open %s\n", path);
        exit(2);
    }
    fseek(file, 0, SEEK_END);
    const int64_t bytes = ftell(file);
    rewind(file);
    unsigned char *all = need_memory((size_t)bytes + 32, 1);
    if (fread(all, 1, (size_t)bytes, file) != (size_t)bytes) {
        fprintf(stderr, "make_leaks: cannot read %s\n", path);
        exit(2);
    }
    fclose(file);
    for (int64_t k = 0; k < bytes; k++) {
        uint64_t long_word;
        uint32_t short_word;
        double sum;
        memcpy(&long_word, all + k, sizeof long_word);
        memcpy(&short_word, all + k, sizeof short_word);
        look_up(EXACT, EXACT, long_word, k, found);
        look_up(CLOSE, CLOSE, long_word >> DROPPED_BITS, k, found);
        look_up(SHORT, SHORT, short_word, k, found);
        if (read_sum(all + k, &sum)) {
            look_up(CLOSE, SUM, close_key(sum), k, found);
        }
    }
    found->bytes += bytes;
    free(all);
}

/* Most that come by chance but with probability 10^-6. */
static int64_t chance(double mean)
{
    double term = exp(-mean);
    double rest = 1.0 - term;
    int64_t k = 0;
    while (rest > 1e-6 && k < 1000000) {
        k++;
        term *= mean / (double)k;
        rest -= term;
    }
    return k;
}

static int64_t count_seen(const uint8_t *seen, int64_t n)
{
    int64_t count = 0;
    for (int64_t k = 0; k < n; k++) {
        count += seen[k];
    }
    return count;
}

/* @return whether there are more than chance finds */
static bool report(const finds *found, const units *all, int64_t n, int64_t looked_for)
{
    bool leaks = false;
    for (int u = 0; u < all->count; u++) {
        for (int kind = u == 0 ? EXACT : CLOSE; kind < N_FORMS; kind++) {
            int64_t decoys = 0;
            for (int set = 1; set <= N_DECOYS; set++) {
                decoys += count_seen(found->seen[u][set][kind], n);
            }
            const double most = (double)decoys + 5.0 * sqrt((double)decoys);
            const double mean =
                decoys > 0 ? most / N_DECOYS
                           : (double)looked_for * (double)found->bytes * exp2(-form_bits[kind]);
            const int64_t allowed = chance(decoys > 0 ? mean : fmin(mean, 1.0));
            const int64_t count = count_seen(found->seen[u][0][kind], n);
            leaks = leaks || count > allowed;
            printf("%s %-16s %-16s %6lld found, %.3g by chance, at most %lld\n",
                   count > allowed ? "LEAK" : "ok  ", all->of[u].name, form_names[kind],
                   (long long)count, (double)decoys / N_DECOYS, (long long)allowed);
        }
    }
    return leaks;
}

/* ---- what a search must find ---- */

/* As the exact sums of the program: the nearest whole number of each unit. */
static void plant_sum(double y, FILE *to)
{
    int64_t limb[3];
    limb[2] = llrint(y);
    limb[1] = llrint(ldexp(y - (double)limb[2], 32));
    limb[0] = llrint(ldexp(y - (double)limb[2] - ldexp((double)limb[1], -32), 64));
    fwrite(limb, sizeof limb, 1, to);
}

/* With bytes between, so that they stand at any place. */
static void plant(const points *own, const units *all, const char *path)
{
    const int64_t d = own->n_features;
    FILE *to = fopen(path, "wb");
    for (int64_t k = 0; to != NULL && k < own->count * d; k++) {
        fwrite(&own->x[k], sizeof(double), 1, to);
        for (int u = 0; u < all->count; u++) {
            double y;
            if (!in_unit(own, k, &all->of[u], &y)) {
                continue;
            }
            y = y * (1.0 / 3.0) * 3.0; /* rounded otherwise than what is looked for */
            const float rounded = (float)y;
            fwrite(&y, sizeof y, 1, to);
            fputc('+', to);
            fwrite(&rounded, sizeof rounded, 1, to);
            plant_sum(y, to);
        }
    }
    if (to == NULL || fclose(to) != 0) {
        fprintf(stderr, "make_leaks: cannot write %s\n", path);
        exit(2);
    }
}

/* ---- command line ---- */

/* What stands on the command line. */
typedef struct request {
    points own;
    points parties; /* all of them */
    points others;  /* parties and pool */
    const char *result, *plant;
    int first_file; /* argument */
} request;

static void read_request(int argc, char **argv, request *of)
{
    const char *flag = "";
    of->first_file = argc;
    for (int k = 1; k < argc && of->first_file == argc; k++) {
        if (strncmp(argv[k], "--", 2) == 0) {
            flag = argv[k];
            of->first_file = strcmp(flag, "--in") == 0 ? k + 1 : argc;
        } else if (strcmp(flag, "--own") == 0) {
            add_points(argv[k], "", &of->own);
            add_points(argv[k], "", &of->parties);
        } else if (strcmp(flag, "--others") == 0) {
            add_points(argv[k], "", &of->others);
            add_points(argv[k], "", &of->parties);
        } else if (strcmp(flag, "--pool") == 0) {
            add_points(argv[k], "/candidates", &of->others);
        } else if (strcmp(flag, "--result") == 0) {
            of->result = argv[k];
        } else {
            of->plant = argv[k];
        }
    }
    if (of->own.count == 0 || (of->plant == NULL && of->first_file >= argc)) {
        fprintf(stderr, "usage: make_leaks --own PARTY.h5 ... [--others PARTY.h5 ...] [--pool "
                        "POOL.h5] [--result RESULT.h5] {--plant FILE | --in FILE ...}\n");
        exit(2);
    }
}

/* @return whether there are more than chance finds */
static bool search_all(const request *of, const units *all, int n_files, char **files)
{
    static finds found;
    const int64_t n = of->own.count * of->own.n_features;
    uint8_t *seen = need_memory((size_t)(n * UNITS_MAX * (N_DECOYS + 1) * N_FORMS), 1);
    uint8_t *next = seen;
    for (int u = 0; u < all->count; u++) {
        for (int set = 0; set <= N_DECOYS; set++) {
            for (int kind = 0; kind < N_FORMS; kind++) {
                found.seen[u][set][kind] = next;
                next += n;
            }
        }
    }
    table = need_memory((size_t)1 << LOG_TABLE, sizeof *table);
    filter = need_memory(((size_t)1 << LOG_FILTER) / 8, 1);
    const int64_t looked_for = prepare(&of->own, &of->others, all);
    for (int k = 0; k < n_files; k++) {
        search(files[k], &found);
    }
    printf("%lld coordinates of %lld looked for in %lld bytes\n", (long long)looked_for,
           (long long)n, (long long)found.bytes);
    return report(&found, all, n, looked_for);
}

int main(int argc, char **argv)
{
    request of = {.result = NULL};
    static units all;
    bool leaks = false;
    read_request(argc, argv, &of);
    add_units(&of.own, &of.parties, of.result, &all);
    if (of.others.count > 0) {
        qsort(of.others.x, (size_t)(of.others.count * of.others.n_features), sizeof(double),
              compare);
    }
    if (of.plant != NULL) {
        plant(&of.own, &all, of.plant);
    } else {
        leaks = search_all(&of, &all, argc - of.first_file, argv + of.first_file);
    }
    return leaks ? 1 : 0;
}
