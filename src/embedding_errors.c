#include <math.h>
#include <stdlib.h>

#include "embedding_products.h"
#include "kernel_sums_growing.h"

/* What all frequencies give, and the squared differences of each batch from it, weighted with its
 * share of the frequencies. */
typedef struct scatter {
    const cgm_values *values;
    const cgm_shapley *shapley;
    int64_t leader; /* party of the largest φ */
    cgm_embedding *embedding;
} scatter;

static void add_square(double difference, double share, double *sum)
{
    *sum += share * difference * difference;
}

/* α = φ/max φ to first order. */
static void add_batch(const scatter *of, const cgm_values *values, const cgm_shapley *shapley,
                      double share)
{
    cgm_embedding *to = of->embedding;
    const double *phi = of->shapley->phi;
    const double largest = phi[of->leader];
    const double of_largest = shapley->phi[of->leader] - largest;
    for (int64_t i = 0; i < to->n_parties; i++) {
        const double difference = shapley->phi[i] - phi[i];
        add_square(values->single[i] - of->values->single[i], share, &to->single_error[i]);
        add_square(values->ceiling[i] - of->values->ceiling[i], share, &to->ceiling_error[i]);
        add_square(difference, share, &to->phi_error[i]);
        add_square((difference - phi[i] / largest * of_largest) / largest, share,
                   &to->alpha_error[i]);
    }
    add_square(values->grand - of->values->grand, share, &to->grand_error);
}

/* s²/F from Σ F_b/F (v_b − v)² over B batches, whose variances are s²/F_b. */
static double error_of(double sum, int n_batches)
{
    return n_batches > 1 ? sqrt(sum / (n_batches - 1)) : NAN;
}

/* What noise makes of v({i}) = 2 μᵀR/n − μᵀμ, where R = Σ m_j μ_j + z_G has noise as well: with a
 * = 1 − m_i/n and D numbers
 *     4σ_i²|R/n − aμ_i|² + 2D(1 − 2m_i/n)²σ_i⁴ + Σ_{j≠i} 4(m_j/n)²σ_j²(|μ_i|² + Dσ_i²),
 * which for parties that are small against T is MATH.md §8's 4σ²MMD²(D_i, T) + 2Dσ⁴. */
static void expect_noise(const cgm_kernel_sums *sums, cgm_embedding *embedding)
{
    const double n = (double)sums->n_reference;
    const double numbers = (double)embedding->n_numbers;
    double square = sums->candidate_sum;
    double shared = 0.0; /* Σ (m_j/n)²σ_j² */
    for (int64_t i = 0; i < sums->n_parties; i++) {
        const double part = (double)sums->party_points[i] / n * embedding->sigma[i];
        square += sums->reference_sums[i] + sums->party_candidate_sums[i];
        shared += part * part;
    }
    for (int64_t i = 0; i < sums->n_parties; i++) {
        const double m = (double)sums->party_points[i];
        const double own = fmax(sums->own_sums[i], 0.0) / (m * m);
        const double variance = embedding->sigma[i] * embedding->sigma[i];
        const double a = 1.0 - m / n;
        const double distance =
            square / (n * n) - 2.0 * a * sums->reference_sums[i] / (n * m) + a * a * own;
        const double b = 1.0 - 2.0 * m / n;
        const double others = fmax(shared - m / n * (m / n) * variance, 0.0);
        embedding->noise_error[i] = sqrt(4.0 * variance * fmax(distance, 0.0) +
                                         2.0 * numbers * b * b * variance * variance +
                                         4.0 * others * (own + numbers * variance));
    }
}

static int64_t find_leader(const cgm_shapley *shapley, int64_t n_parties)
{
    int64_t leader = 0;
    for (int64_t i = 1; i < n_parties; i++) {
        leader = shapley->phi[i] > shapley->phi[leader] ? i : leader;
    }
    return leader;
}

