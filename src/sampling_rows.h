/* The rows of rewards on their way from the ranks that drew them to the ranks that keep them. */
#ifndef CGM_SAMPLING_ROWS_H
#define CGM_SAMPLING_ROWS_H

#include "cgm/sampling.h"

/* What this rank has drawn. */
typedef struct drawn_rows {
    int64_t n_parties;
    int64_t n_sets;
    int64_t n_rows;
    int64_t capacity;
    int64_t *indices; /* [n_rows] */
    double *values;   /* [n_rows] */
    int64_t *first;   /* [n_sets][n_parties] first row of a chain that was drawn here */
    int64_t *kept;    /* [n_sets][n_parties] 1 for a chain whose reward is here */
    int64_t *drawer;  /* [n_sets][n_parties] this rank for chains drawn here, else 0; once handed
                         over, the rank that drew the chain */
} drawn_rows;

/* Local. CGM_OK, CGM_ERR_MEMORY. The pair is drawn_rows_destroy. */
cgm_status drawn_rows_create(cgm_comm *comm, int64_t n_parties, int64_t n_sets, drawn_rows *drawn);

/* Local. Keeps the reward of a finished chain, and notes its numbers in the set. CGM_OK,
 * CGM_ERR_MEMORY. */
cgm_status drawn_rows_keep(cgm_comm *comm, const cgm_chain *chain, int64_t set, int64_t party,
                           drawn_rows *drawn, cgm_sampling *sampling);

/* Local. Keeps count rows that were drawn before, as a chain's reward. CGM_OK, CGM_ERR_MEMORY. */
cgm_status drawn_rows_keep_given(cgm_comm *comm, const cgm_sampling_partial *begin, int64_t place,
                                 drawn_rows *drawn, cgm_sampling *sampling);

/* Collective. All numbers of all chains go to every rank, rows to the ranks that keep the parties.
 * The same code on every rank: CGM_OK, CGM_ERR_MEMORY. */
cgm_status drawn_rows_hand_over(cgm_comm *comm, const cgm_shard *shard, drawn_rows *drawn,
                                cgm_sampling *sampling);

/* Local. Accepts a zeroed struct. */
void drawn_rows_destroy(drawn_rows *drawn);

#endif
