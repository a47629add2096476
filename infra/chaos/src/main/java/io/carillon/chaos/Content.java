package io.carillon.chaos;

import java.nio.charset.StandardCharsets;
import java.util.Random;
import java.util.zip.CRC32C;

/**
 * What an event carries: {@code {"mid":…,"canary":…,"pad":…}}, an object without inner objects, so that its very bytes
 * can be found again in what arrives.
 */
record Content(String text, String sha) {
    private static final String MARK = "\"content\":{";
    private static final String[] PADS = {
        "", "plain", "Grüße 你好 \uD83D\uDE42", "\\\"quoted\\\" \\\\ \\u0000 \\n", " spaced\\t"
    };

    static Content of(String mid, String canary, Random random) {
        String pad = PADS[random.nextInt(PADS.length)];
        if (random.nextInt(20) == 0) pad += "x".repeat(2000);
        // A space where JSON allows one: content is passed on byte for byte.
        String text = "{\"mid\":\"" + mid + "\", \"canary\":\"" + canary + "\",\"pad\":\"" + pad + "\"}";
        return new Content(text, sha(text));
    }

    /** The content of a frame; null where it has none of ours. */
    static @org.jspecify.annotations.Nullable Content in(String frame) {
        int at = frame.indexOf(MARK);
        if (at < 0) return null;
        int from = at + MARK.length() - 1;
        int end = frame.indexOf('}', from);
        if (end < 0) return null;
        String text = frame.substring(from, end + 1);
        return new Content(text, sha(text));
    }

    String mid() {
        return field("\"mid\":\"");
    }

    String canary() {
        return field("\"canary\":\"");
    }

    private String field(String name) {
        int at = text.indexOf(name);
        if (at < 0) return "";
        int from = at + name.length();
        int end = text.indexOf('"', from);
        return end < 0 ? "" : text.substring(from, end);
    }

    private static String sha(String text) {
        var sum = new CRC32C();
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        sum.update(bytes, 0, bytes.length);
        return Long.toHexString(sum.getValue()) + "." + bytes.length;
    }
}
