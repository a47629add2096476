package io.carillon.node.identity;

import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The keys of services and operators. Only their hashes are kept; comparing takes the same time for every wrong key. */
public final class ApiKeys {
    private static final int MAX_LENGTH = 512;

    private final List<byte[]> hashes;
    private final IdentityMetrics metrics;

    ApiKeys(List<String> keys, IdentityMetrics metrics) {
        this.hashes = keys.stream().map(Secrets::sha256).toList();
        this.metrics = metrics;
    }

    /**
     * Who calls: a short text that stands for the key and from which it cannot be found; null when the request brought
     * no key or a wrong one. {@code X-API-Key} is looked at where {@code Authorization} is absent.
     */
    public @Nullable String caller(@Nullable String authorization, @Nullable String apiKeyHeader) {
        String key = authorization == null ? apiKeyHeader : Tokens.bearer(authorization);
        if (key == null || key.isEmpty()) {
            metrics.refused(authorization == null ? Reason.NONE : Reason.SCHEME);
            return null;
        }
        byte[] found = find(key);
        if (found == null) {
            metrics.refused(Reason.API_KEY);
            return null;
        }
        return HexFormat.of().formatHex(found, 0, 8);
    }

    /** Whether the header holds a key, where a user's token is as good: one that does not is no failure. */
    public boolean holds(String authorization) {
        String key = Tokens.bearer(authorization);
        return key != null && !key.isEmpty() && find(key) != null;
    }

    private byte @Nullable [] find(String key) {
        byte[] hash = Secrets.sha256(key.length() > MAX_LENGTH ? key.substring(0, MAX_LENGTH) + '…' : key);
        byte[] found = null;
        for (byte[] known : hashes) {
            if (MessageDigest.isEqual(known, hash)) found = known;
        }
        return found;
    }
}
