/* The pass over the candidates at a draw, and single values of the kernel, once for all instruction
 * sets (kernel_vectors.h says what a set's file defines before it includes this).
 *
 * A draw waits for memory more than for arithmetic. So the chains that are drawn together go over
 * the candidates together: coordinates and sums are read once for up to MOST_SCORES of them. */
#ifndef CGM_KERNEL_SCORES_H
#define CGM_KERNEL_SCORES_H

#include "kernel_loops.h"

/* Chains, and vectors of candidates, that are scored at a time. */
enum { MOST_SCORES = 4, SCORE_VECTORS = 4, SCORE_VECTORS_OF_SOME = 2 };

/* What all tiles share. */
typedef struct scoring {
    const cgm_kernel *kernel;
    const cgm_block *block;
    const double *candidate_sums;
    const cgm_score *scores;
    vector low[MOST_SCORES], high[MOST_SCORES];
} scoring;

/* What code for a tile is made for: constants where it is called. */
typedef struct score_form {
    cgm_kernel_type type;
    bool adds;     /* points, else only scores are looked at */
    bool all_near; /* candidates and points */
    int n_scores;
    int n_vectors;
} score_form;

/* k of each score's point with vectors of candidates from column on: k[score][vector]. */
INLINE void evaluate_points(const scoring *s, score_form form, int64_t column,
                            product k[MOST_SCORES][SCORE_VECTORS])
{
    const int64_t d = s->kernel->n_features;
    const double *x[MOST_SCORES];
    const double *y[SCORE_VECTORS];
    tile_distances q;
    UNROLLED for (int b = 0; b < form.n_vectors; b++)
    {
        y[b] = s->block->coordinates + kernel_place(d, column + b * LANES);
    }
    UNROLLED for (int a = 0; a < form.n_scores; a++)
    {
        x[a] = s->scores[a].point;
        UNROLLED for (int b = 0; b < form.n_vectors; b++)
        {
            q[b][a] = broadcast(0.0);
        }
    }
#pragma GCC unroll 1
    for (int64_t f = 0; f < d; f++) {
        add_feature(form.n_scores, form.n_vectors, x, 1, y, f, q);
    }
    UNROLLED for (int a = 0; a < form.n_scores; a++)
    {
        vector in_step[MOST_AT_A_TIME];
        vector slope[MOST_AT_A_TIME];
        UNROLLED for (int b = 0; b < form.n_vectors; b++)
        {
            in_step[b] = q[b][a];
        }
        evaluate(form.type, form.all_near, form.n_vectors, in_step, k[a], slope);
    }
}

/* The difference is not fused: it has the bits that its formula has elsewhere. */
INLINE void widen(scoring *s, int a, vector candidate_sums, vector affinity)
{
    const vector w = s->scores[a].factor * candidate_sums - affinity;
    s->low[a] = smaller(w, s->low[a]);
    s->high[a] = larger(w, s->high[a]);
}

INLINE void score_tile(scoring *s, score_form form, int64_t column)
{
    product k[MOST_SCORES][SCORE_VECTORS];
    if (form.adds) {
        evaluate_points(s, form, column, k);
    }
    UNROLLED for (int a = 0; a < form.n_scores; a++)
    {
        UNROLLED for (int b = 0; b < form.n_vectors; b++)
        {
            const int64_t at = column + b * LANES;
            double *to = s->scores[a].affinity + at;
            vector affinity = load(to);
            if (form.adds) {
                affinity = add_product(k[a][b], affinity);
                store(to, affinity);
            }
            widen(s, a, load(s->candidate_sums + at), affinity);
        }
    }
}

/* The last candidates, fewer than a tile. Missing lanes are as if taken. */
INLINE void score_last(scoring *s, score_form form, int64_t column)
{
    product k[MOST_SCORES][SCORE_VECTORS];
    form.n_vectors = 1;
    for (int64_t j = column; j < s->block->n_points; j += LANES) {
        const int64_t left = s->block->n_points - j;
        const int64_t count = left < LANES ? left : LANES;
        const vector sums = load_first(s->candidate_sums + j, count, broadcast(0.0));
        if (form.adds) {
            evaluate_points(s, form, j, k);
        }
        UNROLLED for (int a = 0; a < form.n_scores; a++)
        {
            double *to = s->scores[a].affinity + j;
            vector affinity = load_first(to, count, broadcast(NAN));
            if (form.adds) {
                affinity = add_product(k[a][0], affinity);
                store_first(to, count, affinity);
            }
            widen(s, a, sums, affinity);
        }
    }
}

