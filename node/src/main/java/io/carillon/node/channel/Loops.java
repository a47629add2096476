package io.carillon.node.channel;

import io.netty.channel.EventLoopGroup;
import io.netty.util.concurrent.EventExecutor;
import java.util.ArrayList;
import java.util.List;

/** The event loops in the one order that gives each its number, for channels and lanes alike. */
public final class Loops {
    private Loops() {}

    public static List<EventExecutor> of(EventLoopGroup group) {
        var loops = new ArrayList<EventExecutor>();
        group.forEach(loops::add);
        return List.copyOf(loops);
    }
}
