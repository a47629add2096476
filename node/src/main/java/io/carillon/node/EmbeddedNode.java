package io.carillon.node;

import io.carillon.node.api.ServletApi;
import io.carillon.node.backplane.Backplane;
import io.carillon.node.edge.Edge;
import io.carillon.node.edge.ServletDoor;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.MeterBinder;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletContext;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.beans.factory.config.SingletonBeanRegistry;
import org.springframework.beans.factory.support.BeanDefinitionRegistryPostProcessor;
import org.springframework.boot.autoconfigure.AutoConfigurationExcludeFilter;
import org.springframework.boot.autoconfigure.ImportAutoConfiguration;
import org.springframework.boot.context.properties.source.ConfigurationPropertySources;
import org.springframework.boot.convert.ApplicationConversionService;
import org.springframework.boot.data.redis.autoconfigure.DataRedisAutoConfiguration;
import org.springframework.boot.data.redis.autoconfigure.DataRedisConnectionDetails;
import org.springframework.boot.env.YamlPropertySourceLoader;
import org.springframework.boot.ssl.SslBundles;
import org.springframework.context.SmartLifecycle;
import org.springframework.context.annotation.ComponentScan;
import org.springframework.context.annotation.FilterType;
import org.springframework.core.convert.support.ConfigurableConversionService;
import org.springframework.core.env.ConfigurableEnvironment;
import org.springframework.core.env.EnumerablePropertySource;
import org.springframework.core.env.MapPropertySource;
import org.springframework.core.env.MutablePropertySources;
import org.springframework.core.env.PropertySource;
import org.springframework.core.io.ClassPathResource;
import org.springframework.util.ClassUtils;
import org.springframework.web.context.WebApplicationContext;
import org.springframework.web.context.support.AnnotationConfigWebApplicationContext;
import org.springframework.web.context.support.StandardServletEnvironment;
import org.springframework.web.servlet.handler.AbstractUrlHandlerMapping;
import org.springframework.web.servlet.mvc.method.annotation.RequestMappingHandlerMapping;
import org.springframework.web.util.pattern.PathPattern;
import org.springframework.web.util.pattern.PathPatternParser;

/**
 * A node inside a servlet application, in a context of its own: the application's beans and the node's never meet, but for
 * what is named in {@link #share}. It starts before the application's server accepts anybody and ends after it. Safe from
 * any thread.
 */
final class EmbeddedNode implements SmartLifecycle {
    private static final String REDIS = "spring.data.redis.";

    private final WebApplicationContext application;
    private final ConfigurableEnvironment settings;
    private final ObjectProvider<MeterRegistry> registry;
    private final ObjectProvider<DataRedisConnectionDetails> redis;
    private final ObjectProvider<SslBundles> bundles;
    private volatile @Nullable Inside inside;

    /** What a started node is made of, as far as the application calls it. */
    private record Inside(
            AnnotationConfigWebApplicationContext context,
            ServletDoor door,
            ServletApi api,
            Edge edge,
            Backplane backplane) {}

    EmbeddedNode(
            WebApplicationContext application,
            ConfigurableEnvironment settings,
            ObjectProvider<MeterRegistry> registry,
            ObjectProvider<DataRedisConnectionDetails> redis,
            ObjectProvider<SslBundles> bundles) {
        this.application = application;
        this.settings = settings;
        this.registry = registry;
        this.redis = redis;
        this.bundles = bundles;
    }

    /** The rooms of a node, and Redis as Boot sets it up. Registered by hand, so that no scan finds it. */
    @ComponentScan(
            basePackageClasses = EmbeddedNode.class,
            excludeFilters = {
                @ComponentScan.Filter(type = FilterType.ASSIGNABLE_TYPE, classes = CarillonNode.class),
                @ComponentScan.Filter(type = FilterType.CUSTOM, classes = AutoConfigurationExcludeFilter.class)
            })
    @ImportAutoConfiguration(DataRedisAutoConfiguration.class)
    static final class Rooms {}

    /** A filter of the application: answers what is for the node, and lets everything else pass. */
    void filter(ServletRequest request, ServletResponse response, FilterChain chain)
            throws IOException, ServletException {
        Inside here = inside;
        if (here != null
                && request instanceof HttpServletRequest asked
                && response instanceof HttpServletResponse answer
                && (here.door.take(asked, answer) || here.api.take(asked, answer))) return;
        chain.doFilter(request, response);
    }

    /** Whether it takes sessions and has Redis. */
    boolean serves() {
        Inside here = inside;
        return here != null && here.context.isActive() && !here.edge.draining() && here.backplane.connected();
    }

    /** Takes no more sessions and closes those that are here, as {@link Edge#drain}. */
    CompletableFuture<Void> drain() {
        Inside here = inside;
        return here == null ? CompletableFuture.completedFuture(null) : here.edge.drain();
    }

