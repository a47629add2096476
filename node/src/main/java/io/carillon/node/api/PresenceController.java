package io.carillon.node.api;

import io.carillon.model.channel.Ids;
import io.carillon.model.channel.Namespace;
import io.carillon.model.redis.Keys;
import io.carillon.node.dispatch.ClusterControl;
import io.carillon.node.presence.PresenceQueries;
import io.swagger.v3.oas.annotations.Operation;
import io.swagger.v3.oas.annotations.Parameter;
import io.swagger.v3.oas.annotations.media.Schema;
import io.swagger.v3.oas.annotations.tags.Tag;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.data.redis.core.StringRedisTemplate;
import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.PutMapping;
import org.springframework.web.bind.annotation.RequestAttribute;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;

/**
 * Who is online, who is in a room, and moving or closing their sessions.
 *
 * <p>Redis: {@code SADD} and {@code SREM carillon:<ns>:members:granted:<user>}, the rooms that sessions of a user join as
 * they open.
 */
@RestController
@RequestMapping("/api/ws")
@Tag(name = "Presence")
class PresenceController {
    private static final String LIMIT = "most entries of the page, 1 to 1,000";
    private static final String CURSOR = "`next_cursor` of the page before";

    private final PresenceQueries presence;
    private final ClusterControl control;
    private final Namespaces namespaces;
    private final StringRedisTemplate redis;
    private final Keys keys;

    PresenceController(
            PresenceQueries presence,
            ClusterControl control,
            Namespaces namespaces,
            StringRedisTemplate redis,
            Keys keys) {
        this.presence = presence;
        this.control = control;
        this.namespaces = namespaces;
        this.redis = redis;
        this.keys = keys;
    }

    @Operation(summary = "Who is online, and how many connections and nodes there are")
    @GetMapping(path = "/status", produces = MediaType.APPLICATION_JSON_VALUE)
    Answers.Status status(
            @RequestAttribute(Gate.CALLER) String caller,
            @RequestParam(name = "namespace", required = false) @Nullable String namespace,
            @Parameter(description = LIMIT, schema = @Schema(type = "integer", minimum = "1", maximum = "1000"))
                    @RequestParam(name = "limit", required = false)
                    @Nullable
                    String limit,
            @Parameter(description = CURSOR) @RequestParam(name = "cursor", required = false) @Nullable String cursor) {
        Namespace in = namespaces.named(namespace);
        PresenceQueries.Page page = Pages.read(limit, most -> presence.onlineUsers(in, cursor, most));
        return new Answers.Status(
                presence.online(in),
                page.users(),
                presence.connections(in),
                presence.nodes().size(),
                page.cursor());
    }

    @Operation(summary = "How many users are in a room")
    @GetMapping(path = "/rooms/{room}", produces = MediaType.APPLICATION_JSON_VALUE)
    Answers.Room room(
            @RequestAttribute(Gate.CALLER) String caller,
            @PathVariable("room") String room,
            @RequestParam(name = "namespace", required = false) @Nullable String namespace) {
        Ids.check(room, "room");
        return new Answers.Room(room, presence.roomCount(namespaces.named(namespace), room));
    }

    @Operation(summary = "Which users are in a room")
    @GetMapping(path = "/rooms/{room}/members", produces = MediaType.APPLICATION_JSON_VALUE)
    Answers.Members members(
            @RequestAttribute(Gate.CALLER) String caller,
            @PathVariable("room") String room,
            @RequestParam(name = "namespace", required = false) @Nullable String namespace,
            @Parameter(description = LIMIT, schema = @Schema(type = "integer", minimum = "1", maximum = "1000"))
                    @RequestParam(name = "limit", required = false)
                    @Nullable
                    String limit,
            @Parameter(description = CURSOR) @RequestParam(name = "cursor", required = false) @Nullable String cursor) {
        Ids.check(room, "room");
        Namespace in = namespaces.named(namespace);
        PresenceQueries.Page page = Pages.read(limit, most -> presence.roomMembers(in, room, cursor, most));
        return new Answers.Members(page.users(), page.cursor());
    }

