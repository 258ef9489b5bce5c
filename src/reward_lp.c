#include "cgm/reward_lp.h"

#include <glpk.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cgm/tolerance.h"

/* GLPK's own tolerances, tighter than its defaults: two variables allow it. */
#define SIMPLEX_TOLERANCE 1e-11

/* One row of the program: a party with α > 0. */
typedef struct lp_row {
    int64_t party;
    double log_alpha;
    double log_ceiling;
    double log_lower;
} lp_row;

/* Two rows that bound ρ together: one party's ceiling against another's lower bound. */
typedef struct lp_pair {
    double rho;
    int64_t ceiling_row; /* -1: no pair, the bound 0 ≤ ρ ≤ 1 itself */
    int64_t lower_row;
} lp_pair;

/* The closed form of MATH.md §5. */
typedef struct closed_form {
    lp_pair upper; /* ρ ≤ upper.rho */
    lp_pair lower; /* ρ ≥ lower.rho */
    lp_pair equal; /* equal α: rho is the worst log ceiling − log lower, negative in conflict */
    double log_v_star;
} closed_form;

const char *cgm_reward_condition_name(cgm_reward_condition condition)
{
    return condition == CGM_REWARD_STABLE ? "stable" : "individual";
}

const char *cgm_reward_status_name(cgm_reward_status status)
{
    return status == CGM_REWARD_OPTIMAL ? "optimal" : "no_contribution";
}

const char *cgm_reward_library_version(void)
{
    return glp_version();
}

static double value_or_floor(double value)
{
    return value > CGM_VALUE_FLOOR ? value : CGM_VALUE_FLOOR;
}

/* v(P_i) for every party, class of tied φ by class, each adding to the one before (MATH.md §5).
 * member, order: [n_parties] work space. */
static void fill_stable(const cgm_kernel_sums *sums, const cgm_shapley *shapley, bool *member,
                        double *stable)
{
    const int64_t n = sums->n_parties;
    int64_t classes = 0;
    for (int64_t i = 0; i < n; i++) {
        classes = shapley->tie[i] >= classes ? shapley->tie[i] + 1 : classes;
    }
    double size = 0.0;
    double linear = 0.0;
    double quadratic = 0.0;
    for (int64_t k = 0; k < classes; k++) {
        for (int64_t i = 0; i < n; i++) {
            if (shapley->tie[i] != k) {
                continue;
            }
            double cross = 0.0;
            for (int64_t j = 0; j < n; j++) {
                cross += member[j] ? sums->party_sums[i * n + j] : 0.0;
            }
            size += (double)sums->party_points[i];
            linear += sums->reference_sums[i];
            quadratic += sums->party_sums[i * n + i] + 2.0 * cross;
            member[i] = true;
        }
        const double value =
            2.0 * linear / ((double)sums->n_reference * size) - quadratic / (size * size);
        for (int64_t i = 0; i < n; i++) {
            stable[i] = shapley->tie[i] == k ? value : stable[i];
        }
    }
}

static int64_t fill_rows(const cgm_values *values, const cgm_shapley *shapley,
                         const cgm_reward *reward, int64_t n_parties, lp_row *rows)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n_parties; i++) {
        if (shapley->alpha[i] > 0.0) {
            rows[count++] =
                (lp_row){i, log(shapley->alpha[i]), log(values->ceiling[i]), log(reward->lower[i])};
        }
    }
    return count;
}

/* Every ceiling against every lower bound: for α_j > α_i an upper bound of ρ, for α_j < α_i a lower
 * one, for equal α a condition without ρ. */
