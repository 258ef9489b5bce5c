#include "cgm/reward_lp.h"

#include <glpk.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/tolerance.h"
#include "reward_closed_form.h"

/* GLPK's own tolerances, tighter than its defaults and than CGM_LP_SLACK: the programs are simple
 * enough. */
#define SIMPLEX_TOLERANCE 1e-11

/* Room for what a party loses: two incentives with their numbers. */
enum { LOST_ROOM = 160 };

/* Columns of the program; those of e_k follow when it is elastic. */
enum { COLUMN_LOG_V_STAR = 1, COLUMN_RHO, COLUMN_ELASTIC };

const char *cgm_reward_condition_name(cgm_reward_condition condition)
{
    return condition == CGM_REWARD_STABLE ? "stable" : "individual";
}

const char *cgm_reward_status_name(cgm_reward_status status)
{
    return status == CGM_REWARD_OPTIMAL   ? "optimal"
           : status == CGM_REWARD_RELAXED ? "relaxed"
                                          : "no_contribution";
}

const char *cgm_reward_library_version(void)
{
    return glp_version();
}

static double value_or_floor(double value)
{
    return value > CGM_VALUE_FLOOR ? value : CGM_VALUE_FLOOR;
}

/* The parties in the order of their φ, tied ones as they come, and every party's place in it.
 * first [n + 1] is work space, zeroed. */
static void sort_by_class(int64_t n, const int64_t *tie, int64_t *first, int64_t *order,
                          int64_t *place)
{
    for (int64_t i = 0; i < n; i++) {
        first[tie[i] + 1]++;
    }
    for (int64_t k = 0; k < n; k++) {
        first[k + 1] += first[k];
    }
    for (int64_t i = 0; i < n; i++) {
        place[i] = first[tie[i]]++;
        order[place[i]] = i;
    }
}

/* Σ S_ij over the parties j before i in the order, from the ranks that hold the rows.  Collective.
 */
static void gather_cross_sums(cgm_comm *comm, const cgm_kernel_sums *sums, const int64_t *place,
                              double *cross)
{
    for (int64_t i = sums->first_row[comm->rank]; i < sums->first_row[comm->rank + 1]; i++) {
        const double *row = cgm_kernel_sums_row(comm, sums, i);
        cross[i] = 0.0;
        for (int64_t j = 0; j < sums->n_parties; j++) {
            cross[i] += place[j] < place[i] ? row[j] : 0.0;
        }
    }
    cgm_comm_all_gather(comm, cross, sums->first_row, sizeof *cross);
}

/* v(P_i) for every party: the parties join one by one, and every class of tied φ has the value
 * after its last (MATH.md §5). */
static void add_classes(const cgm_kernel_sums *sums, const int64_t *tie, const int64_t *order,
                        const double *cross, double *stable)
{
    const int64_t n = sums->n_parties;
    double size = 0.0;
    double linear = 0.0;
    double quadratic = 0.0;
    int64_t first = 0;
    for (int64_t k = 0; k < n; k++) {
        const int64_t i = order[k];
        size += (double)sums->party_points[i];
        linear += sums->reference_sums[i];
        quadratic += sums->own_sums[i] + 2.0 * cross[i];
        if (k + 1 < n && tie[order[k + 1]] == tie[i]) {
            continue;
        }
        const double value = cgm_coalition_formula(sums->n_reference, size, linear, quadratic);
        for (; first <= k; first++) {
            stable[order[first]] = value;
        }
    }
}

/* v(P_i) on every rank.  Collective. */
static cgm_status fill_stable(cgm_comm *comm, const cgm_kernel_sums *sums,
                              const cgm_shapley *shapley, double *stable)
{
    const int64_t n = sums->n_parties;
    int64_t *order = cgm_alloc(comm, n, sizeof *order);
    int64_t *place = cgm_alloc(comm, n, sizeof *place);
    int64_t *first = cgm_alloc(comm, n + 1, sizeof *first);
    double *cross = cgm_alloc(comm, n, sizeof *cross);
    const bool refused = order == NULL || place == NULL || first == NULL || cross == NULL;
    const cgm_status status = cgm_agree(comm, refused ? CGM_ERR_MEMORY : CGM_OK);
    if (status == CGM_OK) {
        sort_by_class(n, shapley->tie, first, order, place);
        gather_cross_sums(comm, sums, place, cross);
        add_classes(sums, shapley->tie, order, cross, stable);
    }
    free(order);
    free(place);
    free(first);
    free(cross);
    return status;
}

