package io.carillon.node.api;

import io.carillon.node.session.Endpoint;
import io.carillon.node.session.EndpointSettings;
import jakarta.servlet.ReadListener;
import jakarta.servlet.ServletConfig;
import jakarta.servlet.ServletContext;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletInputStream;
import jakarta.servlet.http.HttpServletMapping;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletRequestWrapper;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.MappingMatch;
import java.io.IOException;
import java.util.Collections;
import java.util.Enumeration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.springframework.beans.factory.SmartInitializingSingleton;
import org.springframework.context.ApplicationListener;
import org.springframework.context.event.ContextClosedEvent;
import org.springframework.http.ResponseEntity;
import org.springframework.http.server.PathContainer;
import org.springframework.http.server.RequestPath;
import org.springframework.http.server.ServletServerHttpRequest;
import org.springframework.web.context.WebApplicationContext;
import org.springframework.web.servlet.DispatcherServlet;
import org.springframework.web.servlet.mvc.method.annotation.RequestMappingHandlerMapping;
import org.springframework.web.util.pattern.PathPattern;
import org.springframework.web.util.pattern.PathPatternParser;
import tools.jackson.databind.json.JsonMapper;

/**
 * The calls of this room inside a servlet application, through a dispatcher of their own, so that nothing the application
 * sets up for its controllers changes them. Safe from any thread.
 */
public final class ServletApi implements SmartInitializingSingleton, ApplicationListener<ContextClosedEvent> {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final PathPattern OURS = PathPatternParser.defaultInstance.parse("/api/ws/**");

    /** Addresses that are there for an application, by the dialect it speaks; without an endpoint of it they are not. */
    private static final Map<String, PathPattern> APPLICATIONS = Map.of(
            "conversation", PathPatternParser.defaultInstance.parse("/messages/**"),
            "chat", PathPatternParser.defaultInstance.parse("/api/chat/**"),
            "line-windows", PathPatternParser.defaultInstance.parse("/api/line/**"));

    private final WebApplicationContext context;
    private final RequestMappingHandlerMapping calls;
    private final Gate gate;
    private final Set<String> spoken;
    private final DispatcherServlet dispatcher;
    private List<PathPattern> patterns = List.of(OURS);
    private volatile boolean ended;

    ServletApi(
            WebApplicationContext context, RequestMappingHandlerMapping calls, Gate gate, EndpointSettings endpoints) {
        this.spoken = endpoints.list().stream().map(Endpoint::dialect).collect(Collectors.toUnmodifiableSet());
        this.context = context;
        this.calls = calls;
        this.gate = gate;
        this.dispatcher = new DispatcherServlet(context);
        dispatcher.setPublishContext(false);
        dispatcher.setPublishEvents(false);
    }

    /** The node ends; the server it is in may go on. */
    @Override
    public void onApplicationEvent(ContextClosedEvent event) {
        ended = true;
    }

    @Override
    public void afterSingletonsInstantiated() {
        patterns = Stream.concat(
                        Stream.of(OURS),
                        calls.getHandlerMethods().keySet().stream()
                                .flatMap(call -> call.getPathPatternsCondition() == null
                                        ? Stream.of()
                                        : call.getPathPatternsCondition().getPatterns().stream())
                                .filter(pattern -> !covers(OURS, pattern) && isSpoken(pattern)))
                .toList();
        try {
            dispatcher.init(new Config(context.getServletContext()));
        } catch (ServletException e) {
            throw new IllegalStateException("the HTTP API cannot be served", e);
        }
    }

    private boolean isSpoken(PathPattern pattern) {
        return APPLICATIONS.entrySet().stream()
                .allMatch(application ->
                        spoken.contains(application.getKey()) || !covers(application.getValue(), pattern));
    }

    private static boolean covers(PathPattern wide, PathPattern narrow) {
        return wide.matches(PathContainer.parsePath(narrow.getPatternString()));
    }

    /** Whether the pattern of somebody else names an address of the API. */
    public boolean clashes(PathPattern pattern) {
        return patterns.stream().anyMatch(ours -> covers(ours, pattern));
    }

