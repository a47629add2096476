package io.carillon.node.api;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.springframework.core.annotation.Order;
import org.springframework.core.io.Resource;
import org.springframework.http.CacheControl;
import org.springframework.http.MediaType;
import org.springframework.util.DigestUtils;
import org.springframework.web.reactive.config.ResourceHandlerRegistry;
import org.springframework.web.reactive.config.WebFluxConfigurer;

/**
 * Serves the pages and the client library. A browser asks each time whether what it has is still right (RFC 9111
 * §5.2.2.4): modules that import each other are then of one version. What a file is, its content says; its time is that
 * of the build and says nothing.
 */
@Order(-1) // before Boot's own, which then leaves the pattern alone
final class StaticFiles implements WebFluxConfigurer {
    private final Map<String, String> tags = new ConcurrentHashMap<>();

    @Override
    public void addResourceHandlers(ResourceHandlerRegistry registry) {
        registry.addResourceHandler("/**")
                .addResourceLocations("classpath:/carillon/static/")
                .setCacheControl(CacheControl.noCache())
                .setUseLastModified(false)
                .setEtagGenerator(this::tag)
                .setMediaTypes(Map.of(
                        // Else a video of type MPEG-2.
                        "ts", MediaType.parseMediaType("text/plain;charset=UTF-8"),
                        "js", MediaType.parseMediaType("text/javascript;charset=UTF-8"),
                        "md", MediaType.parseMediaType("text/markdown;charset=UTF-8")));
    }

    private String tag(Resource file) {
        return tags.computeIfAbsent(file.getDescription(), name -> {
            try (InputStream in = file.getInputStream()) {
                return DigestUtils.md5DigestAsHex(in);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }
}
