/* The kernel's exponentials and its values at a distance over their whole range against libm, with
 * each instruction set that this processor has. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../src/kernel_operations.h"
#include "cgm/tolerance.h"
#include "samples.h"

enum { SAMPLES = 200000 };
/* From here on the kernel counts as 0. */
#define FAR 1000.0

static void test_names(void **state)
{
    cgm_comm *comm = *state;
    const cgm_instruction_set best = cgm_instruction_set_best();
    assert_all_ranks(comm, best >= CGM_PORTABLE && best <= CGM_AVX512);
    assert_all_ranks(comm, strcmp(cgm_instruction_set_name(CGM_PORTABLE), "portable") == 0);
    assert_all_ranks(comm, strcmp(cgm_instruction_set_name(CGM_AVX2), "avx2") == 0);
    assert_all_ranks(comm, strcmp(cgm_instruction_set_name(CGM_AVX512), "avx512") == 0);
    assert_all_ranks(comm, strcmp(cgm_kernel_name(CGM_KERNEL_SE_SUM), "se_sum") == 0);
}

static void test_exponential_over_its_range(void **state)
{
    cgm_comm *comm = *state;
    double *z = cgm_alloc(comm, SAMPLES, sizeof *z);
    double *result = cgm_alloc(comm, SAMPLES, sizeof *result);
    double *first = cgm_alloc(comm, SAMPLES, sizeof *first);
    assert_all_ranks(comm, z != NULL && result != NULL && first != NULL);
    for (uint64_t k = 0; k < SAMPLES; k++) {
        /* Exponents from denormal to the last that counts, dense in the logarithm. */
        z[k] = exp(-740.0 + 746.5 * sample_number(1, k));
    }
    cgm_kernel_exponential(z, first, SAMPLES);
    bool close = true;
    for (int64_t k = 0; k < SAMPLES; k++) {
        const long double exact = expl(-(long double)z[k]);
        const long double error = fabsl((long double)first[k] - exact) / exact;
        close =
            close && (error <= CGM_TEST_EXPONENTIAL * (1.0L + (long double)z[k]) || z[k] > 707.0);
    }
    assert_all_ranks(comm, close);
    for (cgm_instruction_set set = CGM_PORTABLE; set <= cgm_instruction_set_best(); set++) {
        kernel_operations_of(set)->exponential(z, result, SAMPLES);
        assert_all_ranks(comm, memcmp(result, first, SAMPLES * sizeof *z) == 0);
    }
    free(z);
    free(result);
    free(first);
}

/* Any number at a time, and nothing beyond them. */
static void test_exponential_at_its_ends(void **state)
{
    cgm_comm *comm = *state;
    enum { ENDS = 9 };
    const double z[ENDS] = {0.0, 5e-324, 1e-300, 708.0, 1e300, INFINITY, 0.0, 1e6, 1e-17};
    const double expected[ENDS] = {1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0};
    for (cgm_instruction_set set = CGM_PORTABLE; set <= cgm_instruction_set_best(); set++) {
        for (size_t count = 0; count <= ENDS; count++) {
            double result[ENDS + 1];
            for (int k = 0; k <= ENDS; k++) {
                result[k] = -1.0;
            }
            kernel_operations_of(set)->exponential(z, result, (int64_t)count);
            assert_all_ranks(comm, memcmp(result, expected, count * sizeof *z) == 0);
            assert_all_ranks(comm, result[count] == -1.0);
        }
    }
}

/* 2^-q against libm: from where q is a denormal to where the kernel counts as 0. */
static void test_evaluation_over_its_range(void **state)
{
    cgm_comm *comm = *state;
    for (cgm_instruction_set set = CGM_PORTABLE; set <= cgm_instruction_set_best(); set++) {
        const cgm_kernel kernel = {.n_features = 1, .instruction_set = set};
        bool close = true;
        bool dense_close = true;
        long double sum = 0.0L;
        for (uint64_t k = 0; k < SAMPLES; k++) {
            const double q = exp(-740.0 + 746.95 * sample_number(1, k));
            const long double exact = exp2l(-(long double)q);
            const long double error = ((long double)cgm_kernel_at(&kernel, q) - exact) / exact;
            close = close && (q < FAR ? fabsl(error) <= CGM_TEST_EVALUATION : error == -1.0L);
            const double uniform = 10.0 * sample_number(2, k);
            const long double value = exp2l(-(long double)uniform);
            const long double deviation =
                ((long double)cgm_kernel_at(&kernel, uniform) - value) / value;
            dense_close = dense_close && fabsl(deviation) <= CGM_TEST_EVALUATION;
            sum += deviation;
        }
        assert_all_ranks(comm, close);
        assert_all_ranks(comm, dense_close);
        assert_all_ranks(comm, fabsl(sum / SAMPLES) <= CGM_TEST_EVALUATION_MEAN);
    }
}

static void test_evaluation_at_its_ends(void **state)
{
    cgm_comm *comm = *state;
    const double far[] = {FAR, 1021.0, 1023.0, 1024.0, 1e6, 1e17, 1e300, INFINITY, NAN};
    for (cgm_instruction_set set = CGM_PORTABLE; set <= cgm_instruction_set_best(); set++) {
        for (int t = 0; t < 3; t++) {
            const cgm_kernel kernel = {
                .type = sample_types[t], .n_features = 1, .instruction_set = set};
            const double one = cgm_kernel_diagonal(&kernel);
            assert_all_ranks(comm, cgm_kernel_at(&kernel, 0.0) == one);
            assert_all_ranks(comm, cgm_kernel_at(&kernel, 5e-324) == one);
            assert_all_ranks(comm, cgm_kernel_at(&kernel, INFINITY) == 0.0);
            assert_all_ranks(comm, cgm_kernel_at(&kernel, NAN) == 0.0);
        }
        const cgm_kernel se = {.n_features = 1, .instruction_set = set};
        bool zero = true;
        for (size_t k = 0; k < sizeof far / sizeof far[0]; k++) {
            zero = zero && cgm_kernel_at(&se, far[k]) == 0.0;
        }
        assert_all_ranks(comm, zero);
        bool last = true; /* before the end */
        for (uint64_t k = 0; k < 1000; k++) {
            const double q = FAR - 1.0 + sample_number(3, k);
            last = last && fabs(cgm_kernel_at(&se, q) / exp2(-q) - 1.0) <= CGM_TEST_EVALUATION;
        }
        assert_all_ranks(comm, last);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_exponential_over_its_range),
        cmocka_unit_test(test_exponential_at_its_ends),
        cmocka_unit_test(test_evaluation_over_its_range),
        cmocka_unit_test(test_evaluation_at_its_ends),
    };
    return harness_main(argc, argv, tests, sizeof tests / sizeof tests[0]);
}
