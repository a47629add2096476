package io.carillon.node.edge;

import io.carillon.node.identity.Credentials;
import io.netty.handler.codec.http.QueryStringDecoder;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.BiFunction;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A well-formed opening handshake (RFC 6455 §4.2.1) for an endpoint, from a page that may connect.
 *
 * @param key the client's {@code Sec-WebSocket-Key}
 * @param credentials what it brought to say who it is from
 * @param address the client's address
 */
record Handshake(Entrance entrance, String key, Credentials credentials, String address) implements Arrival {
    private static final int SUBPROTOCOLS = 8;
    private static final int PARAMETERS = 64;

    /** Shows no secret. */
    @Override
    public String toString() {
        return "Handshake[" + entrance.endpoint().name() + " " + address + "]";
    }

    /** The path of a request target, in origin-form or absolute-form (RFC 9112 §3.2), as it was sent. */
    static String path(String target) {
        int start = start(target);
        int end = start;
        while (end < target.length() && target.charAt(end) != '?' && target.charAt(end) != '#') end++;
        return target.substring(start, end);
    }

    private static int start(String target) {
        if (target.startsWith("/")) return 0;
        int scheme = target.indexOf("://");
        if (scheme < 0) return 0;
        int path = target.indexOf('/', scheme + 3);
        return path < 0 ? target.length() : path;
    }

    /** Whether it asks for WebSocket at all, well-formed or not. */
    static boolean upgrades(Head request) {
        return lists(request, "upgrade", "websocket");
    }

    /** Whether a body comes with it, which a handshake must not have: behind a proxy it may be a second request. */
    static boolean hasBody(Head request) {
        if (!request.all("transfer-encoding").isEmpty()) return true;
        List<String> lengths = request.all("content-length");
        return !lengths.isEmpty() && !lengths.getFirst().trim().equals("0");
    }

    /** Reads the request, in the order in which a client is to be told what is wrong. */
    static Knock read(Head request, Entrance entrance, Proxies proxies, @Nullable InetAddress peer, boolean tls) {
        if (!request.method().equals("GET")) return Refusal.METHOD;
        if (!request.http11() || !upgrades(request) || !lists(request, "connection", "upgrade")) {
            return Refusal.NOT_WEBSOCKET;
        }
        List<String> versions = request.all("sec-websocket-version");
        if (versions.size() != 1 || !versions.getFirst().trim().equals("13")) return Refusal.NOT_WEBSOCKET;
        if (hasBody(request)) return Refusal.malformed("a WebSocket handshake has no body");
        return visitor(request, query -> entrance, Refusal.NOT_FOUND, proxies, peer, tls, (found, visitor) -> {
            List<String> keys = request.all("sec-websocket-key");
            if (keys.size() != 1 || !isKey(keys.getFirst().trim())) {
                return Refusal.malformed("exactly one Sec-WebSocket-Key of 16 bytes in base64 is required");
            }
            return new Handshake(found, keys.getFirst().trim(), visitor.credentials(), visitor.address());
        });
    }

    /**
     * Who asks, whatever for.
     *
     * @param origin the page's; empty for none
     */
    record Visitor(Credentials credentials, String address, String origin) {}

    /**
     * Reads what says who asks, and lets pages pass that may.
     *
     * @param which finds out by the query what is asked for; null for nothing there is
     * @param nothing the answer then
     */
    static Knock visitor(
            Head request,
            Function<Map<String, String>, @Nullable Entrance> which,
            Refusal nothing,
            Proxies proxies,
            @Nullable InetAddress peer,
            boolean tls,
            BiFunction<Entrance, Visitor, Knock> then) {
        List<String> hosts = request.all("host");
        if (hosts.size() != 1 || !Origins.isHost(hosts.getFirst().trim())) {
            return Refusal.malformed("exactly one Host header is required");
        }
        List<String> origins = request.all("origin");
        if (origins.size() > 1) return Refusal.malformed("at most one Origin header is allowed");
        List<String> authorizations = request.all("authorization");
        if (authorizations.size() > 1) return Refusal.malformed("at most one Authorization header is allowed");
        List<String> subprotocols = tokens(request, "sec-websocket-protocol");
        if (subprotocols.size() > SUBPROTOCOLS) return Refusal.malformed("too many subprotocols");
        Map<String, String> query = query(request.target());
        if (query == null) return Refusal.malformed("the query is malformed");
        Entrance entrance = which.apply(query);
        if (entrance == null) return nothing;
        boolean trusted = proxies.trusts(peer);
        String origin = origins.isEmpty() ? "" : origins.getFirst().trim();
        if (!origins.isEmpty()) {
            String scheme = tls ? "https" : "http";
            String host = hosts.getFirst().trim();
            if (trusted) {
                String proto = last(request, "x-forwarded-proto");
                if (proto != null) scheme = proto.equals("https") || proto.equals("wss") ? "https" : "http";
                String forwarded = last(request, "x-forwarded-host");
                if (forwarded != null) host = forwarded;
            }
            if (!entrance.origins().accepts(origin, scheme, host)) return Refusal.ORIGIN;
        }
        var credentials =
                new Credentials(authorizations.isEmpty() ? null : authorizations.getFirst(), subprotocols, query);
        return then.apply(entrance, new Visitor(credentials, proxies.client(peer, request), origin));
    }

    private static boolean isKey(String key) {
        if (key.length() != 24) return false;
        try {
            return Base64.getDecoder().decode(key).length == 16;
        } catch (IllegalArgumentException e) {
            return false;
        }
    }

    private static @Nullable Map<String, String> query(String target) {
        int mark = target.indexOf('?');
        if (mark < 0) return Map.of();
        int end = target.indexOf('#', mark);
        String raw = target.substring(mark + 1, end < 0 ? target.length() : end);
        int parameters = 1;
        for (int i = 0; i < raw.length(); i++) {
            if (raw.charAt(i) == '&' && ++parameters > PARAMETERS) return null;
        }
        try {
            var first = new HashMap<String, String>();
            QueryStringDecoder.builder()
                    .hasPath(false)
                    .semicolonIsNormalChar(true)
                    .build(raw)
                    .parameters()
                    .forEach((name, values) -> first.put(name, values.getFirst()));
            return first;
        } catch (IllegalArgumentException e) {
            return null;
        }
    }

    private static @Nullable String last(Head request, String name) {
        List<String> values = request.all(name);
        if (values.isEmpty()) return null;
        String line = values.getLast();
        return line.substring(line.lastIndexOf(',') + 1).trim().toLowerCase(Locale.ROOT);
    }

    private static boolean lists(Head request, String name, String token) {
        for (String listed : tokens(request, name)) {
            if (listed.equalsIgnoreCase(token)) return true;
        }
        return false;
    }

    private static List<String> tokens(Head request, String name) {
        List<String> lines = request.all(name);
        if (lines.isEmpty()) return List.of();
        var tokens = new ArrayList<String>(4);
        for (String line : lines) {
            for (String token : line.split(",", -1)) {
                String trimmed = token.trim();
                if (!trimmed.isEmpty()) tokens.add(trimmed);
            }
        }
        return tokens;
    }
}