static closed_form solve_closed_form(const lp_row *rows, int64_t count)
{
    closed_form form = {
        .upper = {1.0, -1, -1}, .lower = {0.0, -1, -1}, .equal = {INFINITY, -1, -1}};
    for (int64_t j = 0; j < count; j++) {
        for (int64_t i = 0; i < count; i++) {
            const double spread = rows[j].log_alpha - rows[i].log_alpha;
            const double room = rows[j].log_ceiling - rows[i].log_lower;
            if (spread > 0.0 && room / spread < form.upper.rho) {
                form.upper = (lp_pair){room / spread, j, i};
            } else if (spread < 0.0 && room / spread > form.lower.rho) {
                form.lower = (lp_pair){room / spread, j, i};
            } else if (spread == 0.0 && room < form.equal.rho) {
                form.equal = (lp_pair){room, j, i};
            }
        }
    }
    form.log_v_star = INFINITY;
    for (int64_t i = 0; i < count; i++) {
        form.log_v_star =
            fmin(form.log_v_star, rows[i].log_ceiling - form.upper.rho * rows[i].log_alpha);
    }
    return form;
}

/* By how much the closed form is feasible: negative = infeasible. */
static double closed_form_room(const closed_form *form)
{
    return fmin(form->equal.rho, fmin(form->upper.rho, form->upper.rho - form->lower.rho));
}

static glp_prob *build_program(const lp_row *rows, int64_t count)
{
    glp_prob *program = glp_create_prob();
    glp_set_obj_dir(program, GLP_MAX);
    glp_add_cols(program, 2); /* log v*, ρ */
    glp_set_col_bnds(program, 1, GLP_FR, 0.0, 0.0);
    glp_set_col_bnds(program, 2, GLP_DB, 0.0, 1.0);
    glp_add_rows(program, cgm_int(2 * count));
    for (int64_t k = 0; k < count; k++) {
        const int columns[] = {0, 1, 2};
        const double coefficients[] = {0.0, 1.0, rows[k].log_alpha};
        const int upper = cgm_int(2 * k + 1);
        glp_set_mat_row(program, upper, 2, columns, coefficients);
        glp_set_row_bnds(program, upper, GLP_UP, 0.0, rows[k].log_ceiling);
        glp_set_mat_row(program, upper + 1, 2, columns, coefficients);
        glp_set_row_bnds(program, upper + 1, GLP_LO, rows[k].log_lower, 0.0);
    }
    return program;
}

static bool run_simplex(glp_prob *program)
{
    glp_smcp parameters;
    glp_init_smcp(&parameters);
    parameters.msg_lev = GLP_MSG_OFF;
    parameters.meth = GLP_DUALP;
    parameters.tol_bnd = SIMPLEX_TOLERANCE;
    parameters.tol_dj = SIMPLEX_TOLERANCE;
    return glp_simplex(program, &parameters) == 0 && glp_get_status(program) == GLP_OPT;
}

/* Maximise log v*, then, with log v* fixed at that, ρ. False: GLPK finds no feasible point. */
static bool solve_program(const lp_row *rows, int64_t count, double *log_v_star, double *rho)
{
    glp_term_out(GLP_OFF);
    glp_prob *program = build_program(rows, count);
    glp_set_obj_coef(program, 1, 1.0);
    bool solved = run_simplex(program);
    if (solved) {
        *log_v_star = glp_get_col_prim(program, 1);
        *rho = glp_get_col_prim(program, 2);
        glp_set_col_bnds(program, 1, GLP_FX, *log_v_star, *log_v_star);
        glp_set_obj_coef(program, 1, 0.0);
        glp_set_obj_coef(program, 2, 1.0);
        if (run_simplex(program)) {
            *rho = glp_get_col_prim(program, 2);
        }
    }
    glp_delete_prob(program);
    glp_free_env();
    return solved;
}

/* A pair in words: whose ceiling meets whose lower bound. */
static void describe_pair(char *const *names, const lp_row *rows, const lp_pair *pair, char *text,
                          size_t size)
{
    if (pair->ceiling_row < 0) {
        snprintf(text, size, "no pair: rho is at its bound %g", pair->rho);
        return;
    }
    const lp_row *ceiling = &rows[pair->ceiling_row];
    const lp_row *lower = &rows[pair->lower_row];
    snprintf(
        text, size,
        "party '%.200s' can be raised to at most %.8g and party '%.200s' must get at least %.8g",
        names[ceiling->party], exp(ceiling->log_ceiling), names[lower->party],
        exp(lower->log_lower));
}

