package io.carillon.node.edge;

import io.carillon.node.session.Endpoint;
import io.netty.util.NetUtil;
import jakarta.servlet.AsyncContext;
import jakarta.servlet.ServletOutputStream;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Collections;
import java.util.Enumeration;
import java.util.HashMap;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.http.HttpHeaders;
import org.springframework.http.server.PathContainer;
import org.springframework.http.server.ServletServerHttpRequest;
import org.springframework.http.server.ServletServerHttpResponse;
import org.springframework.web.socket.server.RequestUpgradeStrategy;
import org.springframework.web.socket.server.standard.StandardWebSocketUpgradeStrategy;
import org.springframework.web.util.pattern.PathPattern;

/**
 * Stands ahead of the servlets of an application that has a node inside: answers requests for an endpoint, by the same
 * rules as a listener of the node's own, and lets everything else pass. A request waits on the container's thread until
 * it is known whether it may come in, at most as long as a handshake may. Safe from any thread.
 */
public final class ServletDoor {
    private static final Logger log = LoggerFactory.getLogger(ServletDoor.class);

    private final Reception reception;
    private final EdgeLoops loops;
    private final RequestUpgradeStrategy upgrades = new StandardWebSocketUpgradeStrategy();
    private final AtomicInteger turn = new AtomicInteger();

    ServletDoor(Reception reception, EdgeLoops loops) {
        this.reception = reception;
        this.loops = loops;
    }

    /** The endpoint whose address the pattern of somebody else takes, too; null for none. */
    public @Nullable String clash(PathPattern pattern) {
        for (Entrance entrance : reception.entrances()) {
            if (pattern.matches(PathContainer.parsePath(entrance.endpoint().path())))
                return entrance.endpoint().name();
        }
        return null;
    }

    /** Answers the request if it is for an endpoint; whether it was. */
    public boolean take(HttpServletRequest request, HttpServletResponse response) throws IOException {
        String path = request.getRequestURI().substring(request.getContextPath().length());
        boolean stream = path.equals(Endpoint.STREAMS);
        Entrance entrance = reception.entrance(path);
        if (!stream && entrance == null) return false;
        var head = new OfServlet(request);
        InetAddress peer = peer(request);
        Knock knock = entrance == null
                ? StreamRequest.read(head, reception, peer, request.isSecure())
                : Handshake.read(head, entrance, reception.proxies, peer, request.isSecure());
        switch (knock) {
            case Refusal refusal -> refuse(request, response, refusal, entrance, stream);
            case Preflight preflight -> {
                response.setStatus(204);
                preflight.headers(response::setHeader);
            }
            case Arrival arrival
            when reception.admission.draining() ->
                refuse(request, response, Refusal.DRAINING, arrival.entrance(), stream);
            case Arrival arrival -> {
                EdgeLoop loop = loops.all()
                        .get(Math.floorMod(turn.getAndIncrement(), loops.all().size()));
                switch (new Waiting(loop, arrival).outcome()) {
                    case Refused(Refusal refusal) -> refuse(request, response, refusal, arrival.entrance(), stream);
                    case Welcome(Interview.Accepted accepted) -> accept(request, response, loop, accepted);
                }
            }
        }
        return true;
    }

    private static @Nullable InetAddress peer(HttpServletRequest request) {
        byte[] address = NetUtil.createByteArrayFromIpAddressString(request.getRemoteAddr());
        try {
            return address == null ? null : InetAddress.getByAddress(address);
        } catch (UnknownHostException e) {
            throw new IllegalStateException(e);
        }
    }

    private void refuse(
            HttpServletRequest request,
            HttpServletResponse response,
            Refusal refusal,
            @Nullable Entrance entrance,
            boolean stream)
            throws IOException {
        String endpoint =
                entrance == null ? EdgeMetrics.NO_ENDPOINT : entrance.endpoint().name();
        reception.metrics.connected(endpoint, refusal.reason());
        byte[] body = refusal.json(stream);
        response.setStatus(refusal.status());
        refusal.headers(stream, response::setHeader);
        // As on a listener of ours, where nothing follows a refusal.
        response.setHeader("Connection", refusal.status() == 426 ? "close, Upgrade" : "close");
        response.setContentLength(body.length);
        if (!request.getMethod().equals("HEAD")) response.getOutputStream().write(body);
    }

