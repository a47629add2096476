package io.carillon.node.api;

import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;
import org.springframework.http.HttpHeaders;
import org.springframework.web.server.ServerWebExchange;
import org.springframework.web.server.WebFilter;
import org.springframework.web.server.WebFilterChain;
import reactor.core.publisher.Mono;

/** Tells browsers to run only what comes from here as what it is, and to tell nobody where they came from. */
@Order(Ordered.HIGHEST_PRECEDENCE)
final class SecurityHeaders implements WebFilter {
    /**
     * The one script that stands in a page, the import map of {@code demo/chat.html}, by the hash of its text: browsers take
     * no such map from a file (WHATWG HTML, import maps; CSP 3, hash sources).
     */
    private static final String IMPORT_MAP = "'sha256-jeTI5I67VKPJ3gq8Muyi61a2QyfHb31A5i5vx2Dgjms='";

    private static final String CONTENT_SECURITY_POLICY = "default-src 'none'; script-src 'self' " + IMPORT_MAP
            + "; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
            + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    @Override
    public Mono<Void> filter(ServerWebExchange exchange, WebFilterChain chain) {
        exchange.getResponse().beforeCommit(() -> {
            HttpHeaders headers = exchange.getResponse().getHeaders();
            headers.set("X-Content-Type-Options", "nosniff");
            headers.set("Referrer-Policy", "no-referrer");
            headers.set("Content-Security-Policy", CONTENT_SECURITY_POLICY);
            return Mono.empty();
        });
        return chain.filter(exchange);
    }
}
