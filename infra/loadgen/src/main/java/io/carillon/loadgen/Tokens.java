package io.carillon.loadgen;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** Makes HS256 tokens (RFC 7515, RFC 7519) for the users of a measurement. Not for use by two threads at once. */
public final class Tokens {

    private static final Base64.Encoder URL = Base64.getUrlEncoder().withoutPadding();
    private static final String HEADER =
            URL.encodeToString("{\"alg\":\"HS256\",\"typ\":\"JWT\"}".getBytes(StandardCharsets.UTF_8));

    private final Mac mac;

    public Tokens(String secret) {
        try {
            mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(secret.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("HS256 is not available", e);
        }
    }

    static Tokens fromEnvironment() {
        String secret = System.getenv("CARILLON_JWT_SECRET");
        if (secret == null || secret.isEmpty()) {
            throw new IllegalArgumentException("CARILLON_JWT_SECRET is not set");
        }
        return new Tokens(secret);
    }

    /** A token of {@code user}, good for {@code seconds} from now. */
    public String of(String user, long seconds) {
        long now = System.currentTimeMillis() / 1000;
        String claims = "{\"sub\":\"" + user + "\",\"iat\":" + now + ",\"exp\":" + (now + seconds) + "}";
        String signed = HEADER + "." + URL.encodeToString(claims.getBytes(StandardCharsets.UTF_8));
        return signed + "." + URL.encodeToString(mac.doFinal(signed.getBytes(StandardCharsets.US_ASCII)));
    }
}
