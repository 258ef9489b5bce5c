/**
 * @file tolerance.h
 * Every tolerance of the program and of its tests, once. None is loosened to make something pass.
 */
#ifndef CGM_TOLERANCE_H
#define CGM_TOLERANCE_H

/* ---- the program ---- */

/** Shapley values at or below this fraction of the largest, or below so many error estimates, count
 * as zero (MATH.md §5). */
#define CGM_ZERO_SHAPLEY 1e-9
#define CGM_ZERO_SHAPLEY_ERRORS 10.0
/** Shapley values closer than this fraction of the largest are equal (MATH.md §5). */
#define CGM_TIED_SHAPLEY 1e-9
/** A party's value counts as positive in the linear program from here on (MATH.md §5). */
#define CGM_VALUE_FLOOR 1e-7
/** Agreement of GLPK's solution with the closed form, in log v* and in ρ·log α, and slack of a
 * condition. */
#define CGM_LP_AGREEMENT 1e-9
/** Infeasible program: what the violations may exceed their least sum by, and the weight of ρ
 * against log v* (MATH.md §5). */
#define CGM_LP_SLACK 1e-9
#define CGM_LP_RHO_WEIGHT 1e-3
/** A condition on rewards holds within this fraction of its threshold (MATH.md §5). */
#define CGM_INCENTIVE 1e-9
/** Parties are alike when their sums differ by no more than this fraction: tiles round. */
#define CGM_ALIKE 1e-12
/** Warnings: features differ in scale when their ranges do by more than this factor; the pool is
 * far when its mean kernel with the parties is below this fraction of theirs among themselves. */
#define CGM_SCALES_DIFFER 10.0
#define CGM_POOL_FAR 0.1
/** Privacy: distances are compared at this quantile. Rewards are too close to others' records when
 * their quantile is below this fraction of that of held-out points, or more than this share of them
 * is nearer than it; and when that is by more than so many standard deviations of the count. */
#define CGM_CLOSE_QUANTILE 0.05
#define CGM_CLOSE_RATIO 0.8
#define CGM_CLOSE_SHARE 0.1
#define CGM_CLOSE_DEVIATIONS 4.0
/** Eigenvalues of a product of covariances count as 0 up to so many roundings of the largest, for
 * each feature: of a fit to few points many are 0, and their roots would not be. */
#define CGM_EIGEN_ROUNDINGS 8.0
/** A target is reached when the value falls short by no more than this fraction of it (MATH.md §6).
 */
#define CGM_TARGET_REACHED 1e-12
/** The spread of the candidates' scores counts as none up to so many units in the last place
 * (MATH.md §6). */
#define CGM_SPREAD_ULPS 8.0
/** Lengthscale: how far beyond the crossing to aim, and the relative step of the final probe
 * (MATH.md §3). */
#define CGM_LENGTHSCALE_AIM 2e-7
#define CGM_LENGTHSCALE_PROBE 5e-7
/** Values of the ladder this far from zero have the sign that normal evaluation gives them:
 * squaring an exponential nine times leaves an error of 5e-12 of each term, at most 1. */
#define CGM_LADDER_MARGIN 1e-9
/** Picture: the least standard deviation that an axis has, relative to where its points lie or, of
 * a principal component, to the first one's. */
#define CGM_PICTURE_WIDTH 1e-12
/** A feature whose points are closer to their mean than this share of it is constant but for
 * rounding. */
#define CGM_CONSTANT_FEATURE 1e-14
/** Rounding floor of a Shapley error estimate, relative to max |φ| (MATH.md §4). */
#define CGM_SHAPLEY_ROUNDING 1e-13
/** Rounding of a leave-one-out value, relative to v(N). */
#define CGM_LEAVE_ONE_OUT_ROUNDING 1e-15
/** |Σφ − v(N)| over Σ|φ| (MATH.md §4). */
#define CGM_EFFICIENCY 1e-11
/** Variances of components below this fraction of the largest may be rounding alone; numbers of a
 * component are equally large when they differ by no more than this fraction. */
#define CGM_ZERO_VARIANCE 1e-12
#define CGM_EQUAL_MAGNITUDE 1e-10
/** Components found by ScaLAPACK are the same as those of another number of ranks when their
 * numbers differ by no more than this, and their variances by no more than this fraction of the
 * largest. */
#define CGM_SAME_COMPONENT 1e-8
/** A biased MMD² below this fraction of the means it is the difference of, and variances of a
 * kernel below this fraction of κ, may be rounding alone. */
#define CGM_MMD2_ROUNDING 1e-13
/** `verify`: a recomputed value against the one in the result, relative plus absolute. */
#define CGM_VERIFY_RELATIVE 1e-9
#define CGM_VERIFY_ABSOLUTE 1e-12

/** Gaussian mixtures: least variance in any direction, in units of that of all points in each
 * feature; and least scale of a class in a feature, in units of the deviation of all points. */
