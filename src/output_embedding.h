/**
 * @file output_embedding.h
 * What a result says of values that come from embeddings; internal to output.c.
 */
#ifndef CGM_OUTPUT_EMBEDDING_H
#define CGM_OUTPUT_EMBEDDING_H

#include "cgm/pipeline.h"
#include "writer.h"

/** /privacy: what ranks told each other of their parties' points, and what is guaranteed.
 * Collective. */
void output_put_privacy(cgm_writer *to, const cgm_run *run);

/** Standard errors beside the values and Shapley values; nothing where those are exact.
 * Collective. */
void output_put_errors(cgm_writer *to, const cgm_run *run);

#endif
