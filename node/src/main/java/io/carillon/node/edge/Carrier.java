package io.carillon.node.edge;

import io.carillon.node.session.Socket;

/** What carries a session, whatever transport it is, and is looked after by its loop. On that loop only. */
interface Carrier extends Socket, Timed {
    /** Whether frames wait for the client that a close would drop. */
    boolean owes();

    /** Drops the connection, whatever state it is in. */
    void force();
}
