package io.carillon.node.backplane;

import io.carillon.model.channel.ChannelName;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/** Keeps what a backplane brings, and checks that for one channel it is brought by one thread at a time. */
final class Recorder implements BackplaneListener {
    final Map<ChannelName, AtomicInteger> subscribed = new ConcurrentHashMap<>();
    final Map<ChannelName, AtomicInteger> lost = new ConcurrentHashMap<>();
    final Map<ChannelName, List<String>> messages = new ConcurrentHashMap<>();
    final List<String> control = new CopyOnWriteArrayList<>();
    final List<Boolean> links = new CopyOnWriteArrayList<>();
    final AtomicReference<String> trouble = new AtomicReference<>();
    private final Map<Object, AtomicInteger> inside = new ConcurrentHashMap<>();

    @Override
    public void subscribed(ChannelName channel) {
        one(channel, () -> count(subscribed, channel));
    }

    @Override
    public void lost(ChannelName channel) {
        one(channel, () -> count(lost, channel));
    }

    @Override
    public void message(ChannelName channel, byte[] message) {
        one(channel, () -> {
            List<String> list = messages.computeIfAbsent(channel, c -> new ArrayList<>());
            synchronized (list) {
                list.add(new String(message, StandardCharsets.UTF_8));
            }
        });
    }

    @Override
    public void control(byte[] message) {
        one(control, () -> control.add(new String(message, StandardCharsets.UTF_8)));
    }

    @Override
    public void linked(boolean up) {
        one(links, () -> links.add(up));
    }

    int times(Map<ChannelName, AtomicInteger> counts, ChannelName channel) {
        AtomicInteger count = counts.get(channel);
        return count == null ? 0 : count.get();
    }

    List<String> messages(ChannelName channel) {
        List<String> list = messages.getOrDefault(channel, List.of());
        synchronized (list) {
            return List.copyOf(list);
        }
    }

    private void one(Object of, Runnable work) {
        AtomicInteger within =
                inside.computeIfAbsent(of instanceof ChannelName ? of : of == links, o -> new AtomicInteger());
        if (within.getAndIncrement() != 0) trouble.set("two threads called the listener at once");
        work.run();
        within.decrementAndGet();
    }

    private static void count(Map<ChannelName, AtomicInteger> counts, ChannelName channel) {
        counts.computeIfAbsent(channel, c -> new AtomicInteger()).incrementAndGet();
    }
}
