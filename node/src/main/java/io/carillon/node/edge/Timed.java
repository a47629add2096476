package io.carillon.node.edge;

/** What a loop looks after from time to time. On its loop only. */
interface Timed {
    /** @param now the loop's time, nanoseconds */
    void tick(long now);

    /** Place in the loop's list; kept by the loop, -1 outside it. */
    int slot();

    void slot(int place);
}
