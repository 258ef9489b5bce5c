#include "cgm/report.h"

#include <stdio.h>

enum { LABEL_COLUMNS = 14 };
/* Classes that are shown one by one. */
enum { CLASSES_MAX = 20 };

static void print_class(const cgm_gmm *gmm, const cgm_gmm_class *class, FILE *stream)
{
    char name[32] = "all";
    if (gmm->has_labels) {
        snprintf(name, sizeof name, "%lld", (long long)class->label);
    }
    fprintf(stream, "%-*s%-8s %11lld %10lld %10lld%c %14.6g\n", LABEL_COLUMNS, "", name,
            (long long)class->n_points, (long long)class->n_components,
            (long long)class->iterations, class->converged ? ' ' : '*', class->log_likelihood);
}

/* Mean over all points of all classes, each in its own mixture. */
static double mean_log_likelihood(const cgm_gmm *gmm)
{
    double sum = 0.0;
    double points = 0.0;
    for (int64_t c = 0; c < gmm->n_classes; c++) {
        sum += (double)gmm->classes[c].n_points * gmm->classes[c].log_likelihood;
        points += (double)gmm->classes[c].n_points;
    }
    return sum / points;
}

static void print_mixtures(const cgm_gmm *gmm, FILE *stream)
{
    bool all_converged = true;
    fprintf(stream,
            "%-*sGaussian mixtures, %lld components in all; mean log-likelihood of a point %.6g\n",
            LABEL_COLUMNS, "generator", (long long)gmm->n_components, mean_log_likelihood(gmm));
    fprintf(stream, "%-*s%-8s %11s %10s %10s  %14s\n", LABEL_COLUMNS, "", "class", "points",
            "components", "iterations", "log-likelihood");
    for (int64_t c = 0; c < gmm->n_classes && c < CLASSES_MAX; c++) {
        print_class(gmm, &gmm->classes[c], stream);
        all_converged = all_converged && gmm->classes[c].converged;
    }
    if (!all_converged) {
        fprintf(stream, "%-*s* ended by generator.max_iterations\n", LABEL_COLUMNS, "");
    }
    if (gmm->n_classes > CLASSES_MAX) {
        fprintf(stream, "%-*s(the first %d of %lld classes; all are in the output)\n",
                LABEL_COLUMNS, "", CLASSES_MAX, (long long)gmm->n_classes);
    }
}

static void print_network(const cgm_gan_outcome *outcome, FILE *stream)
{
    fprintf(stream, "%-*sgenerative network of %lld parameters, judged by one of %lld; ",
            LABEL_COLUMNS, "generator", (long long)outcome->n_parameters[0],
            (long long)outcome->n_parameters[1]);
    if (outcome->n_classes > 0) {
        fprintf(stream, "%lld class%s\n", (long long)outcome->n_classes,
                outcome->n_classes == 1 ? "" : "es");
    } else {
        fputs("no classes\n", stream);
    }
    fprintf(stream, "%-*sbest after step %lld: MMD² to the parties' points %.3g, untrained %.3g\n",
            LABEL_COLUMNS, "", (long long)outcome->step, outcome->mmd2, outcome->untrained);
}

void cgm_report_generator(cgm_comm *comm, const cgm_run *run, FILE *stream)
{
    if (comm->rank != 0) {
        return;
    }
    if (run->config->generator_type == CGM_GENERATOR_GMM) {
        print_mixtures(run->model.state, stream);
    } else if (run->config->generator_type == CGM_GENERATOR_GAN) {
        print_network(run->model.state, stream);
    }
}