    private void accept(
            HttpServletRequest request, HttpServletResponse response, EdgeLoop loop, Interview.Accepted accepted)
            throws IOException {
        switch (accepted.arrival()) {
            case Handshake handshake -> upgrade(request, response, loop, accepted);
            case StreamRequest asked -> stream(request, response, loop, accepted, asked);
        }
    }

    private void upgrade(
            HttpServletRequest request, HttpServletResponse response, EdgeLoop loop, Interview.Accepted accepted)
            throws IOException {
        var connection = new SpringConnection(reception, loop, accepted);
        connection.onLoop(connection::answering);
        try {
            upgrades.upgrade(
                    new Bare(request),
                    new ServletServerHttpResponse(response),
                    accepted.subprotocol(),
                    List.of(),
                    null,
                    connection,
                    new HashMap<>());
        } catch (RuntimeException e) {
            connection.onLoop(connection::force);
            log.error("The container took no WebSocket session.", e);
            if (!response.isCommitted()) response.sendError(500);
        }
    }

    private void stream(
            HttpServletRequest request,
            HttpServletResponse response,
            EdgeLoop loop,
            Interview.Accepted accepted,
            StreamRequest asked)
            throws IOException {
        asked.headers(response::setHeader);
        // It ends with the connection, as on a listener of ours, and comes without chunks.
        response.setHeader("Connection", "close");
        ServletOutputStream out = response.getOutputStream();
        AsyncContext exchange = request.startAsync(request, response);
        exchange.setTimeout(0);
        var stream = new ServletStream(reception, loop, accepted, exchange, out);
        stream.onLoop(stream::answering);
        try {
            response.flushBuffer();
            stream.onLoop(stream::open);
        } catch (IOException e) {
            stream.onLoop(stream::force);
        }
    }

    /** What a request came to in the end. */
    private sealed interface Outcome permits Refused, Welcome {}

    private record Refused(Refusal refusal) implements Outcome {}

    private record Welcome(Interview.Accepted accepted) implements Outcome {}

    /** The container's thread, waiting for the loop. */
    private final class Waiting implements Interview.Applicant {
        private final CompletableFuture<Outcome> outcome = new CompletableFuture<>();
        private final EdgeLoop loop;
        private final Interview interview;

        Waiting(EdgeLoop loop, Arrival arrival) {
            this.loop = loop;
            this.interview = new Interview(reception, loop, arrival, this);
        }

        Outcome outcome() {
            loop.executor().execute(interview::begin);
            try {
                return outcome.get(reception.handshakeNanos, TimeUnit.NANOSECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } catch (ExecutionException | TimeoutException e) {
                // Not decided in time.
            }
            outcome.complete(new Refused(Refusal.UNDECIDED));
            loop.executor().execute(interview::end);
            return outcome.join();
        }

        @Override
        public boolean waits() {
            return !outcome.isDone();
        }

        @Override
        public void refuse(Refusal refusal, String endpoint) {
            interview.end();
            outcome.complete(new Refused(refusal));
        }

        @Override
        public void accept(Interview.Accepted accepted) {
            if (outcome.complete(new Welcome(accepted))) return;
            // Too late by a moment.
            Endpoint endpoint = accepted.endpoint();
            reception.admission.release(accepted.arrival().address());
            if (endpoint.sessionsPerUser() > 0) {
                reception.admission.leave(
                        endpoint.namespace(), accepted.principal().user());
            }
        }
    }

    /** As a servlet container has read it; the context path is the container's. */
    private record OfServlet(HttpServletRequest request) implements Head {
        @Override
        public String method() {
            return request.getMethod();
        }

        @Override
        public String target() {
            String query = request.getQueryString();
            return query == null ? request.getRequestURI() : request.getRequestURI() + "?" + query;
        }

        @Override
        public boolean http11() {
            return request.getProtocol().equals("HTTP/1.1");
        }

        @Override
        public List<String> all(String name) {
            Enumeration<String> values = request.getHeaders(name);
            return values == null ? List.of() : Collections.list(values);
        }
    }

    /** The handshake without what must not outlive it, since Spring keeps it: headers; and without compression. */
    private static final class Bare extends ServletServerHttpRequest {
        Bare(HttpServletRequest request) {
            super(new HttpServletRequestWrapper(request) {
                @Override
                public Enumeration<String> getHeaders(String name) {
                    return name.equalsIgnoreCase("Sec-WebSocket-Extensions")
                            ? Collections.emptyEnumeration()
                            : super.getHeaders(name);
                }
            });
        }

        @Override
        public HttpHeaders getHeaders() {
            return HttpHeaders.EMPTY;
        }
    }
}
