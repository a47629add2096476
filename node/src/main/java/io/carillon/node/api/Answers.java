package io.carillon.node.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import io.carillon.model.channel.Position;
import io.carillon.model.event.Payload;
import io.carillon.node.dispatch.Publisher.Published;
import io.carillon.node.presence.NodeDescription;
import io.carillon.node.presence.PresenceQueries.UserSession;
import io.swagger.v3.oas.annotations.media.ArraySchema;
import io.swagger.v3.oas.annotations.media.Schema;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.util.RawValue;

/** What the calls answer. Fields that are null are left out. */
final class Answers {
    private Answers() {}

    private static final JsonMapper JSON = JsonMapper.shared();

    /** A message as it is kept. */
    static <T> T read(Payload message, Class<T> type) {
        return JSON.readValue(message.bytes(), type);
    }

    /**
     * A message to be said in a conversation.
     *
     * @param content 1 to 4,096 bytes of UTF-8
     */
    @Schema(name = "ConversationPost")
    record ConversationPost(
            @JsonProperty("conversation_id") BigInteger conversationId,
            String content,

            @JsonProperty("sender_is_agent") @Nullable Boolean senderIsAgent) {}

    /** A message of a conversation; ids grow by one. */
    @Schema(name = "ConversationMessage")
    record ConversationMessage(
            long id,
            @JsonProperty("conversation_id") BigInteger conversationId,
            String content,
            @JsonProperty("sender_is_agent") boolean senderIsAgent,
            @JsonProperty("created_at") String createdAt) {}

    /** Messages in the order of their ids. */
    @Schema(name = "ConversationMessages")
    record ConversationMessages(
            List<ConversationMessage> messages,
            @JsonProperty("has_more") boolean hasMore) {}

    /**
     * Something to be said in a chat.
     *
     * @param content 1 to 4,096 bytes of UTF-8
     * @param clientId the client's own mark: the message is stored once under it
     */
    @Schema(name = "ChatPost")
    record ChatPost(
            String content,
            @JsonProperty("client_id") @Nullable String clientId) {}

    /** A message of a chat; ids grow by one. */
    @Schema(name = "ChatMessage")
    record ChatMessage(
            long id,
            @JsonProperty("user_id") String userId,
            String username,
            String content,
            @JsonProperty("created_at") String createdAt) {}

    /** Messages in the order of their ids. */
    @Schema(name = "ChatMessages")
    record ChatMessages(
            List<ChatMessage> messages,
            @JsonProperty("has_more") boolean hasMore) {}

    /** Somebody who is online. */
    @Schema(name = "ChatMember")
    record ChatMember(String id, String name) {}

    /** Who is online: how many, and a page of them. */
    @Schema(name = "ChatMembers")
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record ChatMembers(
            long count,
            List<ChatMember> users,
            @JsonProperty("next_cursor") @Nullable String nextCursor) {}

    /** Redis has the event; with its place when it is durable. */
    @Schema(name = "Accepted")
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record Accepted(
            String id, @Nullable Long offset, @Nullable String epoch) {
        static Accepted of(Published published) {
            Position position = published.position();
            return position == null
                    ? new Accepted(published.id(), null, null)
                    : new Accepted(published.id(), position.offset(), position.epoch());
        }
    }

    /**
     * Redis has the event for one user or for many.
     *
     * @param online whether the user is online; of many, how many are
     */
    @Schema(name = "Sent")
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record Sent(
            String id,
            @Nullable Long offset,
            @Nullable String epoch,

            @Schema(
                    description = "whether the user is online; for an array, how many of its users are",
                    oneOf = {Boolean.class, Long.class})
            Object online) {}

    /** A page of what is kept of a channel, and where the channel stands. */
    @Schema(name = "History")
    record History(
            String channel,

            @ArraySchema(
                    schema =
                            @Schema(
                                    type = "object",
                                    description = "an event as push clients see it",
                                    additionalProperties = Schema.AdditionalPropertiesValue.TRUE))
            List<RawValue> events,

            @Schema(description = "of the channel's last event, which may be behind the page")
            long offset,

            String epoch) {}

