package io.carillon.client;

import java.math.BigInteger;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** The {@code conversation} dialect, of one conversation: sessions only receive, messages are posted. */
final class ConversationDialect implements FeedDialect<ConversationMessage, ConversationMessage> {
    private static final JsonMapper JSON = JsonMapper.shared();

    private final long conversation;

    ConversationDialect(long conversation) {
        this.conversation = conversation;
    }

    ObjectNode body(String content, boolean asAgent) {
        return JSON.createObjectNode()
                .put("conversation_id", new BigInteger(Long.toUnsignedString(conversation)))
                .put("content", content)
                .put("sender_is_agent", asAgent);
    }

    @Override
    public String ping() {
        return "ping";
    }

    @Override
    public String page(long afterId, int limit) {
        return "/messages?conversation_id=" + Long.toUnsignedString(conversation) + "&after_id=" + afterId + "&limit="
                + limit;
    }

    @Override
    public boolean dense() {
        return true;
    }

    @Override
    public ConversationMessage message(JsonNode data) {
        return new ConversationMessage(
                data.path("id").asLong(0),
                conversation,
                data.path("content").asString(""),
                data.path("sender_is_agent").asBoolean(false),
                data.path("created_at").asString(""));
    }

    @Override
    public boolean received(FeedConnection on, String type, JsonNode frame) {
        switch (type) {
            case "new_message" -> on.came(frame.path("data"));
            case "pong" -> on.answered();
            default -> {
                return false;
            }
        }
        return true;
    }

    @Override
    public @Nullable ObjectNode frame(ObjectNode body) {
        return null;
    }

    @Override
    public String post() {
        return "/messages";
    }

    @Override
    public boolean keyed() {
        return true;
    }

    @Override
    public ConversationMessage sent(String key, JsonNode answer) {
        return message(answer);
    }
}
