package io.carillon.node.backplane;

import io.lettuce.core.RedisFuture;
import io.lettuce.core.RedisURI;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.async.RedisAsyncCommands;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ScheduledExecutorService;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * One command connection: what is asked of it is done in the order it was asked, also when the server has forgotten its
 * scripts. Safe from any thread.
 */
final class CommandLink extends Link<StatefulRedisConnection<byte[], byte[]>> {
    /** Takes on calls whose key is another primary's by now. */
    interface Redirects {
        /** Whether the call is seen to; else it fails with what Redis said. */
        boolean redirect(Call<?, ?> call, String refusal, CommandLink from);
    }

    private final Function<RedisURI, CompletionStage<StatefulRedisConnection<byte[], byte[]>>> connector;
    private final Function<RedisAsyncCommands<byte[], byte[]>, CompletionStage<?>> preparation;
    private final Runnable onChange;
    private final Redirects redirects;
    private final int queue;
    private volatile @Nullable Wire wire;
    private volatile long answered;

    CommandLink(
            String name,
            ScheduledExecutorService control,
            RedisSettings settings,
            Supplier<CompletionStage<RedisURI>> where,
            Function<RedisURI, CompletionStage<StatefulRedisConnection<byte[], byte[]>>> connector,
            Function<RedisAsyncCommands<byte[], byte[]>, CompletionStage<?>> preparation,
            Redirects redirects,
            Runnable onChange) {
        super(name, control, where, settings.jitter().toMillis() / 10);
        this.queue = settings.requestQueue();
        this.redirects = redirects;
        this.connector = connector;
        this.preparation = preparation;
        this.onChange = onChange;
    }

    /** Runs a command on this connection whatever happens to slots. */
    <T> CompletableFuture<T> command(Function<RedisAsyncCommands<byte[], byte[]>, RedisFuture<T>> command) {
        return submit(new Call<>(null, (redis, whole) -> command.apply(redis), Function.identity(), null, true));
    }

    /** Runs a call; its stage fails with the plain {@link BackplaneException}, not wrapped in another. */
    <T> CompletableFuture<T> submit(Call<?, T> call) {
        Wire open = wire;
        if (open == null) call.done.completeExceptionally(BackplaneExceptions.down());
        else open.submit(call);
        return call.done;
    }

    boolean open() {
        return wire != null;
    }

    /** When Redis last answered anything, or the connection was made; nanoseconds. */
    long answered() {
        return answered;
    }

    /** Gives the present connection up. */
    void drop(String why) {
        StatefulRedisConnection<byte[], byte[]> connection = current();
        if (connection != null) drop(connection, why);
    }

    @Override
    CompletionStage<StatefulRedisConnection<byte[], byte[]>> connect(RedisURI uri) {
        return connector.apply(uri);
    }

    @Override
    CompletionStage<?> prepare(StatefulRedisConnection<byte[], byte[]> connection) {
        return preparation.apply(connection.async());
    }

    @Override
    void opened(StatefulRedisConnection<byte[], byte[]> connection) {
        answered = System.nanoTime();
        wire = new Wire(connection);
        onChange.run();
    }

    @Override
    void lost(StatefulRedisConnection<byte[], byte[]> connection) {
        Wire broken = wire;
        wire = null;
        if (broken != null) broken.fail();
        onChange.run();
    }

    /** Sends a command; a script as a whole where the server has forgotten it. */
    interface Transmission<T> {
        RedisFuture<T> to(RedisAsyncCommands<byte[], byte[]> redis, boolean whole);
    }

    /** Something asked of Redis. What is not on its way is touched by one thread at a time. */
    static final class Call<A, T> {
        final Shard.@Nullable Work work;
        final @Nullable String key;
        /** Whether all keys it touches are named, so that a server which has only some of them refuses it. */
        final boolean declared;

        final long born = System.nanoTime();
        private final Transmission<A> transmission;
        private final Function<A, T> reply;
        private final CompletableFuture<T> done = new CompletableFuture<>();
        /** Whether to say ASKING before it (Redis Cluster: the slot is about to be this server's). */
        boolean asking;

        /** @param key decides which primary it goes to; null for one that stays where it is put */
        Call(
                Shard.@Nullable Work work,
                Transmission<A> transmission,
                Function<A, T> reply,
                @Nullable String key,
                boolean declared) {
            this.work = work;
            this.transmission = transmission;
            this.reply = reply;
            this.key = key;
            this.declared = declared;
        }

        void fail(BackplaneException failure) {
            done.completeExceptionally(failure);
        }