    @Schema(name = "Acknowledgement")
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record Acknowledgement(
            String id,
            String user,

            @Schema(allowableValues = {"pending", "acknowledged", "dropped", "unknown"})
            String state,

            @Schema(description = "since when, milliseconds since the epoch; absent when unknown") @Nullable
            Long since) {}

    @Schema(name = "Status")
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record Status(
            @JsonProperty("online_count") long onlineCount,
            @JsonProperty("online_users") List<String> onlineUsers,
            long connections,
            int nodes,
            @JsonProperty("next_cursor") @Nullable String nextCursor) {}

    @Schema(name = "Room")
    record Room(String room, long count) {}

    @Schema(name = "Members")
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record Members(
            List<String> users,
            @JsonProperty("next_cursor") @Nullable String nextCursor) {}

    @Schema(name = "User")
    record User(String user, boolean online, List<Session> sessions) {}

    @Schema(name = "Session")
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record Session(
            String session,
            String node,
            String address,
            String endpoint,

            @Schema(description = "when it opened, milliseconds since the epoch")
            long since,

            @Nullable String kind) {
        static Session of(UserSession session) {
            // The incarnation without its number: the id nodes have everywhere outside.
            int number = session.node().lastIndexOf('.');
            return new Session(
                    session.session(),
                    number < 0 ? session.node() : session.node().substring(0, number),
                    session.address(),
                    session.endpoint(),
                    session.since(),
                    session.kind());
        }
    }

    @Schema(name = "DeadLetters")
    @JsonInclude(JsonInclude.Include.NON_NULL)
    record DeadLetters(
            @JsonProperty("dead_letters") List<DeadLetter> deadLetters,
            @JsonProperty("next_cursor") @Nullable String nextCursor) {}

    @Schema(name = "DeadLetter")
    record DeadLetter(
            String id,

            @Schema(description = "where it came in: a channel, or a service's stream and the entry in it")
            String source,

            @Schema(description = "what it was for, as its publisher wrote it")
            String channel,

            @Schema(description = "what is wrong with it") String reason,

            @Schema(description = "when it was set aside, milliseconds since the epoch")
            long time,

            @Schema(description = "bytes of the message as it came")
            int size,

            @Schema(description = "whether only the first of them are kept")
            boolean cut,

            @Schema(description = "the message, or its first 8 KB")
            String message) {
        static DeadLetter of(io.carillon.node.backplane.DeadLetters.Letter letter) {
            return new DeadLetter(
                    letter.id(),
                    letter.source(),
                    letter.channel(),
                    letter.reason(),
                    letter.time(),
                    letter.size(),
                    letter.cut(),
                    new String(letter.message(), StandardCharsets.UTF_8));
        }
    }

    @Schema(name = "Ticket")
    record Ticket(
            @Schema(description = "goes into a WebSocket address as `?ticket=`, once")
            String ticket,

            @JsonProperty("expires_in") @Schema(description = "seconds", example = "30")
            long expiresIn) {}

    @Schema(name = "ActivationCode")
    record ActivationCode(
            String code, @JsonProperty("group_id") long groupId) {}

    @Schema(name = "Nodes")
    record Nodes(List<Node> nodes) {}

    @Schema(name = "Draining")
    record Draining(
            String id, @Schema(description = "`draining`") String state) {}

    @Schema(name = "Node")
    record Node(
            String id,
            String address,
            int port,
            String version,
            @Schema(description = "`up` or `draining`") String state,

            @Schema(description = "when it started, milliseconds since the epoch")
            long since,

            @Schema(description = "sessions it holds") long connections,

            @Schema(description = "sessions it holds, by namespace")
            Map<String, Long> sessions,

            @Schema(description = "what it does per second, by name")
            Map<String, Double> rates) {
        static Node of(NodeDescription node) {
            long connections = 0;
            for (long held : node.sessions().values()) connections += held;
            return new Node(
                    node.boot(),
                    node.address(),
                    node.port(),
                    node.version(),
                    node.state(),
                    node.since(),
                    connections,
                    node.sessions(),
                    node.rates());
        }
    }
}
