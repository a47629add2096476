package io.carillon.client;

import java.util.concurrent.Executor;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/**
 * What every client is made of, whatever it speaks: its settings, time, chance, lock, identity and the way to its handlers.
 *
 * @param <C> its connections
 */
final class Core<C extends Connection> {
    final ClientBuilder<?> settings;
    final Timer timer;
    final RandomGenerator random;
    final Guard<C> guard;
    final Identity identity;
    final Inbox inbox;

    Core(ClientBuilder<?> settings, @Nullable String user, Timer timer, RandomGenerator random, Executor background) {
        this.settings = settings;
        this.timer = timer;
        this.random = random;
        this.guard = new Guard<>(background);
        this.identity = new Identity(settings, guard, user);
        this.inbox = new Inbox(guard);
    }
}
