package io.carillon.node.app;

import io.carillon.model.channel.ChannelName;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Which users have sessions of which group on this node. Safe from any thread. */
final class LineSessions {
    private final Map<ChannelName, Map<String, Set<String>>> sessions = new HashMap<>(); // guarded by this

    synchronized void add(ChannelName room, String user, String session) {
        sessions.computeIfAbsent(room, name -> new HashMap<>())
                .computeIfAbsent(user, name -> new HashSet<>(2))
                .add(session);
    }

    /** Takes the session away, if it is there. Whether it was the user's last. */
    synchronized boolean remove(ChannelName room, String user, String session) {
        Map<String, Set<String>> users = sessions.get(room);
        Set<String> of = users == null ? null : users.get(user);
        if (users == null || of == null || !of.remove(session) || !of.isEmpty()) return false;
        users.remove(user);
        if (users.isEmpty()) sessions.remove(room);
        return true;
    }

    synchronized boolean holds(ChannelName room, String user) {
        Map<String, Set<String>> users = sessions.get(room);
        return users != null && users.containsKey(user);
    }

    synchronized List<ChannelName> rooms() {
        return List.copyOf(sessions.keySet());
    }

    synchronized List<String> users(ChannelName room) {
        Map<String, Set<String>> users = sessions.get(room);
        return users == null ? List.of() : List.copyOf(users.keySet());
    }
}
