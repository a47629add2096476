package io.carillon.node.presence;

import io.carillon.model.channel.Namespace;
import io.carillon.model.redis.Keys;
import java.util.ArrayList;
import java.util.List;

/** One part of a namespace's presence, whose keys share a slot of Redis Cluster; outside Cluster there is one part. */
record Place(Namespace namespace, int part) {
    /** Where a user, or a node's note of a room, is kept. */
    static Place of(Keys keys, Namespace namespace, String id) {
        return new Place(namespace, keys.part(id));
    }

    static List<Place> all(Keys keys, Namespace namespace) {
        var all = new ArrayList<Place>(keys.parts());
        for (int part = 0; part < keys.parts(); part++) all.add(new Place(namespace, part));
        return all;
    }

    /** The key that the presence script goes by here. */
    String online(Keys keys) {
        return keys.online(namespace, part);
    }

    @Override
    public String toString() {
        return namespace.name() + '/' + part;
    }
}
