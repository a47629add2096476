package io.carillon.node.dispatch;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Position;
import io.carillon.node.dialect.Dialect;
import io.carillon.node.session.Session;
import io.netty.buffer.ByteBuf;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * One event on its way to the sessions of one event loop, encoded for one dialect.
 *
 * @param frame shared by every receiver; the delivery holds one reference
 * @param position its place in the channel's history; null when it has none
 * @param only the one session that gets it; null for all
 * @param exclude the session that must not get it; null for none
 * @param notUser the user none of whose sessions gets it; null for none
 * @param audience which sessions get it by the application's rules; null for all
 */
record Delivery(
        ChannelName channel,
        Dialect dialect,
        ByteBuf frame,
        @Nullable Position position,
        @Nullable String only,
        @Nullable String exclude,
        @Nullable String notUser,
        @Nullable Predicate<Session> audience) {

    boolean toAll() {
        return only == null && exclude == null && notUser == null && audience == null;
    }

    boolean isFor(Session session) {
        if (only != null && !only.equals(session.id())) return false;
        if (exclude != null && exclude.equals(session.id())) return false;
        if (notUser != null && notUser.equals(session.user())) return false;
        return audience == null || audience.test(session);
    }
}
