package io.carillon.node.edge;

import static java.util.Objects.requireNonNull;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import io.carillon.model.channel.Namespace;
import io.carillon.node.identity.Credentials;
import io.carillon.node.identity.Principal;
import io.carillon.node.identity.Verdict;
import io.carillon.node.session.CloseCode;
import io.carillon.node.session.Endpoint;
import io.carillon.node.session.Session;
import io.carillon.node.session.SessionListener;
import io.carillon.node.testing.Poll;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import jakarta.servlet.AsyncContext;
import jakarta.servlet.Filter;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.HttpServletResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.boot.web.server.context.WebServerApplicationContext;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.context.annotation.Profile;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;
import reactor.core.publisher.Flux;

/**
 * The real door with sessions that echo, on a free port, on a listener of its own or in a servlet container; and what
 * happened to its sessions.
 */
final class EchoNode implements AutoCloseable {
    /** What became of a session. */
    record Ended(String user, int code) {}

    private static final Logged LOGGED = new Logged();

    private final ConfigurableApplicationContext context;
    final Echo echo;
    final Doorman doorman;
    private final Pages pages;

    private EchoNode(ConfigurableApplicationContext context) {
        this.context = context;
        this.echo = context.getBean(Echo.class);
        this.doorman = context.getBean(Doorman.class);
        this.pages = context.getBean(Pages.class);
    }

    Pages pages() {
        return pages;
    }

    /** @param settings {@code name=value} each, over those of the tests */
    static EchoNode start(String... settings) {
        return start(List.of(), settings);
    }

    /** The same inside a servlet application. */
    static EchoNode embedded(String... settings) {
        return start(WebApplicationType.SERVLET, List.of(), settings);
    }

    /** @param more configuration to add */
    static EchoNode start(List<Class<?>> more, String... settings) {
        return start(WebApplicationType.REACTIVE, more, settings);
    }

    private static EchoNode start(WebApplicationType type, List<Class<?>> more, String... settings) {
        var properties = new LinkedHashMap<String, Object>(Map.ofEntries(
                Map.entry("spring.config.location", "optional:classpath:/none/"),
                Map.entry("server.port", "0"),
                Map.entry("server.address", "127.0.0.1"),
                Map.entry("spring.main.banner-mode", "off"),
                Map.entry("spring.threads.virtual.enabled", "true"),
                Map.entry("management.endpoints.access.default", "none"),
                Map.entry("carillon.edge.tick", "20ms"),
                Map.entry("carillon.edge.sessions-per-address", "0"),
                Map.entry("carillon.edge.handshakes-per-second", "0"),
                Map.entry("carillon.edge.closing", "500ms"),
                Map.entry("carillon.edge.linger", "300ms"),
                Map.entry("carillon.edge.drain-notice", "0"),
                Map.entry("carillon.edge.drain-window", "200ms"),
                Map.entry("carillon.endpoints.echo.path", "/ws"),
                Map.entry("carillon.endpoints.echo.dialect", "push"),
                Map.entry("carillon.endpoints.echo.sessions-per-user", "0"),
                Map.entry("carillon.endpoints.echo.origins", "https://good.example"),
                Map.entry("carillon.endpoints.limited.path", "/limited"),
                Map.entry("carillon.endpoints.limited.dialect", "push"),
                Map.entry("carillon.endpoints.limited.sessions-per-user", "2"),
                Map.entry("logging.level.root", "WARN")));
        for (String setting : settings) {
            int equals = setting.indexOf('=');
            properties.put(setting.substring(0, equals), setting.substring(equals + 1));
        }
        var application = new SpringApplication(Parts.class);
        application.addPrimarySources(more);
        application.setWebApplicationType(type);
        application.setAdditionalProfiles("conformance");
        application.setRegisterShutdownHook(false);
        application.setDefaultProperties(properties);
        ConfigurableApplicationContext context = application.run();
        LOGGED.listen();
        return new EchoNode(context);
    }

