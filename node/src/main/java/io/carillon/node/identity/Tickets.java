package io.carillon.node.identity;

import io.carillon.model.redis.Keys;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Base64;
import java.util.HexFormat;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.springframework.data.redis.core.StringRedisTemplate;

/**
 * Tickets: what a page puts into a WebSocket address in place of its token. 256 random bits, good once within 30 s,
 * anywhere in the cluster. Calls block for Redis: for virtual threads.
 *
 * <p>Redis: {@code SET carillon:ticket:<SHA-256 of the ticket> <token> EX 30}, {@code GETDEL} of it. Whoever reads
 * Redis finds no ticket there; the token is verified again when its ticket is used, so that its end holds.
 */
public final class Tickets {
    /** How long a ticket is good. */
    public static final Duration LIFE = Duration.ofSeconds(30);

    private static final SecureRandom RANDOM = new SecureRandom();
    private static final Pattern FORM = Pattern.compile("[A-Za-z0-9_-]{43}");

    private final StringRedisTemplate redis;
    private final Keys keys;

    public Tickets(StringRedisTemplate redis, Keys keys) {
        this.redis = redis;
        this.keys = keys;
    }

    /**
     * Makes a ticket that stands for a token.
     *
     * @param token a verified token
     * @throws org.springframework.dao.DataAccessException when Redis is away
     */
    public String mint(String token) {
        byte[] bytes = new byte[32];
        RANDOM.nextBytes(bytes);
        String ticket = Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
        redis.opsForValue().set(key(ticket), token, LIFE);
        return ticket;
    }

    /**
     * Takes the token a ticket stands for; of any number of calls, one gets it.
     *
     * @return null when there is no such ticket, or no longer
     * @throws org.springframework.dao.DataAccessException when Redis is away
     */
    @Nullable
    String redeem(String ticket) {
        return FORM.matcher(ticket).matches() ? redis.opsForValue().getAndDelete(key(ticket)) : null;
    }

    private String key(String ticket) {
        return keys.ticket(HexFormat.of().formatHex(Secrets.sha256(ticket)));
    }
}
