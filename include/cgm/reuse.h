/**
 * @file reuse.h
 * What a run takes over from an earlier result (run.reuse): the lengthscale, where nothing that it
 * depends on changed, and kernel sums of parties and pool that did not change.
 */
#ifndef CGM_REUSE_H
#define CGM_REUSE_H

#include "cgm/kernel_sums.h"
#include "cgm/lengthscale.h"

struct cgm_run;

/** Zeroed: nothing is taken over. Must not move once opened. */
typedef struct cgm_reuse {
    const char *path; /**< of the earlier result; NULL: none */
    bool embedded;    /**< its sums come from embeddings: they are none of this run's */
    bool same_points; /**< pool, scaling and instruction set are the earlier run's */
    bool same_all;    /**< and so are all parties, the kernel and the rule for its lengthscale */
    int64_t n_kept;   /**< parties in the earlier result */
    int64_t *kept;    /**< [n_parties] place of a party there, -1: it is new or its data changed */
    int64_t n_same;   /**< parties that did not change */
    char kernel_type[32];
    int64_t n_lengthscales;
    double *lengthscales; /**< [n_lengthscales] of the earlier run */
    cgm_lengthscale choice;
    cgm_sums_source source;
    char text[256]; /**< what was taken over, for the record */
} cgm_reuse;

/**
 * Look at the earlier result that run.reuse names, if any.  Collective.
 * @param[in] run  config, shard, candidates, features and the kernel's type and instruction set
 * stand
 * @return the same code on every rank: CGM_OK, CGM_ERR_INPUT (it cannot be read, is damaged or no
 *         result), CGM_ERR_MEMORY
 */
cgm_status cgm_reuse_open(cgm_comm *comm, const struct cgm_run *run, cgm_reuse *reuse);

/** Local. The earlier lengthscale, or NULL if it has to be chosen again. */
const cgm_lengthscale *cgm_reuse_lengthscale(const cgm_reuse *reuse);

/** Local. What the kernel sums can begin with, now that the lengthscale stands, or NULL; says in
 * text, and on rank 0 on stdout, what is taken over. */
const cgm_sums_source *cgm_reuse_sums(const cgm_comm *comm, const cgm_kernel *kernel,
                                      cgm_reuse *reuse);

/** Local. Accepts a zeroed struct. */
void cgm_reuse_close(cgm_reuse *reuse);

#endif