/* The rows of the program by α; returns their number. */
static int64_t fill_rows(const cgm_values *values, const cgm_shapley *shapley,
                         const cgm_reward *reward, int64_t n_parties, cgm_reward_row *rows)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n_parties; i++) {
        if (shapley->alpha[i] > 0.0) {
            rows[count++] = (cgm_reward_row){i, log(shapley->alpha[i]), log(values->ceiling[i]),
                                             log(reward->lower[i])};
        }
    }
    cgm_closed_form_sort(rows, count);
    return count;
}

/* Two rows a party, ceiling and lower bound; elastic: e_k ≥ 0 is added to the lower one. */
static glp_prob *build_program(const cgm_reward_row *rows, int64_t count, bool elastic)
{
    glp_prob *program = glp_create_prob();
    glp_add_cols(program, cgm_int(2 + (elastic ? count : 0)));
    glp_set_col_bnds(program, COLUMN_LOG_V_STAR, GLP_FR, 0.0, 0.0);
    glp_set_col_bnds(program, COLUMN_RHO, GLP_DB, 0.0, 1.0);
    glp_add_rows(program, cgm_int(2 * count));
    for (int64_t k = 0; k < count; k++) {
        const int columns[] = {0, COLUMN_LOG_V_STAR, COLUMN_RHO, cgm_int(COLUMN_ELASTIC + k)};
        const double coefficients[] = {0.0, 1.0, rows[k].log_alpha, 1.0};
        const int upper = cgm_int(2 * k + 1);
        glp_set_mat_row(program, upper, 2, columns, coefficients);
        glp_set_row_bnds(program, upper, GLP_UP, 0.0, rows[k].log_ceiling);
        if (elastic) {
            glp_set_col_bnds(program, columns[3], GLP_LO, 0.0, 0.0);
        }
        glp_set_mat_row(program, upper + 1, elastic ? 3 : 2, columns, coefficients);
        glp_set_row_bnds(program, upper + 1, GLP_LO, rows[k].log_lower, 0.0);
    }
    return program;
}

static bool run_simplex(glp_prob *program, int direction)
{
    glp_smcp parameters;
    glp_init_smcp(&parameters);
    parameters.msg_lev = GLP_MSG_OFF;
    parameters.meth = GLP_DUALP;
    parameters.tol_bnd = SIMPLEX_TOLERANCE;
    parameters.tol_dj = SIMPLEX_TOLERANCE;
    glp_set_obj_dir(program, direction);
    return glp_simplex(program, &parameters) == 0 && glp_get_status(program) == GLP_OPT;
}

/* Maximise log v*, then, with log v* fixed at that, ρ. False: GLPK finds no feasible point. */
static bool solve_program(const cgm_reward_row *rows, int64_t count, double *log_v_star,
                          double *rho)
{
    glp_term_out(GLP_OFF);
    glp_prob *program = build_program(rows, count, false);
    glp_set_obj_coef(program, COLUMN_LOG_V_STAR, 1.0);
    bool solved = run_simplex(program, GLP_MAX);
    if (solved) {
        *log_v_star = glp_get_col_prim(program, COLUMN_LOG_V_STAR);
        *rho = glp_get_col_prim(program, COLUMN_RHO);
        glp_set_col_bnds(program, COLUMN_LOG_V_STAR, GLP_FX, *log_v_star, *log_v_star);
        glp_set_obj_coef(program, COLUMN_LOG_V_STAR, 0.0);
        glp_set_obj_coef(program, COLUMN_RHO, 1.0);
        if (run_simplex(program, GLP_MAX)) {
            *rho = glp_get_col_prim(program, COLUMN_RHO);
        }
    }
    glp_delete_prob(program);
    glp_free_env();
    return solved;
}

/* The objective of the first phase, Σe, becomes a row that holds it at its minimum; the second one
 * takes its place. column, one [count + 1]: work space. */
