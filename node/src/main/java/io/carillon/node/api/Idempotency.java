package io.carillon.node.api;

import io.carillon.model.channel.Namespace;
import io.carillon.model.redis.Keys;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.dao.DataAccessException;
import org.springframework.data.redis.core.StringRedisTemplate;
import org.springframework.data.redis.core.script.RedisScript;
import tools.jackson.databind.json.JsonMapper;

/**
 * Makes the retry of a call harmless: the first call with an {@code Idempotency-Key} does the work, every later one gets
 * its answer. The event's id comes from the key, so that even a retry after an answer that got lost on the way from
 * Redis is one event. For virtual threads: a call waits while the first is under way.
 *
 * <p>Redis: {@code SET <key> ?<hash of the body><mark> NX PX 10000} while the work is under way; then
 * {@code SET <key> !<hash of the body><answer> EX 86400}. A call that fails takes its own mark away.
 */
final class Idempotency {
    /** How long an answer is kept. */
    static final Duration KEPT = Duration.ofHours(24);

    /** Longer than any call can take; after it, one whose node died may be done again. */
    static final Duration UNDER_WAY = Duration.ofSeconds(10);

    private static final Logger log = LoggerFactory.getLogger(Idempotency.class);
    private static final Duration LOOK_AGAIN = Duration.ofMillis(40);
    private static final int HASH = 64;
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final RedisScript<Long> FORGET = RedisScript.of(
            "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0", Long.class);

    private final StringRedisTemplate redis;
    private final Keys keys;

    Idempotency(StringRedisTemplate redis, Keys keys) {
        this.redis = redis;
        this.keys = keys;
    }

    /**
     * Does the work once.
     *
     * @param caller who calls; keys of different callers are different
     * @param call which call it is
     * @param key what the caller sent as {@code Idempotency-Key}; null does the work without further ado
     * @param work gets the event id that belongs to the key; null when there is no key
     * @throws ApiException 400 when the key is malformed, 422 when it came with another body before
     */
    <T> T once(
            Namespace namespace,
            String caller,
            String call,
            @Nullable String key,
            byte[] body,
            Class<T> type,
            Function<@Nullable String, T> work) {
        if (key == null) return work.apply(null);
        check(key);
        byte[] name = sha256(namespace.name(), caller, call, key);
        String place = keys.idempotency(namespace, HexFormat.of().formatHex(name));
        String hash = HexFormat.of().formatHex(sha256(body));
        String mark = '?' + hash + UUID.randomUUID();
        T answer;
        try {
            String kept = begin(place, mark, hash);
            if (kept != null) return JSON.readValue(kept, type);
            answer = work.apply(id(name));
        } catch (RuntimeException e) {
            // Not on the caller's time: Redis may be what failed, and may yet do what it did not answer.
            Thread.ofVirtual().name("idempotency").start(() -> forget(place, mark));
            throw e;
        }
        try {
            redis.opsForValue().set(place, '!' + hash + JSON.writeValueAsString(answer), KEPT);
        } catch (DataAccessException e) {
            // The event is in Redis, and its id keeps a retry from being another one.
            log.warn("The answer to a call with an Idempotency-Key could not be kept");
        }
        return answer;
    }

    /** @throws ApiException 400 when the key is malformed */
    static void check(String key) {
        if (key.isEmpty() || key.length() > 255 || !key.chars().allMatch(c -> c > 31 && c < 127)) {
            throw ApiException.badRequest("Idempotency-Key must be 1 to 255 visible ASCII characters");
        }
    }

    /** The key came with another body before. */
    static ApiException conflict() {
        return new ApiException(422, "this Idempotency-Key came with another body before: use a new key");
    }

    /** Marks the work as begun; if it was done before, gives the answer, for which it may wait. */
    private @Nullable String begin(String place, String mark, String hash) {
        long until = System.nanoTime() + UNDER_WAY.plusSeconds(1).toNanos();
        while (!Boolean.TRUE.equals(redis.opsForValue().setIfAbsent(place, mark, UNDER_WAY))) {
            String found = redis.opsForValue().get(place);
            if (found != null && found.length() > HASH) {
                if (!found.startsWith(hash, 1)) throw conflict();
                if (found.charAt(0) == '!') return found.substring(1 + HASH);
            }
            if (System.nanoTime() > until) throw ApiException.unavailable(null);
            LockSupport.parkNanos(LOOK_AGAIN.toNanos());
        }
        return null;
    }

    private void forget(String place, String mark) {
        try {
            redis.execute(FORGET, List.of(place), mark);
        } catch (DataAccessException e) {
            log.debug("The mark of a failed call stays until it ends by itself");
        }
    }

    /** A UUID of version 8 (RFC 9562 §5.8) from the hash. */
    private static String id(byte[] hash) {
        ByteBuffer bytes = ByteBuffer.wrap(hash);
        long high = bytes.getLong() & ~0xf000L | 0x8000L;
        long low = bytes.getLong() & ~(3L << 62) | 1L << 63;
        return new UUID(high, low).toString();
    }

    private static byte[] sha256(String... parts) {
        MessageDigest digest = digest();
        for (String part : parts) {
            byte[] bytes = part.getBytes(StandardCharsets.UTF_8);
            digest.update(ByteBuffer.allocate(4).putInt(bytes.length).flip());
            digest.update(bytes);
        }
        return digest.digest();
    }

    private static byte[] sha256(byte[] bytes) {
        return digest().digest(bytes);
    }

    private static MessageDigest digest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
