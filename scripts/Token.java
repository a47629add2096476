import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Prints a JWT signed with the secret in {@code CARILLON_JWT_SECRET}; run by {@code scripts/token}, which explains it, and
 * called by {@code Train}.
 */
public class Token {
    public static void main(String[] args) throws Exception {
        var claims = new LinkedHashMap<String, String>();
        var ttl = Duration.ofHours(1);
        for (int i = 0; i < args.length; i += 2) {
            if (i + 1 == args.length) {
                throw refuse(args[i] + " needs a value");
            }
            String value = args[i + 1];
            switch (args[i]) {
                case "--user" -> claims.put("sub", quoted(value));
                case "--kind" -> claims.put("kind", quoted(value));
                case "--claim" -> {
                    int equals = value.indexOf('=');
                    if (equals < 1) {
                        throw refuse("--claim is name=value, not " + value);
                    }
                    String text = value.substring(equals + 1);
                    claims.put(value.substring(0, equals), new Json(text).valid() ? text : quoted(text));
                }
                case "--ttl" -> ttl = ttl(value);
                default -> throw refuse("unknown option " + args[i]);
            }
        }
        if (!claims.containsKey("sub")) {
            throw refuse("--user is missing");
        }
        long now = Instant.now().getEpochSecond();
        claims.putIfAbsent("iat", Long.toString(now));
        claims.putIfAbsent("exp", Long.toString(now + ttl.toSeconds()));
        var body = new StringBuilder();
        for (Map.Entry<String, String> claim : claims.entrySet()) {
            body.append(body.isEmpty() ? "{" : ",").append(quoted(claim.getKey())).append(':').append(claim.getValue());
        }
        System.out.println(signed(body.append('}').toString()));
    }

    /** The claims, a JSON object, as a token. */
    static String signed(String claims) throws Exception {
        String signed = base64("{\"alg\":\"HS256\",\"typ\":\"JWT\"}") + "." + base64(claims);
        var mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(System.getenv("CARILLON_JWT_SECRET").getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
        return signed + "." + Base64.getUrlEncoder().withoutPadding().encodeToString(mac.doFinal(signed.getBytes(StandardCharsets.US_ASCII)));
    }

    private static Duration ttl(String text) {
        var match = Pattern.compile("(-?\\d{1,9})([smhd]?)").matcher(text);
        if (!match.matches()) {
            throw refuse("--ttl is a number with s, m, h or d, not " + text);
        }
        long number = Long.parseLong(match.group(1));
        return switch (match.group(2)) {
            case "m" -> Duration.ofMinutes(number);
            case "h" -> Duration.ofHours(number);
            case "d" -> Duration.ofDays(number);
            default -> Duration.ofSeconds(number);
        };
    }

    private static RuntimeException refuse(String why) {
        System.err.println("token: " + why + " (see --help)");
        System.exit(2);
        return new IllegalArgumentException(why);
    }

    private static String base64(String text) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }

    private static String quoted(String text) {
        var out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < ' ') {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"').toString();
    }

    /** Whether a text is one JSON value (RFC 8259). */
    private static final class Json {
        private static final Pattern NUMBER = Pattern.compile("-?(0|[1-9]\\d*)(\\.\\d+)?([eE][+-]?\\d+)?");
        private static final Pattern STRING = Pattern.compile("\"([^\"\\\\\\x00-\\x1f]|\\\\([\"\\\\/bfnrt]|u[0-9a-fA-F]{4}))*+\"");
        private final String text;
        private int at;

        Json(String text) {
            this.text = text;
        }

        boolean valid() {
            return value() && text.substring(at).isBlank();
        }

        private boolean value() {
            space();
            return token("true") || token("false") || token("null") || match(NUMBER) || match(STRING)
                    || group('[', ']', false) || group('{', '}', true);
        }

        private boolean group(char open, char close, boolean named) {
            if (!token(String.valueOf(open))) {
                return false;
            }
            space();
            if (token(String.valueOf(close))) {
                return true;
            }
            do {
                space();
                if (named && !(match(STRING) && spaced(":"))) {
                    return false;
                }
                if (!value()) {
                    return false;
                }
                space();
            } while (token(","));
            return token(String.valueOf(close));
        }

        private boolean spaced(String wanted) {
            space();
            return token(wanted);
        }

        private void space() {
            while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
                at++;
            }
        }

        private boolean token(String wanted) {
            if (!text.startsWith(wanted, at)) {
                return false;
            }
            at += wanted.length();
            return true;
        }

        private boolean match(Pattern pattern) {
            var match = pattern.matcher(text).region(at, text.length());
            if (!match.lookingAt()) {
                return false;
            }
            at = match.end();
            return true;
        }
    }
}
