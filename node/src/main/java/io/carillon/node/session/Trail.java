package io.carillon.node.session;

import io.carillon.model.channel.ChannelName;
import io.carillon.model.channel.Namespace;
import io.carillon.model.channel.Position;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What an event stream asked for, and how far it has been sent each of its channels. Its {@link #id} is all a client has
 * to keep, and all another node needs to go on where this one stopped. Owned by the session's event loop.
 *
 * <p>An id is base64url of: version (1 byte), then for each channel whose position is known a hash of its label (4), the
 * length of its epoch (1), the epoch, and its offset (1 to 9, seven bits each, the lowest first).
 */
public final class Trail {
    /** Most channels of one stream: its id has to fit into a header with room to spare. */
    public static final int MAX_CHANNELS = 32;

    private static final int MAX_ID = 4096;
    private static final byte VERSION = 1;

    private final List<ChannelName> channels;
    private final Map<ChannelName, Position> positions = new HashMap<>(4);

    private Trail(List<ChannelName> channels) {
        this.channels = channels;
    }

    /**
     * Reads what a client asks for.
     *
     * @param labels labels of channels, with commas between
     * @param id the {@link #id} to go on from; null or empty to begin
     * @throws IllegalArgumentException with a sentence for the client
     */
    public static Trail read(Namespace namespace, @Nullable String labels, @Nullable String id) {
        var named = new TreeMap<String, ChannelName>();
        for (String label : (labels == null ? "" : labels).split(",", MAX_CHANNELS + 2)) {
            String trimmed = label.trim();
            if (trimmed.isEmpty()) continue;
            ChannelName channel = ChannelName.parse(namespace, trimmed);
            if (channel == null) {
                throw new IllegalArgumentException(
                        "channels are broadcast, user:<id> and room:<id>, with commas between them");
            }
            named.put(trimmed, channel);
            if (named.size() > MAX_CHANNELS) {
                throw new IllegalArgumentException("a stream has at most " + MAX_CHANNELS + " channels");
            }
        }
        if (named.isEmpty()) {
            throw new IllegalArgumentException("name the channels: ?channels=user:<id>,room:<id>,broadcast");
        }
        var trail = new Trail(List.copyOf(named.values()));
        if (id != null && !id.isEmpty()) trail.readId(id);
        return trail;
    }

    /** The channels, each once. */
    public List<ChannelName> channels() {
        return channels;
    }

    /** How far the client has been sent the channel; null when it begins where the channel is. */
    public @Nullable Position at(ChannelName channel) {
        return positions.get(channel);
    }

    /** The client has been sent the channel up to here. */
    public void at(ChannelName channel, Position position) {
        positions.put(channel, position);
    }

    /** Where the client stands, for {@code Last-Event-ID}. */
    public String id() {
        int size = 1;
        for (Position position : positions.values()) {
            size += 4 + 1 + position.epoch().length() + 9;
        }
        ByteBuffer bytes = ByteBuffer.allocate(size).put(VERSION);
        for (ChannelName channel : channels) {
            Position position = positions.get(channel);
            if (position == null) continue;
            byte[] epoch = position.epoch().getBytes(StandardCharsets.US_ASCII);
            bytes.putInt(hash(channel)).put((byte) epoch.length).put(epoch);
            long offset = position.offset();
            while (offset > 0x7F) {
                bytes.put((byte) (offset & 0x7F | 0x80));
                offset >>>= 7;
            }
            bytes.put((byte) offset);
        }
        byte[] written = new byte[bytes.position()];
        bytes.flip().get(written);
        return Base64.getUrlEncoder().withoutPadding().encodeToString(written);
    }

    private void readId(String id) {
        var wrong = new IllegalArgumentException("the last event id is not one that this service gave");
        if (id.length() > MAX_ID) throw wrong;
        ByteBuffer bytes;
        try {
            bytes = ByteBuffer.wrap(Base64.getUrlDecoder().decode(id));
        } catch (IllegalArgumentException e) {
            throw wrong;
        }
        if (!bytes.hasRemaining() || bytes.get() != VERSION) throw wrong;
        var byHash = new HashMap<Integer, ChannelName>();
        for (ChannelName channel : channels) byHash.put(hash(channel), channel);
        while (bytes.hasRemaining()) {
            if (bytes.remaining() < 6) throw wrong;
            ChannelName channel = byHash.get(bytes.getInt());
            int length = bytes.get() & 0xFF;
            if (length > 64 || bytes.remaining() <= length) throw wrong;
            byte[] epoch = new byte[length];
            bytes.get(epoch);
            long offset = 0;
            int shift = 0;
            byte next;
            do {
                if (!bytes.hasRemaining() || shift > 56) throw wrong;
                next = bytes.get();
                offset |= (long) (next & 0x7F) << shift;
                shift += 7;
            } while (next < 0);
            try {
                var position = new Position(new String(epoch, StandardCharsets.ISO_8859_1), offset);
                // A channel that is not asked for any more is passed over.
                if (channel != null) positions.put(channel, position);
            } catch (IllegalArgumentException e) {
                throw wrong;
            }
        }
    }

    /** FNV-1a of the label: a stream's own channels are told apart, nothing depends on more. */
    private static int hash(ChannelName channel) {
        int hash = 0x811C9DC5;
        for (byte b : channel.label().getBytes(StandardCharsets.UTF_8)) hash = (hash ^ b) * 0x01000193;
        return hash;
    }
}
