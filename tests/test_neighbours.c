/* The engine's lists of smallest distances against plain sorting, with each instruction set that
 * this processor has; quantiles of numbers that are spread over the ranks. */
// without: valgrind
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../src/quantiles.h"
#include "cgm/tolerance.h"
#include "samples.h"

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* ---- lists of distances ---- */

/* Distances of a column to rows of two tiles, ascending. all [≥ CGM_NEAREST] */
static void sort_plainly(const sample *rows, const sample *columns, int64_t d, int64_t column,
                         double *all)
{
    const int64_t n = rows->block.n_points;
    for (int64_t i = 0; i < n; i++) {
        all[i] = 0.0;
        for (int64_t f = 0; f < d; f++) {
            const double difference = rows->points[i * d + f] - columns->points[column * d + f];
            all[i] += difference * difference;
        }
    }
    qsort(all, (size_t)n, sizeof *all, compare_doubles);
}

/* Tiles segment by segment, from the last to the first: in whatever order rows come. */
static void list_nearest(const cgm_kernel *kernel, const sample *rows, const sample *columns,
                         double *nearest)
{
    for (int64_t k = 0; k < columns->block.stride * CGM_NEAREST; k++) {
        nearest[k] = INFINITY;
    }
    for (int64_t k = rows->block.n_segments - 1; k >= 0; k--) {
        const cgm_tile tile = {&rows->block, &rows->segments[k], &columns->block, 0};
        cgm_kernel_nearest(kernel, &tile, nearest);
    }
}

static bool are_sorted_distances(const cgm_kernel *kernel, const sample *rows,
                                 const sample *columns, const double *nearest, double *work)
{
    /* Packed units are a power of two times those of the points. */
    const double ratio = kernel->lengthscale / cgm_kernel_of_distances(1, 0.0, NULL, 0).lengthscale;
    bool same = true;
    for (int64_t j = 0; j < columns->block.n_points; j++) {
        sort_plainly(rows, columns, kernel->n_features, j, work);
        for (int k = 0; k < CGM_NEAREST; k++) {
            const double actual = nearest[cgm_kernel_place(CGM_NEAREST, j, k)] * ratio * ratio;
            const double expected = k < rows->block.n_points ? work[k] : INFINITY;
            same = same && (actual == expected ||
                            fabs(actual - expected) <= CGM_TEST_EVALUATION * expected);
        }
    }
    return same;
}

/* Rows fewer than a list is long, of several segments, more than the features of a strip; columns
 * that are the rows, and columns of which some coincide with rows. */
static void check_nearest(cgm_comm *comm, int64_t d, int64_t n_rows, int64_t segment, bool itself)
{
    static const double origin[SAMPLE_FEATURES] = {0.0};
    double nearest[CGM_INSTRUCTION_SETS][CGM_BLOCK_POINTS * CGM_NEAREST];
    double work[CGM_BLOCK_POINTS];
    for (int set = 0; set <= (int)cgm_instruction_set_best(); set++) {
        const cgm_kernel kernel = cgm_kernel_of_distances(d, 3.0, origin, (cgm_instruction_set)set);
        sample *rows = sample_create(comm, &kernel, n_rows, segment, 1);
        sample *columns = itself ? rows : sample_create(comm, &kernel, 37, 37, 2);
        if (!itself) {
            memcpy(columns->points, rows->points, (size_t)d * sizeof(double));
            memcpy(columns->points + 36 * d, rows->points, (size_t)d * sizeof(double));
            sample_pack(&kernel, columns);
        }
        list_nearest(&kernel, rows, columns, nearest[set]);
        assert_all_ranks(comm, are_sorted_distances(&kernel, rows, columns, nearest[set], work));
        assert_all_ranks(comm, nearest[set][0] == 0.0);
        const size_t bytes = (size_t)(columns->block.stride * CGM_NEAREST) * sizeof nearest[set][0];
        assert_all_ranks(comm, set == 0 ||
                                   !cgm_instruction_sets_agree((cgm_instruction_set)set,
                                                               (cgm_instruction_set)(set - 1)) ||
                                   memcmp(nearest[set], nearest[set - 1], bytes) == 0);
        if (!itself) {
            sample_destroy(columns);
        }
        sample_destroy(rows);
    }
}

