package io.carillon.node.identity;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSVerifier;
import com.nimbusds.jose.crypto.MACVerifier;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The keys tokens are verified with: one family of algorithms at a time, so that no public key can pass for a secret. */
sealed interface TokenKeys permits TokenKeys.Shared, KeySet {
    /** The algorithms of the family; a token with another one is refused before any key is looked for. */
    Set<JWSAlgorithm> algorithms();

    /**
     * Finds the key a token claims to be signed with. May fetch, and so block, unless {@link #local}.
     *
     * @param kid the token's key id, a name to look up and nothing more; null when it has none
     */
    Found find(JWSAlgorithm algorithm, @Nullable String kid);

    /** Whether {@link #find} never waits and verifying is cheap enough for an event loop. */
    boolean local();

    /** What came of looking for a key. */
    sealed interface Found {
        record Key(JWSVerifier verifier) implements Found {}

        record Unknown() implements Found {}

        /** The key set cannot be had now. */
        record Unavailable() implements Found {}
    }

    /** The shared secret of HS256. */
    final class Shared implements TokenKeys {
        private static final Set<JWSAlgorithm> ALGORITHMS = Set.of(JWSAlgorithm.HS256);

        private final Found.Key key;

        Shared(String secret) {
            try {
                key = new Found.Key(new MACVerifier(secret.getBytes(StandardCharsets.UTF_8)));
            } catch (JOSEException e) {
                throw new IllegalStateException("a secret of 32 bytes is long enough for HS256", e);
            }
        }

        @Override
        public Set<JWSAlgorithm> algorithms() {
            return ALGORITHMS;
        }

        @Override
        public Found find(JWSAlgorithm algorithm, @Nullable String kid) {
            return key;
        }

        @Override
        public boolean local() {
            return true;
        }
    }
}
