package io.carillon.chaos;

import io.carillon.client.FrameListener;
import org.jspecify.annotations.Nullable;

/** The connections of one client of the library, written down. Safe from any thread. */
class Wire implements FrameListener {
    final Notes notes;
    private final World world;
    private final Witness.@Nullable Habit habit;
    private int connections;
    private boolean open;
    private volatile String cid = "";

    /** @param habit null for one that is no witness */
    Wire(World world, Notes notes, Witness.@Nullable Habit habit) {
        this.world = world;
        this.notes = notes;
        this.habit = habit;
    }

    /** The connection there is, or the last one. */
    final String cid() {
        return cid;
    }

    @Override
    public synchronized void opened() {
        open = true;
        cid = notes.name() + "." + ++connections;
        notes.opened(cid, habit);
        if (habit != null) world.totals().connected().incrementAndGet();
    }

    @Override
    public void closed(int code) {
        ended(code, code == 1006 ? "network" : "server");
    }

    @Override
    public void refused(int status) {
        notes.refused(status, null);
    }

    /** The client says goodbye itself, and hears nothing more. */
    void left() {
        ended(1000, "client");
    }

    private synchronized void ended(int code, String by) {
        if (!open) return;
        open = false;
        notes.closed(cid, code, by);
        if (habit != null) world.totals().connected().decrementAndGet();
    }
}
