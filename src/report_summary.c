#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cgm/tolerance.h"
#include "report_figures.h"
#include "report_page.h"
#include "report_svg.h"
#include "report_tables.h"

/* Names of parties, and of incentives that do not hold, that a sentence names. */
enum { NAMED_MOST = 10 };

static const char *plural(int64_t count, const char *one, const char *many)
{
    return count == 1 ? one : many;
}

static void write_name(FILE *page, const char *name)
{
    fputs("<bdi>", page);
    cgm_html_write(page, name);
    fputs("</bdi>", page);
}

static void write_contributions(const cgm_report_data *data, FILE *page)
{
    int64_t first = 0;
    int64_t last = 0;
    for (int64_t i = 1; i < data->n_parties; i++) {
        first = data->phi[i] > data->phi[first] ? i : first;
        last = data->phi[i] < data->phi[last] ? i : last;
    }
    fprintf(page,
            "<p>%lld %s pooled %lld %s of %lld %s; rewards are paid from a pool of %lld "
            "synthetic %s.",
            (long long)data->n_parties, plural(data->n_parties, "party", "parties"),
            (long long)data->total_points, plural(data->total_points, "point", "points"),
            (long long)data->n_features, plural(data->n_features, "feature", "features"),
            (long long)data->n_candidates, plural(data->n_candidates, "point", "points"));
    if (data->n_components > 0) {
        fprintf(page,
                " Features were projected on %lld principal %s, which %s %.4g %% of the "
                "variance%s.",
                (long long)data->n_components,
                plural(data->n_components, "component", "components"),
                plural(data->n_components, "has", "have"), 100.0 * cgm_report_explained(data),
                data->pool_projected ? "; synthetic points are coordinates on them" : "");
    }
    if (data->n_parties > 1) {
        fputs(" ", page);
        write_name(page, data->names[first]);
        fprintf(page, " contributed most (φ = %.4g), ", data->phi[first]);
        write_name(page, data->names[last]);
        if (data->alpha[last] > 0.0) {
            fprintf(page, " least (φ = %.4g, a share α = %.3g of that).", data->phi[last],
                    data->alpha[last]);
        } else {
            fprintf(page, " least (φ = %.4g, which counts as none).", data->phi[last]);
        }
    }
    fputs("</p>\n", page);
}

static void write_rewards(const cgm_report_data *data, FILE *page)
{
    const bool relaxed = strcmp(data->reward_status, "relaxed") == 0;
    const char *reason = relaxed
                             ? " No rewards satisfy all that was asked for, which was relaxed as "
                               "little as possible"
                             : " A larger ρ is not possible";
    fputs("<p>", page);
    if (strcmp(data->reward_status, "no_contribution") == 0) {
        fputs("There are no rewards", page);
        reason = "";
    } else {
        fprintf(page,
                "A party’s reward is worth r = α<sup>ρ</sup> v*, where v* = %.6g is the most that "
                "any party gets and ρ = %.4g (with 1 rewards go in proportion to contributions, "
                "with 0 all get the same).",
                data->v_star, data->rho);
    }
    if (relaxed || data->binding[0] != '\0') {
        fputs(reason, page);
        fputs(data->binding[0] != '\0' ? ": " : "", page);
        cgm_html_write(page, data->binding);
        fputs(".", page);
    }
    fputs("</p>\n", page);
}

static void write_incentives(const cgm_report_data *data, FILE *page)
{
    int64_t failing = 0;
    for (int64_t k = 0; k < data->n_incentives; k++) {
        failing += !data->incentives[k].holds;
    }
    if (failing == 0) {
        fprintf(page, "<p>All %lld incentives of the certificate hold.</p>\n",
                (long long)data->n_incentives);
        return;
    }
    fprintf(page, "<p>%lld of %lld incentives hold; these do not: ",
            (long long)(data->n_incentives - failing), (long long)data->n_incentives);
    int64_t named = 0;
    for (int64_t k = 0; k < data->n_incentives && named < NAMED_MOST; k++) {
        if (!data->incentives[k].holds) {
            fputs(named++ > 0 ? ", " : "", page);
            cgm_html_write(page, data->incentives[k].name);
        }
    }
    fputs(".</p>\n", page);
}

