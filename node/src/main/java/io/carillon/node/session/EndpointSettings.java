package io.carillon.node.session;

import io.carillon.model.channel.Namespace;
import io.carillon.model.event.Event;
import jakarta.validation.Valid;
import jakarta.validation.constraints.NotBlank;
import jakarta.validation.constraints.Pattern;
import jakarta.validation.constraints.Positive;
import jakarta.validation.constraints.PositiveOrZero;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;
import org.springframework.util.unit.DataSize;
import org.springframework.validation.annotation.Validated;

/**
 * The addresses clients connect to, {@code carillon.endpoints.<name>}.
 *
 * @param endpoints by name; those that are not {@code enabled} are left out
 */
@Validated
@ConfigurationProperties("carillon")
public record EndpointSettings(@DefaultValue Map<String, @Valid One> endpoints) {

    /**
     * One address.
     *
     * @param path exact path of the handshake, starting with a slash
     * @param dialect wire format spoken there
     * @param namespace application it belongs to; the endpoint's name when left out
     * @param maxMessage largest message accepted
     * @param messagesPerSecond messages a session may send a second on average; 0 = no limit
     * @param burst messages a session may send at once
     * @param origins foreign origins whose pages may connect, each {@code scheme://host[:port]}
     * @param queryToken whether the token may come as {@code ?token=}
     * @param sessionsPerUser most sessions of one user over all nodes; 0 = no limit
     * @param overLimit what becomes of a session over that: {@code refuse}, {@code close-oldest} or {@code replace}
     * @param clientBroadcast whether clients may send to everyone
     * @param presenceEvents whether a room is told who joins and leaves
     * @param ephemeralTypes event types never kept nor shown to their sender
     * @param senders who may send what, for each event type the kinds of users that may, as
     *     {@code senders.status_change: merchant, admin}; a type that is not named anyone may send
     * @param history how much is kept of its namespace's channels
     * @param silence a session that sends nothing for this long is closed with 4408
     * @param ping how often the server pings
     * @param mustSpeak whether only messages break the silence; otherwise any frame does, the pongs of a browser too
     * @param enabled whether it is there at all
     */
    public record One(
            @NotBlank @Pattern(regexp = "/[A-Za-z0-9/_-]{1,100}")
            String path,

            @NotBlank String dialect,
            @Nullable String namespace,
            @DefaultValue("512KB") DataSize maxMessage,
            @PositiveOrZero @DefaultValue("20") int messagesPerSecond,
            @Positive @DefaultValue("40") int burst,
            @DefaultValue Set<@Pattern(regexp = "https?://[^/*?#]+") String> origins,
            @DefaultValue("true") boolean queryToken,
            @PositiveOrZero @DefaultValue("10") int sessionsPerUser,
            @DefaultValue("refuse") OverLimit overLimit,
            @DefaultValue("false") boolean clientBroadcast,
            @DefaultValue("false") boolean presenceEvents,
            @DefaultValue("typing") Set<String> ephemeralTypes,
            @DefaultValue Map<String, Set<String>> senders,
            @DefaultValue @Valid History history,
            @DefaultValue("60s") Duration silence,
            @DefaultValue("25s") Duration ping,
            @DefaultValue("false") boolean mustSpeak,
            @DefaultValue("true") boolean enabled) {

        public One {
            if (ping.toMillis() <= 0 || silence.compareTo(ping) <= 0) {
                throw new IllegalArgumentException("an endpoint's silence must be longer than its ping");
            }
            if (maxMessage.toBytes() < 1024 || maxMessage.toBytes() > 16 * 1024 * 1024) {
                throw new IllegalArgumentException("an endpoint's max-message is 1KB to 16MB");
            }
        }
    }

    /**
     * How much is kept of a namespace's channels; what is left out is as {@code carillon.dispatch} says.
     *
     * @param user events of a user's channel
     * @param room events of a room
     * @param broadcast events of the broadcast
     * @param age how long after the last event
     */
    public record History(
            @Nullable @Positive Integer user,
            @Nullable @Positive Integer room,
            @Nullable @Positive Integer broadcast,
            @Nullable Duration age) {
        /** As the defaults say. */
        public static final History DEFAULT = new History(null, null, null, null);

        public History {
            if (age != null && (age.toSeconds() < 1 || age.toDays() > 30)) {
                throw new IllegalArgumentException("an endpoint's history.age is 1s to 30d");
            }
        }
    }

    public EndpointSettings {
        var there = new LinkedHashMap<>(endpoints);
        there.values().removeIf(one -> !one.enabled());
        endpoints = there;
        var paths = new HashMap<String, String>();
        endpoints.forEach((name, one) -> {
            if (one.path().equals(Endpoint.STREAMS)) {
                throw new IllegalArgumentException(
                        "the endpoint " + name + " has the path of all event streams, " + Endpoint.STREAMS);
            }
            String other = paths.put(one.path(), name);
            if (other != null) {
                throw new IllegalArgumentException(
                        "the endpoints " + other + " and " + name + " have the same path " + one.path());
            }
        });
    }

    /** The endpoints, checked; with the event streams of each application that speaks push. */
    public List<Endpoint> list() {
        var all = new ArrayList<Endpoint>();
        var streaming = new HashSet<Namespace>();
        endpoints.forEach((name, one) -> {
            Endpoint endpoint = endpoint(name, one);
            all.add(endpoint);
            if (endpoint.dialect().equals("push") && streaming.add(endpoint.namespace())) all.add(endpoint.stream());
        });
        return List.copyOf(all);
    }

    /** Whether a namespace of this name has an endpoint. */
    public boolean serves(String namespace) {
        for (var entry : endpoints.entrySet()) {
            if (namespaceOf(entry.getKey(), entry.getValue()).equals(namespace)) return true;
        }
        return false;
    }

    /**
     * Whether an event of a service is kept: as its publisher said, or else if it asks for an acknowledgement, or else by
     * its type.
     */
    public boolean durable(Namespace namespace, Event event) {
        Boolean said = event.durable();
        if (said != null) return said;
        if (event.ack()) return true;
        for (var entry : endpoints.entrySet()) {
            One one = entry.getValue();
            if (namespaceOf(entry.getKey(), one).equals(namespace.name())
                    && one.ephemeralTypes().contains(event.type())) return false;
        }
        return true;
    }

    /** How much is kept of the namespace's channels, by the first of its endpoints that says so. */
    public History history(Namespace namespace) {
        for (var entry : endpoints.entrySet()) {
            One one = entry.getValue();
            if (namespaceOf(entry.getKey(), one).equals(namespace.name())
                    && !one.history().equals(History.DEFAULT)) {
                return one.history();
            }
        }
        return History.DEFAULT;
    }

    private static String namespaceOf(String name, One one) {
        return one.namespace() == null ? name : one.namespace();
    }

    private static Endpoint endpoint(String name, One one) {
        return new Endpoint(
                name,
                one.path(),
                one.dialect(),
                new Namespace(namespaceOf(name, one)),
                Math.toIntExact(one.maxMessage().toBytes()),
                one.messagesPerSecond(),
                one.burst(),
                one.origins(),
                one.queryToken(),
                one.sessionsPerUser(),
                one.overLimit(),
                one.clientBroadcast(),
                one.presenceEvents(),
                one.ephemeralTypes(),
                one.senders(),
                one.history(),
                one.silence(),
                one.ping(),
                one.mustSpeak());
    }
}
