package io.carillon.chaos;

/** Entry point. */
public final class Chaos {
    private Chaos() {}

    public static void main(String[] args) {}
}
