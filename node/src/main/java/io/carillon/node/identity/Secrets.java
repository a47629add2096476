package io.carillon.node.identity;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Locale;
import java.util.Set;

/**
 * The rule for secrets that come from outside: at least 32 bytes, at least 8 different ones, not a word repeated, and
 * none of the strings that examples and products have made known. A node with a weak secret does not start: warnings
 * are not read (Superset, CVE-2023-27524).
 */
final class Secrets {
    static final int MIN_BYTES = 32;
    static final int MIN_DISTINCT = 8;

    /** Published examples and defaults, in lower case. Shorter ones are refused by their length, and named for clarity. */
    private static final Set<String> KNOWN = Set.of(
            "changeme",
            "change-me",
            "secret",
            "password",
            "your-256-bit-secret",
            "your-384-bit-secret",
            "your-512-bit-secret",
            "a-string-secret-at-least-256-bits-long",
            "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
            "your-super-secret-jwt-token-with-at-least-32-characters-long",
            "super-secret-jwt-token-with-at-least-32-characters-long",
            "my-32-character-ultra-secure-and-ultra-long-secret",
            "this-is-a-secret-key-of-at-least-32-bytes",
            "mysecretkeymysecretkeymysecretkey",
            "change_me_to_a_complex_random_secret",
            "your_own_random_generated_string",
            "your_own_random_generated_secret_key",
            "\\2\\1thisismyscretkey\\1\\2\\e\\y\\y\\h",
            "thisisasecret_1234",
            "test_non_dev_secret",
            "sw2ycwtib9zpoohopsmm",
            "0123456789abcdef0123456789abcdef",
            "0123456789abcdefghijklmnopqrstuvwxyz",
            "abcdefghijklmnopqrstuvwxyz0123456789",
            "abcdefghijklmnopqrstuvwxyz012345",
            "abcdefghijklmnopqrstuvwxyz123456",
            "12345678901234567890123456789012",
            "404e635266556a586e3272357538782f413f4428472b4b6250645367566b5970",
            "5367566b59703373367639792f423f4528482b4d6251655468576d5a71347437");

    private Secrets() {}

    /**
     * Checks a secret.
     *
     * @param variable what to name in the sentence, as the operator sets it
     * @throws UnsafeSettingsException when it is weak
     */
    static void check(String secret, String variable) {
        byte[] bytes = secret.getBytes(StandardCharsets.UTF_8);
        if (KNOWN.contains(secret.strip().toLowerCase(Locale.ROOT))) {
            throw weak(variable, "is a published example");
        }
        if (bytes.length < MIN_BYTES) {
            throw weak(variable, "is shorter than " + MIN_BYTES + " bytes");
        }
        if (distinct(bytes) < MIN_DISTINCT) {
            throw weak(variable, "has fewer than " + MIN_DISTINCT + " different bytes");
        }
        if (repeats(bytes)) {
            throw weak(variable, "is a short text repeated");
        }
    }

    private static UnsafeSettingsException weak(String variable, String what) {
        return new UnsafeSettingsException(
                variable + ' ' + what + ": set it to at least 32 random bytes, as `openssl rand -base64 48` prints.");
    }

    private static int distinct(byte[] bytes) {
        var seen = new boolean[256];
        int count = 0;
        for (byte b : bytes) {
            if (!seen[b & 0xff]) count++;
            seen[b & 0xff] = true;
        }
        return count;
    }

    /** Whether the bytes are one text of at most half their length over and over, the last time perhaps cut off. */
    private static boolean repeats(byte[] bytes) {
        for (int period = 1; period <= bytes.length / 2; period++) {
            int i = period;
            while (i < bytes.length && bytes[i] == bytes[i - period]) i++;
            if (i == bytes.length) return true;
        }
        return false;
    }

    static byte[] sha256(String text) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
