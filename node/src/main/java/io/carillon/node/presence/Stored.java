package io.carillon.node.presence;

import io.carillon.node.presence.Presence.Online;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Set;

/**
 * How a session is written in its user's hash: {@code <node>|<kind>|<groups>|<since>|<address>|<endpoint>|<registered>}.
 * What is not an id (a kind from a foreign token, say) is percent-encoded, so that no field can pass for another.
 */
final class Stored {
    private static final String HEX = "0123456789ABCDEF";

    private Stored() {}

    static void arguments(Online session, ArrayList<String> into) {
        into.add(session.session());
        into.add(session.user());
        into.add(session.kind() == null ? "" : encode(session.kind()));
        into.add(groups(session.groups()));
        into.add(Long.toString(session.since()));
        into.add(encode(session.address()));
        into.add(encode(session.endpoint()));
    }

    private static String groups(Set<String> groups) {
        if (groups.isEmpty()) return "";
        var out = new StringBuilder();
        for (String group : groups) {
            if (!out.isEmpty()) out.append(',');
            out.append(encode(group));
        }
        return out.toString();
    }

    static String encode(String text) {
        for (int i = 0; i < text.length(); i++) {
            if (!plain(text.charAt(i))) return encodeBytes(text);
        }
        return text;
    }

    private static boolean plain(int c) {
        return c >= '0' && c <= '9'
                || c >= 'A' && c <= 'Z'
                || c >= 'a' && c <= 'z'
                || c < 128 && "._:@~+=-/[]".indexOf(c) >= 0;
    }

    private static String encodeBytes(String text) {
        var out = new StringBuilder();
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
            int c = b & 0xff;
            if (plain(c)) out.append((char) c);
            else out.append('%').append(HEX.charAt(c >> 4)).append(HEX.charAt(c & 15));
        }
        return out.toString();
    }

    static String decode(String text) {
        if (text.indexOf('%') < 0) return text;
        var out = new ByteArrayOutputStream();
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            int high = c == '%' && i + 2 < text.length() ? Character.digit(text.charAt(i + 1), 16) : -1;
            int low = high >= 0 ? Character.digit(text.charAt(i + 2), 16) : -1;
            if (low >= 0) {
                out.write(high << 4 | low);
                i += 2;
            } else {
                out.write(c);
            }
        }
        return out.toString(StandardCharsets.UTF_8);
    }
}
