package io.carillon.client;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.HttpResponse.BodySubscriber;
import java.net.http.HttpResponse.BodySubscribers;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Flow;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/**
 * Event streams (WHATWG HTML §9.2), read line by line as the client asks for frames. Nothing can be sent on one. The
 * data of every event is a push frame; that of {@code close} holds the close code.
 */
final class EventStreams implements Transport {
    private static final JsonMapper JSON = JsonMapper.shared();

    private final HttpClient http;

    EventStreams(HttpClient http) {
        this.http = http;
    }

    @Override
    public Link open(URI address, @Nullable String token, @Nullable String lastEventId, Listener listener) {
        var request = HttpRequest.newBuilder(address).header("Accept", "text/event-stream");
        if (token != null) request.header("Authorization", "Bearer " + token);
        if (lastEventId != null) request.header("Last-Event-ID", lastEventId);
        var stream = new Stream(listener);
        stream.opening(http.sendAsync(
                request.build(),
                answer -> answer.statusCode() == 200
                        ? lines(stream)
                        : BodyHandlers.discarding().apply(answer)));
        return stream;
    }

    private static BodySubscriber<Void> lines(Stream stream) {
        return BodySubscribers.fromLineSubscriber(stream, s -> null, StandardCharsets.UTF_8, null);
    }

    private static final class Stream implements Link, Flow.Subscriber<String> {
        private final Listener listener;

        /** Of the reader, as the two below. */
        private final StringBuilder data = new StringBuilder();

        private String name = "";
        private @Nullable String id;

        private final ReentrantLock lock = new ReentrantLock();
        /** Guarded by the lock, as the two below. */
        private Flow.@Nullable Subscription subscription;

        private @Nullable CompletableFuture<HttpResponse<Void>> opening;
        private boolean over;

        Stream(Listener listener) {
            this.listener = listener;
        }

        void opening(CompletableFuture<HttpResponse<Void>> future) {
            lock.lock();
            try {
                opening = future;
            } finally {
                lock.unlock();
            }
            var unused = future.whenComplete((answer, failure) -> {
                if (failure != null) {
                    if (end()) listener.failed(failure instanceof CompletionException e ? cause(e) : failure);
                } else if (answer.statusCode() != 200 && end()) {
                    listener.refused(
                            answer.statusCode(),
                            answer.headers()
                                    .firstValue("Retry-After")
                                    .map(WebSockets::seconds)
                                    .orElse(0L));
                }
            });
        }

        private static Throwable cause(CompletionException e) {
            Throwable cause = e.getCause();
            return cause == null ? e : cause;
        }

        @Override
        public void onSubscribe(Flow.Subscription given) {
            lock.lock();
            try {
                subscription = given;
                if (over) {
                    given.cancel();
                    return;
                }
            } finally {
                lock.unlock();
            }
            listener.opened();
        }

        @Override
        public void onNext(String line) {
            listener.heard();
            if (!line.isEmpty()) {
                field(line);
                more();
                return;
            }
            String frame = data.toString();
            String event = name;
            data.setLength(0);
            name = "";
            if (event.equals("close")) {
                closed(frame);
                return;
            }
            boolean dispatched = !frame.isEmpty();
            if (dispatched) listener.frame(frame);
            String at = id;
            if (at != null) {
                id = null;
                listener.mark(at);
            }
            // Behind a frame it is the client who asks for more.
            if (!dispatched) more();
        }

        private void field(String line) {
            int colon = line.indexOf(':');
            if (colon == 0) return;
            String field = colon < 0 ? line : line.substring(0, colon);
            String value = colon < 0 ? "" : line.substring(colon + 1);
            if (value.startsWith(" ")) value = value.substring(1);
            switch (field) {
                case "event" -> name = value;
                case "id" -> id = value;
                case "data" -> {
                    if (!data.isEmpty()) data.append('\n');
                    data.append(value);
                }
                default -> {}
            }
        }

        private void closed(String frame) {
            int code;
            try {
                code = JSON.readTree(frame).path("code").asInt(1006);
            } catch (JacksonException e) {
                code = 1006;
            }
            boolean first = end();
            cancel();
            if (first) listener.closed(code);
        }

        @Override
        public void onError(Throwable failure) {
            if (end()) listener.closed(1006);
        }

        @Override
        public void onComplete() {
            if (end()) listener.closed(1006);
        }

        private boolean end() {
            lock.lock();
            try {
                if (over) return false;
                over = true;
                return true;
            } finally {
                lock.unlock();
            }
        }

        private void cancel() {
            Flow.Subscription open;
            CompletableFuture<HttpResponse<Void>> future;
            lock.lock();
            try {
                open = subscription;
                future = opening;
            } finally {
                lock.unlock();
            }
            if (open != null) open.cancel();
            else if (future != null) future.cancel(true);
        }

        @Override
        public void send(String frame) {
            throw new IllegalStateException("an event stream takes nothing");
        }

        @Override
        public void more() {
            Flow.Subscription open;
            lock.lock();
            try {
                open = over ? null : subscription;
            } finally {
                lock.unlock();
            }
            if (open != null) open.request(1);
        }

        @Override
        public void close() {
            abort();
        }

        @Override
        public void ping() {}

        @Override
        public void abort() {
            end();
            cancel();
        }
    }
}