static cgm_status fail_infeasible(cgm_comm *comm, char *const *names, const lp_row *rows,
                                  const closed_form *form, cgm_reward_condition condition)
{
    const lp_pair *pair = form->equal.rho < 0.0   ? &form->equal
                          : form->upper.rho < 0.0 ? &form->upper
                          : form->lower.rho > 1.0 ? &form->lower
                                                  : &form->upper;
    char text[CGM_MESSAGE_MAX / 2];
    describe_pair(names, rows, pair, text, sizeof text);
    return cgm_fail(comm, CGM_ERR_LP,
                    "no rewards satisfy reward.condition = %s: %s; %s, or draw a larger or closer "
                    "candidate pool",
                    cgm_reward_condition_name(condition), text,
                    condition == CGM_REWARD_STABLE ? "use reward.condition = individual"
                                                   : "choose another kernel.lengthscale");
}

/* Rank 0: the program, its check against the closed form, and r. */
static cgm_status solve_rows(cgm_comm *comm, char *const *names, const lp_row *rows, int64_t count,
                             cgm_reward *reward)
{
    const closed_form form = solve_closed_form(rows, count);
    double log_v_star = 0.0;
    const bool feasible = solve_program(rows, count, &log_v_star, &reward->rho);
    const double room = closed_form_room(&form);
    if (!feasible && room < CGM_LP_AGREEMENT) {
        return fail_infeasible(comm, names, rows, &form, reward->condition);
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
    reward->v_star = exp(log_v_star);
    describe_pair(names, rows, &form.upper, reward->binding, sizeof reward->binding);
    for (int64_t k = 0; k < count; k++) {
        reward->r[rows[k].party] = exp(log_v_star + reward->rho * rows[k].log_alpha);
    }
    return CGM_OK;
}

/* Rank 0: everything. rows and member [n_parties] are work space. */
static cgm_status solve_root(cgm_comm *comm, char *const *names, const cgm_kernel_sums *sums,
                             const cgm_values *values, const cgm_shapley *shapley, lp_row *rows,
                             bool *member, cgm_reward *reward)
{
    const int64_t n = sums->n_parties;
    fill_stable(sums, shapley, member, reward->stable);
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
    return solve_rows(comm, names, rows, count, reward);
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

cgm_status cgm_reward_solve(cgm_comm *comm, char *const *names, const cgm_kernel_sums *sums,
                            const cgm_values *values, const cgm_shapley *shapley,
                            cgm_reward_condition condition, cgm_reward *reward)
{
    const int64_t n = sums->n_parties;
    lp_row *rows = cgm_alloc(comm, n, sizeof(lp_row));
    bool *member = cgm_alloc(comm, n, sizeof(bool));
    cgm_status status = reward_create(comm, n, condition, reward);
    if (rows == NULL || member == NULL) {
        status = CGM_ERR_MEMORY;
    }
    if (status == CGM_OK && comm->rank == 0) {
        status = solve_root(comm, names, sums, values, shapley, rows, member, reward);
    }
    status = cgm_agree(comm, status);
    if (status == CGM_OK) {
        const size_t bytes = (size_t)n * sizeof(double);
        cgm_comm_broadcast(comm, reward->r, bytes, 0);
        cgm_comm_broadcast(comm, reward->stable, bytes, 0);
        cgm_comm_broadcast(comm, reward->lower, bytes, 0);
        cgm_comm_broadcast(comm, &reward->status, sizeof reward->status, 0);
        cgm_comm_broadcast(comm, &reward->v_star, sizeof reward->v_star, 0);
        cgm_comm_broadcast(comm, &reward->rho, sizeof reward->rho, 0);
        cgm_comm_broadcast(comm, reward->binding, sizeof reward->binding, 0);
    }
    free(rows);
    free(member);
    return status;
}

void cgm_reward_destroy(cgm_reward *reward)
{
    free(reward->r);
    free(reward->stable);
    free(reward->lower);
    *reward = (cgm_reward){0};
}