    int port() {
        return requireNonNull(((WebServerApplicationContext) context).getWebServer())
                .getPort();
    }

    <T> T bean(Class<T> type) {
        return context.getBean(type);
    }

    RawClient connect() throws Exception {
        return RawClient.to(port());
    }

    /** A client whose handshake on the echo endpoint is through. */
    RawClient open() throws Exception {
        return open("/ws");
    }

    RawClient open(String target) throws Exception {
        RawClient client = connect();
        client.upgrade(target);
        return client;
    }

    /** Waits until what the door counted is given back. */
    void awaitEmpty() {
        Edge edge = bean(Edge.class);
        Poll.until("every session and admission given back", Duration.ofSeconds(5), edge::isEmpty);
    }

    @Override
    public void close() {
        context.close();
    }

    /** Everything logged at WARN and above since the last call. */
    static List<String> logged() {
        return LOGGED.take();
    }

    @Configuration(proxyBeanMethods = false)
    @Profile("conformance")
    @EnableAutoConfiguration(
            excludeName = {
                "org.springframework.boot.data.redis.autoconfigure.DataRedisAutoConfiguration",
                "org.springframework.boot.data.redis.autoconfigure.DataRedisReactiveAutoConfiguration",
                "org.springframework.boot.data.redis.autoconfigure.DataRedisRepositoriesAutoConfiguration"
            })
    @Import({EdgeConfiguration.class, Pages.class})
    static class Parts {
        /** As an application does that has a node inside. */
        @Bean
        @ConditionalOnWebApplication(type = ConditionalOnWebApplication.Type.SERVLET)
        FilterRegistrationBean<Filter> door(ServletDoor door, Echo echo) {
            return new FilterRegistrationBean<>((request, response, chain) -> {
                var seen = new HttpServletRequestWrapper((HttpServletRequest) request) {
                    @Override
                    public AsyncContext startAsync(ServletRequest asked, ServletResponse answer) {
                        AsyncContext exchange = super.startAsync(asked, answer);
                        echo.exchanges.add(exchange);
                        return exchange;
                    }
                };
                if (!door.take(seen, (HttpServletResponse) response)) chain.doFilter(request, response);
            });
        }

        @Bean
        Echo echo() {
            return new Echo();
        }

        @Bean
        Doorman doorman() {
            return new Doorman();
        }

        @Bean
        UserSessions userSessions() {
            return (namespace, user) -> CompletableFuture.completedFuture(user.startsWith("busy") ? 2L : 0L);
        }

        @Bean
        SessionIds sessionIds() {
            return new SessionIds("test");
        }

        @Bean
        DrainListener drainListener(Echo echo) {
            return new DrainListener() {
                @Override
                public void begun() {
                    echo.drains++;
                }

                @Override
                public void announce(Duration window) {
                    echo.announced = window;
                }
            };
        }
    }

    /** Plain HTTP beside the sessions. */
    @RestController
    @Profile("conformance")
    static class Pages {
        volatile CountDownLatch slow = new CountDownLatch(1);

        @GetMapping("/hello")
        String hello() {
            return "hello";
        }

        @GetMapping("/blocking")
        String blocking() {
            return Thread.currentThread().isVirtual() ? "virtual" : "loop";
        }

        @GetMapping("/slow")
        String slow() throws InterruptedException {
            slow.await(10, TimeUnit.SECONDS);
            return "slow";
        }

        @PostMapping("/length")
        String length(@RequestBody String body) {
            return Integer.toString(body.length());
        }

        @GetMapping(value = "/stream", produces = "text/event-stream")
        Flux<String> stream() {
            return Flux.range(0, 5).map(number -> "event " + number).delayElements(Duration.ofMillis(10));
        }
    }