/* Room for the sums of a batch; u is not looked at. */
static cgm_status create_sums(cgm_comm *comm, const cgm_kernel_sums *whole, cgm_kernel_sums *sums)
{
    const int64_t n = whole->n_parties;
    *sums = (cgm_kernel_sums){.n_parties = n,
                              .n_candidates = whole->n_candidates,
                              .n_reference = whole->n_reference,
                              .party_points = whole->party_points,
                              .diagonal = whole->diagonal};
    sums->first_row = cgm_alloc(comm, comm->size + 1, sizeof(int64_t));
    sums->own_sums = cgm_alloc(comm, n, sizeof(double));
    sums->row_totals = cgm_alloc(comm, n, sizeof(double));
    sums->reference_sums = cgm_alloc(comm, n, sizeof(double));
    sums->party_candidate_sums = cgm_alloc(comm, n, sizeof(double));
    const bool complete = sums->first_row != NULL && sums->own_sums != NULL &&
                          sums->row_totals != NULL && sums->reference_sums != NULL &&
                          sums->party_candidate_sums != NULL;
    for (int r = 0; r <= comm->size && complete; r++) {
        sums->first_row[r] = whole->first_row[r];
    }
    return cgm_agree(comm, complete ? CGM_OK : CGM_ERR_MEMORY);
}

/* All batches have the same Γ, whose error moves every coalition's value by as much: and φ by less.
 */
static void add_pool_error(double n_candidates, cgm_embedding *embedding)
{
    const double error = embedding->pool_sum_error / (n_candidates * n_candidates);
    for (int64_t i = 0; i < embedding->n_parties; i++) {
        embedding->single_error[i] = hypot(embedding->single_error[i], error);
        embedding->ceiling_error[i] = hypot(embedding->ceiling_error[i], error);
    }
    embedding->grand_error = hypot(embedding->grand_error, error);
}

cgm_status cgm_embedding_errors(cgm_comm *comm, const cgm_shard *shard, const cgm_kernel_sums *sums,
                                const cgm_values *values, const cgm_shapley *shapley,
                                cgm_shapley_method method, const cgm_semivalue *semivalue,
                                double tolerance, cgm_embedding *embedding)
{
    const cgm_frequencies *frequencies = &embedding->frequencies;
    const int n_batches = embedding_count_batches(frequencies);
    const scatter all = {values, shapley, find_leader(shapley, sums->n_parties), embedding};
    cgm_kernel_sums part;
    expect_noise(sums, embedding);
    cgm_status status = create_sums(comm, sums, &part);
    for (int b = 0; b < n_batches && status == CGM_OK; b++) {
        cgm_values batch_values = {0};
        cgm_shapley batch_shapley = {0};
        status = embedding_party_sums(comm, shard, embedding, b, &part);
        if (status == CGM_OK) {
            status = cgm_values_compute(comm, &part, &batch_values);
        }
        if (status == CGM_OK) {
            status = cgm_shapley_compute(comm, &part, &batch_values, method, semivalue, tolerance,
                                         &batch_shapley);
        }
        if (status == CGM_OK) {
            add_batch(&all, &batch_values, &batch_shapley,
                      (double)embedding_batch_of(frequencies, b).count /
                          (double)frequencies->n_frequencies);
        }
        cgm_values_destroy(&batch_values);
        cgm_shapley_destroy(&batch_shapley);
    }
    for (int64_t i = 0; i < sums->n_parties && status == CGM_OK; i++) {
        double *const errors[] = {&embedding->single_error[i], &embedding->ceiling_error[i],
                                  &embedding->phi_error[i], &embedding->alpha_error[i]};
        for (size_t k = 0; k < sizeof errors / sizeof errors[0]; k++) {
            *errors[k] = error_of(*errors[k], n_batches);
        }
    }
    embedding->grand_error = error_of(embedding->grand_error, n_batches);
    add_pool_error((double)sums->n_candidates, embedding);
    cgm_kernel_sums_destroy(&part);
    return status;
}