#define CGM_GMM_LEAST_VARIANCE 1e-6
#define CGM_GMM_LEAST_SCALE 1e-3
/** Points whose variance is not above this share of their squared mean are the same but for
 * rounding. */
#define CGM_GMM_SAME_POINT 1e-13

/** A generative network whose MMD² to the parties' points is above this share of an untrained one's
 * has not learned them. */
#define CGM_GAN_FAR 0.1

/** Report: from this correlation of α with the squared MMD on it is said in words. */
#define CGM_CLAIMED_CORRELATION (-0.9)

/* ---- the tests ---- */

/** Kernel sums against the golden files: relative, or absolute. */
#define CGM_TEST_SUMS_RELATIVE 1e-12
#define CGM_TEST_SUMS_ABSOLUTE 1e-15
/** Values of all coalitions, Shapley values, α against the golden files: absolute. */
#define CGM_TEST_VALUES 1e-12
/** v*, ρ, r against the golden files: absolute. */
#define CGM_TEST_REWARD 1e-9
/** Relaxed rewards against figures known to six digits: absolute. */
#define CGM_TEST_RELAXED 1e-6
/** Values along a replayed trajectory: absolute. */
#define CGM_TEST_REPLAY_VALUE 1e-12
/** The lengthscale chosen is at most this far below the golden one, and fails its condition so far
 * below itself. */
#define CGM_TEST_LENGTHSCALE_BELOW 1e-3
#define CGM_TEST_LENGTHSCALE_FAILS 2e-6
/** Quadrature against enumeration and the closed form, relative to max |φ|. */
#define CGM_TEST_QUADRATURE 1e-12
/** expected_alpha of the real data sets: absolute. */
#define CGM_TEST_REAL_ALPHA 1e-6
/** Running value against a fresh evaluation after any number of draws: relative and absolute
 * (MATH.md §6). */
#define CGM_TEST_FRESH_RELATIVE 1e-9
#define CGM_TEST_FRESH_ABSOLUTE 1e-12
/** Error of the exponential against libm, and of the kernel's own shorter one, in the worst case
 * and on average: relative. */
#define CGM_TEST_EXPONENTIAL 1e-15
#define CGM_TEST_EVALUATION 1e-14
#define CGM_TEST_EVALUATION_MEAN 2e-15
/** Sums by different instruction sets: relative. */
#define CGM_TEST_INSTRUCTION_SETS 1e-13
/** A lengthscale a feature against points divided by it, and the median against the golden one:
 * relative. */
#define CGM_TEST_PRESCALED 1e-14
#define CGM_TEST_MEDIAN 1e-12
/** Measures of rewards against the golden files and plain loops: absolute. */
#define CGM_TEST_METRICS 1e-9
/** Cost model against what a run counts, a stage and rank: relative. */
#define CGM_TEST_COST 0.02
/** Eigenvalues and eigenvectors against closed forms and, by ScaLAPACK, against LAPACK: absolute,
 * where the largest eigenvalue is of the order of 1. */
#define CGM_TEST_EIGEN 1e-10
/** Principal components, their variances and points projected on them against those of a covariance
 * matrix by plain loops: relative to the largest. */
#define CGM_TEST_COMPONENTS 1e-8
/** The distribution of a sum of weighted squares against closed forms: relative. */
#define CGM_TEST_TAIL 1e-12
/** p-values, which have six digits, against those of eigenvalues computed otherwise: relative. */
#define CGM_TEST_P_VALUE 1e-5
/** Moments of one component against the points', relative; an iteration of several against one by
 * brute force, relative or in the features' unit, and what it may lose of the log-likelihood. */
#define CGM_TEST_MIXTURE 1e-11
#define CGM_TEST_ITERATION 1e-9
/** Means of the simulated ratings' Gaussians: standard errors of as many points. */
#define CGM_TEST_MEAN_ERRORS 3.0
/** Derivatives of the generative network's losses against difference quotients: relative to the
 * largest. */
#define CGM_TEST_GAN_DERIVATIVE 1e-7
/** Candidates of a generative network against the parameters in the output: absolute, in units of a
 * feature's deviation. */
#define CGM_TEST_GAN_CANDIDATE 1e-12
/** What training leaves of the MMD² of an untrained network on a made-up distribution. */
#define CGM_TEST_GAN_LEARNED 0.1
/** Deviations of noise against published ones: absolute; the guarantee that they give against the
 * one asked for: relative. */
#define CGM_TEST_CALIBRATION 1e-10
#define CGM_TEST_DELTA 1e-9
/** Embeddings: a cosine or sine against the library's, absolute; sums and products of some of them
 * in another order. */
#define CGM_TEST_COSINE 2e-16
#define CGM_TEST_EMBEDDING 1e-11
/** Probability that a correct program fails a statistical test (the seed is fixed, so it fails
 * always or never). */
#define CGM_TEST_SIGNIFICANCE 1e-4

#endif
