/**
 * @file cost_model.h
 * The model of cost.h while it counts. Internal to cost.c and its
 * neighbours.
 */
#ifndef CGM_COST_MODEL_H
#define CGM_COST_MODEL_H

#include "cgm/cost.h"

/* What is at home on a rank: its parties' points and its slice of the pool. Half way round an even
 * ring two ranks take every other tile each: those of a row segment and a column block whose
 * parities are equal, or those whose parities differ. */
typedef struct cgm_cost_home {
    double points;           /* of parties */
    double pool;             /* candidates */
    double party_rows[2];    /* points in segments, by parity of the block's number plus their own
                                in it */
    double party_columns[2]; /* points in blocks, by parity of the block's number */
    double pool_blocks[2];   /* the same of the slice, whose blocks are numbered on from the
                                parties', and are a segment each */
    double party_squares;    /* Σ over blocks of their points squared */
    double pool_squares;
    double party_diagonal; /* evaluations of blocks with themselves */
    double n_segments;     /* of parties */
    double travelling;     /* doubles of packed points that go round the ring */
    double packed;         /* doubles of packed points of the parties */
} cgm_cost_home;

typedef struct cgm_cost_model {
    const cgm_cost_run *run;
    const cgm_shard *shard;
    int64_t
        n_features;   /* of the points as the kernel sees them: components if they are projected */
    int64_t n_stored; /* of the pool and the rewards as they are stored */
    cgm_cost_home *homes; /* [size] */
    double largest;       /* most that any rank sends round */
    double longest;       /* longest slice of the pool */
    double packed_pool;   /* doubles */
    cgm_comm *comm;       /* for its memory alone */
    cgm_status status;    /* CGM_ERR_MEMORY recorded */
    int64_t *held;        /* [size + 1] rows of S that a rank holds */
    cgm_cost_work *work;  /* [size] of the stage at hand */
} cgm_cost_model;

/** Local. What is at home on every rank: homes, largest, longest, packed_pool. */
void cgm_cost_list_homes(cgm_cost_model *of);

/** Local. Numbers that a candidate's sum consists of. */
double cgm_cost_candidate_layers(const cgm_cost_model *of);

/* Communication as comm.c counts it, added to the work of every rank at hand. Local. */

/** From rank root to all others. */
void cgm_cost_broadcast(cgm_cost_model *of, int root, double bytes);
/** Sums, minima or maxima. */
void cgm_cost_reduction(cgm_cost_model *of, double bytes);
/** cgm_accumulator_reduce */
void cgm_cost_accumulators(cgm_cost_model *of, double count);
/** Rank 0 receives bytes from every other rank. */
void cgm_cost_gather(cgm_cost_model *of, double bytes);
/** Every rank sends elements first[r] .. first[r + 1] - 1 to all others. */
void cgm_cost_all_gather(cgm_cost_model *of, const int64_t *first, double element);

/** Local. The ranges and moments of d features of all points (spread.c). */
void cgm_cost_count_spread(cgm_cost_model *of, double d);

/** Local. The stage `generator`. */
void cgm_cost_count_generator(cgm_cost_model *of);

/** Local. Of it, the training of a generative network, but for finding labels and the spread of the
 * points (cost_network.c); memory of any rank beside what it keeps. */
void cgm_cost_count_network(cgm_cost_model *of);
double cgm_cost_network_bytes(const cgm_cost_model *of);

/** Local. Memory of a rank beside what it keeps, while a generator is trained. */
double cgm_cost_generator_bytes(const cgm_cost_model *of, int rank);

/** What a rank hands over after a meeting to the rank met, and gets from the one that met it. */
typedef void cgm_cost_hand_over(cgm_cost_model *of, int rank, int met, int met_by);

/** Walks round the ring of pairs.c.  Local.
 * @param[in] counted     pairs are kernel evaluations, not distances alone
 * @param[in] after_step  after each meeting of one walk, or NULL */
void cgm_cost_ring(cgm_cost_model *of, double passes, bool skip_pool_pairs, bool counted,
                   cgm_cost_hand_over *after_step);

/** Local. The stage of the measures (metrics.h): their evaluations, and bytes that are to be
 * expected; a rank's memory in it. What a downstream model takes is not in it. */
void cgm_cost_count_metrics(cgm_cost_model *of);
double cgm_cost_metrics_memory(const cgm_cost_model *of, int rank);

/** Local. Of it, the test of significance (cost_significance.c). */
void cgm_cost_count_significance(cgm_cost_model *of);
double cgm_cost_significance_memory(const cgm_cost_model *of, int rank);

/* Where values come from embeddings (cost_embedding.c). Local. */

bool cgm_cost_is_embedded(const cgm_cost_model *of);
/** What takes the place of walks round the ring, and of teams that draw. */
void cgm_cost_count_embedded_search(cgm_cost_model *of);
void cgm_cost_count_embedded_sums(cgm_cost_model *of);
void cgm_cost_count_embedded_sampling(cgm_cost_model *of);
/** Error bars: values and Shapley values, as these count them, once a batch. */
void cgm_cost_count_embedded_errors(cgm_cost_model *of, void (*values)(cgm_cost_model *),
                                    void (*shapley)(cgm_cost_model *));
/** Memory that is kept: of a rank, and shared by a node; and that of stages, of a rank. */
double cgm_cost_frequency_bytes(const cgm_cost_model *of);
double cgm_cost_means_bytes(const cgm_cost_model *of);
double cgm_cost_embedded_search_bytes(const cgm_cost_model *of, int rank);
double cgm_cost_embedded_sums_bytes(const cgm_cost_model *of, int rank);
double cgm_cost_embedded_errors_bytes(const cgm_cost_model *of, int rank);

/** Local. Fills in the memory of every stage and rank. work [CGM_COST_STAGES][size] */
void cgm_cost_count_memory(const cgm_cost_model *of, cgm_cost_work *work);

#endif
