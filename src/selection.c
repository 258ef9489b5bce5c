#include "selection.h"

#include <string.h>

/* Keeps the most parties of the largest sign·φ in descending order, of equal ones the first. */
static void keep_largest(const double *phi, double sign, int64_t party, int64_t *kept,
                         int64_t *count, int64_t most)
{
    int64_t place = *count;
    while (place > 0 && sign * phi[party] > sign * phi[kept[place - 1]]) {
        place--;
    }
    if (place == most) {
        return;
    }
    int64_t last = *count < most ? (*count)++ : most - 1;
    memmove(&kept[place + 1], &kept[place], (size_t)(last - place) * sizeof *kept);
    kept[place] = party;
}

static void reverse(int64_t *values, int64_t count)
{
    for (int64_t k = 0; k < count / 2; k++) {
        const int64_t value = values[k];
        values[k] = values[count - 1 - k];
        values[count - 1 - k] = value;
    }
}

int64_t cgm_selection_choose(const double *phi, int64_t n_parties, int64_t most, int64_t n_largest,
                             int64_t n_smallest, int64_t *party)
{
    if (n_parties <= most) {
        for (int64_t i = 0; i < n_parties; i++) {
            party[i] = i;
        }
        return n_parties;
    }
    int64_t large = 0;
    int64_t small = 0;
    for (int64_t i = 0; i < n_parties; i++) {
        keep_largest(phi, 1.0, i, party, &large, n_largest);
        keep_largest(phi, -1.0, i, party + n_largest, &small, n_smallest);
    }
    reverse(party + n_largest, small);
    return n_largest + n_smallest;
}