    @Override
    public void start() {
        ServletContext servlets = application.getServletContext();
        if (!ClassUtils.isPresent("org.springframework.web.socket.WebSocketHandler", null)
                || servlets == null
                || servlets.getAttribute("jakarta.websocket.server.ServerContainer") == null) {
            throw new IllegalStateException(
                    "carillon.enabled is true, but this application's server has no WebSocket: add the dependency"
                            + " org.springframework.boot:spring-boot-starter-websocket");
        }
        MeterRegistry meters = registry.getIfAvailable(SimpleMeterRegistry::new);
        ConfigurableEnvironment own = settings();
        var context = new AnnotationConfigWebApplicationContext();
        context.setDisplayName("Carillon");
        context.setId("carillon");
        context.setServletContext(servlets);
        context.setEnvironment(own);
        context.setClassLoader(application.getClassLoader());
        context.setAllowBeanDefinitionOverriding(false);
        context.register(Rooms.class);
        context.addBeanFactoryPostProcessor((BeanDefinitionRegistryPostProcessor)
                definitions -> share((SingletonBeanRegistry) definitions, meters, own));
        context.addBeanFactoryPostProcessor(
                factory -> factory.setConversionService(ApplicationConversionService.getSharedInstance()));
        context.refresh();
        try {
            refuseClashes(context.getBean(ServletDoor.class), context.getBean(ServletApi.class));
        } catch (RuntimeException e) {
            context.close();
            throw e;
        }
        context.getBeanProvider(MeterBinder.class).forEach(binder -> binder.bindTo(meters));
        inside = new Inside(
                context,
                context.getBean(ServletDoor.class),
                context.getBean(ServletApi.class),
                context.getBean(Edge.class),
                context.getBean(Backplane.class));
    }

    /** Nobody's address is taken silently: where both have one, the start says so. */
    private void refuseClashes(ServletDoor door, ServletApi api) {
        Stream<String> controllers = application.getBeansOfType(RequestMappingHandlerMapping.class).values().stream()
                .flatMap(mapping -> mapping.getHandlerMethods().keySet().stream())
                .flatMap(mapped -> mapped.getPatternValues().stream());
        Stream<String> handlers = application.getBeansOfType(AbstractUrlHandlerMapping.class).values().stream()
                .flatMap(mapping -> mapping.getHandlerMap().keySet().stream());
        Stream.concat(controllers, handlers)
                // What takes whatever nobody else does, takes what is left.
                .filter(pattern -> pattern.length() > 1 && pattern.charAt(1) != '*' && pattern.charAt(1) != '{')
                .forEach(pattern -> {
                    PathPattern taken = PathPatternParser.defaultInstance.parse(pattern);
                    String endpoint = door.clash(taken);
                    if (endpoint == null && !api.clashes(taken)) return;
                    throw new IllegalStateException("the application has " + pattern + ", and so has the node"
                            + (endpoint == null ? "'s HTTP API" : "'s endpoint " + endpoint)
                            + ": move one of them (carillon.endpoints.<name>.path), or leave the node's out"
                            + " (carillon.endpoints.<name>.enabled=false)");
                });
    }

    /** Where metrics go, whom TLS trusts, and Redis where the node has none of its own. */
    private void share(SingletonBeanRegistry to, MeterRegistry meters, ConfigurableEnvironment own) {
        to.registerSingleton("meterRegistry", meters);
        SslBundles trusted = bundles.getIfAvailable();
        if (trusted != null) to.registerSingleton("sslBundles", trusted);
        DataRedisConnectionDetails details = redis.getIfAvailable();
        if (details != null && url(own).isBlank()) to.registerSingleton("redisConnectionDetails", details);
    }

    private static String url(ConfigurableEnvironment environment) {
        return environment.getProperty("carillon.redis.url", "");
    }

    /** The application's settings, over a node's defaults. */
    private ConfigurableEnvironment settings() {
        var own = new StandardServletEnvironment();
        own.setConversionService((ConfigurableConversionService) ApplicationConversionService.getSharedInstance());
        MutablePropertySources sources = own.getPropertySources();
        List.copyOf(sources.stream().toList()).forEach(source -> sources.remove(source.getName()));
        for (PropertySource<?> source : settings.getPropertySources()) {
            if (!ConfigurationPropertySources.isAttachedConfigurationPropertySource(source)) sources.addLast(source);
        }
        own.setActiveProfiles(settings.getActiveProfiles());
        // Known when the server listens, which is later.
        sources.addLast(new PropertySource<>("carillonPort", settings) {
            @Override
            public @Nullable Object getProperty(String name) {
                return name.equals("local.server.port") ? source.getProperty(name) : null;
            }
        });
        sources.addLast(new MapPropertySource("carillonDefaults", defaults()));
        String url = url(own);
        if (!url.isBlank()) {
            for (String other : List.of("sentinel.master", "cluster.nodes")) {
                if (own.containsProperty(REDIS + other)) {
                    throw new IllegalStateException("carillon.redis.url and " + REDIS + other
                            + " are both set: leave one out, the node would not know which to use");
                }
            }
            sources.addFirst(new MapPropertySource("carillonRedis", Map.of(REDIS + "url", url)));
        }
        ConfigurationPropertySources.attach(own);
        return own;
    }

    /** What a node of its own has in its settings, but for where it listens: that is the application's. */
    private static Map<String, Object> defaults() {
        var defaults = new LinkedHashMap<String, Object>();
        try {
            for (PropertySource<?> source : new YamlPropertySourceLoader()
                    .load("defaults", new ClassPathResource(CarillonNode.SETTINGS + "application.yml"))) {
                for (String name : ((EnumerablePropertySource<?>) source).getPropertyNames()) {
                    Object value = source.getProperty(name);
                    boolean node = name.startsWith("carillon.") || name.startsWith(REDIS);
                    if (node && value != null) defaults.put(name, value);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return defaults;
    }

    @Override
    public void stop() {
        Inside here = inside;
        inside = null;
        if (here != null) here.context.close();
    }

    @Override
    public boolean isRunning() {
        return inside != null;
    }

    /** Before the web server, which comes after all but the latest. */
    @Override
    public int getPhase() {
        return Integer.MAX_VALUE - 4096;
    }
}
