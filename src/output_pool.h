/**
 * @file output_pool.h
 * /candidates and /generator of a result, and of a file that `cgm generate` writes. Internal.
 */
#ifndef CGM_OUTPUT_POOL_H
#define CGM_OUTPUT_POOL_H

#include "cgm/generator.h"
#include "writer.h"

/** Collective. A pool that was drawn, in the unit of the input. */
void output_put_candidates(cgm_writer *to, const cgm_candidates *candidates);

/** Collective. What it was drawn from. */
void output_put_generator(cgm_writer *to, cgm_generator_type type, const cgm_model *model);

/** Local. More words of 8 bytes than both take. */
int64_t output_pool_words(const cgm_candidates *candidates, const cgm_model *model);

#endif