static void begin_second_phase(glp_prob *program, int64_t count, int *column, double *one)
{
    const double least = glp_get_obj_val(program);
    for (int64_t k = 1; k <= count; k++) {
        column[k] = cgm_int(COLUMN_ELASTIC + k - 1);
        one[k] = 1.0;
        glp_set_obj_coef(program, column[k], 0.0);
    }
    const int row = glp_add_rows(program, 1);
    glp_set_mat_row(program, row, cgm_int(count), column, one);
    glp_set_row_bnds(program, row, GLP_UP, 0.0, least + CGM_LP_SLACK);
    glp_set_obj_coef(program, COLUMN_LOG_V_STAR, 1.0);
    glp_set_obj_coef(program, COLUMN_RHO, CGM_LP_RHO_WEIGHT);
}

/* Minimise Σe, then maximise log v* + CGM_LP_RHO_WEIGHT·ρ. CGM_ERR_BUG: GLPK gives up, on a program
 * that always has a solution. */
static cgm_status solve_elastic(cgm_comm *comm, const cgm_reward_row *rows, int64_t count,
                                double *log_v_star, double *rho)
{
    int *column = cgm_alloc(comm, count + 1, sizeof *column);
    double *one = cgm_alloc(comm, count + 1, sizeof *one);
    if (column == NULL || one == NULL) {
        free(column);
        free(one);
        return CGM_ERR_MEMORY;
    }
    glp_term_out(GLP_OFF);
    glp_prob *program = build_program(rows, count, true);
    for (int64_t k = 0; k < count; k++) {
        glp_set_obj_coef(program, cgm_int(COLUMN_ELASTIC + k), 1.0);
    }
    bool solved = run_simplex(program, GLP_MIN);
    if (solved) {
        begin_second_phase(program, count, column, one);
        solved = run_simplex(program, GLP_MAX);
    }
    *log_v_star = glp_get_col_prim(program, COLUMN_LOG_V_STAR);
    *rho = fmin(fmax(glp_get_col_prim(program, COLUMN_RHO), 0.0), 1.0);
    glp_delete_prob(program);
    glp_free_env();
    free(column);
    free(one);
    return solved ? CGM_OK
                  : cgm_fail(comm, CGM_ERR_BUG,
                             "GLPK finds no relaxed rewards for %lld parties; please report this",
                             (long long)count);
}

/* A pair in words: whose ceiling meets whose lower bound. */
static void describe_pair(char *const *names, const cgm_reward_row *rows,
                          const cgm_reward_pair *pair, char *text, size_t size)
{
    if (pair->ceiling_row < 0) {
        snprintf(text, size, "no pair: rho is at its bound %g", pair->rho);
        return;
    }
    const cgm_reward_row *ceiling = &rows[pair->ceiling_row];
    const cgm_reward_row *lower = &rows[pair->lower_row];
    snprintf(
        text, size,
        "party '%.200s' can be raised to at most %.8g and party '%.200s' must get at least %.8g",
        names[ceiling->party], exp(ceiling->log_ceiling), names[lower->party],
        exp(lower->log_lower));
}

/* What makes the program infeasible, in words: one pair that cannot agree at any ρ, or two pairs of
 * which one needs a larger ρ than the other allows. */
static void describe_conflict(char *const *names, const cgm_reward_row *rows,
                              const cgm_closed_form *form, char *text, size_t size)
{
    const cgm_reward_pair *pair = form->equal.rho < 0.0   ? &form->equal
                                  : form->upper.rho < 0.0 ? &form->upper
                                  : form->lower.rho > 1.0 ? &form->lower
                                                          : &form->upper;
    describe_pair(names, rows, pair, text, size);
    if (pair == &form->upper && form->upper.rho >= 0.0 && form->lower.ceiling_row >= 0) {
        const size_t length = strlen(text);
        snprintf(text + length, size - length, "; ");
        describe_pair(names, rows, &form->lower, text + length + 2, size - length - 2);
    }
}

static cgm_status fail_infeasible(cgm_comm *comm, const cgm_reward *reward)
{
    return cgm_fail(comm, CGM_ERR_LP,
                    "no rewards satisfy reward.condition = %s: %s; %s, draw a larger or closer "
                    "candidate pool, or let reward.strict = false relax the condition",
                    cgm_reward_condition_name(reward->condition), reward->binding,
                    reward->condition == CGM_REWARD_STABLE ? "use reward.condition = individual"
                                                           : "choose another kernel.lengthscale");
}

/* Rank 0: r of the parties in the program. */
static void fill_rewards(const cgm_reward_row *rows, int64_t count, double log_v_star,
                         cgm_reward *reward)
{
    reward->v_star = exp(log_v_star);
    for (int64_t k = 0; k < count; k++) {
        reward->r[rows[k].party] = exp(log_v_star + reward->rho * rows[k].log_alpha);
    }
}

