package io.carillon.node.dispatch;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Namespace;
import io.carillon.model.event.Event;
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

    /** The channel on which a service's event is published, by the rules of the namespace's applications. */
    public ChannelName channel(ChannelName named, Event event) {
        ChannelName channel = named;
        for (Application application : in(named.namespace())) channel = application.channel(channel, event);
        return channel;
    }
}
