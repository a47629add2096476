package io.carillon.node.edge;

import jakarta.validation.constraints.Max;
import jakarta.validation.constraints.Min;
import jakarta.validation.constraints.NotNull;
import jakarta.validation.constraints.Positive;
import jakarta.validation.constraints.PositiveOrZero;
import java.time.Duration;
import java.util.List;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;
import org.springframework.validation.annotation.Validated;

/**
 * The door of a node, {@code carillon.edge}.
 *
 * @param loops event loops; 0 = one for each core
 * @param backlog connections the kernel holds until a loop accepts them
 * @param tick how often each loop looks after its connections; every duration below is kept to within one tick
 * @param handshake most time from accepting a connection, TLS included, to its first complete request, and again from
 *     there until identity is checked; 408 or 503 after it
 * @param requestBody most time for the body of an HTTP request; the connection is cut after it; 0 = no limit
 * @param keepAlive an HTTP connection without a request for this long is closed; longer than the proxy's own; 0 = no
 *     limit
 * @param initialLine longest request line; 414 over it; has to hold a token of 4 KB
 * @param headerSize most bytes of headers; 431 over it
 * @param headers most headers; 431 over it
 * @param earlyBytes most bytes a client may send before it is answered; the connection is cut over it
 * @param foreignUpgrades whether WebSocket upgrades to paths that are no endpoint are left to the HTTP server, for
 *     applications with WebSocket handlers of their own; else they are 404
 * @param trustedProxies networks ({@code address/bits}) whose {@code X-Forwarded-For}, {@code -Proto} and {@code -Host}
 *     are believed
 * @param maxSessions most sessions of the node; 503 over it; 0 = no limit
 * @param sessionsPerAddress most sessions of one client address, of one /64 with IPv6; 429 over it; 0 = no limit
 * @param handshakesPerSecond handshakes a second on average; 503 over it; 0 = no limit
 * @param handshakeBurst handshakes at once
 * @param assembly most time from the first byte of a message to its last; 1008 after it
 * @param fragments most fragments of a message, an empty one before the last counting twice; 1008 over it
 * @param controlsPerSecond pings and pongs a client may send a second on average; 4510 over it; 0 = no limit
 * @param controlBurst pings and pongs at once
 * @param closing most time for the client to answer a close frame; TCP is dropped after it
 * @param linger most time for the client to close TCP after the last byte for it was sent
 * @param drainNotice time between refusing new sessions and telling the sessions that are here, in which proxies notice;
 *     longer than a proxy keeps an idle connection to a node
 * @param drainWindow time over which a drain spreads its closes
 * @param drainFlush most time for what waits for a session before its connection is closed by a drain
 */
@Validated
@ConfigurationProperties("carillon.edge")
public record EdgeSettings(
        @PositiveOrZero @DefaultValue("0") int loops,
        @Positive @DefaultValue("4096") int backlog,
        @NotNull @DefaultValue("1s") Duration tick,
        @NotNull @DefaultValue("10s") Duration handshake,
        @NotNull @DefaultValue("30s") Duration requestBody,
        @NotNull @DefaultValue("75s") Duration keepAlive,
        @NotNull @DefaultValue("8KB") DataSize initialLine,
        @NotNull @DefaultValue("8KB") DataSize headerSize,
        @Min(16) @Max(1000) @DefaultValue("64") int headers,
        @NotNull @DefaultValue("64KB") DataSize earlyBytes,
        @DefaultValue("false") boolean foreignUpgrades,
        @DefaultValue({"127.0.0.0/8", "::1/128"}) List<String> trustedProxies,
        @PositiveOrZero @DefaultValue("12000") int maxSessions,
        @PositiveOrZero @DefaultValue("100") int sessionsPerAddress,
        @PositiveOrZero @DefaultValue("500") int handshakesPerSecond,
        @Positive @DefaultValue("1000") int handshakeBurst,
        @NotNull @DefaultValue("10s") Duration assembly,
        @Positive @DefaultValue("256") int fragments,
        @PositiveOrZero @DefaultValue("10") int controlsPerSecond,
        @Positive @DefaultValue("20") int controlBurst,
        @NotNull @DefaultValue("5s") Duration closing,
        @NotNull @DefaultValue("1s") Duration linger,
        @NotNull @DefaultValue("2s") Duration drainNotice,
        @NotNull @DefaultValue("15s") Duration drainWindow,
        @NotNull @DefaultValue("2s") Duration drainFlush) {

    public EdgeSettings {
        trustedProxies = List.copyOf(trustedProxies);
        positive("tick", tick);
        positive("handshake", handshake);
        positive("assembly", assembly);
        positive("closing", closing);
        positive("linger", linger);
        if (drainNotice.isNegative() || drainWindow.isNegative() || drainFlush.isNegative()) {
            throw new IllegalArgumentException(
                    "carillon.edge.drain-notice, drain-window and drain-flush are 0 or longer");
        }
        if (requestBody.isNegative() || keepAlive.isNegative()) {
            throw new IllegalArgumentException("carillon.edge has a negative duration");
        }
        for (String network : trustedProxies) Proxies.network(network);
    }

    private static void positive(String name, Duration duration) {
        if (duration.isNegative() || duration.isZero()) {
            throw new IllegalArgumentException("carillon.edge." + name + " must be longer than 0");
        }
    }
}
