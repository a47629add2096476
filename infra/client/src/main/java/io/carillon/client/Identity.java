package io.carillon.client;

import io.carillon.model.channel.Ids;
import java.lang.System.Logger.Level;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
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

    private final ClientBuilder<?> settings;
    private final Guard<?> guard;
    private @Nullable String token;
    private @Nullable String user;
    private int denials;
    private final List<Consumer<@Nullable String>> asking = new ArrayList<>();

    /** @param user whose session it is, where the application says so */
    Identity(ClientBuilder<?> settings, Guard<?> guard, @Nullable String user) {
        this.settings = settings;
        this.guard = guard;
        this.token = settings.token;
        this.user = user;
    }

    @Nullable
    String token() {
        return token;
    }

    /** Whether there is no token, and one can be asked for. */
    boolean wanting() {
        return token == null && settings.tokens != null;
    }

    /**
     * Asks for a token where one is {@link #wanting}, once for all who ask at a time.
     *
     * @param then told of it, under the lock, maybe before this returns; null where none came
     */
    void ask(Consumer<@Nullable String> then) {
        asking.add(then);
        if (asking.size() > 1) return;
        guard.background(() -> {
            String fresh = supplied();
            guard.locked(() -> {
                if (fresh != null) token = fresh;
                List<Consumer<@Nullable String>> all = List.copyOf(asking);
                asking.clear();
                all.forEach(one -> one.accept(fresh));
            });
        });
    }

    /** What the application's supplier says; null if nothing. Not under the lock. */
    private @Nullable String supplied() {
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

    /**
     * The server says that the token is about to expire.
     *
     * @param renew brings a fresh one to that connection
     */
    void refresh(Connection on, Consumer<String> renew) {
        if (settings.tokens == null) return;
        guard.background(() -> {
            String fresh = supplied();
            if (fresh == null) return;
            guard.locked(on, () -> {
                token = fresh;
                renew.accept(fresh);
            });
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

    /** The server does not take a call with this token. @return whether there may be another */
    boolean denied(@Nullable String used) {
        if (settings.tokens == null) return false;
        if (Objects.equals(used, token)) token = null;
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