static void test_nearest(void **state)
{
    const int64_t features[] = {1, 2, 4, 8, 9, 130};
    for (int k = 0; k < 6; k++) {
        check_nearest(*state, features[k], 5, 5, false);
        check_nearest(*state, features[k], 203, 203, false);
        check_nearest(*state, features[k], CGM_BLOCK_POINTS, 50, false);
        check_nearest(*state, features[k], 203, 203, true);
    }
}

/* Points are packed for their distances without losing a digit. */
static void test_packing(void **state)
{
    static const double origin[1] = {0.0};
    const double typical[] = {0.0, 1.0, 3.7, 1e-140, 1e140};
    for (int k = 0; k < 5; k++) {
        const cgm_kernel kernel = cgm_kernel_of_distances(1, typical[k], origin, CGM_PORTABLE);
        sample *one = sample_create(*state, &kernel, 64, 64, 3);
        for (int64_t i = 0; i < 64; i++) {
            one->points[i] *= typical[k] > 0.0 ? typical[k] : 1.0;
        }
        sample_pack(&kernel, one);
        bool exact = true;
        for (int64_t i = 0; i < 64; i++) {
            double packed;
            int exponent;
            cgm_kernel_point(&kernel, &one->block, i, &packed);
            exact = exact && frexp(packed / one->points[i], &exponent) == 0.5 && packed < 2.0;
        }
        assert_all_ranks(*state, exact);
        sample_destroy(one);
    }
}

/* ---- quantiles ---- */

/* Number k of a group: some equal, some 0; rank r has those with k % size = r. */
static double number_of(int64_t group, int64_t k)
{
    const double u = sample_number((uint64_t)group + 10, (uint64_t)k);
    return group % 3 == 0 ? floor(5.0 * u) : exp(40.0 * u - 20.0);
}

typedef struct own_numbers {
    int64_t *first; /* [n_groups + 1] */
    double *numbers;
} own_numbers;

static int64_t count_own(const void *state, int64_t group, double x)
{
    const own_numbers *of = state;
    return quantiles_count(of->numbers + of->first[group], of->first[group + 1] - of->first[group],
                           x);
}

static void check_quantiles(cgm_comm *comm, int64_t n_groups, int64_t most, double share)
{
    int64_t *sizes = calloc((size_t)n_groups, sizeof *sizes);
    double *found = calloc((size_t)n_groups, sizeof *found);
    double *expected = calloc((size_t)n_groups, sizeof *expected);
    double *all = calloc((size_t)most, sizeof *all);
    own_numbers own = {calloc((size_t)n_groups + 1, sizeof(int64_t)),
                       calloc((size_t)(n_groups * most), sizeof(double))};
    for (int64_t group = 0; group < n_groups; group++) {
        sizes[group] = group % (most + 1);
        own.first[group + 1] = own.first[group];
        for (int64_t k = 0; k < sizes[group]; k++) {
            all[k] = number_of(group, k);
            if (k % comm->size == comm->rank) {
                own.numbers[own.first[group + 1]++] = all[k];
            }
        }
        quantiles_sort(own.numbers + own.first[group], own.first[group + 1] - own.first[group]);
        qsort(all, (size_t)sizes[group], sizeof *all, compare_doubles);
        const double h = share * (double)(sizes[group] - 1);
        const int64_t below = (int64_t)floor(h);
        const int64_t above = below + 1 < sizes[group] ? below + 1 : below;
        expected[group] =
            sizes[group] == 0 ? NAN : all[below] + (h - (double)below) * (all[above] - all[below]);
    }
    const number_groups groups = {n_groups, sizes, &own, count_own};
    assert_all_ranks(comm, quantiles_find(comm, &groups, share, found) == CGM_OK);
    assert_close_array(comm, found, expected, n_groups, 0.0, 0.0);
    free(sizes);
    free(found);
    free(expected);
    free(all);
    free(own.first);
    free(own.numbers);
}

/* Few groups and many, which are searched in other steps. */
static void test_quantiles(void **state)
{
    const double shares[] = {0.05, 0.0, 0.5, 1.0};
    for (int k = 0; k < 4; k++) {
        check_quantiles(*state, 3, 1, shares[k]);
        check_quantiles(*state, 90, 89, shares[k]);
    }
    check_quantiles(*state, 20000, 5, 0.05);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_packing),
        cmocka_unit_test(test_quantiles),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