static void write_numbers(const cgm_report_data *data, const cgm_report_set *set, FILE *page)
{
    int64_t least = cgm_report_rewards(set, 0);
    int64_t most = least;
    for (int64_t i = 1; i < data->n_parties; i++) {
        const int64_t count = cgm_report_rewards(set, i);
        least = count < least ? count : least;
        most = count > most ? count : most;
    }
    if (least < most) {
        fprintf(page, "%lld to %lld synthetic points", (long long)least, (long long)most);
    } else {
        fprintf(page, "%lld synthetic %s", (long long)most, plural(most, "point", "points"));
    }
    char beta[CGM_FIGURE_BETA];
    cgm_figure_name_beta(set, beta);
    fprintf(page, " at %s", beta);
}

static void write_sampling(const cgm_report_data *data, FILE *page)
{
    if (data->n_sets == 0) {
        return;
    }
    int64_t missed = 0;
    for (int64_t s = 0; s < data->n_sets; s++) {
        for (int64_t i = 0; i < data->n_parties; i++) {
            missed += data->sets[s].reached[i] == 0;
        }
    }
    fputs("<p>Parties are paid ", page);
    write_numbers(data, &data->sets[0], page);
    if (data->n_sets > 1) {
        fputs(", and ", page);
        write_numbers(data, &data->sets[data->n_sets - 1], page);
    }
    if (missed == 0) {
        fputs("; every reward reached its target.</p>\n", page);
    } else {
        fprintf(page, "; %lld of %lld rewards fell short of their target.</p>\n", (long long)missed,
                (long long)data->n_sets * data->n_parties);
    }
}

/* The claim of the method, who contributed more comes closer to the data of all, in words only
 * where it is as clear as that. */
static void write_measures(const cgm_report_data *data, FILE *page)
{
    const cgm_report_set *set = data->n_sets > 0 ? &data->sets[data->n_sets - 1] : NULL;
    if (set == NULL || !cgm_report_has_column(data, set, CGM_MMD2_BEFORE) ||
        !cgm_report_has_column(data, set, CGM_MMD2_AFTER)) {
        return;
    }
    double *work = malloc((size_t)data->n_parties * sizeof *work);
    double before[CGM_REPORT_QUANTILES];
    double after[CGM_REPORT_QUANTILES];
    if (work == NULL) {
        return;
    }
    cgm_report_quantiles(set->columns[CGM_MMD2_BEFORE], data->n_parties, work, before);
    cgm_report_quantiles(set->columns[CGM_MMD2_AFTER], data->n_parties, work, after);
    free(work);
    char beta[CGM_FIGURE_BETA];
    cgm_figure_name_beta(set, beta);
    fprintf(page,
            "<p>At %s the squared MMD between a party’s data and those of all goes from %.3g "
            "to %.3g (medians).",
            beta, before[3], after[3]);
    const bool several = data->n_sets > 1;
    const double correlation =
        several ? data->mean_correlation[CGM_MMD2_AFTER] : set->correlation[CGM_MMD2_AFTER];
    if (isfinite(correlation)) {
        fprintf(page, " Its correlation with α after the rewards is %.3f", correlation);
        if (several && isfinite(data->se_correlation[CGM_MMD2_AFTER])) {
            fprintf(page, " ± %.3f over the values of β", data->se_correlation[CGM_MMD2_AFTER]);
        }
        fputs(correlation <= CGM_CLAIMED_CORRELATION ? ": who contributed more comes closer." : ".",
              page);
    }
    fputs("</p>\n", page);
}

static void write_time(const cgm_report_data *data, FILE *page)
{
    double total = 0.0;
    for (int64_t k = 0; k < data->n_stages; k++) {
        total += data->stages[k].max;
    }
    fprintf(page, "<p>The run took %.3g seconds on %lld %s.</p>\n", total,
            (long long)data->mpi_size, plural(data->mpi_size, "rank", "ranks"));
}

void cgm_report_write_summary(const cgm_report_data *data, FILE *page)
{
    write_contributions(data, page);
    write_rewards(data, page);
    write_incentives(data, page);
    write_sampling(data, page);
    write_measures(data, page);
    write_time(data, page);
}
