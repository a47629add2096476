package io.carillon.node.dialect.chat;

import io.carillon.model.event.Event;
import io.carillon.model.event.EventCodec;
import io.carillon.model.event.InvalidEventException;
import io.carillon.model.event.Payload;
import io.carillon.node.dialect.Command;
import io.carillon.node.dialect.Dialect;
import io.carillon.node.dialect.Notice;
import io.carillon.node.dialect.TypedFrames;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * What members of a chat speak: {@code {"type":"message","content":…,"client_id":…}}, {@code heartbeat} and
 * {@code refresh} in; {@code {"type":…,"data":{…}}} out. The {@code client_id} is the client's mark for the answer. Pure
 * and safe from any thread.
 */
public final class ChatDialect implements Dialect {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final int MAX_CLIENT_ID = 128;

    @Override
    public String name() {
        return "chat";
    }

    @Override
    public Command decode(byte[] text) {
        Event event;
        try {
            event = EventCodec.readClient(text);
        } catch (InvalidEventException e) {
            return new Command.Invalid(e.code().text(), e.sentence(), null);
        }
        Payload given = event.extra().get("client_id");
        String mark = TypedFrames.text(given);
        if (given != null && !given.equals(Payload.ofJson("null")) && (mark == null || mark.isEmpty())) {
            return new Command.Invalid("bad_frame", "client_id must be a string with something in it", null);
        }
        if (mark != null && mark.length() > MAX_CLIENT_ID) {
            return new Command.Invalid(
                    "too_large", "client_id may have " + MAX_CLIENT_ID + " characters at most", null);
        }
        return switch (event.type()) {
            case "message" ->
                TypedFrames.text(event.content()) == null
                        ? new Command.Invalid("bad_frame", "a message needs \"content\", a string", mark)
                        : new Command.Publish(
                                new Event.Builder("message")
                                        .content(event.content())
                                        .build(),
                                mark);
            case "heartbeat" -> new Command.Ping(null);
            case "refresh" -> {
                try {
                    yield TypedFrames.refresh(event);
                } catch (InvalidEventException e) {
                    yield new Command.Invalid(e.code().text(), e.sentence(), mark);
                }
            }
            default -> new Command.Invalid("unknown_type", "a client sends message, heartbeat and refresh", mark);
        };
    }

    @Override
    public byte @Nullable [] encode(Event event) {
        return switch (event.type()) {
            // Clients are told the count, and ask over HTTP for the names.
            case "presence_join", "presence_leave" -> null;
            default -> TypedFrames.of(event);
        };
    }

    @Override
    public byte @Nullable [] encode(Notice notice) {
        return switch (notice) {
            case Notice.Pong pong -> TypedFrames.of("heartbeat_ack", null);
            case Notice.Answer answer ->
                JSON.writeValueAsBytes(
                        marked(answer.type(), answer.ref()).putRawValue("data", TypedFrames.raw(answer.data())));
            case Notice.Failure failure ->
                JSON.writeValueAsBytes(marked("error", failure.ref())
                        .put("code", failure.code())
                        .put("error", failure.sentence()));
            default -> TypedFrames.notice(notice);
        };
    }

    private static ObjectNode marked(String type, @Nullable String mark) {
        ObjectNode frame = JSON.createObjectNode().put("type", type);
        return mark == null ? frame : frame.put("client_id", mark);
    }
}
