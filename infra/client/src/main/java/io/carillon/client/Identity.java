package io.carillon.client;

import io.carillon.client.CarillonClient.Builder;
import io.carillon.model.channel.Ids;
import java.lang.System.Logger.Level;
import java.util.Base64;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Who a client is to the cluster: its token, where a fresh one comes from, and whose session it is.
 *
 * <p>Guarded by the client's lock; only the supplier of tokens, which may block, is asked without it, in the background.
 */
final class Identity {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final int MOST_DENIALS = 3;

    private final Builder settings;
    private final Guard guard;
    private @Nullable String token;
    private @Nullable String user;
    private int denials;

    Identity(Builder settings, Guard guard) {
        this.settings = settings;
        this.guard = guard;
        this.token = settings.token;
        this.user = settings.user;
    }

    @Nullable
    String token() {
        return token;
    }

    void token(String fresh) {
        token = fresh;
    }

    /** Whether there is no token, and one can be asked for. */
    boolean wanting() {
        return token == null && settings.tokens != null;
    }

    /** Asks for a token; null if none comes. Not under the lock. */
    @Nullable
    String ask() {
        Supplier<String> supplier = settings.tokens;
        if (supplier == null) return null;
        try {
            String fresh = supplier.get();
            return fresh == null || fresh.isBlank() ? null : fresh;
        } catch (RuntimeException e) {
            CarillonClient.LOG.log(Level.WARNING, "no token: {0}", e.toString());
            return null;
        }
    }

    /** The server says that the token is about to expire. */
    void refresh(Connection on) {
        if (settings.tokens == null || on.stream) return;
        guard.background(() -> {
            String fresh = ask();
            if (fresh == null) return;
            guard.locked(on, () -> {
                token = fresh;
                renew(on, fresh);
            });
        });
    }

    private void renew(Connection on, String fresh) {
        on.ask(JSON.createObjectNode().put("type", "refresh").put("token", fresh), answer -> {}, (code, sentence) -> {
            if (Connection.passing(code)) on.soon(() -> renew(on, fresh));
            else CarillonClient.LOG.log(Level.WARNING, "the fresh token was refused: {0}", code);
        });
    }

    /** The token has expired. @return whether there may be another */
    boolean expired() {
        if (settings.tokens == null) return false;
        token = null;
        return true;
    }

    /** The server does not take the token. @return whether to try another */
    boolean denied() {
        if (settings.tokens == null || ++denials >= MOST_DENIALS) return false;
        token = null;
        return true;
    }

    /** A connection was ready: what was denied before does not count any more. */
    void accepted() {
        denials = 0;
    }

    /** The server says whose session it is. */
    void welcomed(JsonNode welcome) {
        user = welcome.path("user").asString(user);
    }

    /** Whose session it is, by the application or the server; null until one says so. */
    @Nullable
    String user() {
        return user;
    }

    /** The same, else by the token: an event stream has to name its channels, and no welcome says so. */
    @Nullable
    String userOrSubject() {
        if (user != null || token == null) return user;
        String[] parts = token.split("\\.");
        if (parts.length != 3) return null;
        try {
            String subject = JSON.readTree(Base64.getUrlDecoder().decode(parts[1]))
                    .path("sub")
                    .asString("");
            return Ids.valid(subject) ? subject : null;
        } catch (IllegalArgumentException | JacksonException e) {
            return null;
        }
    }
}
