package io.carillon.node.edge;

import io.netty.channel.EventLoopGroup;
import io.netty.util.concurrent.EventExecutor;
import java.time.Duration;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.springframework.beans.factory.DisposableBean;
import reactor.netty.resources.LoopResources;

/** The node's event loops, native where the machine has it, and what the door keeps for each. */
final class EdgeLoops implements DisposableBean {
    private final LoopResources resources;
    private final EventLoopGroup group;
    private final Map<EventExecutor, EdgeLoop> byExecutor = new IdentityHashMap<>();
    private final List<EdgeLoop> all;

    EdgeLoops(int count, Duration tick) {
        int loops = count > 0 ? count : Runtime.getRuntime().availableProcessors();
        resources = LoopResources.create("carillon", loops, true);
        group = resources.onServer(LoopResources.DEFAULT_NATIVE);
        var list = new ArrayList<EdgeLoop>();
        for (EventExecutor executor : group) {
            var loop = new EdgeLoop(executor);
            byExecutor.put(executor, loop);
            list.add(loop);
            var unused = executor.scheduleAtFixedRate(loop, tick.toNanos(), tick.toNanos(), TimeUnit.NANOSECONDS);
        }
        all = List.copyOf(list);
    }

    LoopResources resources() {
        return resources;
    }

    EventLoopGroup group() {
        return group;
    }

    List<EdgeLoop> all() {
        return all;
    }

    EdgeLoop of(EventExecutor executor) {
        EdgeLoop loop = byExecutor.get(executor);
        if (loop == null) throw new IllegalStateException("a connection is on a loop that is not the node's");
        return loop;
    }

    @Override
    public void destroy() {
        resources.disposeLater(Duration.ZERO, Duration.ofSeconds(2)).block(Duration.ofSeconds(5));
    }
}