    /** Answers each message with itself and remembers what happened. */
    static final class Echo implements SessionListener {
        final BlockingQueue<Session> opened = new LinkedBlockingQueue<>();
        final BlockingQueue<Ended> ended = new LinkedBlockingQueue<>();
        /** Exchanges that go on after their request, in a servlet container. */
        final BlockingQueue<AsyncContext> exchanges = new LinkedBlockingQueue<>();

        final AtomicInteger received = new AtomicInteger();
        volatile int drains;
        volatile Duration announced;

        @Override
        public void opened(Session session) {
            session.outbox().release();
            opened.add(session);
        }

        @Override
        public void received(Session session, byte[] text) {
            received.incrementAndGet();
            if (text.length == 5 && new String(text, StandardCharsets.UTF_8).equals("throw")) {
                throw new IllegalStateException("as asked");
            }
            session.socket().write(frame(text));
            session.socket().flush();
        }

        @Override
        public void closed(Session session, int code) {
            ended.add(new Ended(session.user(), code));
        }

        Session nextOpened() throws InterruptedException {
            return requireNonNull(opened.poll(5, TimeUnit.SECONDS), "no session opened");
        }

        Ended nextEnded() throws InterruptedException {
            return requireNonNull(ended.poll(5, TimeUnit.SECONDS), "no session ended");
        }

        /** Closes a session from outside, as dispatch does. */
        void close(Session session, CloseCode code) {
            session.socket().loop().execute(() -> session.socket().close(code));
        }
    }

    static ByteBuf frame(byte[] text) {
        ByteBuf frame = ByteBufAllocator.DEFAULT.buffer(10 + text.length).writeByte(0x81);
        if (text.length < 126) frame.writeByte(text.length);
        else if (text.length < 65536) frame.writeByte(126).writeShort(text.length);
        else frame.writeByte(127).writeLong(text.length);
        return frame.writeBytes(text);
    }

    /** Lets everybody in who does not ask to be refused. */
    static final class Doorman implements Gatekeeper {
        volatile Gatekeeper instead;
        final Queue<Credentials> seen = new ConcurrentLinkedQueue<>();
        volatile String address;

        @Override
        public CompletionStage<Verdict> admit(Endpoint endpoint, Credentials credentials, String from) {
            seen.add(credentials);
            address = from;
            Gatekeeper other = instead;
            if (other != null) return other.admit(endpoint, credentials, from);
            String refuse = credentials.query().get("refuse");
            if (refuse != null) {
                return CompletableFuture.completedFuture(
                        new Verdict.Refused(Integer.parseInt(refuse), "refused as \"asked\"", "test"));
            }
            return CompletableFuture.completedFuture(granted(credentials));
        }

        static Verdict granted(Credentials credentials) {
            String user = credentials.query().getOrDefault("user", "u1");
            String subprotocol = credentials.subprotocols().contains("chat.v1") ? "chat.v1" : null;
            return new Verdict.Granted(
                    new Principal(user, null, null, Set.of(), Long.MAX_VALUE, Map.of()), subprotocol);
        }
    }

    static Namespace namespace(String name) {
        return new Namespace(name);
    }

    private static final class Logged extends AppenderBase<ILoggingEvent> {
        private final Queue<String> lines = new ConcurrentLinkedQueue<>();

        void listen() {
            var root = (Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
            root.detachAppender(this);
            setContext(root.getLoggerContext());
            setName("edge-test");
            start();
            root.addAppender(this);
        }

        List<String> take() {
            var taken = List.copyOf(lines);
            lines.removeAll(taken);
            return taken;
        }

        @Override
        protected void append(ILoggingEvent event) {
            if (event.getLevel().isGreaterOrEqual(Level.WARN)) {
                lines.add(event.getLevel() + " " + event.getLoggerName() + " " + event.getFormattedMessage()
                        + (event.getThrowableProxy() == null
                                ? ""
                                : " " + event.getThrowableProxy().getClassName() + " "
                                        + event.getThrowableProxy().getMessage()));
            }
        }
    }
}
