package io.carillon.client;

/** What a {@link Dialer} opens, and for whom. Called under the client's lock. */
interface Opener {
    /**
     * Starts to open a connection, and makes it the client's.
     *
     * @param fallback by what serves where a WebSocket cannot be had, instead of a WebSocket
     * @throws IllegalArgumentException if the path or the token has characters that no request may have
     */
    void open(Dialer dialer, boolean fallback);

    /** Whether there is such a thing. */
    boolean fallsBack();

    /** Whether to fall back after so many attempts in a row that came to nothing, whatever the reason. */
    default boolean fallsBackAfter(int failures) {
        return false;
    }

    /** The client is over: what waits fails for this reason. */
    void over(String code, String sentence);
}