/* Rank 0: the program that has a solution whatever the conditions. */
static cgm_status relax_rows(cgm_comm *comm, const cgm_reward_row *rows, int64_t count,
                             cgm_reward *reward)
{
    double log_v_star = 0.0;
    cgm_status status = solve_elastic(comm, rows, count, &log_v_star, &reward->rho);
    if (status != CGM_OK) {
        return status;
    }
    /* The ceilings are hard: not even the simplex's tolerance goes beyond them. */
    for (int64_t k = 0; k < count; k++) {
        log_v_star = fmin(log_v_star, rows[k].log_ceiling - reward->rho * rows[k].log_alpha);
    }
    reward->status = CGM_REWARD_RELAXED;
    for (int64_t k = 0; k < count; k++) {
        const double log_r = log_v_star + reward->rho * rows[k].log_alpha;
        reward->total_violation += fmax(rows[k].log_lower - log_r, 0.0);
    }
    fill_rewards(rows, count, log_v_star, reward);
    return CGM_OK;
}

/* Rank 0: the program, its check against the closed form, and r. */
static cgm_status solve_rows(cgm_comm *comm, char *const *names, const cgm_reward_row *rows,
                             int64_t count, bool strict, cgm_reward *reward)
{
    const cgm_closed_form form = cgm_closed_form_solve(rows, count);
    double log_v_star = 0.0;
    const bool feasible = solve_program(rows, count, &log_v_star, &reward->rho);
    const double room = cgm_closed_form_room(&form);
    if (!feasible && room < CGM_LP_AGREEMENT) {
        describe_conflict(names, rows, &form, reward->binding, sizeof reward->binding);
        return strict ? fail_infeasible(comm, reward) : relax_rows(comm, rows, count, reward);
    }
    double widest = 1.0;
    for (int64_t k = 0; k < count; k++) {
        widest = fmax(widest, fabs(rows[k].log_alpha));
    }
    const double rho_gap = fabs(reward->rho - fmax(form.upper.rho, 0.0)) * widest;
    if (!feasible || room < -CGM_LP_AGREEMENT ||
        fabs(log_v_star - form.log_v_star) > CGM_LP_AGREEMENT || rho_gap > CGM_LP_AGREEMENT) {
        return cgm_fail(
            comm, CGM_ERR_BUG,
            "GLPK (%s, log v* = %.17g, rho = %.17g) and the closed form (log v* = %.17g, "
            "rho = %.17g, room %.3g) disagree on the rewards; please report this",
            feasible ? "optimal" : "infeasible", log_v_star, reward->rho, form.log_v_star,
            form.upper.rho, room);
    }
    describe_pair(names, rows, &form.upper, reward->binding, sizeof reward->binding);
    fill_rewards(rows, count, log_v_star, reward);
    return CGM_OK;
}

/* Rank 0: everything but v(P_i), which stands. rows [n] is work space. */
static cgm_status solve_root(cgm_comm *comm, char *const *names, int64_t n,
                             const cgm_values *values, const cgm_shapley *shapley,
                             cgm_reward_row *rows, bool strict, cgm_reward *reward)
{
    bool contribution = false;
    bool reachable = true;
    for (int64_t i = 0; i < n; i++) {
        double lower = value_or_floor(values->single[i]);
        if (reward->condition == CGM_REWARD_STABLE) {
            lower = fmax(lower, reward->stable[i]);
        }
        reward->lower[i] = lower;
        reward->r[i] = values->single[i];
        contribution = contribution || shapley->alpha[i] > 0.0;
        reachable = reachable && (shapley->alpha[i] == 0.0 || values->ceiling[i] > 0.0);
    }
    if (!contribution || !reachable) {
        reward->status = CGM_REWARD_NO_CONTRIBUTION;
        reward->v_star = NAN;
        reward->rho = NAN;
        snprintf(reward->binding, sizeof reward->binding, "%s",
                 contribution ? "the pool raises some party to no positive value"
                              : "no party has a positive Shapley value");
        return CGM_OK;
    }
    const int64_t count = fill_rows(values, shapley, reward, n, rows);
    return solve_rows(comm, names, rows, count, strict, reward);
}

