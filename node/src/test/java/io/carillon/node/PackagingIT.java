package io.carillon.node;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.jar.JarFile;
import org.junit.jupiter.api.Test;

/** What is in the jar that runs, and in the one that others depend on. */
class PackagingIT {
    private static List<String> entries(String jar) throws IOException {
        try (var file = new JarFile(Path.of("target", jar).toFile())) {
            return file.stream().map(entry -> entry.getName()).toList();
        }
    }

    @Test
    void theRunnableJarHasNettysServerAndNothingOfServlets() throws IOException {
        List<String> libraries = entries("carillon-node.jar").stream()
                .filter(name -> name.startsWith("BOOT-INF/lib/"))
                .toList();
        assertThat(libraries)
                .anyMatch(name -> name.contains("reactor-netty-http-"))
                .anyMatch(name -> name.contains("spring-boot-actuator-"))
                .anyMatch(name -> name.contains("embedded-redis-"))
                // What a node would load and never use.
                .noneMatch(name -> name.contains("springdoc")
                        || name.contains("swagger")
                        || name.contains("jackson-databind-2")
                        || name.contains("log4j")
                        || name.contains("jedis")
                        || name.contains("quic"))
                // The expression language of Bean Validation, and all there is of Tomcat.
                .filteredOn(name -> name.contains("tomcat")
                        || name.contains("servlet")
                        || name.contains("webmvc")
                        || name.contains("websocket"))
                .singleElement()
                .asString()
                .contains("tomcat-embed-el-");
    }

    /** At the root they would be the settings and the front page of whoever has the library. */
    @Test
    void theLibraryBringsNobodySettingsOrPages() throws IOException {
        assertThat(entries("library/carillon-node.jar"))
                .contains("carillon/application.yml", "io/carillon/node/CarillonAutoConfiguration.class")
                .noneMatch(name -> name.startsWith("application")
                        || name.startsWith("static/")
                        || name.startsWith("config/")
                        || name.startsWith("BOOT-INF/"));
    }
}
