/* The scores of candidates that the kernel's loops bring up to date, with each instruction set that
 * this processor has. */
#include <math.h>
#include <string.h>

#include "cgm/tolerance.h"
#include "samples.h"

/* Every third candidate is taken. The last one has no neighbour in memory that may change. */
static void check_score(cgm_comm *comm, const cgm_kernel *kernel, int64_t n_points, bool adds)
{
    const double factor = 0.37;
    sample *a = sample_create(comm, kernel, 9, 9, 2);
    sample *b = sample_create(comm, kernel, n_points, n_points, 3);
    double point[SAMPLE_FEATURES];
    double row[CGM_BLOCK_POINTS];
    double sums[CGM_BLOCK_POINTS + 1];
    double affinity[CGM_BLOCK_POINTS + 1];
    double expected[CGM_BLOCK_POINTS];
    cgm_extremes widest = {-0.01, 0.01};
    cgm_kernel_point(kernel, &a->block, 5, point);
    const cgm_segment sixth = {.n_points = 1, .begin = 5};
    const cgm_tile tile = {&a->block, &sixth, &b->block, 0};
    cgm_kernel_columns(kernel, &tile, row);
    for (int64_t c = 0; c <= n_points; c++) {
        sums[c] = 100.0 * sample_number(6, (uint64_t)c);
        affinity[c] = c % 3 == 1 ? NAN : 10.0 * sample_number(7, (uint64_t)c);
    }
    affinity[n_points] = 1e3; /* as a score it would be the least by far */
    for (int64_t c = 0; c < n_points; c++) {
        expected[c] = affinity[c] + (adds ? row[c] : 0.0);
    }
    cgm_score score = {adds ? point : NULL, factor, affinity, {-0.01, 0.01}};
    cgm_kernel_score(kernel, &b->block, sums, 1, &score);
    assert_close_array(comm, affinity, expected, n_points, adds ? CGM_TEST_EVALUATION : 0.0, 0.0);
    for (int64_t c = 0; c < n_points; c++) {
        const double w = factor * sums[c] - affinity[c];
        widest.low = w < widest.low ? w : widest.low;
        widest.high = w > widest.high ? w : widest.high;
    }
    assert_all_ranks(comm, score.extremes.low == widest.low && score.extremes.high == widest.high);
    assert_all_ranks(comm, affinity[n_points] == 1e3);
    sample_destroy(a);
    sample_destroy(b);
}

static void test_scores(void **state)
{
    const int64_t points[] = {1, 2, 3, 4, 5, 7, 8, 9, 31, 33, 70, CGM_BLOCK_POINTS};
    const int64_t features[] = {1, 2, 8, 150};
    for (int t = 0; t < 3; t++) {
        for (int f = 0; f < 4; f++) {
            cgm_kernel kernel = sample_kernel(sample_types[t], features[f], CGM_PORTABLE);
            for (; kernel.instruction_set <= cgm_instruction_set_best(); kernel.instruction_set++) {
                for (int k = 0; k < 12; k++) {
                    check_score(*state, &kernel, points[k], true);
                    check_score(*state, &kernel, points[k], false);
                }
            }
        }
    }
}

/* Chains that are scored together get what each gets alone, whether they add a point or not, and
 * whether or not the block is known to lie near the centre. */
static void check_scores_together(cgm_comm *comm, const cgm_kernel *kernel, int64_t n_scores)
{
    enum { CHAINS = 7, POINTS = 72 };
    sample *a = sample_create(comm, kernel, CHAINS, CHAINS, 2);
    sample *b = sample_create(comm, kernel, POINTS, POINTS, 3);
    double points[CHAINS][SAMPLE_FEATURES];
    double sums[POINTS];
    double affinity[CHAINS][POINTS], alone[CHAINS][POINTS];
    cgm_score scores[CHAINS];
    bool same = true;
    for (int64_t c = 0; c < POINTS; c++) {
        sums[c] = 100.0 * sample_number(6, (uint64_t)c);
        for (int64_t k = 0; k < CHAINS; k++) {
            affinity[k][c] = c % 5 == k % 5 ? NAN : sample_number(7, (uint64_t)(k * POINTS + c));
        }
    }
    memcpy(alone, affinity, sizeof alone);
    for (int64_t k = 0; k < n_scores; k++) {
        cgm_kernel_point(kernel, &a->block, k, points[k]);
        scores[k] = (cgm_score){k == 2 ? NULL : points[k], 0.1 * (double)k, affinity[k], {1, -1}};
    }
    cgm_kernel_look(kernel, &b->block);
    assert_all_ranks(comm, b->block.all_near);
    cgm_kernel_score(kernel, &b->block, sums, n_scores, scores);
    b->block.all_near = false;
    for (int64_t k = 0; k < n_scores; k++) {
        cgm_score one = {scores[k].point, scores[k].factor, alone[k], {1, -1}};
        cgm_kernel_score(kernel, &b->block, sums, 1, &one);
        same = same && one.extremes.low == scores[k].extremes.low &&
               one.extremes.high == scores[k].extremes.high;
        same = same && memcmp(alone[k], affinity[k], sizeof alone[k]) == 0;
    }
    assert_all_ranks(comm, same);
    sample_destroy(a);
    sample_destroy(b);
}

static void test_scores_together(void **state)
{
    for (int t = 0; t < 3; t++) {
        cgm_kernel kernel = sample_kernel(sample_types[t], 3, CGM_PORTABLE);
        for (; kernel.instruction_set <= cgm_instruction_set_best(); kernel.instruction_set++) {
            for (int64_t n_scores = 1; n_scores <= 7; n_scores++) {
                check_scores_together(*state, &kernel, n_scores);
            }
        }
    }
}

/* Scores of taken candidates alone leave the extremes as they were. */
static void test_scores_of_none(void **state)
{
    cgm_comm *comm = *state;
    cgm_kernel kernel = sample_kernel(CGM_KERNEL_SE, 2, CGM_PORTABLE);
    sample *s = sample_create(comm, &kernel, 13, 13, 2);
    const double sums[13] = {1.0};
    const double point[2] = {0.0, 0.0};
    for (; kernel.instruction_set <= cgm_instruction_set_best(); kernel.instruction_set++) {
        double affinity[13];
        bool taken = true;
        for (int c = 0; c < 13; c++) {
            affinity[c] = NAN;
        }
        cgm_score score = {point, 1.0, affinity, {INFINITY, -INFINITY}};
        cgm_kernel_score(&kernel, &s->block, sums, 1, &score);
        for (int c = 0; c < 13; c++) {
            taken = taken && isnan(affinity[c]);
        }
        assert_all_ranks(comm, taken);
        assert_all_ranks(comm, score.extremes.low == INFINITY && score.extremes.high == -INFINITY);
    }
    sample_destroy(s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scores),
        cmocka_unit_test(test_scores_together),
        cmocka_unit_test(test_scores_of_none),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
