package io.carillon.node.edge;

import io.netty.util.NetUtil;
import java.net.InetAddress;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Whose word is taken for who the client is and how it addressed the front door. Immutable. */
final class Proxies {
    private final List<Network> networks;

    Proxies(List<String> networks) {
        this.networks = networks.stream().map(Proxies::network).toList();
    }

    /** A network, {@code address/bits}; an address alone is itself. */
    record Network(byte[] base, int bits) {
        boolean contains(byte[] address) {
            if (address.length != base.length) return false;
            for (int i = 0; i < bits; i++) {
                int bit = 0x80 >> (i & 7);
                if ((address[i >> 3] & bit) != (base[i >> 3] & bit)) return false;
            }
            return true;
        }
    }

    static Network network(String text) {
        int slash = text.indexOf('/');
        byte[] base = NetUtil.createByteArrayFromIpAddressString(slash < 0 ? text : text.substring(0, slash));
        if (base == null) {
            throw new IllegalArgumentException(
                    "carillon.edge.trusted-proxies: '" + text + "' is not an address or address/bits");
        }
        int bits = base.length * 8;
        if (slash >= 0) {
            try {
                bits = Integer.parseInt(text, slash + 1, text.length(), 10);
            } catch (NumberFormatException e) {
                bits = -1;
            }
            if (bits < 0 || bits > base.length * 8) {
                throw new IllegalArgumentException(
                        "carillon.edge.trusted-proxies: '" + text + "' must have 0 to " + base.length * 8 + " bits");
            }
        }
        return new Network(base, bits);
    }

    boolean trusts(@Nullable InetAddress peer) {
        return peer != null && trusts(peer.getAddress());
    }

    private boolean trusts(byte[] address) {
        for (Network network : networks) {
            if (network.contains(address)) return true;
        }
        return false;
    }

    /**
     * The client's address: the peer's, or where the peer is a trusted proxy the last address in
     * {@code X-Forwarded-For} that is not a trusted proxy itself.
     */
    String client(@Nullable InetAddress peer, Head request) {
        if (peer == null) return "0.0.0.0";
        String client = text(peer.getAddress());
        if (!trusts(peer)) return client;
        List<String> forwarded = request.all("x-forwarded-for");
        for (int i = forwarded.size() - 1; i >= 0; i--) {
            String[] hops = forwarded.get(i).split(",", -1);
            for (int j = hops.length - 1; j >= 0; j--) {
                byte[] hop = NetUtil.createByteArrayFromIpAddressString(hops[j].trim());
                if (hop == null) return client;
                client = text(hop);
                if (!trusts(hop)) return client;
            }
        }
        return client;
    }

    private static String text(byte[] address) {
        // Four bytes, whether the address came as IPv4 or as IPv4 mapped into IPv6 (RFC 4291 §2.5.5.2).
        boolean mapped = address.length == 16 && address[10] == -1 && address[11] == -1;
        for (int i = 0; mapped && i < 10; i++) mapped = address[i] == 0;
        return mapped ? NetUtil.bytesToIpAddress(address, 12, 4) : NetUtil.bytesToIpAddress(address);
    }

    /** What counts as one client: an IPv4 address, or the /64 of an IPv6 address, which one client has to itself. */
    static String client(String address) {
        if (address.indexOf(':') < 0) return address;
        byte[] bytes = NetUtil.createByteArrayFromIpAddressString(address);
        if (bytes == null) return address;
        for (int i = 8; i < bytes.length; i++) bytes[i] = 0;
        return NetUtil.bytesToIpAddress(bytes);
    }
}
