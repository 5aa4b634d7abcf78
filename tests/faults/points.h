/*
 * points.h: named points at which beacond-faulty may end (points.c). Each is defined where it is
 * passed, and so is in the list of all.
 */
#ifndef BEACOND_TESTS_POINTS_H
#define BEACOND_TESTS_POINTS_H

struct point {
    const char *kind; /* what must go on for it to be passed */
    const char *name;
};

/* Defines a point. */
#define POINT(id, its_kind, its_name)              \
    static struct point id = {its_kind, its_name}; \
    static struct point *const id##_listed __attribute__((section("points"), used)) = &id

/* The process is there: ends it when it was to end there. Any thread. */
void point_pass(struct point *point);

#endif