INLINE void score_some(const cgm_kernel *kernel, const cgm_block *block,
                       const double *candidate_sums, score_form form, cgm_score *scores)
{
    scoring s = {kernel, block, candidate_sums, scores, {{0}}, {{0}}};
    const int64_t step = form.n_vectors * LANES;
    int64_t column = 0;
    UNROLLED for (int a = 0; a < form.n_scores; a++)
    {
        s.low[a] = broadcast(scores[a].extremes.low);
        s.high[a] = broadcast(scores[a].extremes.high);
    }
    for (; column + step <= block->n_points; column += step) {
        score_tile(&s, form, column);
    }
    score_last(&s, form, column);
    UNROLLED for (int a = 0; a < form.n_scores; a++)
    {
        cgm_extremes *extremes = &scores[a].extremes;
        for (int l = 0; l < LANES; l++) {
            extremes->low = s.low[a][l] < extremes->low ? s.low[a][l] : extremes->low;
            extremes->high = s.high[a][l] > extremes->high ? s.high[a][l] : extremes->high;
        }
    }
}

#define DEFINE_SCORE(name, type, adds, all_near, n_scores, n_vectors)                              \
    static __attribute__((noinline)) void name(const cgm_kernel *kernel, const cgm_block *block,   \
                                               const double *candidate_sums, cgm_score *scores)    \
    {                                                                                              \
        score_some(kernel, block, candidate_sums,                                                  \
                   (score_form){type, adds, all_near, n_scores, n_vectors}, scores);               \
    }

#define DEFINE_SCORES_OF_SE(name, all_near)                                                        \
    DEFINE_SCORE(name##_one, CGM_KERNEL_SE, true, all_near, 1, SCORE_VECTORS)                      \
    DEFINE_SCORE(name##_two, CGM_KERNEL_SE, true, all_near, 2, SCORE_VECTORS_OF_SOME)              \
    DEFINE_SCORE(name##_four, CGM_KERNEL_SE, true, all_near, MOST_SCORES, SCORE_VECTORS_OF_SOME)   \
    static int64_t name(const cgm_kernel *kernel, const cgm_block *block,                          \
                        const double *candidate_sums, int64_t n_scores, cgm_score *scores)         \
    {                                                                                              \
        const int64_t count = n_scores >= MOST_SCORES ? MOST_SCORES : n_scores >= 2 ? 2 : 1;       \
        (count == 1   ? name##_one                                                                 \
         : count == 2 ? name##_two                                                                 \
                      : name##_four)(kernel, block, candidate_sums, scores);                       \
        return count;                                                                              \
    }

DEFINE_SCORE(score_only, CGM_KERNEL_SE, false, false, 1, SCORE_VECTORS)
DEFINE_SCORES_OF_SE(score_se_near, true)
DEFINE_SCORES_OF_SE(score_se_far, false)
DEFINE_SCORE(score_se_sum, CGM_KERNEL_SE_SUM, true, false, 1, SCORE_VECTORS)
DEFINE_SCORE(score_rq, CGM_KERNEL_RQ, true, false, 1, SCORE_VECTORS)

static bool is_near(const double *point, int64_t d)
{
    double squared = 0.0;
    for (int64_t f = 0; f < d; f++) {
        squared += point[f] * point[f];
    }
    return squared <= NEAR;
}

static void score(const cgm_kernel *kernel, const cgm_block *block, const double *candidate_sums,
                  int64_t n_scores, cgm_score *scores)
{
    for (int64_t k = 0; k < n_scores;) {
        bool all_near = block->all_near;
        int64_t alike = 0; /* of the next ones, that add a point */
        for (; k + alike < n_scores && scores[k + alike].point != NULL; alike++) {
            all_near = all_near && is_near(scores[k + alike].point, kernel->n_features);
        }
        if (alike == 0) {
            score_only(kernel, block, candidate_sums, scores + k);
            k++;
        } else if (kernel->type == CGM_KERNEL_SE) {
            k += (all_near ? score_se_near : score_se_far)(kernel, block, candidate_sums, alike,
                                                           scores + k);
        } else {
            (kernel->type == CGM_KERNEL_RQ ? score_rq : score_se_sum)(kernel, block, candidate_sums,
                                                                      scores + k);
            k++;
        }
    }
}

static void look(const cgm_kernel *kernel, cgm_block *block)
{
    block->all_near = farthest(block, kernel->n_features, 0, block->stride) <= NEAR;
}

static double evaluate_one(const cgm_kernel *kernel, double squared_distance)
{
    const vector q = broadcast(squared_distance);
    product k;
    vector slope;
    evaluate(kernel->type, false, 1, &q, &k, &slope);
    return (k.a * k.b)[0];
}

static void compute_exponentials(const double *z, double *result, int64_t count)
{
    int64_t k = 0;
    for (; k + LANES <= count; k += LANES) {
        store(result + k, exponential(load(z + k)));
    }
    if (k < count) {
        store_first(result + k, count - k,
                    exponential(load_first(z + k, count - k, broadcast(0.0))));
    }
}

#define KERNEL_OPERATIONS                                                                          \
    {                                                                                              \
        look, columns, rows_and_columns, slopes, ladder, distances, nearest, score, evaluate_one,  \
            compute_exponentials                                                                   \
    }

#endif
