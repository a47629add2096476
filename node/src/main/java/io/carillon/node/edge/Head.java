package io.carillon.node.edge;

import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpVersion;
import java.util.List;

/** The head of an HTTP request, whichever server has read it. */
interface Head {
    /** In capitals. */
    String method();

    /** Path and query as they were sent, undecoded. */
    String target();

    boolean http11();

    /** The values of every line with this name, in any case; empty for none. */
    List<String> all(String name);

    /** As Netty has read it. */
    record OfNetty(HttpRequest request) implements Head {
        @Override
        public String method() {
            return request.method().name();
        }

        @Override
        public String target() {
            return request.uri();
        }

        @Override
        public boolean http11() {
            return request.protocolVersion().equals(HttpVersion.HTTP_1_1);
        }

        @Override
        public List<String> all(String name) {
            return request.headers().getAll(name);
        }
    }
}
