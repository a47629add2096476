package io.carillon.chaos;

import io.carillon.chaos.World.Tenant;

/**
 * A client that writes down what its application gets and what it is told. Runs until it is stopped; then its journal is
 * closed. The calls are safe from any thread.
 */
interface Witness extends Runnable {
    /** How a client behaves besides. */
    enum Habit {
        /** Stays. */
        STEADY,
        /** Comes and goes. */
        CHURNING,
        /** Does not read for a while when it is told so, which is felt at once. */
        SLOW
    }

    /** What it writes, and whose it is. */
    Notes notes();

    Habit habit();

    /** Whether it is connected and has come as far as the server said. */
    boolean live();

    /** Takes nothing more for a while. */
    void pauseReading(double seconds);

    default String user() {
        return notes().user();
    }

    default Tenant tenant() {
        return notes().tenant();
    }

    /** Written when everything had time to arrive. */
    default void sayWhereItStands() {
        notes().end(live());
    }

    /** Says goodbye and ends. */
    void stop();

    /** Cuts the connection where saying goodbye did not help. */
    void cut();
}
