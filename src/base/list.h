/*
 * list.h: an intrusive, circular, doubly linked list. Inline; one thread at a time.
 *
 * A list head is a node of its own; an element embeds a node and is found from it with LIST_OF. A
 * node that is in no list points to itself, so list_remove may be called on it.
 */
#ifndef BEACOND_BASE_LIST_H
#define BEACOND_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *previous;
};

/* The element of type that embeds node as its member. */
#define LIST_OF(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))

static inline void list_init(struct list *node)
{
    node->next = node->previous = node;
}

static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_append(struct list *head, struct list *node)
{
    node->next = head;
    node->previous = head->previous;
    head->previous->next = node;
    head->previous = node;
}

static inline void list_prepend(struct list *head, struct list *node)
{
    list_append(head->next, node);
}

static inline void list_remove(struct list *node)
{
    node->previous->next = node->next;
    node->next->previous = node->previous;
    list_init(node);
}

#endif
