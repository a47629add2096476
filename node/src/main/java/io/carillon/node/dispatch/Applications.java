package io.carillon.node.dispatch;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Namespace;
import io.carillon.model.event.Event;
import io.carillon.model.event.InvalidEventException;
import io.carillon.node.session.Endpoint;
import io.carillon.node.session.EndpointSettings;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** The applications of this node, by the dialects they serve. Immutable; safe from any thread. */
public final class Applications {
    private final Map<String, Application> byDialect;
    private final Map<String, List<Application>> byNamespace = new HashMap<>();

    public Applications(List<Application> applications, EndpointSettings endpoints) {
        byDialect =
                applications.stream().collect(Collectors.toUnmodifiableMap(Application::dialect, Function.identity()));
        for (Endpoint endpoint : endpoints.list()) {
            Application application = of(endpoint);
            if (application == null) continue;
            List<Application> here =
                    byNamespace.computeIfAbsent(endpoint.namespace().name(), name -> new ArrayList<>(1));
            if (!here.contains(application)) here.add(application);
        }
    }

    /** The application behind the endpoint; null where events are only passed on. */
    public @Nullable Application of(Endpoint endpoint) {
        return byDialect.get(endpoint.dialect());
    }

    /** The application of a dialect; null where it has none. */
    @Nullable
    Application of(String dialect) {
        return byDialect.get(dialect);
    }

    /** The applications behind a namespace's endpoints. */
    List<Application> in(Namespace namespace) {
        return byNamespace.getOrDefault(namespace.name(), List.of());
    }

    Collection<Application> all() {
        return byDialect.values();
    }

    /** Where an event of a service goes, and as what. */
    public record Placed(ChannelName channel, Event event) {}

    /**
     * Finds out where a service's event is published, by the rules of the namespace's applications.
     *
     * @throws InvalidEventException when it is none a service may publish there
     */
    public Placed place(ChannelName named, Event event) throws InvalidEventException {
        ChannelName channel = named;
        for (Application application : in(named.namespace())) channel = application.channel(channel, event);
        // The channel said for whom it is; in another place only the event can.
        boolean moved = named.kind() == ChannelName.Kind.USER && !channel.equals(named);
        return new Placed(channel, moved ? event.with().to(named.id()).build() : event);
    }
}
