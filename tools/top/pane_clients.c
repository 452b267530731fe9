/* The processes that are attached. */
#include "panes.h"
#include "print_parts.h"
#include "users.h"

static void write_client(struct canvas *paper, uint32_t lane, const struct client_slot *slot)
{
    json_t *const client = report_client(lane, slot);
    char name[USER_NAME_MAX], when[40];
    int at = pane_line(paper, STYLE_PLAIN, "%5u %8llu  %-14.14s  ", lane, N(client, "pid"),
                       user_name(tree_number(client, "uid"), name));
    at = pane_more(paper, at, STYLE_BOLD, "%-16s", tree_text(client, "program"));
    at = pane_more(paper, at, STYLE_PLAIN, "  %8llu  %.19s", N(client, "meters"),
                   print_moment(tree_number(client, "attached_unix_ms"), when));
    if (json_is_true(json_object_get(client, "detached")))
        at = pane_more(paper, at, STYLE_MODED, "  detached");
    if (tree_number(client, "lost"))
        pane_more(paper, at, STYLE_BAD, "  %llu outcomes lost", N(client, "lost"));
    json_decref(client);
}

void pane_clients(struct canvas *paper, const struct scene *scene, const struct pane_options *options)
{
    struct client_slot client;
    (void)options;
    pane_heading(paper, " LANE      PID  USER            PROGRAM           BREAKERS  ATTACHED");
    if (scene->look->clients == 0)
        pane_line(paper, STYLE_PLAIN, "no clients");
    for (uint32_t lane = 1; lane <= snapshot_lanes(scene->snapshot); lane++)
        if (snapshot_client(scene->snapshot, lane, &client))
            write_client(paper, lane, &client);
}
