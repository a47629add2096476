package io.carillon.node.scenario;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The published guides whose client code is run as it stands; they lie in {@code ../shared/seeds} beside the checkout. */
final class Seeds {
    private Seeds() {}

    /** The guide that holds the text; null when the guides do not lie there. */
    static @Nullable String with(String text) throws IOException {
        Path seeds = Cluster.REPO.resolveSibling("shared/seeds");
        if (!Files.isDirectory(seeds)) return null;
        try (DirectoryStream<Path> files = Files.newDirectoryStream(seeds)) {
            for (Path file : files) {
                String guide = Files.readString(file);
                if (guide.contains(text)) return guide;
            }
        }
        return null;
    }

    /** The one group of the first match. */
    static String part(String guide, String pattern) {
        Matcher found =
                Pattern.compile(pattern, Pattern.MULTILINE | Pattern.DOTALL).matcher(guide);
        assertThat(found.find()).as("the guide has " + pattern).isTrue();
        return found.group(1);
    }
}
