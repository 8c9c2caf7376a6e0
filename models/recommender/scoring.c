/* scoring.py's Scorer.recommend in one pass: the same votes, added in the same order, with no array made on the way.
 *
 * scoring.py is the definition, and answers where no compiler was when clickstream was installed. A property test holds the two equal.
 */
#include <stdint.h>
#include <string.h>

typedef struct {
    const int32_t *posting_starts, *posting_sessions;
    const uint8_t *posting_places;
    const int32_t *session_starts, *session_items;
    const float *session_weights;
    const int32_t *rule_starts, *rule_items;
    const float *rule_weights, *item_weights;
    float *similarity; /* by session; 0 between two calls */
    uint8_t *shared_at, *shared_age;
    int32_t *found;
    int64_t items;
} Index;

typedef struct {
    int64_t indexes, items, neighbours, window, farthest, second_sources, popular_count;
    double rules, second_step;
    const float *repeats;     /* by age */
    const float *by_distance; /* of -farthest to farthest clicks */
    const int32_t *popular_items;
    const float *popular_scores;
    const uint8_t *hidden; /* by item, or null */
    int32_t *slots;        /* by item; -1 between two calls */
    int32_t *listed, *ages;
    uint8_t *parts;
    double *scores, *by_age; /* by slot; by slot and age */
    int32_t *best, *first_items, *first_ages, *chosen;
    float *first_scores;
} Scorer;

enum { NEIGHBOURS = 1, RULES, REPEATED, POPULAR };

/* Of equal scores the one with the smaller tie comes first, without ties the one before. */
#define BEFORE(a, b) (scores[a] > scores[b] || (scores[a] == scores[b] && (ties ? ties[a] < ties[b] : (a) < (b))))

/* NAME: the places of the `most` greatest, the greatest first, by a heap whose root is the last of them. */
#define FOREMOST(NAME, TYPE)                                                                                  \
    static void NAME##_sift(const TYPE *scores, const int32_t *ties, int32_t *heap, int64_t size, int64_t at) { \
        for (;;) {                                                                                            \
            int64_t last = at, child = 2 * at + 1;                                                            \
            if (child < size && BEFORE(heap[last], heap[child])) last = child;                                \
            if (child + 1 < size && BEFORE(heap[last], heap[child + 1])) last = child + 1;                    \
            if (last == at) return;                                                                           \
            int32_t moved = heap[at];                                                                         \
            heap[at] = heap[last];                                                                            \
            heap[last] = moved;                                                                               \
            at = last;                                                                                        \
        }                                                                                                     \
    }                                                                                                         \
    static int64_t NAME(const TYPE *scores, const int32_t *ties, int64_t count, int64_t most, int32_t *heap) { \
        int64_t size = count < most ? count : most;                                                           \
        for (int64_t n = 0; n < size; n++) heap[n] = (int32_t)n;                                              \
        for (int64_t n = size / 2 - 1; n >= 0; n--) NAME##_sift(scores, ties, heap, size, n);                 \
        for (int32_t n = (int32_t)size; size && n < count; n++)                                               \
            if (BEFORE(n, heap[0])) {                                                                         \
                heap[0] = n;                                                                                  \
                NAME##_sift(scores, ties, heap, size, 0);                                                     \
            }                                                                                                 \
        for (int64_t n = size - 1; n > 0; n--) {                                                              \
            int32_t last = heap[0];                                                                           \
            heap[0] = heap[n];                                                                                \
            heap[n] = last;                                                                                   \
            NAME##_sift(scores, ties, heap, n, 0);                                                            \
        }                                                                                                     \
        return size;                                                                                          \
    }

FOREMOST(foremost_floats, float)
FOREMOST(foremost_doubles, double)

static int64_t slot(Scorer *s, int64_t *used, int32_t item) {
    if (s->slots[item] < 0) {
        s->slots[item] = (int32_t)*used;
        s->listed[*used] = item;
        s->scores[*used] = 0;
        s->parts[*used] = 0;
        memset(s->by_age + *used * s->window, 0, sizeof(double) * s->window);
        ++*used;
    }
    return s->slots[item];
}

/* An item's reason is of the first part that speaks for it, and there the last word. */
static void vote(Scorer *s, int64_t *used, int part, int32_t item, float score, int32_t age) {
    if (s->hidden && s->hidden[item]) return;
    int64_t at = slot(s, used, item);
    s->scores[at] += score;
    if (!s->parts[at]) s->parts[at] = (uint8_t)part;
    if (s->parts[at] == part) s->ages[at] = age;
}