    /** Answers the request if its address is one of the API; whether it was. */
    public boolean take(HttpServletRequest request, HttpServletResponse response) throws ServletException, IOException {
        PathContainer path = RequestPath.parse(request.getRequestURI(), request.getContextPath())
                .pathWithinApplication();
        if (patterns.stream().noneMatch(pattern -> pattern.matches(path))) return false;
        response.setHeader("X-Content-Type-Options", "nosniff");
        response.setHeader("Referrer-Policy", "no-referrer");
        if (ended) {
            write(response, Problems.of(503, "this node has ended: try again"));
            return true;
        }
        var headers = new ServletServerHttpRequest(request).getHeaders();
        Gate.Judgement judgement = gate.judge(request.getRequestURI(), path, headers);
        ResponseEntity<Problem> refusal = judgement.refusal();
        if (refusal != null) {
            if (refusal.getStatusCode().value() == 413) response.setHeader("Connection", "close");
            write(response, refusal);
            return true;
        }
        if (judgement.caller() != null) request.setAttribute(Gate.CALLER, judgement.caller());
        dispatcher.service(new Ours(request), response);
        return true;
    }

    static void write(HttpServletResponse response, ResponseEntity<Problem> problem) throws IOException {
        if (response.isCommitted()) return;
        response.resetBuffer();
        response.setStatus(problem.getStatusCode().value());
        problem.getHeaders().forEach((name, values) -> values.forEach(value -> response.setHeader(name, value)));
        byte[] body = JSON.writeValueAsBytes(problem.getBody());
        response.setContentLength(body.length);
        response.getOutputStream().write(body);
    }

    /** The request as if nothing but this API were in the container; its body is read up to the limit. */
    private static final class Ours extends HttpServletRequestWrapper implements HttpServletMapping {
        private @Nullable Bounded body;

        Ours(HttpServletRequest request) {
            super(request);
        }

        @Override
        public ServletInputStream getInputStream() throws IOException {
            Bounded bounded = body;
            if (bounded == null) body = bounded = new Bounded(super.getInputStream());
            return bounded;
        }

        @Override
        public HttpServletMapping getHttpServletMapping() {
            return this;
        }

        @Override
        public String getServletPath() {
            return getRequestURI().substring(getContextPath().length());
        }

        @Override
        public @Nullable String getPathInfo() {
            return null;
        }

        @Override
        public String getMatchValue() {
            return "";
        }

        @Override
        public String getPattern() {
            return "/";
        }

        @Override
        public String getServletName() {
            return Config.NAME;
        }

        @Override
        public MappingMatch getMappingMatch() {
            return MappingMatch.DEFAULT;
        }
    }

    /** Reads a body that is somewhat too large to its end before it is refused, as {@link Gate} does. */
    private static final class Bounded extends ServletInputStream {
        private final ServletInputStream in;
        private long read;

        Bounded(ServletInputStream in) {
            this.in = in;
        }

        @Override
        public int read() throws IOException {
            var one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
        }

        @Override
        public int read(byte[] bytes, int from, int count) throws IOException {
            int got = in.read(bytes, from, count);
            if (got > 0) read += got;
            if (read <= Gate.MAX_BODY) return got;
            var rest = new byte[8192];
            while (got >= 0 && read <= Gate.READ_OUT) {
                got = in.read(rest);
                read += Math.max(got, 0);
            }
            throw new ApiException(413, Gate.TOO_LARGE);
        }

        @Override
        public boolean isFinished() {
            return in.isFinished();
        }

        @Override
        public boolean isReady() {
            return in.isReady();
        }

        @Override
        public void setReadListener(ReadListener listener) {
            in.setReadListener(listener);
        }
    }

    private record Config(@Nullable ServletContext context) implements ServletConfig {
        static final String NAME = "carillon";

        @Override
        public String getServletName() {
            return NAME;
        }

        @Override
        public @Nullable ServletContext getServletContext() {
            return context;
        }

        @Override
        public @Nullable String getInitParameter(String name) {
            return null;
        }

        @Override
        public Enumeration<String> getInitParameterNames() {
            return Collections.emptyEnumeration();
        }
    }
}