static cgm_status reward_create(cgm_comm *comm, int64_t n, cgm_reward_condition condition,
                                cgm_reward *reward)
{
    *reward = (cgm_reward){.condition = condition, .status = CGM_REWARD_OPTIMAL};
    reward->r = cgm_alloc(comm, n, sizeof(double));
    reward->stable = cgm_alloc(comm, n, sizeof(double));
    reward->lower = cgm_alloc(comm, n, sizeof(double));
    return reward->r == NULL || reward->stable == NULL || reward->lower == NULL ? CGM_ERR_MEMORY
                                                                                : CGM_OK;
}

double cgm_reward_shortfall(cgm_reward_status status, double value, double threshold)
{
    const double slack = status == CGM_REWARD_RELAXED ? CGM_LP_SLACK : 0.0;
    const double gap = threshold - value;
    return gap > (CGM_INCENTIVE + slack) * fabs(threshold) ? gap : 0.0;
}

/* One incentive that party i may have lost, added to its text. */
static void add_lost(const cgm_reward *reward, int64_t i, const char *incentive, double threshold)
{
    const double gap = cgm_reward_shortfall(reward->status, reward->r[i], threshold);
    const size_t length = strlen(reward->lost[i]);
    if (gap > 0.0) {
        snprintf(reward->lost[i] + length, LOST_ROOM - length,
                 "%s%s: %.8g is less than %.8g by %.3g", length > 0 ? "; " : "", incentive,
                 reward->r[i], threshold, gap);
    }
}

/* What every party loses to a relaxed program, from what all ranks know.  Local. */
static cgm_status fill_lost(cgm_comm *comm, int64_t n, const double *single, cgm_reward *reward)
{
    /* The texts follow the pointers, in one allocation. */
    reward->lost = cgm_alloc(comm, n, sizeof(char *) + LOST_ROOM);
    if (reward->lost == NULL) {
        return CGM_ERR_MEMORY;
    }
    for (int64_t i = 0; i < n; i++) {
        reward->lost[i] = (char *)(reward->lost + n) + i * LOST_ROOM;
        add_lost(reward, i, "individual rationality", single[i]);
        if (reward->condition == CGM_REWARD_STABLE) {
            add_lost(reward, i, "stability", reward->stable[i]);
        }
    }
    return CGM_OK;
}

static void broadcast_reward(cgm_comm *comm, int64_t n, cgm_reward *reward)
{
    const size_t bytes = (size_t)n * sizeof(double);
    cgm_comm_broadcast(comm, reward->r, bytes, 0);
    cgm_comm_broadcast(comm, reward->lower, bytes, 0);
    cgm_comm_broadcast(comm, &reward->status, sizeof reward->status, 0);
    cgm_comm_broadcast(comm, &reward->v_star, sizeof reward->v_star, 0);
    cgm_comm_broadcast(comm, &reward->rho, sizeof reward->rho, 0);
    cgm_comm_broadcast(comm, &reward->total_violation, sizeof reward->total_violation, 0);
    cgm_comm_broadcast(comm, reward->binding, sizeof reward->binding, 0);
}

cgm_status cgm_reward_solve(cgm_comm *comm, char *const *names, const cgm_kernel_sums *sums,
                            const cgm_values *values, const cgm_shapley *shapley,
                            cgm_reward_condition condition, bool strict, cgm_reward *reward)
{
    const int64_t n = sums->n_parties;
    cgm_reward_row *rows = cgm_alloc(comm, n, sizeof(cgm_reward_row));
    cgm_status status = reward_create(comm, n, condition, reward);
    status = cgm_agree(comm, rows == NULL ? CGM_ERR_MEMORY : status);
    if (status == CGM_OK) {
        status = fill_stable(comm, sums, shapley, reward->stable);
    }
    if (status == CGM_OK) {
        status = cgm_agree(comm, comm->rank == 0 ? solve_root(comm, names, n, values, shapley, rows,
                                                              strict, reward)
                                                 : CGM_OK);
    }
    if (status == CGM_OK) {
        broadcast_reward(comm, n, reward);
    }
    if (status == CGM_OK && reward->status == CGM_REWARD_RELAXED) {
        status = cgm_agree(comm, fill_lost(comm, n, values->single, reward));
    }
    free(rows);
    return status;
}

void cgm_reward_destroy(cgm_reward *reward)
{
    free(reward->r);
    free(reward->stable);
    free(reward->lower);
    free(reward->lost);
    *reward = (cgm_reward){0};
}
