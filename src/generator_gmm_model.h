/**
 * @file generator_gmm_model.h
 * A trained mixture as a generative model (model.h). Internal.
 */
#ifndef CGM_GENERATOR_GMM_MODEL_H
#define CGM_GENERATOR_GMM_MODEL_H

#include "cgm/generator_gmm.h"

/** Local. Shares of the classes, and up to which uniform number each component is drawn. */
void gmm_share_candidates(cgm_class_share share, int64_t n_points, cgm_gmm *gmm);

/** Local. The mixture becomes the state of the model, as far as it is there. */
void gmm_describe_model(cgm_gmm *gmm, cgm_model *model);

#endif