/* Every click of the most similar sessions, by its item and by the item of the session that it was found by. */
static void neighbours(Scorer *s, Index *x, const int32_t *own, const float *shares, int64_t owned, int64_t apart, int64_t *used) {
    int64_t found = 0;
    for (int64_t age = owned - 1; age >= 0; age--) { /* the latest item last: what it shares is what counts */
        if (own[age] >= x->items) continue;
        float share = shares[age] * x->item_weights[own[age]];
        for (int64_t n = x->posting_starts[own[age]]; n < x->posting_starts[own[age] + 1]; n++) {
            int32_t session = x->posting_sessions[n];
            if (x->similarity[session] == 0) x->found[found++] = session;
            x->similarity[session] += share;
            x->shared_at[session] = x->posting_places[n];
            x->shared_age[session] = (uint8_t)age;
        }
    }
    float *strength = s->first_scores;
    for (int64_t n = 0; n < found; n++)
        strength[n] = x->found[n] == apart ? 0 : x->similarity[x->found[n]] * x->session_weights[x->found[n]];
    for (int64_t n = 0; n < found; n++) x->similarity[x->found[n]] = 0;
    int64_t near = foremost_floats(strength, 0, found, s->neighbours, s->best);
    for (int64_t n = 0; n < near; n++) {
        int32_t session = x->found[s->best[n]];
        int64_t from = x->session_starts[session], shared = from + x->shared_at[session];
        for (int64_t click = from; click < x->session_starts[session + 1]; click++) {
            int32_t item = x->session_items[click];
            if (s->hidden && s->hidden[item]) continue;
            float score = strength[s->best[n]] * s->by_distance[click - shared + s->farthest];
            s->by_age[slot(s, used, item) * s->window + x->shared_age[session]] += score;
        }
    }
}

static void successors(Scorer *s, Index *x, const int32_t *own, const float *shares, int64_t owned, int64_t *used) {
    int64_t first = 0;
    for (int64_t age = 0; age < owned; age++) {
        if (own[age] >= x->items) continue;
        float strength = shares[age] * (float)s->rules;
        for (int64_t n = x->rule_starts[own[age]]; n < x->rule_starts[own[age] + 1]; n++, first++) {
            s->first_items[first] = x->rule_items[n];
            s->first_scores[first] = x->rule_weights[n] * strength;
            s->first_ages[first] = (int32_t)age;
        }
    }
    int64_t sources = foremost_floats(s->first_scores, 0, first, s->second_sources, s->chosen);
    for (int64_t n = 0; n < sources; n++) {
        int32_t source = s->chosen[n], item = s->first_items[source];
        float strength = s->first_scores[source] * (float)s->second_step;
        for (int64_t m = x->rule_starts[item]; m < x->rule_starts[item + 1]; m++)
            vote(s, used, RULES, x->rule_items[m], x->rule_weights[m] * strength, s->first_ages[source]);
    }
    for (int64_t n = 0; n < first; n++) vote(s, used, RULES, s->first_items[n], s->first_scores[n], s->first_ages[n]);
}

/* How many items were found, at most `count`. An age of -1 says that an item is popular and no more. */
int64_t recommend(Scorer *s, Index **indexes, const int32_t *own, const float *shares, int64_t owned, int64_t apart, int64_t count,
                  int32_t *items, float *scores, int32_t *ages) {
    int64_t used = 0;
    for (int64_t n = 0; n < s->indexes; n++)
        neighbours(s, indexes[n], own, shares, owned, n == s->indexes - 1 ? apart : -1, &used);
    double top = 0;
    for (int64_t n = 0; n < used; n++) {
        const double *by_age = s->by_age + n * s->window;
        int64_t most = 0;
        for (int64_t age = 0; age < owned; age++) {
            s->scores[n] += by_age[age];
            if (by_age[age] > by_age[most]) most = age;
        }
        if (s->scores[n] > top) top = s->scores[n];
        s->parts[n] = NEIGHBOURS;
        s->ages[n] = (int32_t)most;
    }
    if (top > 0)
        for (int64_t n = 0; n < used; n++) s->scores[n] = (float)(s->scores[n] / top);
    else /* every item of the session is in every session: nothing is told by it */
        while (used) s->slots[s->listed[--used]] = -1;
    for (int64_t n = 0; n < s->indexes; n++) successors(s, indexes[n], own, shares, owned, &used);
    for (int64_t age = 0; age < owned; age++) vote(s, &used, REPEATED, own[age], s->repeats[age], (int32_t)age);
    for (int64_t n = 0; n < s->popular_count; n++) vote(s, &used, POPULAR, s->popular_items[n], s->popular_scores[n], -1);
    int64_t listed = foremost_doubles(s->scores, s->listed, used, count, s->best);
    for (int64_t n = 0; n < listed; n++) {
        items[n] = s->listed[s->best[n]];
        scores[n] = (float)s->scores[s->best[n]];
        ages[n] = s->ages[s->best[n]];
    }
    while (used) s->slots[s->listed[--used]] = -1;
    return listed;
}
