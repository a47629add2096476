package io.carillon.client;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.net.http.WebSocketHandshakeException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/** WebSockets of the JDK's {@link HttpClient}; any number of clients may share one. */
final class WebSockets implements Transport {
    /** Longest message taken, characters; an event's content is far below it. */
    private static final int MAX_FRAME = 32 * 1024 * 1024;

    private static final long GOODBYE_MILLIS = 2_000;

    private final HttpClient http;

    WebSockets(HttpClient http) {
        this.http = http;
    }

    @Override
    public Link open(URI address, @Nullable String token, @Nullable String lastEventId, Listener listener) {
        var builder = http.newWebSocketBuilder();
        if (token != null) builder.header("Authorization", "Bearer " + token);
        var link = new Connection(listener);
        link.opening(builder.buildAsync(address, link));
        return link;
    }

    private static final class Connection implements Link, WebSocket.Listener {
        private final Listener listener;
        private final StringBuilder text = new StringBuilder();

        private final ReentrantLock lock = new ReentrantLock();
        /** Guarded by the lock, as the rest. The JDK takes one message at a time. */
        private final ArrayDeque<String> outgoing = new ArrayDeque<>();

        private @Nullable CompletableFuture<WebSocket> opening;
        private @Nullable WebSocket socket;
        private boolean sending;
        private boolean closing;
        private boolean over;

        Connection(Listener listener) {
            this.listener = listener;
        }

        void opening(CompletableFuture<WebSocket> future) {
            lock.lock();
            try {
                opening = future;
            } finally {
                lock.unlock();
            }
            var unused = future.whenComplete((socket, failure) -> {
                if (failure != null) unopened(failure instanceof CompletionException e ? e.getCause() : failure);
            });
        }

        private void unopened(@Nullable Throwable failure) {
            if (!end()) return;
            if (failure instanceof WebSocketHandshakeException refused && refused.getResponse() != null) {
                var answer = refused.getResponse();
                listener.refused(
                        answer.statusCode(),
                        answer.headers()
                                .firstValue("Retry-After")
                                .map(WebSockets::seconds)
                                .orElse(0L));
            } else {
                listener.failed(failure == null ? new IOException("the handshake failed") : failure);
            }
        }

        @Override
        public void onOpen(WebSocket opened) {
            lock.lock();
            try {
                if (over) {
                    opened.abort();
                    return;
                }
                socket = opened;
            } finally {
                lock.unlock();
            }
            listener.opened();
        }

        @Override
        public @Nullable CompletionStage<?> onText(WebSocket from, CharSequence data, boolean last) {
            if (text.length() + data.length() > MAX_FRAME) {
                abort();
                listener.closed(1006);
                return null;
            }
            if (last && text.isEmpty()) {
                listener.frame(data.toString());
                return null;
            }
            text.append(data);
            if (last) {
                String whole = text.toString();
                text.setLength(0);
                listener.frame(whole);
            } else {
                listener.heard();
                from.request(1);
            }
            return null;
        }

        @Override
        public @Nullable CompletionStage<?> onPing(WebSocket from, ByteBuffer message) {
            // The JDK answers it.
            listener.heard();
            from.request(1);
            return null;
        }

        @Override
        public @Nullable CompletionStage<?> onPong(WebSocket from, ByteBuffer message) {
            listener.heard();
            from.request(1);
            return null;
        }

        @Override
        public @Nullable CompletionStage<?> onBinary(WebSocket from, ByteBuffer data, boolean last) {
            // The dialect has none.
            from.request(1);
            return null;
        }

        @Override
        public @Nullable CompletionStage<?> onClose(WebSocket from, int code, String reason) {
            if (end()) listener.closed(code);
            return null;
        }

        @Override
        public void onError(WebSocket from, Throwable error) {
            if (end()) listener.closed(1006);
        }

        private boolean end() {
            lock.lock();
            try {
                if (over) return false;
                over = true;
                outgoing.clear();
                return true;
            } finally {
                lock.unlock();
            }
        }

        @Override
        public void send(String frame) {
            lock.lock();
            try {
                if (over || closing) return;
                outgoing.add(frame);
                if (sending) return;
                sending = true;
            } finally {
                lock.unlock();
            }
            write();
        }

        private void write() {
            WebSocket open;
            String frame;
            lock.lock();
            try {
                open = socket;
                frame = over ? null : outgoing.poll();
                if (frame == null || open == null) {
                    sending = false;
                    return;
                }
            } finally {
                lock.unlock();
            }
            var unused = open.sendText(frame, true).whenComplete((sent, failure) -> {
                if (failure == null) write();
                else if (end()) {
                    open.abort();
                    listener.closed(1006);
                }
            });
        }

        @Override
        public void more() {
            WebSocket open = socket();
            if (open != null) open.request(1);
        }

        @Override
        public void ping() {
            WebSocket open = socket();
            if (open == null) return;
            // What fails is an end like any other, or one that nobody tells of; or the last one is still leaving.
            var unused = open.sendPing(ByteBuffer.allocate(0));
        }

        @Override
        public void close() {
            WebSocket open = socket();
            if (open == null) {
                abort();
                return;
            }
            lock.lock();
            try {
                closing = true;
            } finally {
                lock.unlock();
            }
            var unused = open.sendClose(WebSocket.NORMAL_CLOSURE, "").whenComplete((done, failure) -> {
                // The server's own close frame waits behind what was not asked for yet.
                if (failure == null) open.request(Integer.MAX_VALUE);
                else abort();
            });
            var cut = CompletableFuture.runAsync(
                    this::abort, CompletableFuture.delayedExecutor(GOODBYE_MILLIS, TimeUnit.MILLISECONDS));
        }

        @Override
        public void abort() {
            end();
            CompletableFuture<WebSocket> future;
            lock.lock();
            try {
                future = opening;
            } finally {
                lock.unlock();
            }
            WebSocket open = socket();
            if (open != null) open.abort();
            else if (future != null) future.cancel(true);
        }

        private @Nullable WebSocket socket() {
            lock.lock();
            try {
                return socket;
            } finally {
                lock.unlock();
            }
        }
    }

    /** Seconds of a {@code Retry-After}; dates, which the cluster does not send, count as none. */
    static long seconds(String value) {
        try {
            return Math.clamp(Long.parseLong(value.trim()), 0, 3600);
        } catch (NumberFormatException e) {
            return 0;
        }
    }
}