        private void answer(A answer) {
            try {
                done.complete(reply.apply(answer));
            } catch (RuntimeException e) {
                done.completeExceptionally(new BackplaneException("Redis answered something else than expected", e));
            }
        }
    }

    /**
     * One life of the connection.
     *
     * <p>After a NOSCRIPT, calls are held until everything sent before it has been answered; then those that the server
     * did not know are sent whole, and the held ones after them. So a forgotten script changes no order.
     */
    private final class Wire {
        private final StatefulRedisConnection<byte[], byte[]> connection;
        private final RedisAsyncCommands<byte[], byte[]> redis;
        // Guarded by this wire's monitor; nothing under it waits.
        private int underWay;
        private boolean holding;
        private boolean broken;
        private final Queue<Call<?, ?>> unknown = new ArrayDeque<>();
        private final Queue<Call<?, ?>> held = new ArrayDeque<>();

        private Wire(StatefulRedisConnection<byte[], byte[]> connection) {
            this.connection = connection;
            this.redis = connection.async();
        }

        private void submit(Call<?, ?> call) {
            boolean refused;
            synchronized (this) {
                refused = broken || underWay + held.size() >= queue;
                if (!refused) {
                    if (holding) held.add(call);
                    else send(call, false);
                }
            }
            if (refused) call.done.completeExceptionally(broken ? BackplaneExceptions.down() : full());
        }

        private <A> void send(Call<A, ?> call, boolean whole) {
            underWay++;
            RedisFuture<A> answer;
            try {
                if (call.asking) {
                    call.asking = false;
                    var unused = redis.asking();
                }
                answer = call.transmission.to(redis, whole);
            } catch (RuntimeException e) {
                underWay--;
                finish(() -> call.done.completeExceptionally(BackplaneExceptions.of(e)));
                return;
            }
            var unused = answer.whenComplete((value, failure) -> answered(call, value, failure, whole));
        }

        private <A> void answered(Call<A, ?> call, A value, @Nullable Throwable failure, boolean whole) {
            boolean forgotten = failure != null && !whole && BackplaneExceptions.refusedWith(failure, "NOSCRIPT");
            if (failure == null || BackplaneExceptions.refusedWith(failure, "")) answered = System.nanoTime();
            synchronized (this) {
                underWay--;
                if (forgotten && !broken) {
                    holding = true;
                    unknown.add(call);
                }
                if (holding && underWay == 0) resume();
                if (forgotten && !broken) return;
            }
            if (failure == null) {
                finish(() -> call.answer(value));
                return;
            }
            if (call.key != null) {
                String refusal = BackplaneExceptions.refusal(failure, "MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN");
                String said = String.valueOf(BackplaneExceptions.unwrap(failure).getMessage());
                if (refusal != null && redirect(call, said)) return;
            }
            finish(() -> call.done.completeExceptionally(BackplaneExceptions.of(failure)));
            // A primary that was demoted takes no writes, one that starts none yet; a new connection finds the new one.
            String refusal = BackplaneExceptions.refusal(failure, "READONLY", "MASTERDOWN", "LOADING");
            if (refusal != null) drop(connection, "it does not lead to a working primary (" + refusal + ")");
        }

        /** Whether somebody has taken the call on; whatever goes wrong there, it is answered. */
        private boolean redirect(Call<?, ?> call, String refusal) {
            try {
                return redirects.redirect(call, refusal, CommandLink.this);
            } catch (RuntimeException e) {
                call.fail(new BackplaneException("Redis names a primary that cannot be understood: " + refusal, e));
                return true;
            }
        }

        private void resume() {
            holding = false;
            for (Call<?, ?> call = unknown.poll(); call != null; call = unknown.poll()) send(call, true);
            for (Call<?, ?> call = held.poll(); call != null; call = held.poll()) send(call, false);
        }

        private void fail() {
            var rest = new ArrayDeque<Call<?, ?>>();
            synchronized (this) {
                broken = true;
                holding = false;
                rest.addAll(unknown);
                rest.addAll(held);
                unknown.clear();
                held.clear();
            }
            for (Call<?, ?> call : rest) call.done.completeExceptionally(BackplaneExceptions.down());
        }

        /** Tells the caller, never under the monitor: a command that fails as it is sent is answered there. */
        private void finish(Runnable completion) {
            if (Thread.holdsLock(this)) ForkJoinPool.commonPool().execute(completion);
            else completion.run();
        }

        private BackplaneException full() {
            return new BackplaneException("too many commands wait for Redis");
        }
    }
}
