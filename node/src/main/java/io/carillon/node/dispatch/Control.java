package io.carillon.node.dispatch;

import io.carillon.model.channel.Ids;
import io.carillon.model.channel.Namespace;
import io.carillon.node.session.CloseCode;
import io.carillon.node.session.Session;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/**
 * Carries out what other nodes ask of this one: {@code {"op":"kick"|"join"|"leave","namespace":…,"user":…,"room":…}},
 * {@code {"op":"close","session":…,"code":4504|4509}}, or {@code {"op":"drain"}}.
 */
final class Control {
    private static final Logger log = LoggerFactory.getLogger(Control.class);
    private static final JsonMapper JSON = JsonMapper.shared();

    private final Commands commands;
    private final Lane[] lanes;
    private volatile Runnable drain = () -> {};

    Control(Commands commands, Lane[] lanes) {
        this.commands = commands;
        this.lanes = lanes;
    }

    static byte[] kick(Namespace namespace, String user) {
        return JSON.writeValueAsBytes(JSON.createObjectNode()
                .put("op", "kick")
                .put("namespace", namespace.name())
                .put("user", user));
    }

    static byte[] move(Namespace namespace, String user, String room, boolean join) {
        return JSON.writeValueAsBytes(JSON.createObjectNode()
                .put("op", join ? "join" : "leave")
                .put("namespace", namespace.name())
                .put("user", user)
                .put("room", room));
    }

    static byte[] close(String session, CloseCode code) {
        return JSON.writeValueAsBytes(JSON.createObjectNode()
                .put("op", "close")
                .put("session", session)
                .put("code", code.code()));
    }

    static byte[] drain() {
        return JSON.writeValueAsBytes(JSON.createObjectNode().put("op", "drain"));
    }

    /** What to do when the node is to empty itself and end; must not wait. */
    void onDrain(Runnable task) {
        drain = task;
    }

    /** On the backplane's reader thread: only hands on. An unknown operation is of a newer node and passed over. */
    void received(byte[] message) {
        String op;
        String user;
        String room;
        Namespace namespace;
        try {
            JsonNode node = JSON.readTree(message);
            op = node.path("op").asString("");
            if (op.equals("drain")) {
                drain.run();
                return;
            }
            if (op.equals("close")) {
                close(node.path("session").asString(""), node.path("code").asInt(0));
                return;
            }
            namespace = new Namespace(node.path("namespace").asString(""));
            user = Ids.check(node.path("user").asString(""), "user");
            room = node.path("room").asString("");
            if (!op.equals("kick")) Ids.check(room, "room");
        } catch (JacksonException | IllegalArgumentException e) {
            log.warn("A control message was not understood and passed over.");
            return;
        }
        for (Lane lane : lanes) {
            lane.run(() -> {
                // All of them: a session that is still opening is not on its user's channel yet.
                for (Session session : List.copyOf(lane.sessions())) {
                    if (!session.user().equals(user)
                            || !session.endpoint().namespace().equals(namespace)) continue;
                    switch (op) {
                        case "kick" -> session.socket().close(CloseCode.KICKED);
                        // An event stream has the rooms it asked for.
                        case "join" -> {
                            if (session.trail() == null) commands.join(lane, session, room, null);
                        }
                        case "leave" -> commands.moveOut(lane, session, room);
                        default -> {}
                    }
                }
            });
        }
    }

    private void close(String id, int number) {
        CloseCode code = number == CloseCode.REPLACED.code() ? CloseCode.REPLACED : CloseCode.TOO_MANY_SESSIONS;
        for (Lane lane : lanes) {
            lane.run(() -> {
                for (Session session : List.copyOf(lane.sessions())) {
                    if (session.id().equals(id)) session.socket().close(code);
                }
            });
        }
    }
}
