/**
 * @file gan_classes.h
 * The classes that a generative network is conditional on, and their shares (generator_gan.h).
 * Internal.
 */
#ifndef CGM_GAN_CLASSES_H
#define CGM_GAN_CLASSES_H

#include "cgm/generator_gan.h"
#include "cgm/shard.h"

/** The same on every rank; zeroed: no labels. */
typedef struct cgm_gan_classes {
    int64_t count;
    cgm_gan_class *list; /**< [count] by ascending label */
    double *portions;    /**< [count + 1] shares in all points, added up: 0 .. 1 */
} cgm_gan_classes;

/**
 * Find the classes of all parties' points and look at what each is like.  Collective.
 * @param[out] classes  the pair is cgm_gan_classes_destroy, after errors too
 * @return the same code on every rank: CGM_OK, CGM_ERR_INPUT (too many), CGM_ERR_MEMORY
 */
cgm_status cgm_gan_classes_find(cgm_comm *comm, const cgm_shard *shard, cgm_gan_classes *classes);

/** Local. The class of a label that is there. */
int64_t cgm_gan_classes_of(const cgm_gan_classes *classes, int64_t label);

/** Local. The class in which a number of 0 .. 1 falls when classes take up their portions
 * [count + 1] side by side, none of no portion. */
int64_t cgm_gan_classes_at(const cgm_gan_classes *classes, const double *portions, double at);

/** Local. Accepts a zeroed struct. */
void cgm_gan_classes_destroy(cgm_gan_classes *classes);

#endif
