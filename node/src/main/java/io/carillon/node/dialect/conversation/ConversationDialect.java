package io.carillon.node.dialect.conversation;

import io.carillon.model.event.Event;
import io.carillon.model.event.EventCodec;
import io.carillon.model.event.InvalidEventException;
import io.carillon.node.dialect.Command;
import io.carillon.node.dialect.Dialect;
import io.carillon.node.dialect.Notice;
import io.carillon.node.dialect.TypedFrames;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/**
 * What clients of conversations speak: events and notices come as {@code {"type":…,"data":{…}}}; a client may send
 * {@code {"type":"ping"}} and {@code {"type":"refresh","token":…}}. Pure and safe from any thread.
 */
public final class ConversationDialect implements Dialect {
    private static final JsonMapper JSON = JsonMapper.shared();

    @Override
    public String name() {
        return "conversation";
    }

    @Override
    public Command decode(byte[] text) {
        try {
            Event event = EventCodec.readClient(text);
            return switch (event.type()) {
                case "ping" -> new Command.Ping(null);
                case "refresh" -> TypedFrames.refresh(event);
                default ->
                    new Command.Invalid("unknown_type", "a client sends ping and refresh; messages go over HTTP", null);
            };
        } catch (InvalidEventException e) {
            return new Command.Invalid(e.code().text(), e.sentence(), null);
        }
    }

    @Override
    public byte @Nullable [] encode(Event event) {
        return switch (event.type()) {
            // Who is in a conversation is nothing its visitors are told.
            case "presence_join", "presence_leave" -> null;
            default -> TypedFrames.of(event);
        };
    }

    @Override
    public byte @Nullable [] encode(Notice notice) {
        return switch (notice) {
            case Notice.Pong pong -> TypedFrames.of("pong", null);
            case Notice.Answer answer -> TypedFrames.of(answer.type(), answer.data());
            case Notice.Failure failure ->
                JSON.writeValueAsBytes(JSON.createObjectNode()
                        .put("type", "error")
                        .put("code", failure.code())
                        .put("error", failure.sentence()));
            default -> TypedFrames.notice(notice);
        };
    }
}
