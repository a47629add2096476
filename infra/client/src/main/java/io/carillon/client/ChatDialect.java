package io.carillon.client;

import java.lang.System.Logger.Level;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/** The {@code chat} dialect, and how many users are online. */
final class ChatDialect implements FeedDialect<ChatMessage, ChatSent> {
    static final String ONLINE = "/api/chat/online-users";

    private static final JsonMapper JSON = JsonMapper.shared();

    private final List<LongConsumer> ofCounts = new CopyOnWriteArrayList<>();
    private final Inbox inbox;
    private long count;

    ChatDialect(Inbox inbox) {
        this.inbox = inbox;
    }

    void onOnline(LongConsumer handler) {
        ofCounts.add(handler);
    }

    long count() {
        return count;
    }

    static ObjectNode body(String content, String clientId) {
        return JSON.createObjectNode().put("content", content).put("client_id", clientId);
    }

    static ObjectNode framed(ObjectNode body) {
        ObjectNode frame = JSON.createObjectNode().put("type", "message");
        frame.setAll(body);
        return frame;
    }

    @Override
    public String ping() {
        return "heartbeat";
    }

    @Override
    public String page(long afterId, int limit) {
        return "/api/chat/messages/new?after_id=" + afterId + "&limit=" + limit;
    }

    @Override
    public boolean dense() {
        return false;
    }

    @Override
    public ChatMessage message(JsonNode data) {
        return new ChatMessage(
                data.path("id").asLong(),
                data.path("user_id").asString(""),
                data.path("username").asString(""),
                data.path("content").asString(""),
                data.path("created_at").asString(""));
    }

    @Override
    public boolean received(FeedConnection on, String type, JsonNode frame) {
        switch (type) {
            case "message" -> on.came(frame.path("data"));
            case "heartbeat_ack" -> on.answered();
            case "online_count" -> online(frame.path("data"));
            case "ack" -> on.acknowledged(frame.path("client_id").asString(""), frame.path("data"));
            case "error" -> {
                return refused(on, frame);
            }
            default -> {
                return false;
            }
        }
        return true;
    }

    private static boolean refused(FeedConnection on, JsonNode frame) {
        JsonNode key = frame.path("client_id");
        String code = frame.path("code").asString("error");
        if (on.refused(
                key.isString() ? key.asString() : null,
                code,
                frame.path("error").asString(""))) return true;
        CarillonClient.LOG.log(Level.WARNING, "the server answered {0}", code);
        return false;
    }

    @Override
    public void polled(Requests requests) {
        requests.get(ONLINE, reply -> {
            if (reply.good()) online(reply.body());
        });
    }

    private void online(JsonNode from) {
        long now = from.path("count").asLong(count);
        if (now == count) return;
        count = now;
        for (LongConsumer handler : ofCounts) inbox.hand(() -> handler.accept(now));
    }

    @Override
    public @Nullable ObjectNode frame(ObjectNode body) {
        return framed(body);
    }

    @Override
    public String post() {
        return "/api/chat/messages";
    }

    @Override
    public boolean keyed() {
        return false;
    }

    @Override
    public ChatSent sent(String key, JsonNode answer) {
        return new ChatSent(answer.path("id").asLong(0), key);
    }
}
