package io.carillon.node.edge;

import java.util.Collection;
import java.util.HashSet;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Which pages may connect: origins (RFC 6454) in their one normal form. Immutable. */
final class Origins {
    private final Set<String> allowed;

    Origins(Collection<String> allowed) {
        var normal = new HashSet<String>();
        for (String origin : allowed) {
            String form = normal(origin);
            if (form == null) throw new IllegalArgumentException("'" + origin + "' is not scheme://host[:port]");
            normal.add(form);
        }
        this.allowed = Set.copyOf(normal);
    }

    /**
     * Whether a page of this origin may connect: it is the front door's own, or on the list.
     *
     * @param scheme how the client reached the front door, {@code http} or {@code https}
     * @param host what the client called it, with the port
     */
    boolean accepts(String origin, String scheme, String host) {
        String form = normal(origin);
        if (form == null) return false;
        return form.equals(normal(scheme + "://" + host)) || allowed.contains(form);
    }

    /** {@code scheme://host[:port]} in lower case without a default port; null for anything else, {@code null} too. */
    static @Nullable String normal(String origin) {
        int colon = origin.indexOf("://");
        if (colon < 1) return null;
        String scheme = origin.substring(0, colon).toLowerCase(Locale.ROOT);
        for (int i = 0; i < scheme.length(); i++) {
            char c = scheme.charAt(i);
            if (!(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.')) return null;
        }
        String authority = origin.substring(colon + 3).toLowerCase(Locale.ROOT);
        if (!isHost(authority)) return null;
        String usual = scheme.equals("http") ? ":80" : scheme.equals("https") ? ":443" : null;
        if (usual != null && authority.endsWith(usual)) {
            authority = authority.substring(0, authority.length() - usual.length());
        }
        return scheme + "://" + authority;
    }

    /** Whether it is {@code host[:port]} and nothing more: a name, an IPv4 address, or an IPv6 address in brackets. */
    static boolean isHost(String authority) {
        int end = authority.length();
        int name;
        if (authority.startsWith("[")) {
            int close = authority.indexOf(']');
            if (close < 0) return false;
            for (int i = 1; i < close; i++) {
                char c = authority.charAt(i);
                if (Character.digit(c, 16) < 0 && c != ':' && c != '.') return false;
            }
            name = close + 1;
            if (close < 3) return false;
        } else {
            name = 0;
            while (name < end && authority.charAt(name) != ':') {
                char c = authority.charAt(name++);
                boolean letter = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9';
                if (!letter && c != '-' && c != '.' && c != '_') return false;
            }
            if (name == 0) return false;
        }
        if (name == end) return true;
        if (authority.charAt(name) != ':' || end - name < 2 || end - name > 6) return false;
        for (int i = name + 1; i < end; i++) {
            if (authority.charAt(i) < '0' || authority.charAt(i) > '9') return false;
        }
        return true;
    }
}
