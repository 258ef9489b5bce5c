/**
 * @file cases.h
 * Input for tests, taken as far as the kernel sums by the program's own stages: a file of the
 * shared test data, or made-up points.
 */
#ifndef CGM_TESTS_CASES_H
#define CGM_TESTS_CASES_H

#include "cgm/embedding.h"
#include "cgm/h5.h"
#include "cgm/kernel_sums.h"
#include "cgm/lengthscale.h"
#include "cgm/spread.h"

typedef struct test_case {
    char path[1024];
    cgm_h5_file file;
    cgm_shard shard;
    cgm_candidates candidates;
    cgm_spread spread;
    cgm_kernel kernel;
    cgm_kernel_sums sums;
} test_case;

/** Collective. Skips or fails the test where the file is missing (harness_shared).
 * @param[in] name       file below the shared test data, such as golden/tiny5.h5
 * @param[in] attribute  NULL, or the attribute of / that holds the lengthscale */
void case_open(cgm_comm *comm, const char *name, const char *lengthscale, const char *attribute,
               test_case *case_data);

/**
 * Made-up points, uniform on the unit cube, at home on the ranks as the program would place them.
 * Collective.
 * @param[in] sizes  [n_parties] points of each party
 */
void case_make(cgm_comm *comm, int64_t n_parties, const int64_t *sizes, int64_t n_features,
               int64_t n_candidates, double lengthscale, test_case *case_data);

/** As case_make, where a rank holds its own slice of the pool alone.  Collective. */
void case_make_sliced(cgm_comm *comm, int64_t n_parties, const int64_t *sizes, int64_t n_features,
                      int64_t n_candidates, double lengthscale, test_case *case_data);

/** As case_make, with sealed shards: each party is whole on one rank, whatever their number.
 * Collective. */
void case_make_sealed(cgm_comm *comm, int64_t n_parties, const int64_t *sizes, int64_t n_features,
                      int64_t n_candidates, double lengthscale, test_case *case_data);

/** The point of a made-up case: party's, or the pool's for party = n_parties.  Local.
 * @param[out] point  [n_features] */
void case_point(int64_t party, int64_t row, int64_t n_features, double *point);

/** Collective. The kernel sums at the case's lengthscale. */
void case_sums(cgm_comm *comm, test_case *case_data);

/** Collective. The kernel sums at the case's lengthscale by embeddings, with noise unless epsilon
 * is INFINITY; δ = 10⁻⁶. The pair is cgm_embedding_destroy. */
void case_embed(cgm_comm *comm, test_case *case_data, int64_t n_frequencies, bool orthogonal,
                double epsilon, uint64_t seed, cgm_embedding *embedding);

/** Collective. S [n_parties][n_parties], whole on every rank; the caller frees it. */
double *case_party_sums(cgm_comm *comm, const cgm_kernel_sums *sums);

/** Collective. All numbers of a dataset, or of an attribute of it; the caller frees them. */
double *case_read(cgm_comm *comm, const test_case *case_data, const char *path,
                  const char *attribute);

/** Collective. */
double case_number(cgm_comm *comm, const test_case *case_data, const char *path,
                   const char *attribute);

/** Collective. */
void case_close(test_case *case_data);

#endif
