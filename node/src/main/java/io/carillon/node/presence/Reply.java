package io.carillon.node.presence;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Reads the answers of scripts: integers come as Long, texts as bytes, tables as lists. */
final class Reply {
    private Reply() {}

    static String text(Object item) {
        return item instanceof byte[] bytes ? new String(bytes, StandardCharsets.UTF_8) : String.valueOf(item);
    }

    static long number(Object item) {
        return item instanceof Long number ? number : Long.parseLong(text(item));
    }

    static List<?> list(Object item) {
        return (List<?>) item;
    }

    static List<String> texts(List<?> items) {
        var out = new ArrayList<String>(items.size());
        for (Object item : items) out.add(text(item));
        return out;
    }
}