    @Operation(
            summary = "Put a user into a room: all sessions there are, and all that open until the user is taken out")
    @PutMapping("/rooms/{room}/members/{user}")
    @ResponseStatus(HttpStatus.NO_CONTENT)
    void join(
            @RequestAttribute(Gate.CALLER) String caller,
            @PathVariable("room") String room,
            @PathVariable("user") String user,
            @RequestParam(name = "namespace", required = false) @Nullable String namespace) {
        Ids.check(room, "room");
        Ids.check(user, "user");
        Namespace in = namespaces.named(namespace);
        // First for sessions to come, so that none opens between the two without it.
        redis.opsForSet().add(keys.grantedRooms(in, user), room);
        Waits.answer(control.moveUser(in, user, room, true));
    }

    @Operation(summary = "Take a user out of a room, with all sessions")
    @DeleteMapping("/rooms/{room}/members/{user}")
    @ResponseStatus(HttpStatus.NO_CONTENT)
    void leave(
            @RequestAttribute(Gate.CALLER) String caller,
            @PathVariable("room") String room,
            @PathVariable("user") String user,
            @RequestParam(name = "namespace", required = false) @Nullable String namespace) {
        Ids.check(room, "room");
        Ids.check(user, "user");
        Namespace in = namespaces.named(namespace);
        redis.opsForSet().remove(keys.grantedRooms(in, user), room);
        Waits.answer(control.moveUser(in, user, room, false));
    }

    @Operation(summary = "Whether a user is online, with which sessions")
    @GetMapping(path = "/users/{user}", produces = MediaType.APPLICATION_JSON_VALUE)
    Answers.User user(
            @RequestAttribute(Gate.CALLER) String caller,
            @PathVariable("user") String user,
            @RequestParam(name = "namespace", required = false) @Nullable String namespace) {
        Ids.check(user, "user");
        Namespace in = namespaces.named(namespace);
        List<Answers.Session> sessions =
                presence.sessions(in, user).stream().map(Answers.Session::of).toList();
        return new Answers.User(user, presence.isOnline(in, user), sessions);
    }

    @Operation(summary = "Close all sessions of a user (4503), on every node")
    @DeleteMapping("/users/{user}")
    @ResponseStatus(HttpStatus.NO_CONTENT)
    void kick(
            @RequestAttribute(Gate.CALLER) String caller,
            @PathVariable("user") String user,
            @RequestParam(name = "namespace", required = false) @Nullable String namespace) {
        Ids.check(user, "user");
        Waits.answer(control.kick(namespaces.named(namespace), user));
    }

    @Operation(summary = "The nodes of the cluster")
    @GetMapping(path = "/nodes", produces = MediaType.APPLICATION_JSON_VALUE)
    Answers.Nodes nodes(
            @RequestAttribute(Gate.CALLER) String caller,
            @RequestParam(name = "namespace", required = false) @Nullable String namespace) {
        namespaces.named(namespace);
        return new Answers.Nodes(presence.nodes().stream().map(Answers.Node::of).toList());
    }

    @Operation(
            summary = "Drain a node: it takes no new sessions, hands its own over and ends",
            description = "Any node may be asked. Asked again it is 202 again, until the node is gone.")
    @PostMapping(path = "/nodes/{id}/drain", produces = MediaType.APPLICATION_JSON_VALUE)
    @ResponseStatus(HttpStatus.ACCEPTED)
    Answers.Draining drain(@RequestAttribute(Gate.CALLER) String caller, @PathVariable("id") String id) {
        boolean known = presence.nodes().stream().anyMatch(node -> node.boot().equals(id));
        if (!known) throw new ApiException(404, "there is no node of this id: see GET /api/ws/nodes");
        if (!Waits.answer(control.drain(id))) {
            throw new ApiException(503, "the node cannot be reached at the moment: try again");
        }
        return new Answers.Draining(id, "draining");
    }
}
